"""Shared parts of a search: the index, inference, the terms to highlight, and checks of request bodies.

Must not know any query or retriever.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..indices import Field, Index, InnerInference
from ..inference import Array
from ..refusals import Json, RefusedError, ShardError, not_implemented, parsing_exception

__all__ = ["Context", "Scores", "as_number", "check_keys", "parse_weighted_field", "query_failed", "scalar", "single_field"]

Scores = dict[int, float]  # by document number


@dataclass(frozen=True, slots=True)
class Context:
    """One search of one index.

    Attributes:
        index: The index.
        inference: Embeds queries and reranks hits.
        evaluate: Returns the scores of the documents that a query matches.
        size: Number of hits to return; semantic queries retrieve no more.
        within: Documents to which an enclosing filter limits semantic queries; None without a filter.
        words: Query terms by text field, for highlighting.
        vectors: Query vectors by semantic field, for highlighting.
    """

    index: Index
    inference: InnerInference
    evaluate: Callable[[Any, Context], Scores]
    size: int
    within: Collection[int] | None = None
    words: dict[str, set[str]] = field(default_factory=dict)
    vectors: dict[str, list[Array]] = field(default_factory=dict)

    def field(self, path: str) -> Field | None:
        """Return the field at this path; None if it does not exist or is an object."""
        field = self.index.mapping.fields.get(path)
        return None if field is None or field.kind == "object" else field

    def matching_all(self, queries: Sequence[Any]) -> set[int] | None:
        """Return the documents that match all queries; None without queries."""
        matched: set[int] | None = None
        for query in queries:
            docs = set(self.evaluate(query, self))
            matched = docs if matched is None else matched & docs
        return matched


def check_keys(
    name: str, body: Any, known: Collection[str], unsupported: Collection[str] = (), required: Sequence[str] = ()
) -> Json:
    """Return the body of a query or retriever after checking its keys.

    Args:
        name: Name of the query or retriever.
        body: Its body.
        known: Supported keys.
        unsupported: Keys that Elasticsearch supports and the local EIS does not.
        required: Keys that the body must have.
    """
    if not isinstance(body, dict):
        raise parsing_exception(f"[{name}] query malformed, no start_object after query name")
    for key in body:
        if key in unsupported or (key == "_name" and key not in known):
            raise not_implemented(f"{name}.{key}")
        if key not in known:
            raise parsing_exception(f"[{name}] unknown field [{key}]")
    for key in required:
        if key not in body:
            raise RefusedError(400, "illegal_argument_exception", f"Required [{key}] in [{name}]")
    return body


def single_field(name: str, body: Any, short: str | None) -> tuple[str, Json]:
    """Return the field of a query and its options.

    A bare value is short for `{short: value}`; `boost` may be next to the field or inside its options.
    """
    if not isinstance(body, dict):
        raise parsing_exception(f"[{name}] query malformed, no start_object after query name")
    options = {key: value for key, value in body.items() if key in ("boost", "_name")}
    fields = [key for key in body if key not in options]
    if len(fields) != 1:
        if fields:
            raise parsing_exception(f"[{name}] query doesn't support multiple fields, found [{fields[0]}] and [{fields[1]}]")
        raise parsing_exception(f"[{name}] query malformed, no field")
    value = body[fields[0]]
    if short is None and not isinstance(value, dict):
        raise parsing_exception(f"[{name}] query malformed, no start_object after field name")
    return fields[0], options | (value if isinstance(value, dict) else {short or name: value})


def scalar(name: str, value: Any) -> Any:
    """Return the value of a query after checking that it is a string, a number or a boolean."""
    if not isinstance(value, str | int | float | bool):
        raise parsing_exception(f"[{name}] query needs a text, a number or a boolean, got [{value}]")
    return value


def parse_weighted_field(text: Any) -> tuple[str, float]:
    """Return the path and weight of a field such as `title^3`; the weight defaults to 1."""
    path, caret, weight = str(text).partition("^")
    try:
        return path, float(weight) if caret else 1.0
    except ValueError:
        raise parsing_exception(f"[{text}] must be a field, or a field and its weight such as [{path}^2]") from None


def as_number(body: Mapping[str, Any], name: str, default: float) -> float:
    """Return a numeric option of a body."""
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise parsing_exception(f"[{name}] must be a number, got [{value}]")
    return float(value)


def query_failed(context: Context, reason: str, kind: str = "illegal_argument_exception") -> ShardError:
    """Return the error for a query that its field does not support."""
    error = ShardError(400, "query_shard_exception", f"failed to create query: {reason}", RefusedError(400, kind, reason))
    error.details.update(index_uuid=context.index.uuid, index=context.index.name)
    return error
