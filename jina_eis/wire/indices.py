"""Requests to indices, and the readers of their responses: mappings, documents and searches."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ..contents import Medium, Part
from ..errors import (
    UNINFORMATIVE,
    ConfigurationError,
    IndexNotFoundError,
    InputError,
    InvalidAnswerError,
    RateLimitError,
    ServiceUnavailableError,
)
from .call import Call
from .formats import Dumps, json_line, well_formed
from .inference import as_item

__all__ = [
    "Deletion",
    "Field",
    "Hit",
    "Index",
    "Outcome",
    "Write",
    "bulk",
    "check_json",
    "close_point_in_time",
    "create_index",
    "delete_by_query",
    "delete_index",
    "elasticsearch_score",
    "get_documents",
    "get_index",
    "get_refresh_interval",
    "keeps_vectors_in_source",
    "model_score",
    "open_point_in_time",
    "put_search_endpoint",
    "query_vector_builder",
    "refresh_index",
    "search",
    "search_point_in_time",
]

VECTORS = ("dense_vector", "semantic", "semantic_text")
# How fields of a new index are mapped that no mapping names. Without the first, a list of 128 or more fractions in the metadata
# becomes a vector [Elasticsearch 9.5.3]. LlamaIndex keeps whole nodes in the second, which no query reads. The others: filters
# compare a string as a whole, as `metadata.x` or, as in indices of other stores, `metadata.x.keyword`.
IGNORE_ABOVE = 1024  # characters of a string that filters can compare; of a longer one only the words are indexed
_KEYWORD = {"type": "keyword", "ignore_above": IGNORE_ABOVE}
TEMPLATES = [
    {"fractions": {"match_mapping_type": "double", "mapping": {"type": "float"}}},
    {
        "nodes": {
            "path_match": "metadata._node_content",
            "match_mapping_type": "string",
            "mapping": {**_KEYWORD, "index": False, "doc_values": False},
        }
    },
    {
        "strings": {
            "path_match": "metadata.*",
            "match_mapping_type": "string",
            "mapping": {**_KEYWORD, "fields": {"keyword": _KEYWORD, "text": {"type": "text"}}},
        }
    },
]
META = "jina_eis"  # the key of this library in the `_meta` of the mappings that it creates
_UNITS = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}  # of times
_KEPT = "5m"  # between two pages of a point in time
_OVERLOADED = 429
_UNAVAILABLE = 503  # of a shard, for example while its node restarts


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an index.

    Attributes:
        name: Full name, with dots.
        type: Type in the mapping.
        inference_id: The endpoint that embeds a semantic_text or semantic field.
        search_inference_id: The endpoint that embeds queries for it.
        dims: Length of the vectors of a dense_vector field.
        element_type: Type of the numbers of a dense_vector field.
        index_type: How a dense_vector field is indexed, such as bbq_hnsw; None if the mapping does not report it.
        similarity: The similarity function of its vectors; None if the mapping does not report it.
        ignore_above: Length above which a keyword field does not index a value; None for no limit.
        copies_to: The fields that its values are copied to.
        parent: For a multi-field, the field whose values it has; None for any other field.
    """

    name: str
    type: str
    inference_id: str | None = None
    search_inference_id: str | None = None
    dims: int | None = None
    element_type: str = "float"
    index_type: str | None = None
    similarity: str | None = None
    ignore_above: int | None = None
    copies_to: tuple[str, ...] = ()
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """An index and its fields.

    Attributes:
        name: Its name.
        fields: Its fields, by name.
        inference_id: The endpoint that made its dense vectors, if this library recorded it.
        properties: Its fields, as in its mapping.
        parts: If the name is a list, a pattern or an alias of several indices, each of them; `fields` are then those of all, of
            one name the first.
    """

    name: str
    fields: Mapping[str, Field]
    inference_id: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    parts: Sequence[Index] = ()

    def of_types(self, *types: str) -> list[Field]:
        """Return the fields of these types."""
        return [field for field in self.fields.values() if field.type in types]


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


@dataclass(frozen=True, slots=True)
class Deletion:
    """The outcome of a deletion by query.

    Attributes:
        total: Documents that were found.
        deleted: Documents that were deleted.
        conflicts: Documents that were changed at the same time, and were not deleted.
    """

    total: int
    deleted: int
    conflicts: int


