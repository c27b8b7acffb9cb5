"""The query language: which query is which, and those that are made of other queries.

Knows all queries that are done, and the names of those that are not; must not know retrievers, hits or HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from ..indices import SEMANTIC, as_list
from ..refusals import RefusedError, illegal_argument, not_done, parsing_exception
from . import lexical, semantic
from .context import Context, Scores, as_number, check_keys, plain, query_failed, single, weighted
from .lexical import needed, scaled

__all__ = ["evaluate"]

NOT_DONE = frozenset(
    {"boosting", "combined_fields", "common", "dis_max", "distance_feature", "function_score", "fuzzy", "geo_bounding_box"}
    | {"geo_distance", "geo_grid", "geo_polygon", "geo_shape", "has_child", "has_parent", "intervals", "match_bool_prefix"}
    | {"match_phrase_prefix", "more_like_this", "nested", "parent_id", "percolate", "pinned", "query_string", "rank_feature"}
    | {"regexp", "rule", "script", "script_score", "shape", "simple_query_string", "span_containing", "span_first"}
    | {"span_multi", "span_near", "span_not", "span_or", "span_term", "span_within", "sparse_vector", "terms_set"}
    | {"text_expansion", "type", "weighted_tokens", "wildcard", "wrapper"}
)
CLAUSES = ("must", "filter", "should", "must_not")


def evaluate(query: Any, context: Context) -> Scores:
    """The documents that match a query, with their scores, in the order of their numbers."""
    if not isinstance(query, dict):
        raise parsing_exception("[_na] query malformed, must start with start_object")
    if not query:
        raise illegal_argument("query malformed, empty clause found")
    name, *others = query
    if others:
        raise parsing_exception(f"[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]")
    if name in QUERIES:
        return QUERIES[name](context, query[name])
    if name in NOT_DONE:
        raise not_done(f"query [{name}]")
    cause = RefusedError(400, "named_object_not_found_exception", f"[1:1] unknown field [{name}]")
    raise parsing_exception(f"unknown query [{name}]", cause)


def match(context: Context, body: Any) -> Scores:
    """`match`: words, or on a semantic field meaning."""
    path, options = single("match", body, "query")
    check_keys("match", options, lexical.WORD_OPTIONS, lexical.WORD_OPTIONS_NOT_DONE, need=["query"])
    plain("match", options["query"])
    field = context.field(path)
    if field is not None and field.kind in SEMANTIC:
        return semantic.match_meaning(context, field, options["query"], as_number(options, "boost", 1.0))
    return lexical.match_words(context, path, options)


def multi_match(context: Context, body: Any) -> Scores:
    """`multi_match`: the best of several fields, or the sum of them."""
    known = lexical.WORD_OPTIONS | {"fields", "type", "tie_breaker"}
    check_keys("multi_match", body, known, lexical.WORD_OPTIONS_NOT_DONE | {"slop"}, need=["query"])
    plain("multi_match", body["query"])
    kind = body.get("type", "best_fields")
    if kind not in ("best_fields", "most_fields"):
        raise not_done(f"multi_match.type [{kind}]")
    if not body.get("fields"):
        raise not_done("multi_match without fields")
    options = {name: value for name, value in body.items() if name not in ("fields", "type", "tie_breaker", "boost")}
    found = []
    for given in as_list(body["fields"]):
        path, weight = weighted(given)
        if "*" in path:
            raise not_done(f"multi_match on fields [{path}]")
        field = context.field(path)
        if field is not None and field.kind in SEMANTIC:
            raise query_failed(context, f"Field [{path}] of type [{field.kind}] does not support [multi_match] queries")
        found.append(scaled(lexical.match_words(context, path, options), weight))
    ties = 1.0 if kind == "most_fields" else as_number(body, "tie_breaker", 0.0)
    best = lexical.joined(found)
    scores = {doc: score + ties * (sum(each.get(doc, 0.0) for each in found) - score) for doc, score in sorted(best.items())}
    return scaled(scores, as_number(body, "boost", 1.0))


def bool_(context: Context, body: Any) -> Scores:
    """`bool`: clauses that must, should and must not match."""
    check_keys("bool", body, {*CLAUSES, "minimum_should_match", "boost"}, {"adjust_pure_negative"})
    clauses = {name: as_list(body.get(name)) for name in CLAUSES}
    boost = as_number(body, "boost", 1.0)
    if not any(clauses.values()):
        return dict.fromkeys(context.index.all_docs(), boost)
    outside = replace(context, words={}, vectors={})  # what only filters is not highlighted
    filters = [evaluate(each, outside) for each in clauses["filter"]]
    banned = {doc for each in clauses["must_not"] for doc in evaluate(each, outside)}
    allowed: set[int] | None = None
    if filters or banned:
        allowed = set(filters[0] if filters else context.index.all_docs()).intersection(*filters) - banned
    musts, docs = [], allowed
    for each in sorted(clauses["must"], key=lambda clause: by_meaning(clause, context)):  # those find among what others match
        found = evaluate(each, within(context, docs))
        musts.append(found)
        docs = set(found) if docs is None else docs & found.keys()
    shoulds = [evaluate(each, within(context, docs)) for each in clauses["should"]]
    least = needed(body.get("minimum_should_match", 0 if musts or filters else min(1, len(shoulds))), len(shoulds))
    if docs is None:
        docs = {doc for each in shoulds for doc in each}
    if least:
        docs = {doc for doc in docs if sum(doc in each for each in shoulds) >= least}
    return {doc: boost * sum(each.get(doc, 0.0) for each in (*musts, *shoulds)) for doc in sorted(docs)}


def by_meaning(query: Any, context: Context) -> bool:
    """Whether a query is for the best passages of a semantic field, and of no others that a filter leaves out."""
    if not isinstance(query, dict) or not isinstance(query.get("match"), dict):
        return isinstance(query, dict) and "semantic" in query
    fields = [context.field(str(path)) for path in query["match"]]
    return any(field is not None and field.kind in SEMANTIC for field in fields)


def within(context: Context, docs: Collection[int] | None) -> Context:
    """The context in which semantic queries find these documents alone."""
    if docs is None:
        return context
    return replace(context, within=docs if context.within is None else set(docs).intersection(context.within))


def constant_score(context: Context, body: Any) -> Scores:
    """`constant_score`: the same score for all that match."""
    check_keys("constant_score", body, {"filter", "boost"}, need=["filter"])
    return dict.fromkeys(evaluate(body["filter"], context), as_number(body, "boost", 1.0))


def match_all(context: Context, body: Any) -> Scores:
    """`match_all`: every document."""
    check_keys("match_all", body, {"boost"})
    return dict.fromkeys(context.index.all_docs(), as_number(body, "boost", 1.0))


def match_none(context: Context, body: Any) -> Scores:
    """`match_none`: no document."""
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
