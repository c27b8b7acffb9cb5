"""Shared parts of a search: the index, inference, the terms to highlight, and checks of request bodies.

Must not know any query or retriever.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..indices import Field, Index, Indices, InnerInference
from ..inference import Array
from ..refusals import (
    Json,
    RefusedError,
    ShardError,
    illegal_argument,
    not_implemented,
    parse_error,
    parsing,
    parsing_exception,
    token,
)
from ..unsupported import refuse_unsupported
from ..versions import Version
from .options import KINDS

Scores = dict[int, float]  # by document number
INT = 1 << 31  # the least whole number that is too large for an option
SCALARS = ("query", "value", "field", "minimum_should_match", "operator")  # options of queries that are no objects


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

    index: Index | Indices
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
            if not isinstance(query, dict):
                raise not_implemented(f"a filter that is [{query}]")
            with parsing("knn", "a query inside"):
                docs = set(self.evaluate(query, self))
            matched = docs if matched is None else matched & docs
        return matched


def accepts(kind: str, name: str, value: Any) -> bool:
    """Return whether an option can have a value."""
    types = KINDS[kind]
    convertible = not {dict, list} & {*types} and isinstance(value, str | int | float)
    if (type(value) in types and (kind != "int" or -INT <= value < INT)) or not convertible:
        return type(value) in types
    raise not_implemented(f"{name} with [{value}] as a value")


def read_options(body: Json, kinds: Mapping[str, str]) -> Json:
    """Return the options of a search."""
    for name, value in body.items():
        if name not in kinds:
            raise not_implemented(f"{name} in a search")
        if not accepts(kinds[name], name, value):
            raise parsing_exception(f"Unknown key for a {token(value)} in [{name}].")
    return body


def read_object(name: str, body: Any, kinds: Mapping[str, str], required: Sequence[str] = (), *, others: bool = False) -> Json:
    """Return the options of an object inside a search.

    Args:
        name: What the object is called in errors.
        body: Its JSON.
        kinds: The supported options, and the kind of their values.
        required: Options that it must have.
        others: Whether Elasticsearch knows more options than `unsupported` lists; all of them are refused with 501.
    """
    if not isinstance(body, dict):
        raise parse_error(name, f"Expected START_OBJECT but was: {token(body)}")
    for key, value in body.items():
        if key not in kinds:
            refuse_unsupported("search option", key, f"{name}.{key}")
            raise not_implemented(f"{name}.{key}") if others else parse_error(name, f"unknown field [{key}]")
        if not accepts(kinds[key], key, value):
            raise parse_error(name, f"{key} doesn't support values of type: {token(value)}")
    if missing := [key for key in required if key not in body]:
        raise illegal_argument(f"Required [{', '.join(missing)}]")
    return dict(body)


def read_query_options(name: str, body: Json, known: Collection[str]) -> Json:
    """Return the options of a query after checking them; its other options are refused."""
    for key, value in body.items():
        if key not in known and key != "boost":
            raise not_implemented(f"{name}.{key}")
        if key in SCALARS and isinstance(value, dict | list):
            raise parsing_exception(f"[{name}] unknown token [{value}] after [{key}]")
        if key in SCALARS and value is None:
            raise not_implemented(f"{name}.{key} with [null] as a value")
    if not accepts("float", "boost", boost := body.get("boost", 1.0)):
        raise parsing_exception(f"[boost] must be a number, got [{boost}]")
    if boost < 0:
        raise not_implemented(f"{name}.boost with [{body['boost']}] as a value")
    return body


def scalar(name: str, value: Any) -> Any:
    """Return the value of a query after checking that it is a string, a number or a boolean."""
    if (name, type(value)) in (("range", list), ("terms", dict)):
        raise not_implemented(f"{name} with [{value}] as a value")
    if not isinstance(value, str | int | float | bool):
        raise parsing_exception(f"[{name}] query needs a text, a number or a boolean, got [{value}]")
    return value


def query_failed(context: Context, reason: str, kind: str = "illegal_argument_exception") -> ShardError:
    """Return the error for a query that its field does not support."""
    cause = RefusedError(400, kind, reason)
    details = {"index_uuid": context.index.uuid, "index": context.index.name}
    return ShardError(400, "query_shard_exception", f"failed to create query: {reason}", cause, details)


def as_float32(score: float) -> float:
    """Return a number with the digits of its float32, as Elasticsearch does."""
    return float(str(np.float32(score)))
