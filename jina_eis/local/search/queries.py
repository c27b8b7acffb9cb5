"""The query language: how each query is read and evaluated, and the compound queries.

Knows the supported queries and the names of the unsupported ones; must not know retrievers, hits or HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Set
from dataclasses import dataclass, replace
from typing import Any

from ..indices import SEMANTIC, as_list
from ..refusals import Json, RefusedError, ShardError, illegal_argument, not_implemented, parse_error, parsing_exception
from . import lexical, semantic
from .context import Context, Scores, parse_weighted_field, query_failed, read_options, single_field
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
WORD_OPTIONS = {"query", "operator", "minimum_should_match", "analyzer", "zero_terms_query", "lenient"}
UNSUPPORTED_WORD_OPTIONS = {"fuzziness", "fuzzy_rewrite", "fuzzy_transpositions", "max_expansions", "prefix_length"} | {
    "auto_generate_synonyms_phrase_query",
    "cutoff_frequency",
}
UNSUPPORTED_RANGE_OPTIONS = {"format", "time_zone", "relation", "from", "to", "include_lower", "include_upper"}
CLAUSES = ("must", "filter", "should", "must_not")
WRAPPED = ("illegal_argument_exception", "number_format_exception")  # errors of clauses that `bool` reports as its own


@dataclass(frozen=True, slots=True)
class Query:
    """How a query is read and evaluated.

    Attributes:
        evaluate: Returns its scores without its boost, from its field (or "") and its options.
        options: Supported options beside `boost`; None if `evaluate` checks them itself.
        unsupported: Options that Elasticsearch supports and the local EIS does not.
        required: An option that it must have.
        missing: The error without it.
        by_field: Whether its body is a field with options, or with a bare value for the required one.
    """

    evaluate: Callable[[Context, str, Any], Scores]
    options: Set[str] | None = frozenset()
    unsupported: Set[str] = frozenset()
    required: str | None = None
    missing: RefusedError = illegal_argument("field name is null or empty")
    by_field: bool = False


def evaluate(query: Any, context: Context) -> Scores:
    """Return the scores of the documents that match a query, ordered by document number."""
    if not isinstance(query, dict):
        raise parsing_exception("[_na] query malformed, must start with start_object")
    if not query:
        raise illegal_argument("query malformed, empty clause found")
    name, *others = query
    if others:
        raise parsing_exception(f"[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]")
    if name in UNSUPPORTED:
        raise not_implemented(f"query [{name}]")
    if name not in QUERIES:
        cause = RefusedError(400, "named_object_not_found_exception", f"[1:1] unknown field [{name}]")
        raise parsing_exception(f"unknown query [{name}]", cause)
    return evaluate_as(QUERIES[name], name, query[name], context)


def evaluate_as(query: Query, name: str, body: Any, context: Context) -> Scores:
    if query.options is None:
        return query.evaluate(context, "", body)
    path, options = single_field(name, body, query.required or "value", query.missing) if query.by_field else ("", body)
    options = read_options(name, options, {*query.options, "boost"}, query.unsupported)
    if query.required is not None and query.required not in options:
        raise query.missing
    return multiply(query.evaluate(context, path, options), options.get("boost", 1.0))


def match(context: Context, path: str, options: Json) -> Scores:
    """Evaluate `match`: by words, or by meaning on a semantic field."""
    field = context.field(path)
    if field is not None and field.kind in SEMANTIC:
        return semantic.match_meaning(context, field, options["query"], 1.0)
    return lexical.match_words(context, path, options)


def multi_match(context: Context, path: str, options: Json) -> Scores:
    """Evaluate `multi_match`: the best score of several fields, or their sum."""
    kind = options.get("type", "best_fields")
    if kind not in ("best_fields", "most_fields"):
        raise not_implemented(f"multi_match.type [{kind}]")
    if not options.get("fields"):
        raise not_implemented("multi_match without fields")
    ties = options.get("tie_breaker", 1.0 if kind == "most_fields" else 0.0)
    if not 0 <= ties <= 1:
        raise query_failed(context, "tieBreakerMultiplier must be in [0, 1]")
    by_field = []
    for path, weight in dict(parse_weighted_field(weighted_field) for weighted_field in as_list(options["fields"])).items():
        if "*" in path:
            raise not_implemented(f"multi_match on fields [{path}]")
        field = context.field(path)
        if field is not None and field.kind in SEMANTIC:
            raise query_failed(context, f"Field [{path}] of type [{field.kind}] does not support [multi_match] queries")
        by_field.append(multiply(lexical.match_words(context, path, options), weight))
    best = lexical.best_scores(by_field)
    return {doc: score + ties * (sum(scores.get(doc, 0.0) for scores in by_field) - score) for doc, score in sorted(best.items())}


def bool_(context: Context, path: str, options: Json) -> Scores:
    """Evaluate `bool`: clauses that must, should and must not match."""
    clauses = {name: as_list(options.get(name)) for name in CLAUSES}
    if not any(clauses.values()):
        return match_all(context, path, options)
    filters = [clause_scores(clause, context) for clause in clauses["filter"]]
    excluded = {doc for clause in clauses["must_not"] for doc in clause_scores(clause, context)}
    allowed: set[int] | None = None
    if filters or clauses["must_not"]:
        allowed = set(filters[0] if filters else context.index.all_docs()).intersection(*filters) - excluded
    musts, docs = [], allowed
    # Semantic clauses come last: they search only the documents that the other clauses match.
    for clause in sorted(clauses["must"], key=lambda clause: is_semantic(clause, context)):
        scores = clause_scores(clause, within(context, docs))
        musts.append(scores)
        docs = set(scores) if docs is None else docs & scores.keys()
    shoulds = [clause_scores(clause, within(context, docs)) for clause in clauses["should"]]
    minimum = minimum_matches(options.get("minimum_should_match") or 0, len(shoulds))
    if shoulds and not musts and not filters:
        minimum = max(minimum, 1)
    if docs is None:
        docs = {doc for scores in shoulds for doc in scores}
    if minimum:
        docs = {doc for doc in docs if sum(doc in scores for scores in shoulds) >= minimum}
    return {doc: sum(scores.get(doc, 0.0) for scores in (*musts, *shoulds)) for doc in sorted(docs)}


def clause_scores(clause: Any, context: Context) -> Scores:
    try:
        return evaluate(clause, context)
    except RefusedError as refused:
        if isinstance(refused, ShardError) or refused.kind not in WRAPPED:
            raise
        raise parse_error("bool", f"failed to parse a clause: {refused.reason}", refused) from refused


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


def constant_score(context: Context, path: str, options: Json) -> Scores:
    """Evaluate `constant_score`: the same score for every match."""
    return dict.fromkeys(evaluate(options["filter"], context), 1.0)


def match_all(context: Context, path: str, options: Json) -> Scores:
    """Evaluate `match_all`: every document."""
    return dict.fromkeys(context.index.all_docs(), 1.0)


NO_TEXT, NO_VALUE = parsing_exception("No text specified for text query"), illegal_argument("value cannot be null")
QUERIES = {
    "bool": Query(bool_, {*CLAUSES, "minimum_should_match"}, {"adjust_pure_negative"}),
    "constant_score": Query(
        constant_score, {"filter"}, required="filter", missing=parsing_exception("[constant_score] requires a 'filter' element")
    ),
    "exists": Query(
        lexical.exists, {"field"}, required="field", missing=parsing_exception("[exists] must be provided with a [field]")
    ),
    "ids": Query(lexical.ids, {"values"}),
    "knn": Query(lambda context, _, body: semantic.knn_query(context, body), None),
    "match": Query(match, WORD_OPTIONS, UNSUPPORTED_WORD_OPTIONS, "query", NO_TEXT, by_field=True),
    "match_all": Query(match_all),
    "match_none": Query(lambda context, path, options: {}),
    "match_phrase": Query(
        lexical.match_phrase, {"query", "analyzer", "zero_terms_query"}, {"slop"}, "query", NO_TEXT, by_field=True
    ),
    "multi_match": Query(
        multi_match, WORD_OPTIONS | {"fields", "type", "tie_breaker"}, UNSUPPORTED_WORD_OPTIONS | {"slop"}, "query", NO_TEXT
    ),
    "prefix": Query(lexical.prefix, {"value"}, {"case_insensitive", "rewrite"}, "value", NO_VALUE, by_field=True),
    "range": Query(lexical.range_, lexical.BOUNDS, UNSUPPORTED_RANGE_OPTIONS, by_field=True),
    "semantic": Query(lambda context, _, body: semantic.semantic(context, body), None),
    "term": Query(lexical.term, {"value"}, {"case_insensitive"}, "value", NO_VALUE, by_field=True),
    "terms": Query(lambda context, _, body: lexical.terms_(context, body), None),
}
