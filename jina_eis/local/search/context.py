"""Shared parts of a search: the index, inference, the terms to highlight, and checks of request bodies.

Must not know any query or retriever.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..indices import Field, Index, InnerInference
from ..inference import Array
from ..refusals import Json, RefusedError, ShardError, illegal_argument, not_implemented, parse_error, parsing_exception
from ..versions import Version

__all__ = ["Context", "Scores", "as_number", "check_keys", "parse_weighted_field", "query_failed", "read_options", "scalar"]

Scores = dict[int, float]  # by document number


@dataclass(frozen=True, slots=True)
class Context:
    """One search of one index.

    Attributes:
        index: The index.
        inference: Embeds queries and reranks hits.
        evaluate: Returns the scores of the documents that a query matches.
        size: Number of hits to return; semantic queries retrieve no more.
        start: Number of hits that are skipped before these.
        within: Documents to which an enclosing filter limits semantic queries; None without a filter.
        vectors: Query vectors by semantic field, for highlighting.
    """

    index: Index
    inference: InnerInference
    evaluate: Callable[[Any, Context], Scores]
    size: int
    start: int = 0
    within: Collection[int] | None = None
    vectors: dict[str, list[Array]] = field(default_factory=dict)

    @property
    def depth(self) -> int:
        """Number of hits to rank."""
        return self.start + self.size

    @property
    def version(self) -> Version:
        """The version of Elasticsearch."""
        return self.inference.registry.version

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
    """Return the body of a query or retriever after checking its keys; `unsupported` ones are Elasticsearch's alone."""
    if not isinstance(body, dict):
        raise parsing_exception(f"[{name}] query malformed, no start_object after query name")
    for key in body:
        if key not in known:
            if key in unsupported or key == "_name":
                raise not_implemented(f"{name}.{key}")
            raise parsing_exception(f"[{name}] unknown field [{key}]")
    for key in required:
        if key not in body:
            raise RefusedError(400, "illegal_argument_exception", f"Required [{key}] in [{name}]")
    return body


def read_options(name: str, body: Any, known: Collection[str], unsupported: Collection[str] = ()) -> Json:
    """Return the options of a query, each as its reader in `READERS` returns it. The arguments are those of `check_keys`."""
    options = check_keys(name, body, known, unsupported)
    for key, value in options.items():
        if key in READERS and (isinstance(value, dict | list) or (value is None and name != "bool")):
            raise parsing_exception(f"[{name}] unknown token [{value}] after [{key}]")
    return {key: READERS[key](value) if key in READERS else value for key, value in options.items()}


def read_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise parse_error("number", f"Current token ({value}) not numeric, can not use numeric value accessors")
    try:
        return float(value)
    except ValueError:
        raise RefusedError(400, "number_format_exception", f'For input string: "{value}"') from None


def read_boost(value: Any) -> float:
    if (boost := read_number(value)) < 0:
        raise illegal_argument(f"negative [boost] are not allowed, found [{value}], use a value between 0 and 1 to deboost")
    return boost


def read_operator(value: Any) -> str:
    if str(value).upper() not in ("AND", "OR"):
        raise illegal_argument(f"No enum constant org.elasticsearch.index.query.Operator.{str(value).upper()}")
    return str(value).lower()


READERS: dict[str, Callable[[Any], Any]] = {
    "boost": read_boost,
    "operator": read_operator,
    **dict.fromkeys(("query", "value", "field", "minimum_should_match"), lambda value: value),
}


def scalar(name: str, value: Any) -> Any:
    """Return the value of a query after checking that it is a string, a number or a boolean."""
    if (name, type(value)) in (("range", list), ("terms", dict)):
        raise not_implemented(f"{name} with [{value}] as a value")
    if not isinstance(value, str | int | float | bool):
        raise parsing_exception(f"[{name}] query needs a text, a number or a boolean, got [{value}]")
    return value


def parse_weighted_field(text: Any) -> tuple[str, float]:
    """Return the path and weight of a field such as `title^3`; the weight defaults to 1."""
    path, caret, weight = str(text).partition("^")
    return path, read_number(weight) if caret else 1.0


def as_number(body: Mapping[str, Any], name: str, default: float) -> float:
    """Return a numeric option of a body."""
    return read_number(body.get(name, default))


def query_failed(context: Context, reason: str, kind: str = "illegal_argument_exception") -> ShardError:
    """Return the error for a query that its field does not support."""
    error = ShardError(400, "query_shard_exception", f"failed to create query: {reason}", RefusedError(400, kind, reason))
    error.details.update(index_uuid=context.index.uuid, index=context.index.name)
    return error
