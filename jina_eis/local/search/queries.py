"""The query language: how each query is read and evaluated, and the compound queries.

Knows the supported queries and the names of the unsupported ones; must not know retrievers, hits or HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..indices import SEMANTIC
from ..inference import as_list
from ..refusals import Json, RefusedError, ShardError, illegal_argument, not_implemented, parsing, parsing_exception
from . import lexical, semantic
from .context import Context, Scores, multiply, read_named, read_query_options
from .operands import OPERATORS
from .options import CLAUSES, MISSING, QUERIES_INSIDE


@dataclass(frozen=True, slots=True)
class Query:
    """How a query is read and evaluated.

    Attributes:
        evaluate: Returns its scores without its boost, from its field (or "") and its options.
        options: Supported options beside `boost`; None if `evaluate` checks them itself.
        required: An option that it must have.
        by_field: Whether its body is a field with options, or with a bare value for the required one.
    """

    evaluate: Callable[[Context, str, Any], Scores]
    options: Set[str] | None = frozenset()
    required: str | None = None
    by_field: bool = False


def evaluate(query: Any, context: Context) -> Scores:
    """Return the scores of the documents that match a query, ordered by document number."""
    if query == {}:
        raise illegal_argument("query malformed, empty clause found")
    name, body = read_named("query", query, QUERIES)
    kind, path = QUERIES[name], ""
    if kind.options is None:
        return kind.evaluate(context, path, body)
    if kind.by_field:
        path, body = read_field(name, body, kind.required)
    options = read_query_options(name, body, kind.options or ())
    if kind.required is not None and kind.required not in options:
        raise missing(kind.required)
    return multiply(kind.evaluate(context, path, options), options.get("boost", 1.0))


def read_field(name: str, body: Json, required: str | None) -> tuple[str, Any]:
    """Return the field of a query and its options; a bare value is short for the required option."""
    if len(body) > 1:
        raise parsing_exception(f"[{name}] query doesn't support multiple fields, found {list(body)}")
    for path, value in body.items():
        if value is not None:
            return path, value if isinstance(value, dict) else {required or "value": value}
    raise missing("query" if required == "query" else "")


def missing(option: str) -> RefusedError:
    """Return the error for a query without a required option, or without a field."""
    return (illegal_argument if option in ("value", "") else parsing_exception)(MISSING[option])


def match(context: Context, path: str, options: Json) -> Scores:
    """Evaluate `match`: by words, or by meaning on a semantic field."""
    field = context.field(path)
    if field is not None and field.kind in SEMANTIC:
        return semantic.match_meaning(context, field, options["query"])
    return lexical.match(context, path, options)


def bool_(context: Context, path: str, options: Json) -> Scores:
    """Evaluate `bool`: clauses that must, should and must not match."""
    clauses = {name: as_list(options.get(name)) for name in CLAUSES}
    for name, queries in clauses.items():
        if any(isinstance(query, int | float | list) for query in queries) or isinstance(options.get(name), str):
            raise not_implemented(f"bool.{name} with [{options[name]}] as a value")
    named = [(name, clause) for name in CLAUSES for clause in clauses[name]]
    if not named:
        return match_all(context, path, options)
    failures: list[ShardError] = []
    found: dict[str, list[Scores]] = {name: [] for name in CLAUSES}
    docs: set[int] | None = None
    for meaning in (False, True):  # clauses for meaning come last: they search only the documents that the others leave
        limited = docs if docs is None or context.within is None else docs.intersection(context.within)
        part = context if limited is None else replace(context, within=limited)
        for name, clause in named:
            if is_semantic(clause, context) is meaning:
                found[name].append(clause_scores(clause, part, failures, excludes=name == "must_not"))
        required, excluding = [*found["filter"], *found["must"]], found["must_not"]
        if required or excluding:
            docs = set(required[0] if required else context.index.all_docs()).intersection(*required).difference(*excluding)
    musts, shoulds, filters = found["must"], found["should"], found["filter"]
    minimum = options.get("minimum_should_match", 0)
    if type(minimum) is not int or minimum < 0:
        raise not_implemented(f"bool.minimum_should_match [{minimum}]")
    if shoulds and not musts and not filters:
        minimum = max(minimum, 1)
    if docs is None:
        docs = {doc for scores in shoulds for doc in scores}
    if minimum and (musts or shoulds or filters):
        docs = {doc for doc in docs if sum(doc in scores for scores in shoulds) >= minimum}
    if failures:
        raise failures[0] if docs else not_implemented(f"a clause beside others that match nothing: {failures[0].reason}")
    return {doc: sum(scores.get(doc, 0.0) for scores in (*musts, *shoulds)) for doc in sorted(docs)}


def clause_scores(clause: Any, context: Context, failures: list[ShardError], *, excludes: bool = False) -> Scores:
    """Return the scores of a clause; one that fails on the index is noted, and limits no other."""
    try:
        with parsing("bool", "a query inside"):
            return evaluate(clause, context)
    except ShardError as error:
        failures.append(error)
        return {} if excludes else dict.fromkeys(context.index.all_docs(), 0.0)


def is_semantic(query: Any, context: Context) -> bool:
    """Return whether a query searches a semantic field, or has such a query inside. It limits no clause beside it."""
    if isinstance(query, list):
        return any(is_semantic(part, context) for part in query)
    ((name, body),) = query.items() if isinstance(query, dict) and len(query) == 1 else [("", None)]
    if not isinstance(body, dict):
        return False
    if name in QUERIES_INSIDE:
        return is_semantic([body.get(option) for option in QUERIES_INSIDE[name]], context)
    fields = [context.field(str(path)) for path in ([body.get("field")] if name == "knn" else body if name == "match" else [])]
    return name == "semantic" or any(field is not None and field.kind in SEMANTIC for field in fields)


def match_all(context: Context, path: str, options: Json) -> Scores:
    """Evaluate `match_all`: every document."""
    return dict.fromkeys(context.index.all_docs(), 1.0)


QUERIES = {
    "bool": Query(bool_, {*CLAUSES, "minimum_should_match"}),
    "constant_score": Query(lambda part, _, body: dict.fromkeys(evaluate(body["filter"], part), 1.0), {"filter"}, "filter"),
    "exists": Query(lexical.exists, {"field"}, "field"),
    "ids": Query(lexical.ids, {"values"}),
    "knn": Query(lambda context, path, body: semantic.knn_query(context, body), None),
    "match": Query(match, {"query", "operator"}, "query", by_field=True),
    "match_all": Query(match_all),
    "match_none": Query(lambda context, path, options: {}),
    "match_phrase": Query(partial(lexical.match, phrase=True), {"query"}, "query", by_field=True),
    "range": Query(lexical.range_, OPERATORS.keys(), by_field=True),
    "semantic": Query(lambda context, _, body: semantic.semantic(context, body), None),
    "term": Query(
        lambda context, path, options: lexical.exact_scores(context, path, options["value"]), {"value"}, "value", by_field=True
    ),
    "terms": Query(lexical.terms_, None),
}