@dataclass(frozen=True, slots=True)
class Write:
    """A document to write, or, without a source, to delete. Its fields may hold media, which are read when it is sent."""

    id: str
    source: Mapping[str, Any] | None

    @property
    def size(self) -> int:
        """Approximate length in a request, in characters; 0 for a source too deep for JSON, which is refused when it is sent."""
        try:
            return _size(self.source)
        except RecursionError:
            return 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a write.

    Attributes:
        write: The write.
        status: Its HTTP status.
        reason: Reason of the failure; None for a success.
    """

    write: Write
    status: int
    reason: str | None

    @property
    def rejected(self) -> bool:
        """Whether Elasticsearch was overloaded or the shard unavailable, so that the write may be retried."""
        return self.status in (_OVERLOADED, _UNAVAILABLE)


def get_index(index: str, *, cache: bool) -> Call[Index]:
    """Describe an index. With `cache`, sent once in the life of a driver, or until a search fails or the index is recreated."""
    return Call("GET", _mapping_path(index), lambda body: _read_index(index, body), cache=cache)


def keeps_vectors_in_source(index: str) -> Call[bool]:
    """Return whether an index keeps vectors in `_source`: its setting or its age decides. Sent once in the life of a driver."""
    return Call("GET", f"/{_quoted(index)}", _read_keeps_vectors, params={"include_defaults": "true"}, cache=True)


def create_index(
    index: str,
    properties: Mapping[str, Any],
    inference_id: str | None,
    settings: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Call[bool]:
    """Create an index.

    Args:
        index: Its name.
        properties: Its fields, as in a mapping.
        inference_id: The endpoint of its dense vectors, which is recorded in the mapping; None for none.
        settings: Its settings, as Elasticsearch takes them; None for the defaults.
        metadata: Fields below `metadata`, as in a mapping; others are mapped by their first value.
    """
    if metadata:
        properties = {**properties, "metadata": {"properties": metadata}}
    mappings: dict[str, Any] = {"properties": properties, "dynamic_templates": TEMPLATES, "date_detection": False}
    if inference_id:
        mappings["_meta"] = {META: {"inference_id": inference_id}}
    body = {"mappings": mappings} | ({"settings": settings} if settings else {})
    return Call("PUT", f"/{_quoted(index)}", bool, body=body, invalidates=_mapping_path(index))


def put_search_endpoint(index: str, properties: Mapping[str, Any], field: str, inference_id: str) -> Call[bool]:
    """Change the endpoint that embeds queries for a field. All else in the mapping stays as it is.

    Args:
        index: The index.
        properties: Its fields, as in its mapping: what an update leaves out returns to its default.
        field: Full name of a semantic_text or semantic field.
        inference_id: The endpoint.
    """
    body = {"properties": _with_setting(properties, field, "search_inference_id", inference_id)}
    return Call("PUT", _mapping_path(index), bool, body=body, invalidates=_mapping_path(index))


def bulk(index: str, writes: Sequence[Write], *, wait: bool = False, dumps: Dumps | None = None) -> Call[list[Outcome]]:
    """Write and delete documents. Returns one outcome for each, in order. A document with an existing id is replaced.

    Args:
        index: The index.
        writes: The writes.
        wait: Whether Elasticsearch responds when searches see the changes, which is after the next refresh of the index.
        dumps: Writes a line as JSON, as the serializer of a client does; None for orjson.

    The reader raises:
        RateLimitError: every write was rejected, the first for lack of capacity; it slows the pacer down.
        ServiceUnavailableError: every write was rejected, the first because its shard is unavailable.
    """
    halves = (writes[: len(writes) // 2], writes[len(writes) // 2 :])
    return Call(
        "POST",
        f"/{_quoted(index)}/_bulk",
        lambda body: _read_outcomes(body, writes),
        params={"refresh": "wait_for"} if wait else {},
        load_body=lambda: list(_ndjson_lines(writes, dumps)),
        ndjson=True,
        bucket=f"bulk {index}",
        halves=None if len(writes) == 1 else lambda: [bulk(index, half, dumps=dumps) for half in halves],
    )


def check_json(write: Write, dumps: Dumps | None) -> None:
    """Raise InputError if JSON cannot represent a document. Its media, which are read when it is sent, are not looked at."""
    _source_line(write, {name: value for name, value in (write.source or {}).items() if not isinstance(value, Medium)}, dumps)


def delete_index(index: str) -> Call[bool]:
    """Delete an index and its documents.

    Raises:
        ConfigurationError: the name is not the plain name of one index: Elasticsearch would delete several indices, or none.
    """
    if not index or any(sign in index for sign in ",*") or index.startswith(("-", "_", "<")):
        raise ConfigurationError(
            f"index_name={index!r}: one index is deleted at a time. Pass its name, without a comma, *, or a leading -, _ or <."
        )
    return Call("DELETE", f"/{_quoted(index)}", bool, invalidates=_mapping_path(index))


def refresh_index(index: str) -> Call[bool]:
    """Make written documents visible to searches."""
    return Call("POST", f"/{_quoted(index)}/_refresh", bool)


def get_refresh_interval(index: str) -> Call[float | None]:
    """Return the seconds between two refreshes of an index; infinite if there are none, None for Elasticsearch's default."""
    return Call("GET", f"/{_quoted(index)}", _read_refresh_interval)


