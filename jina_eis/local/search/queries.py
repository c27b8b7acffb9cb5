"""The query language: how each query is read and evaluated, and the compound queries.

Knows the supported queries and the names of the unsupported ones; must not know retrievers, hits or HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..indices import SEMANTIC
from ..inference import as_list
from ..refusals import Json, RefusedError, ShardError, illegal_argument, not_implemented, parsing, parsing_exception
from . import lexical, semantic
from .context import Context, Scores, multiply, read_named, read_query_options
from .operands import OPERATORS
from .options import CLAUSES, MISSING


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
    if not any(clauses.values()):
        return match_all(context, path, options)
    failures: list[ShardError] = []
    filters = [clause_scores(clause, context, failures) for clause in clauses["filter"]]
    excluded = {doc for clause in clauses["must_not"] for doc in clause_scores(clause, context, failures, excludes=True)}
    allowed: set[int] | None = None
    if filters or clauses["must_not"]:
        allowed = set(filters[0] if filters else context.index.all_docs()).intersection(*filters) - excluded
    musts, docs = [], allowed
    # Semantic clauses come last: they search only the documents that the other clauses match.
    for clause in sorted(clauses["must"], key=lambda clause: is_semantic(clause, context)):
        scores = clause_scores(clause, within(context, docs), failures)
        musts.append(scores)
        docs = set(scores) if docs is None else docs & scores.keys()
    shoulds = [clause_scores(clause, within(context, docs), failures) for clause in clauses["should"]]
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
    """Return whether a query searches a semantic field."""
    if not isinstance(query, dict) or not isinstance(query.get("match"), dict):
        return isinstance(query, dict) and "semantic" in query
    fields = [context.field(str(path)) for path in query["match"]]
    return any(field is not None and field.kind in SEMANTIC for field in fields)


def within(context: Context, docs: Collection[int] | None) -> Context:
    """Return a context that limits semantic queries to these documents."""
    if docs is None:
        return context
    return replace(context, within=docs if context.within is None else set(docs).intersection(context.within))


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
