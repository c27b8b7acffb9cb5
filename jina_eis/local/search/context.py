"""Shared parts of a search: the index, inference, the terms to highlight, and checks of request bodies.

Must not know any query or retriever.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from ..indices import Field, Index, Indices
from ..inference import Array, InnerInference, check_fields
from ..refusals import Json, RefusedError, ShardError, not_implemented, parsing, parsing_exception, token, unknown_name
from ..unsupported import refuse_unsupported
from ..versions import Version
from .options import KINDS

T = TypeVar("T")
Scores = dict[int, float]  # by document number
INT = 1 << 31  # the least whole number that is too large for an option
SCALARS = ("query", "value", "field", "operator")  # options of queries that are no objects


@dataclass(frozen=True, slots=True)
class Context:
    """One search.

    Attributes:
        indices: The indices.
        inference: Embeds queries and reranks hits.
        evaluate: Returns the scores of the documents that a query matches.
        size: Number of hits to return; semantic queries retrieve no more.
        start: Number of hits that are skipped before these.
        within: Documents to which an enclosing filter limits semantic queries; None without a filter.
        number: Which of the indices a query is evaluated on.
        vectors: Query vectors by semantic field, for highlighting.
    """

    indices: Indices
    inference: InnerInference
    evaluate: Callable[[Any, Context], Scores]
    size: int
    start: int = 0
    within: Collection[int] | None = None
    number: int = 0
    vectors: dict[str, list[Array]] = field(default_factory=dict)

    @property
    def index(self) -> Index:
        """The index that a query is evaluated on."""
        return self.indices.parts[self.number]

    @property
    def depth(self) -> int:
        """Number of hits to rank."""
        return self.start + self.size

    @property
    def version(self) -> Version:
        """The version of Elasticsearch."""
        return self.inference.registry.version

    def in_each(self, run: Callable[[Context], Mapping[int, T]]) -> dict[int, T]:
        """Return what is computed in each index, by document. As in Elasticsearch, each has its own statistics of words."""
        return self.indices.join(run(replace(self, number=number)) for number in range(len(self.indices.parts)))

    def field(self, path: str) -> Field | None:
        """Return the field of an index at this path; None if it does not exist or is an object."""
        field = self.index.mapping.fields.get(path)
        return None if field is None or field.kind == "object" else field

    def matching_all(self, queries: Sequence[Any]) -> set[int] | None:
        """Return the documents that match all queries; None without queries."""
        if not all(isinstance(query, dict) for query in queries):
            raise not_implemented(f"filters that are {queries}")
        with parsing("knn", "a query inside"):
            matching = [set(self.evaluate(query, self)) for query in queries]
        return set.intersection(*matching) if matching else None


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
    """Return the options of an object inside a search, after checking their kinds, and that it has those required.

    With `others`, Elasticsearch knows more options than `unsupported` lists: all of them are refused with 501.
    """
    if not isinstance(body, dict):
        raise not_implemented(f"{name} that is no object")
    for key, value in body.items():
        if key in kinds:
            accepts(kinds[key], key, value)
        elif others:
            raise not_implemented(f"{name}.{key}")
        else:
            refuse_unsupported("search option", key, f"{name}.{key}")
    return dict(check_fields(name, body, {key: KINDS[kind] for key, kind in kinds.items()}, required))


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


def read_named(kind: str, value: Any, known: Collection[str]) -> tuple[str, Json]:
    """Return the name and the body of a query or a retriever."""
    if not isinstance(value, dict) or len(value) != 1:
        found = "expected [END_OBJECT] but found [FIELD_NAME]" if isinstance(value, dict) else f"found {token(value)}"
        raise parsing_exception(f"{kind} malformed, it must be an object with the name of one {kind}: {found}")
    ((name, body),) = value.items()
    refuse_unsupported(kind, name, f"{kind} [{name}]")
    if name not in known:
        raise unknown_name(kind, name)
    if not isinstance(body, dict):
        raise parsing_exception(f"[{name}] {kind} malformed, no [START_OBJECT] after its name")
    return name, body


def query_failed(context: Context, reason: str, kind: str = "illegal_argument_exception") -> ShardError:
    """Return the error for a query that its field does not support."""
    cause = RefusedError(400, kind, reason)
    details = {"index_uuid": context.index.uuid, "index": context.index.name}
    return ShardError(400, "query_shard_exception", f"failed to create query: {reason}", cause, details)


def multiply(scores: Scores, boost: float) -> Scores:
    """Return the scores times a boost."""
    return scores if boost == 1.0 else {doc: score * boost for doc, score in scores.items()}
