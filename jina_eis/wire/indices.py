"""What is sent to indices, and what comes back: mappings, documents and searches. `wire.py` is its twin for inference.

Nothing else knows this JSON. A reader returns what was asked for or raises a typed error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ..contents import Medium, Part
from ..errors import ConfigurationError, IndexNotFoundError, InputError, InvalidAnswerError, RateLimitError
from .call import Call
from .inference import as_item, well_formed

__all__ = [
    "Field",
    "Hit",
    "Index",
    "Outcome",
    "Write",
    "builder",
    "bulk",
    "create_index",
    "delete_index",
    "elasticsearch_score",
    "get_index",
    "model_score",
    "refresh_index",
    "search",
]

VECTORS = ("dense_vector", "semantic", "semantic_text")
META = "jina_eis"  # what this library writes into the `_meta` of a mapping that it makes
_REJECTED = 429


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an index.

    Attributes:
        name: Its full name, with dots.
        type: Its type in the mapping.
        inference_id: The endpoint that embeds it, of semantic_text and semantic.
        search_inference_id: The endpoint that embeds queries for it.
        dims: Length of its vectors, of dense_vector.
    """

    name: str
    type: str
    inference_id: str | None = None
    search_inference_id: str | None = None
    dims: int | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """What an index holds.

    Attributes:
        name: Its name.
        fields: Its fields, by name.
        inference_id: The endpoint that its dense vectors were made with, if this library wrote it down.
    """

    name: str
    fields: Mapping[str, Field]
    inference_id: str | None = None

    def of_types(self, *types: str) -> list[Field]:
        """The fields of these types."""
        return [each for each in self.fields.values() if each.type in types]


@dataclass(frozen=True, slots=True)
class Hit:
    """A document that was found.

    Attributes:
        id: Its id.
        index: Its index.
        score: Elasticsearch's score of it.
        source: Its fields, as far as they were asked for.
        highlights: The best passages, by field.
    """

    id: str
    index: str
    score: float | None
    source: Mapping[str, Any]
    highlights: Mapping[str, list[str]] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The text in a field, which may lie in objects and be a list; "" if there is none."""
        value: Any = self.source.get(name)
        if value is None:
            value = self.source
            for part in name.split("."):
                value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, (list, tuple)):
            return "\n".join(each for each in value if isinstance(each, str))
        return value if isinstance(value, str) else "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Write:
    """A document to be written, or, without a source, to be deleted. Its fields may be media, which are read when sent."""

    id: str
    source: Mapping[str, Any] | None

    @property
    def size(self) -> int:
        """About how many characters it takes in a request."""
        return _size(self.source)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a write.

    Attributes:
        write: What was to be written.
        status: HTTP status of this write.
        reason: Why it failed; None if it did not.
    """

    write: Write
    status: int
    reason: str | None

    @property
    def rejected(self) -> bool:
        """Whether Elasticsearch had too much to do, so that it may be sent again."""
        return self.status == _REJECTED


def get_index(index: str, *, keep: bool) -> Call[Index]:
    """Describe an index; `keep` for once in the life of a driver, unless a search fails or the index is made anew."""
    return Call("GET", _mapping(index), lambda body: _read_index(index, body), keep=keep)


def create_index(index: str, properties: Mapping[str, Any], inference_id: str | None) -> Call[bool]:
    """Create an index with these fields. `inference_id` is written down as what its dense vectors are made with."""
    mappings: dict[str, Any] = {"properties": properties}
    if inference_id:
        mappings["_meta"] = {META: {"inference_id": inference_id}}
    return Call("PUT", f"/{_quoted(index)}", bool, body={"mappings": mappings}, outdates=_mapping(index))


def bulk(index: str, writes: Sequence[Write]) -> Call[list[Outcome]]:
    """Write and delete documents: one outcome for each, in their order. A document of the same id is replaced.

    Raises, when the answer is read:
        RateLimitError: every write was rejected, so that the pace hears of it.
    """
    middle = len(writes) // 2
    return Call(
        "POST",
        f"/{_quoted(index)}/_bulk",
        lambda body: _read_outcomes(body, writes),
        load=lambda: list(_lines(writes)),
        lines=True,
        bucket=f"bulk {index}",
        halves=None if len(writes) == 1 else lambda: [bulk(index, writes[:middle]), bulk(index, writes[middle:])],
    )


def delete_index(index: str) -> Call[bool]:
    """Delete an index and all that it holds."""
    return Call("DELETE", f"/{_quoted(index)}", bool, outdates=_mapping(index))


def refresh_index(index: str) -> Call[bool]:
    """Let searches see what was written."""
    return Call("POST", f"/{_quoted(index)}/_refresh", bool)


def search(index: str, body: Mapping[str, Any], endpoint: str) -> Call[list[Hit]]:
    """Search an index; the best hits first. `endpoint` is the inference endpoint to be named in errors."""
    return Call(
        "POST",
        f"/{_quoted(index)}/_search",
        _read_hits,
        body=body,
        endpoint=endpoint,
        bucket=f"search {index}",
        outdates=_mapping(index),
    )


