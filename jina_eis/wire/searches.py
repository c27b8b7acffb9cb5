"""Requests that search indices, the hits of their responses, and the scores of rerankers in them.

It knows no retriever: the body of a search comes from the step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..contents import Part
from ..errors import InvalidAnswerError
from .call import Call
from .indices import mapping_path, quoted
from .inference import as_item

__all__ = [
    "MAX_HITS",
    "Hit",
    "close_point_in_time",
    "elasticsearch_score",
    "model_score",
    "open_point_in_time",
    "query_vector_builder",
    "search",
    "search_point_in_time",
]

MAX_HITS = 10_000  # of a search: Elasticsearch's default of index.max_result_window
_KEPT = "5m"  # between two pages of a point in time


@dataclass(frozen=True, slots=True)
class Hit:
    """A document found by a search, or by its id.

    Attributes:
        id: Its id.
        index: Its index.
        score: Its score from Elasticsearch; None without a search.
        source: Its requested fields.
        highlights: The best passages, by field.
        fields: Values that were requested by `fields`, such as vectors, by field.
        sort: Where it stands in the order of the search, for the next page.
    """

    id: str
    index: str
    score: float | None
    source: Mapping[str, Any]
    highlights: Mapping[str, list[str]] = field(default_factory=dict)
    fields: Mapping[str, list[Any]] = field(default_factory=dict)
    sort: Sequence[Any] = ()

    def text(self, name: str) -> str | None:
        """Return the text of a field, which may be nested and may be a list; None if the document lacks it."""
        texts = [value if isinstance(value, str) else str(value) for value in _leaves(self.source, name)]
        return "\n".join(texts) if texts else None


def _leaves(value: Any, path: str) -> Iterator[Any]:
    """Yield the values of a field, whose name may have dots, inside objects and lists; no objects."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item, path)
    elif isinstance(value, Mapping):
        if not path:
            return
        names = path.split(".")
        for cut in range(len(names), 0, -1):
            if (name := ".".join(names[:cut])) in value:
                yield from _leaves(value[name], ".".join(names[cut:]))
                return
    elif not path and value is not None:
        yield value


def search(index: str, body: Mapping[str, Any], endpoint: str) -> Call[list[Hit]]:
    """Search an index; the best hits come first. `endpoint` is the inference endpoint that errors name."""
    return Call(
        "POST",
        f"/{quoted(index)}/_search",
        _read_hits,
        body=body,
        endpoint=endpoint,
        bucket=f"search {index}",
        invalidates=mapping_path(index),
        vectors="fields" in body,  # in `_source`, CBOR has vectors as doubles, larger than compressed JSON [Elasticsearch 9.5.3]
    )


def open_point_in_time(index: str) -> Call[str]:
    """Keep the documents of an index as they are, for searches page by page. Returns the id for `search_point_in_time`."""
    return Call("POST", f"/{quoted(index)}/_pit", _read_point_in_time, params={"keep_alive": _KEPT})


def search_point_in_time(id_: str, body: Mapping[str, Any], after: Sequence[Any]) -> Call[list[Hit]]:
    """Return the page of documents after the one whose `sort` is `after`, in the order of the shards."""
    page = {"search_after": after} if after else {}
    body = {**body, "pit": {"id": id_, "keep_alive": _KEPT}, "sort": [{"_shard_doc": "asc"}], "track_total_hits": False, **page}
    return Call("POST", "/_search", _read_hits, body=body, bucket="search", vectors="fields" in body)


def close_point_in_time(id_: str) -> Call[bool]:
    """Release the documents that `open_point_in_time` has kept."""
    return Call("DELETE", "/_pit", bool, body={"id": id_})


def query_vector_builder(inference_id: str | None, task: str, parts: Sequence[Part]) -> dict[str, Any]:
    """Return the builder with which Elasticsearch embeds a query. Without an endpoint it uses that of the field."""
    if task == "text_embedding":
        (text,) = parts
        return {"text_embedding": {"model_text": text, **({"model_id": inference_id} if inference_id else {})}}
    items: list[Any] = [part if isinstance(part, str) and len(parts) == 1 else as_item(part) for part in parts]
    return {
        "embedding": {"input": items[0] if len(items) == 1 else items, **({"inference_id": inference_id} if inference_id else {})}
    }


def model_score(elasticsearch_score: float) -> float:
    """Return a reranker's own score. Elasticsearch adds 1 to a positive score and maps a negative one to between 0 and 1."""
    if elasticsearch_score >= 1:
        return elasticsearch_score - 1
    return math.log(elasticsearch_score) if elasticsearch_score > 0 else -math.inf


def elasticsearch_score(score: float) -> float:
    """Return Elasticsearch's form of a reranker's score: max(score, 0) + min(exp(score), 1), in single precision."""
    return max(score, 0.0) + math.exp(min(score, 0.0))


def _read_hits(body: Any) -> list[Hit]:
    try:
        if body.get("timed_out") or (body.get("_shards") or {}).get("failed"):
            raise InvalidAnswerError("Elasticsearch searched only a part of the index: it timed out, or shards failed.")
        return [
            Hit(
                hit["_id"],
                hit["_index"],
                hit.get("_score"),
                hit.get("_source") or {},
                hit.get("highlight") or {},
                hit.get("fields") or {},
                hit.get("sort") or (),
            )
            for hit in body["hits"]["hits"]
        ]
    except (AttributeError, KeyError, TypeError):
        raise InvalidAnswerError("The response to a search has no hits.") from None


def _read_point_in_time(body: Any) -> str:
    try:
        return str(body["id"])
    except (KeyError, TypeError):
        raise InvalidAnswerError("Elasticsearch did not return the id of a point in time.") from None
