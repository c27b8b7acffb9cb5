"""The query language: the table of queries, and the compound queries.

Knows the supported queries and the names of the unsupported ones; must not know retrievers, hits or HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from ..indices import SEMANTIC, as_list
from ..refusals import RefusedError, illegal_argument, not_implemented, parsing_exception
from . import lexical, semantic
from .context import Context, Scores, as_number, check_keys, parse_weighted_field, query_failed, scalar, single_field
from .lexical import minimum_matches, multiply

__all__ = ["evaluate"]

UNSUPPORTED = frozenset(
    {"boosting", "combined_fields", "common", "dis_max", "distance_feature", "function_score", "fuzzy", "geo_bounding_box"}
    | {"geo_distance", "geo_grid", "geo_polygon", "geo_shape", "has_child", "has_parent", "intervals", "match_bool_prefix"}
    | {"match_phrase_prefix", "more_like_this", "nested", "parent_id", "percolate", "pinned", "query_string", "rank_feature"}
    | {"regexp", "rule", "script", "script_score", "shape", "simple_query_string", "span_containing", "span_first"}
    | {"span_multi", "span_near", "span_not", "span_or", "span_term", "span_within", "sparse_vector", "terms_set"}
    | {"text_expansion", "type", "weighted_tokens", "wildcard", "wrapper"}
)
CLAUSES = ("must", "filter", "should", "must_not")


def evaluate(query: Any, context: Context) -> Scores:
    """Return the scores of the documents that match a query, ordered by document number."""
    if not isinstance(query, dict):
        raise parsing_exception("[_na] query malformed, must start with start_object")
    if not query:
        raise illegal_argument("query malformed, empty clause found")
    name, *others = query
    if others:
        raise parsing_exception(f"[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]")
    if name in QUERIES:
        return QUERIES[name](context, query[name])
    if name in UNSUPPORTED:
        raise not_implemented(f"query [{name}]")
    cause = RefusedError(400, "named_object_not_found_exception", f"[1:1] unknown field [{name}]")
    raise parsing_exception(f"unknown query [{name}]", cause)


def match(context: Context, body: Any) -> Scores:
    """Evaluate `match`: by words, or by meaning on a semantic field."""
    path, options = single_field("match", body, "query")
    check_keys("match", options, lexical.WORD_OPTIONS, lexical.UNSUPPORTED_WORD_OPTIONS, required=["query"])
    scalar("match", options["query"])
    field = context.field(path)
    if field is not None and field.kind in SEMANTIC:
        return semantic.match_meaning(context, field, options["query"], as_number(options, "boost", 1.0))
    return lexical.match_words(context, path, options)


def multi_match(context: Context, body: Any) -> Scores:
    """Evaluate `multi_match`: the best score of several fields, or their sum."""
    known = lexical.WORD_OPTIONS | {"fields", "type", "tie_breaker"}
    check_keys("multi_match", body, known, lexical.UNSUPPORTED_WORD_OPTIONS | {"slop"}, required=["query"])
    scalar("multi_match", body["query"])
    kind = body.get("type", "best_fields")
    if kind not in ("best_fields", "most_fields"):
        raise not_implemented(f"multi_match.type [{kind}]")
    if not body.get("fields"):
        raise not_implemented("multi_match without fields")
    options = {name: value for name, value in body.items() if name not in ("fields", "type", "tie_breaker", "boost")}
    by_field = []
    for weighted_field in as_list(body["fields"]):
        path, weight = parse_weighted_field(weighted_field)
        if "*" in path:
            raise not_implemented(f"multi_match on fields [{path}]")
        field = context.field(path)
        if field is not None and field.kind in SEMANTIC:
            raise query_failed(context, f"Field [{path}] of type [{field.kind}] does not support [multi_match] queries")
        by_field.append(multiply(lexical.match_words(context, path, options), weight))
    ties = 1.0 if kind == "most_fields" else as_number(body, "tie_breaker", 0.0)
    best = lexical.best_scores(by_field)
    totals = {
        doc: score + ties * (sum(scores.get(doc, 0.0) for scores in by_field) - score) for doc, score in sorted(best.items())
    }
    return multiply(totals, as_number(body, "boost", 1.0))


def bool_(context: Context, body: Any) -> Scores:
    """Evaluate `bool`: clauses that must, should and must not match."""
    check_keys("bool", body, {*CLAUSES, "minimum_should_match", "boost"}, {"adjust_pure_negative"})
    clauses = {name: as_list(body.get(name)) for name in CLAUSES}
    boost = as_number(body, "boost", 1.0)
    if not any(clauses.values()):
        return dict.fromkeys(context.index.all_docs(), boost)
    unhighlighted = replace(context, words={}, vectors={})  # terms of filters are not highlighted
    filters = [evaluate(clause, unhighlighted) for clause in clauses["filter"]]
    excluded = {doc for clause in clauses["must_not"] for doc in evaluate(clause, unhighlighted)}
    allowed: set[int] | None = None
    if filters or clauses["must_not"]:
        allowed = set(filters[0] if filters else context.index.all_docs()).intersection(*filters) - excluded
    musts, docs = [], allowed
    # Semantic clauses come last: they search only the documents that the other clauses match.
    for clause in sorted(clauses["must"], key=lambda clause: is_semantic(clause, context)):
        scores = evaluate(clause, within(context, docs))
        musts.append(scores)
        docs = set(scores) if docs is None else docs & scores.keys()
    shoulds = [evaluate(clause, within(context, docs)) for clause in clauses["should"]]
    minimum = minimum_matches(body.get("minimum_should_match", 0 if musts or filters else min(1, len(shoulds))), len(shoulds))
    if docs is None:
        docs = {doc for scores in shoulds for doc in scores}
    if minimum:
        docs = {doc for doc in docs if sum(doc in scores for scores in shoulds) >= minimum}
    return {doc: boost * sum(scores.get(doc, 0.0) for scores in (*musts, *shoulds)) for doc in sorted(docs)}


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


def constant_score(context: Context, body: Any) -> Scores:
    """Evaluate `constant_score`: the same score for every match."""
    check_keys("constant_score", body, {"filter", "boost"}, required=["filter"])
    return dict.fromkeys(evaluate(body["filter"], context), as_number(body, "boost", 1.0))


def match_all(context: Context, body: Any) -> Scores:
    """Evaluate `match_all`: every document."""
    check_keys("match_all", body, {"boost"})
    return dict.fromkeys(context.index.all_docs(), as_number(body, "boost", 1.0))


def match_none(context: Context, body: Any) -> Scores:
    """Evaluate `match_none`: no document."""
    check_keys("match_none", body, {"boost"})
    return {}


QUERIES: dict[str, Callable[[Context, Any], Scores]] = {
    "bool": bool_,
    "constant_score": constant_score,
    "exists": lexical.exists,
    "ids": lexical.ids,
    "knn": semantic.knn_query,
    "match": match,
    "match_all": match_all,
    "match_none": match_none,
    "match_phrase": lexical.match_phrase,
    "multi_match": multi_match,
    "prefix": lexical.prefix,
    "range": lexical.range_,
    "semantic": semantic.semantic,
    "term": lexical.term,
    "terms": lexical.terms_,
}