def delete_by_query(index: str, query: Mapping[str, Any], most: int) -> Call[Deletion]:
    """Delete at most `most` of the documents that match a query, and that searches see."""
    return Call(
        "POST",
        f"/{_quoted(index)}/_delete_by_query",
        _read_deletion,
        params={"conflicts": "proceed"},
        body={"query": query, "max_docs": most},
    )


def get_documents(index: str, ids: Sequence[str], excluded: Sequence[str]) -> Call[list[Hit | None]]:
    """Return documents by their ids, in this order, without the excluded fields; None for each that does not exist."""
    return Call(
        "POST",
        f"/{_quoted(index)}/_mget",
        lambda body: _read_documents(body, len(ids)),
        params={"_source_excludes": ",".join(excluded)} if excluded else {},
        body={"ids": list(ids)},
    )


def search(index: str, body: Mapping[str, Any], endpoint: str) -> Call[list[Hit]]:
    """Search an index; the best hits come first. `endpoint` is the inference endpoint that errors name."""
    return Call(
        "POST",
        f"/{_quoted(index)}/_search",
        _read_hits,
        body=body,
        endpoint=endpoint,
        bucket=f"search {index}",
        invalidates=_mapping_path(index),
        vectors="fields" in body,  # in `_source`, CBOR has vectors as doubles, larger than compressed JSON [Elasticsearch 9.5.3]
    )


def open_point_in_time(index: str) -> Call[str]:
    """Keep the documents of an index as they are, for searches page by page. Returns the id for `search_point_in_time`."""
    return Call("POST", f"/{_quoted(index)}/_pit", _read_point_in_time, params={"keep_alive": _KEPT})


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


def _read_index(name: str, body: Any) -> Index:
    if body == {}:
        raise IndexNotFoundError(f"The index {name!r} does not exist.")
    try:
        # a key is the index's own name, even if an alias was requested
        parts = [_read_one_index(name if len(body) == 1 else own, body[own]) for own in sorted(body)]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InvalidAnswerError(f"Elasticsearch did not describe the index {name!r}.") from None
    if len(parts) == 1:
        return parts[0]
    fields = {field.name: field for part in reversed(parts) for field in part.fields.values()}
    endpoints = {part.inference_id for part in parts}
    return Index(name, fields, endpoints.pop() if len(endpoints) == 1 else None, {}, parts)


def _read_one_index(name: str, description: Any) -> Index:
    mappings = description["mappings"]
    meta = (mappings.get("_meta") or {}).get(META) or {}
    properties = mappings.get("properties") or {}
    fields = {field.name: field for field in _read_fields(properties, "")}
    return Index(name, fields, meta.get("inference_id"), properties)


def _read_fields(properties: Mapping[str, Any], prefix: str, parent: str | None = None) -> Iterator[Field]:
    for name, description in properties.items():
        full_name = f"{prefix}{name}"
        copies = description.get("copy_to") or ()
        yield Field(
            full_name,
            description.get("type", "object"),
            description.get("inference_id"),
            description.get("search_inference_id"),
            description.get("dims"),
            description.get("element_type", "float"),
            (description.get("index_options") or {}).get("type"),
            (description.get("model_settings") or description).get("similarity"),
            description.get("ignore_above"),
            (copies,) if isinstance(copies, str) else tuple(copies),
            parent,
        )
        yield from _read_fields(description.get("properties") or {}, f"{full_name}.")
        yield from _read_fields(description.get("fields") or {}, f"{full_name}.", full_name)


def _read_keeps_vectors(body: Any) -> bool:
    try:
        return any(_keeps_vectors(description) for description in body.values())
    except (AttributeError, TypeError, ValueError):
        raise InvalidAnswerError("Elasticsearch did not describe the settings of an index.") from None


def _keeps_vectors(description: Any) -> bool:
    for group in ("settings", "defaults"):  # for an index of a version before 9.2, the default is false
        kept = ((description.get(group) or {}).get("index") or {}).get("mapping") or {}
        if "exclude_source_vectors" in kept:
            return str(kept["exclude_source_vectors"]).lower() == "false"
    return False


def _with_setting(properties: Mapping[str, Any], path: str, name: str, value: Any) -> dict[str, Any]:
    """Return the definition of the top-level field on the path, in which the field of this path has another setting."""
    for key, definition in properties.items():
        if key == path:
            return {key: {**definition, name: value}}
        if path.startswith(f"{key}."):
            for group in ("properties", "fields"):
                inner = definition.get(group) or {}
                if changed := _with_setting(inner, path.removeprefix(f"{key}."), name, value):
                    return {key: {**definition, group: {**inner, **changed}}}
    return {}