def builder(inference_id: str | None, task: str, parts: Sequence[Part]) -> dict[str, Any]:
    """What lets Elasticsearch embed a query; without an endpoint, it takes the field's own."""
    if task == "text_embedding":
        (text,) = parts
        return {"text_embedding": {"model_text": text, **({"model_id": inference_id} if inference_id else {})}}
    items: list[Any] = [part if isinstance(part, str) and len(parts) == 1 else as_item(part) for part in parts]
    return {
        "embedding": {"input": items[0] if len(items) == 1 else items, **({"inference_id": inference_id} if inference_id else {})}
    }


def model_score(shown: float) -> float:
    """A reranker's own score from what Elasticsearch makes of it: positive ones raised by 1, negative ones into 0 to 1."""
    if shown >= 1:
        return shown - 1
    return math.log(shown) if shown > 0 else -math.inf


def elasticsearch_score(score: float) -> float:
    """What Elasticsearch makes of a reranker's score: max(score, 0) + min(exp(score), 1), in single precision."""
    return max(score, 0.0) + math.exp(min(score, 0.0))


def _read_index(name: str, body: Any) -> Index:
    if body == {}:
        raise IndexNotFoundError(f"There is no index {name!r}.")
    if isinstance(body, dict) and len(body) > 1:
        found = ", ".join(sorted(body)[:5])
        raise ConfigurationError(f"index_name={name!r} names {len(body)} indices: {found}. Choose one of them.")
    try:
        (described,) = body.values()  # under the index's own name, if an alias was asked for
        mappings = described["mappings"]
        meta = (mappings.get("_meta") or {}).get(META) or {}
        return Index(
            name, {each.name: each for each in _read_fields(mappings.get("properties") or {}, "")}, meta.get("inference_id")
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InvalidAnswerError(f"Elasticsearch did not describe one index for {name!r}.") from None


def _read_fields(properties: Mapping[str, Any], prefix: str) -> Iterator[Field]:
    for name, described in properties.items():
        full = f"{prefix}{name}"
        yield Field(
            full,
            described.get("type", "object"),
            described.get("inference_id"),
            described.get("search_inference_id"),
            described.get("dims"),
        )
        yield from _read_fields(described.get("properties") or {}, f"{full}.")
        yield from _read_fields(described.get("fields") or {}, f"{full}.")


def _lines(writes: Sequence[Write]) -> Iterator[bytes]:
    for write in writes:
        yield _json(write, {"delete" if write.source is None else "index": {"_id": write.id}})
        if write.source is not None:
            yield _json(write, {name: _plain(value) for name, value in write.source.items()})


def _json(write: Write, line: Mapping[str, Any]) -> bytes:
    import orjson

    try:
        return orjson.dumps(line, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    except TypeError as failed:
        raise InputError(f"Document {write.id!r} cannot be written as JSON: {failed}.") from None


def _plain(value: Any) -> Any:
    if isinstance(value, Medium):
        return as_item(value)
    return well_formed(value) if isinstance(value, str) else value


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Medium):
        return value.encoded_size
    if isinstance(value, Mapping):
        return sum(_size(each) for each in value.values())
    if isinstance(value, (list, tuple)):
        return 20 * len(value) if value and isinstance(value[0], float) else sum(map(_size, value))
    return 8


def _read_outcomes(body: Any, writes: Sequence[Write]) -> list[Outcome]:
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list) or len(items) != len(writes):
        raise InvalidAnswerError(f"{len(writes)} documents were sent, and the answer does not say what became of each.")
    outcomes = [_read_outcome(write, answered) for write, answered in zip(writes, items, strict=True)]
    if outcomes and all(outcome.rejected for outcome in outcomes):
        raise RateLimitError(f"Elasticsearch rejects all documents of a request: {outcomes[0].reason}", status=_REJECTED)
    return outcomes


def _read_outcome(write: Write, answered: Any) -> Outcome:
    try:
        (told,) = answered.values()
        status = int(told["status"])
        failed = status >= 300 and not (status == 404 and write.source is None)  # what is gone is deleted
        return Outcome(write, status, _innermost(told.get("error")) if failed else None)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InvalidAnswerError(f"The answer does not say what became of document {write.id!r}.") from None


def _innermost(error: Any) -> str:
    """The innermost reason, behind the outermost: what failed, and why."""
    reasons: list[str] = []
    while isinstance(error, Mapping):
        if error.get("reason"):
            reasons.append(str(error["reason"]))
        error = error.get("caused_by")
    if not reasons:
        return "no reason given"
    return reasons[0] if len(reasons) == 1 or reasons[-1] in reasons[0] else f"{reasons[0]}: {reasons[-1]}"


def _read_hits(body: Any) -> list[Hit]:
    try:
        if body.get("timed_out") or (body.get("_shards") or {}).get("failed"):
            raise InvalidAnswerError("Elasticsearch searched a part of the index only: it ran out of time, or shards failed.")
        return [
            Hit(hit["_id"], hit["_index"], hit.get("_score"), hit.get("_source") or {}, hit.get("highlight") or {})
            for hit in body["hits"]["hits"]
        ]
    except (AttributeError, KeyError, TypeError):
        raise InvalidAnswerError("The answer to a search holds no hits.") from None


def _mapping(index: str) -> str:
    return f"/{_quoted(index)}/_mapping"


def _quoted(index: str) -> str:
    return quote(index, safe="")
