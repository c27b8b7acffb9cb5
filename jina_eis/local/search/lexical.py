"""Queries for words and exact values, scored as in Elasticsearch.

BM25 uses the exact length of a field. Elasticsearch stores the length in one byte: exact up to 40 words, rounded above.
Knows fields and their values; must not know vectors or compound queries.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ..indices import BITS, NUMBERS, SEMANTIC, Field, Value, as_list, last_of_date, read_value, terms
from ..refusals import Json, RefusedError, ShardError, not_implemented
from .context import Context, Scores, as_number, check_keys, query_failed, scalar, single_field

__all__ = ["best_scores", "exists", "ids", "match_phrase", "match_words", "minimum_matches", "prefix", "range_", "term", "terms_"]

K1, B = 1.2, 0.75
OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# Options of `match` and `multi_match`.
WORD_OPTIONS = {"query", "operator", "boost", "minimum_should_match", "analyzer", "zero_terms_query", "lenient"}
UNSUPPORTED_WORD_OPTIONS = {"fuzziness", "fuzzy_rewrite", "fuzzy_transpositions", "max_expansions", "prefix_length"} | {
    "auto_generate_synonyms_phrase_query",
    "cutoff_frequency",
}


def match_words(context: Context, path: str, options: Json) -> Scores:
    """Evaluate `match` on a field that is not semantic, by its words or by its exact value."""
    field = context.field(path)
    if field is None:
        return {}
    boost = as_number(options, "boost", 1.0)
    if field.kind != "text":
        try:
            return multiply(value_scores(context, field, options["query"]), boost)
        except ShardError:
            if options.get("lenient"):
                return {}
            raise
    check_analyzer(options)
    query_terms = Counter(terms(str(read_value("text", options["query"]))))
    if not query_terms:
        matches_all = options.get("zero_terms_query", "none") == "all"
        return dict.fromkeys(context.index.all_docs(), boost) if matches_all else {}
    note_terms(context, field, query_terms)
    by_term = [multiply(term_scores(context, field, word), boost * times) for word, times in query_terms.items()]
    all_required = str(options.get("operator", "or")).lower() == "and"
    minimum = len(by_term) if all_required else minimum_matches(options.get("minimum_should_match", 1), len(by_term))
    counts = Counter(doc for scores in by_term for doc in scores)
    return {doc: sum(scores.get(doc, 0.0) for scores in by_term) for doc in sorted(counts) if counts[doc] >= minimum}


def match_phrase(context: Context, body: Any) -> Scores:
    """Evaluate `match_phrase`: consecutive words."""
    path, options = single_field("match_phrase", body, "query")
    check_keys("match_phrase", options, {"query", "boost", "slop", "analyzer"}, {"zero_terms_query"}, required=["query"])
    if options.get("slop"):
        raise not_implemented("match_phrase.slop")
    field = context.field(path)
    if field is None or field.kind != "text":
        return match_words(context, path, options)
    check_analyzer(options)
    check_indexed(context, field)
    phrase = terms(str(read_value("text", scalar("match_phrase", options["query"]))))
    if not phrase:
        return {}
    note_terms(context, field, phrase)
    starts: set[tuple[int, int]] | None = None
    for offset, word in enumerate(phrase):
        word_starts = {(doc, position - offset) for doc, position in context.index.positions(path, word)}
        starts = word_starts if starts is None else starts & word_starts
    times = Counter(doc for doc, _ in starts or ())
    lengths = {doc: length for word in set(phrase) for doc, _, length in context.index.occurrences(path, word)}
    doc_count, word_count = context.index.text_statistics(path)
    idf = sum(inverse_document_frequency(doc_count, len(context.index.occurrences(path, word))) for word in phrase)
    boost = as_number(options, "boost", 1.0)
    k1, b = bm25_parameters(context, field)
    return {
        doc: boost * idf * (k1 + 1) * term_frequency(times[doc], lengths[doc], word_count / doc_count, k1, b)
        for doc in sorted(times)
    }


def term(context: Context, body: Any) -> Scores:
    """Evaluate `term`: an exact value."""
    path, options = single_field("term", body, "value")
    check_keys("term", options, {"value", "boost"}, {"case_insensitive"}, required=["value"])
    return multiply(exact_scores(context, path, scalar("term", options["value"])), as_number(options, "boost", 1.0))


def exact_scores(context: Context, path: str, value: Any) -> Scores:
    if path == "_id":
        return dict.fromkeys(context.index.with_id([str(value)]), 1.0)
    field = exact_field(context, path)
    if field is None:
        return {}
    if field.kind != "text":
        return value_scores(context, field, value)
    note_terms(context, field, [str(value)])
    return term_scores(context, field, str(value))


def terms_(context: Context, body: Any) -> Scores:
    """Evaluate `terms`: any of several exact values."""
    path, options = single_field("terms", body, "value")
    if list(options.keys() - {"boost"}) != ["value"] or not isinstance(options["value"], list):
        raise not_implemented(
            "terms with a lookup" if "value" not in options else "[terms] query with a value that is not an array"
        )
    by_value = [exact_scores(context, path, scalar("terms", value)) for value in options["value"]]
    return dict.fromkeys(sorted({doc for scores in by_value for doc in scores}), as_number(options, "boost", 1.0))


def range_(context: Context, body: Any) -> Scores:
    """Evaluate `range`: values within bounds."""
    path, options = single_field("range", body, None)
    known = {*OPERATORS, "boost"}
    check_keys("range", options, known, {"format", "time_zone", "relation", "from", "to", "include_lower", "include_upper"})
    field = exact_field(context, path)
    if field is None:
        return {}
    if field.kind == "text":
        raise not_implemented(f"range on field [{path}] of type [text]")
    limits = [(OPERATORS[name], value) for name, value in options.items() if name in OPERATORS and value is not None]
    bounds = [(operator, read_bound(context, field, operator, scalar("range", value))) for operator, value in limits]
    return dict.fromkeys(sorted(context.index.between(path, bounds)), as_number(options, "boost", 1.0))


def read_bound(context: Context, field: Field, operator: str, value: Any) -> Value:
    # A bound of an integer field may have a fraction.
    if field.kind in BITS and isinstance(value, float):
        return value
    bound = read_query_value(context, field, value)
    return last_of_date(value) if field.kind == "date" and operator in (">", "<=") else bound


def exists(context: Context, body: Any) -> Scores:
    """Evaluate `exists`: any value."""
    check_keys("exists", body, {"field", "boost"}, required=["field"])
    path, fields = str(body["field"]), context.index.mapping.fields
    paths = [name for name in fields if name == path or name.startswith(f"{path}.")]
    docs = {doc for name in paths for doc in context.index.with_field(name)}
    return dict.fromkeys(sorted(docs), as_number(body, "boost", 1.0))


def ids(context: Context, body: Any) -> Scores:
    """Evaluate `ids`: documents by id."""
    check_keys("ids", body, {"values", "boost"}, required=["values"])
    docs = context.index.with_id([str(value) for value in as_list(body["values"])])
    return dict.fromkeys(sorted(docs), as_number(body, "boost", 1.0))


def prefix(context: Context, body: Any) -> Scores:
    """Evaluate `prefix`: keywords by their first characters."""
    path, options = single_field("prefix", body, "value")
    check_keys("prefix", options, {"value", "boost"}, {"case_insensitive", "rewrite"}, required=["value"])
    field = exact_field(context, path)
    if field is None:
        return {}
    if field.kind != "keyword":
        raise not_implemented(f"prefix on field [{path}] of type [{field.kind}]")
    start = str(scalar("prefix", options["value"]))
    docs = context.index.between(path, [(">=", start), ("<", start + "\U0010ffff")])
    return dict.fromkeys(sorted(docs), as_number(options, "boost", 1.0))


def exact_field(context: Context, path: str) -> Field | None:
    """Return the field at this path after checking that it supports queries for exact values."""
    if path.startswith("_") and path not in context.index.mapping.fields:
        raise not_implemented(f"a query on [{path}]")
    field = context.field(path)
    if field is not None and (field.kind == "dense_vector" or field.kind in SEMANTIC):
        raise query_failed(context, f"Field [{path}] of type [{field.kind}] doesn't support term queries")
    return field


def read_query_value(context: Context, field: Field, value: Any) -> Value:
    try:
        return read_value(field.kind, value)
    except RefusedError as refused:
        if refused.status == 501:
            raise
        raise query_failed(context, refused.reason, refused.kind) from refused


def value_scores(context: Context, field: Field, value: Any) -> Scores:
    """Score the documents with a value: 1 for numbers and dates, otherwise BM25 as for a word."""
    exact_field(context, field.path)
    indexed = read_query_value(context, field, value)
    last = last_of_date(value) if field.kind == "date" else indexed
    docs = context.index.between(field.path, [(">=", indexed), ("<=", last)])
    if not docs or field.kind in NUMBERS or field.kind == "date":
        return dict.fromkeys(sorted(docs), 1.0)
    doc_count, value_count = context.index.value_statistics(field.path)
    # These fields have no stored length; Elasticsearch takes it as 1.
    score = inverse_document_frequency(doc_count, len(docs)) * (K1 + 1) * term_frequency(1, 1, value_count / doc_count, K1, B)
    return dict.fromkeys(sorted(docs), score)


def term_scores(context: Context, field: Field, word: str) -> Scores:
    """BM25 scores of one word."""
    check_indexed(context, field)
    occurrences = context.index.occurrences(field.path, word)
    if not occurrences:
        return {}
    doc_count, word_count = context.index.text_statistics(field.path)
    k1, b = bm25_parameters(context, field)
    weight = (k1 + 1) * inverse_document_frequency(doc_count, len(occurrences))
    return {doc: weight * term_frequency(times, length, word_count / doc_count, k1, b) for doc, times, length in occurrences}


def inverse_document_frequency(docs: int, matching: int) -> float:
    """BM25 weight of a word that `matching` of the documents contain."""
    return math.log(1 + (docs - matching + 0.5) / (matching + 0.5))


def term_frequency(times: float, length: int, mean_length: float, k1: float, b: float) -> float:
    """BM25 term frequency: saturates with the number of occurrences, and decreases with the length of the field."""
    return times / (times + k1 * (1 - b + b * length / mean_length))


def bm25_parameters(context: Context, field: Field) -> tuple[float, float]:
    """Return k1 and b, from the similarity that the index settings define for the field or the defaults."""
    similarity = context.index.settings.get("similarity", {}).get(field.settings.get("similarity"), {})
    return float(similarity.get("k1", K1)), float(similarity.get("b", B))


def check_indexed(context: Context, field: Field) -> None:
    if field.settings.get("index") is False:
        raise query_failed(context, f"Cannot search on field [{field.path}] since it is not indexed.")


def check_analyzer(options: Json) -> None:
    if options.get("analyzer", "standard") != "standard":
        raise not_implemented(f"analyzer [{options['analyzer']}], only [standard] is supported")


def note_terms(context: Context, field: Field, words: Iterable[str]) -> None:
    context.words.setdefault(field.path, set()).update(words)


def multiply(scores: Scores, boost: float) -> Scores:
    return scores if boost == 1.0 else {doc: score * boost for doc, score in scores.items()}


def minimum_matches(minimum_should_match: Any, clauses: int) -> int:
    """Return how many of the clauses must match."""
    text = str(minimum_should_match).strip()
    if re.fullmatch(r"-?\d+", text):
        number = int(text)
    elif re.fullmatch(r"-?\d+(\.\d+)?%", text):
        number = int(clauses * float(text[:-1]) / 100)
    else:
        raise not_implemented(f"minimum_should_match [{text}]")
    return max(0, clauses + number if text.startswith("-") else number)


def best_scores(parts: Sequence[Scores]) -> Scores:
    """Return the best score of each document."""
    best: Scores = {}
    for scores in parts:
        for doc, score in scores.items():
            best[doc] = max(score, best.get(doc, score))
    return best
