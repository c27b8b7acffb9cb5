"""Requests that write, delete and read documents of an index, and the readers of their responses.

It knows no query but the one by which documents are deleted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..contents import Medium
from ..errors import UNINFORMATIVE, InputError, InvalidAnswerError, RateLimitError, ServiceUnavailableError
from .call import Call
from .formats import Dumps, json_line, well_formed
from .indices import quoted
from .inference import as_item
from .searches import Hit
from .vectors import PackedVector

__all__ = ["Deletion", "Outcome", "Write", "bulk", "check_json", "delete_by_query", "get_documents"]

_OVERLOADED = 429
_UNAVAILABLE = 503  # of a shard, for example while its node restarts


@dataclass(frozen=True, slots=True)
class Write:
    """A document to write, or, without a source, to delete.

    Its fields may hold media, which are read when it is sent, and packed vectors, which are sent in base64.
    """

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
        f"/{quoted(index)}/_bulk",
        lambda body: _read_outcomes(body, writes),
        params={"refresh": "wait_for"} if wait else {},
        load_body=lambda: b"\n".join((*_ndjson_lines(writes, dumps), b"")),
        ndjson=True,
        bucket=f"bulk {index}",
        halves=None if len(writes) == 1 else lambda: [bulk(index, half, dumps=dumps) for half in halves],
    )


def check_json(write: Write, dumps: Dumps | None) -> None:
    """Raise InputError if JSON cannot represent a document. Its media and packed vectors are not looked at."""
    source = {name: value for name, value in (write.source or {}).items() if not isinstance(value, (Medium, PackedVector))}
    _source_line(write, source, dumps)


def delete_by_query(index: str, query: Mapping[str, Any], most: int) -> Call[Deletion]:
    """Delete at most `most` of the documents that match a query, and that searches see."""
    return Call(
        "POST",
        f"/{quoted(index)}/_delete_by_query",
        _read_deletion,
        params={"conflicts": "proceed"},
        body={"query": query, "max_docs": most},
    )


def get_documents(index: str, ids: Sequence[str], excluded: Sequence[str]) -> Call[list[Hit | None]]:
    """Return documents by their ids, in this order, without the excluded fields; None for each that does not exist."""
    return Call(
        "POST",
        f"/{quoted(index)}/_mget",
        lambda body: _read_documents(body, len(ids)),
        params={"_source_excludes": ",".join(excluded)} if excluded else {},
        body={"ids": list(ids)},
    )


def _ndjson_lines(writes: Sequence[Write], dumps: Dumps | None) -> Iterator[bytes]:
    for write in writes:
        if well_formed(write.id) != write.id:
            raise InputError(f"The id {write.id!a} holds a lone surrogate, which UTF-8 cannot encode. Choose another id.")
        yield json_line({"delete" if write.source is None else "index": {"_id": write.id}})
        if write.source is not None:
            yield _document_line(write, write.source, dumps)


def _document_line(write: Write, source: Mapping[str, Any], dumps: Dumps | None) -> bytes:
    if dumps:
        return _source_line(write, {name: _json_value(value) for name, value in source.items()}, dumps)
    # Packed vectors, which are most of the line, are appended: nothing in them needs to be looked for.
    rest = {name: _json_value(value) for name, value in source.items() if not isinstance(value, PackedVector)}
    parts = [_source_line(write, rest, None)[:-1]]
    for name, value in source.items():
        if isinstance(value, PackedVector):
            parts += (b"," if len(parts) > 1 or rest else b"", json_line({name: ""})[1:-2], value.base64(), b'"')
    return b"".join((*parts, b"}"))


def _source_line(write: Write, source: Mapping[str, Any], dumps: Dumps | None) -> bytes:
    try:
        return json_line(source, dumps)
    except InputError as error:
        raise InputError(f"Document {write.id!r} cannot be written as JSON: {error}") from error.__cause__


def _json_value(value: Any) -> Any:
    if isinstance(value, PackedVector):
        return value.base64().decode()
    return as_item(value) if isinstance(value, Medium) else value


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if value is None or isinstance(value, (int, float)):
        return 8
    if isinstance(value, (Medium, PackedVector)):
        return value.encoded_size
    if isinstance(value, (dict, Mapping)):  # a dict is found without asking the abstract class
        return sum([len(item) if type(item) is str else _size(item) for item in value.values()])
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


def _outermost_and_innermost_reason(error: Any) -> str:
    reasons: list[str] = []
    while isinstance(error, Mapping):
        if error.get("reason") and error["reason"] not in UNINFORMATIVE:
            reasons.append(str(error["reason"]).partition("\n")[0])  # further lines may quote the document
        error = error.get("caused_by")
    if not reasons:
        return "no reason given"
    return reasons[0] if len(reasons) == 1 or reasons[-1] in reasons[0] else f"{reasons[0]}: {reasons[-1]}"