def _ndjson_lines(writes: Sequence[Write], dumps: Dumps | None) -> Iterator[bytes]:
    for write in writes:
        if well_formed(write.id) != write.id:
            raise InputError(f"The id {write.id!a} holds a lone surrogate, which UTF-8 cannot encode. Choose another id.")
        yield json_line({"delete" if write.source is None else "index": {"_id": write.id}})
        if write.source is not None:
            yield _source_line(write, {name: _json_value(value) for name, value in write.source.items()}, dumps)


def _source_line(write: Write, source: Mapping[str, Any], dumps: Dumps | None) -> bytes:
    try:
        return json_line(source, dumps)
    except InputError as error:
        raise InputError(f"Document {write.id!r} cannot be written as JSON: {error}") from error.__cause__


def _json_value(value: Any) -> Any:
    return as_item(value) if isinstance(value, Medium) else value


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if value is None or isinstance(value, (int, float)):
        return 8
    if isinstance(value, Medium):
        return value.encoded_size
    if isinstance(value, (dict, Mapping)):  # a dict is found without asking the abstract class
        return sum(map(_size, value.values()))
    if isinstance(value, (list, tuple)):
        return 20 * len(value) if value and isinstance(value[0], float) else sum(map(_size, value))
    return 8


def _read_outcomes(body: Any, writes: Sequence[Write]) -> list[Outcome]:
    items = body.get("items") if isinstance(body, dict) else None
    if not isinstance(items, list) or len(items) != len(writes):
        raise InvalidAnswerError(f"{len(writes)} documents were sent, and the response does not have the outcome of each.")
    outcomes = [_read_outcome(write, item) for write, item in zip(writes, items, strict=True)]
    if outcomes and all(outcome.rejected for outcome in outcomes):
        error = RateLimitError if outcomes[0].status == _OVERLOADED else ServiceUnavailableError
        raise error(f"Elasticsearch rejected all documents of a request: {outcomes[0].reason}", status=outcomes[0].status)
    return outcomes


def _read_outcome(write: Write, item: Any) -> Outcome:
    try:
        (result,) = item.values()
        status = int(result["status"])
        failed = status >= 300 and not (status == 404 and write.source is None)  # deleting a missing document succeeds
        return Outcome(write, status, _outermost_and_innermost_reason(result.get("error")) if failed else None)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InvalidAnswerError(f"The response does not have the outcome of document {write.id!r}.") from None


def _outermost_and_innermost_reason(error: Any) -> str:
    reasons: list[str] = []
    while isinstance(error, Mapping):
        if error.get("reason") and error["reason"] not in UNINFORMATIVE:
            reasons.append(str(error["reason"]).partition("\n")[0])  # further lines may quote the document
        error = error.get("caused_by")
    if not reasons:
        return "no reason given"
    return reasons[0] if len(reasons) == 1 or reasons[-1] in reasons[0] else f"{reasons[0]}: {reasons[-1]}"


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


def _read_documents(body: Any, number: int) -> list[Hit | None]:
    try:
        documents = body["docs"]
        if len(documents) != number:
            raise ValueError
        for document in documents:
            if document.get("error"):
                raise InvalidAnswerError(
                    f"The document {document['_id']!r} could not be read: {_outermost_and_innermost_reason(document['error'])}"
                )
        return [
            Hit(document["_id"], document["_index"], None, document.get("_source") or {}) if document["found"] else None
            for document in documents
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InvalidAnswerError(f"{number} documents were requested, and the response does not have each.") from None


def _read_deletion(body: Any) -> Deletion:
    try:
        if body["failures"] or body["timed_out"]:
            reasons = [_outermost_and_innermost_reason(failure.get("cause")) for failure in body["failures"][:1]]
            raise InvalidAnswerError(
                f"{body['deleted']} of {body['total']} documents were deleted; then it failed: {(reasons or ['timed out'])[0]}"
            )
        return Deletion(int(body["total"]), int(body["deleted"]), int(body["version_conflicts"]))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InvalidAnswerError("The response to a deletion does not have the number of deleted documents.") from None


def _read_refresh_interval(body: Any) -> float | None:
    try:
        (description,) = body.values()
        interval = (description.get("settings") or {}).get("index", {}).get("refresh_interval")
        if interval is None:
            return None
        number, unit = re.fullmatch(r"(-?\d+)([a-z]*)", str(interval)).groups()  # type: ignore[union-attr]
        return math.inf if int(number) < 0 else int(number) * _UNITS[unit or "ms"]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise InvalidAnswerError("Elasticsearch did not describe the settings of one index.") from None


def _mapping_path(index: str) -> str:
    return f"/{_quoted(index)}/_mapping"


def _quoted(index: str) -> str:
    return quote(index, safe="")
