"""What the parts of a search share: the index, inference, and what highlighting needs to know afterwards.

Knows how bodies are checked for what is not understood; must not know any query or retriever.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..indices import Field, Index, InnerInference
from ..inference import Array
from ..refusals import Json, RefusedError, ShardError, not_done, parsing_exception

__all__ = ["Context", "Scores", "as_number", "check_keys", "plain", "query_failed", "single", "weighted"]

Scores = dict[int, float]  # of documents that match


@dataclass(frozen=True, slots=True)
class Context:
    """One search of one index.

    Attributes:
        index: The index.
        inference: Embeds queries, and reranks.
        evaluate: Scores what a query matches.
        size: How many hits are wanted; semantic queries look for no more.
        within: The only documents that semantic queries may find, if a filter around them says so.
        words: What was looked for in fields of text.
        vectors: What was looked for in semantic fields.
    """

    index: Index
    inference: InnerInference
    evaluate: Callable[[Any, Context], Scores]
    size: int
    within: Collection[int] | None = None
    words: dict[str, set[str]] = field(default_factory=dict)
    vectors: dict[str, list[Array]] = field(default_factory=dict)

    def field(self, path: str) -> Field | None:
        """The field of this name; an object is none."""
        found = self.index.mapping.fields.get(path)
        return None if found is None or found.kind == "object" else found

    def matching(self, filters: Sequence[Any]) -> set[int] | None:
        """The documents that match all of these queries; None without any."""
        found: set[int] | None = None
        for each in filters:
            docs = set(self.evaluate(each, self))
            found = docs if found is None else found & docs
        return found


def check_keys(name: str, body: Any, known: Collection[str], elsewhere: Collection[str] = (), need: Sequence[str] = ()) -> Json:
    """The body of a query or retriever, if it holds nothing that is not understood.

    Args:
        name: The query or retriever.
        body: Its body.
        known: What is understood.
        elsewhere: What Elasticsearch understands, and the local EIS does not do.
        need: What must be there.
    """
    if not isinstance(body, dict):
        raise parsing_exception(f"[{name}] query malformed, no start_object after query name")
    for key in body:
        if key in elsewhere or (key == "_name" and key not in known):
            raise not_done(f"{name}.{key}")
        if key not in known:
            raise parsing_exception(f"[{name}] unknown field [{key}]")
    for key in need:
        if key not in body:
            raise RefusedError(400, "illegal_argument_exception", f"Required [{key}] in [{name}]")
    return body


def single(name: str, body: Any, short: str | None) -> tuple[str, Json]:
    """The field of a query and its options; a value may stand in for `{short: value}`, and `boost` beside the field."""
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


def plain(name: str, value: Any) -> Any:
    """What a query compares with, which must be a text, a number or a boolean."""
    if not isinstance(value, str | int | float | bool):
        raise parsing_exception(f"[{name}] query needs a text, a number or a boolean, got [{value}]")
    return value


def weighted(given: Any) -> tuple[str, float]:
    """A field of several, and what it weighs: `title^3`."""
    path, mark, weight = str(given).partition("^")
    try:
        return path, float(weight) if mark else 1.0
    except ValueError:
        raise parsing_exception(f"[{given}] must be a field, or a field and its weight such as [{path}^2]") from None


def as_number(body: Mapping[str, Any], name: str, default: float) -> float:
    """A number of a body."""
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise parsing_exception(f"[{name}] must be a number, got [{value}]")
    return float(value)


def query_failed(context: Context, reason: str, kind: str = "illegal_argument_exception") -> ShardError:
    """A query that its field does not take."""
    failed = ShardError(400, "query_shard_exception", f"failed to create query: {reason}", RefusedError(400, kind, reason))
    failed.details.update(index_uuid=context.index.uuid, index=context.index.name)
    return failed
