"""Queries for words and exact values, scored as Elasticsearch scores them.

BM25 takes a field's length as it is; Elasticsearch keeps it in a byte, which is exact up to 40 words and rounds longer ones.
Knows fields and their values; must not know vectors, nor queries made of queries.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ..indices import NUMBERS, SEMANTIC, Field, Value, as_list, read_value, terms
from ..refusals import Json, RefusedError, ShardError, not_done
from .context import Context, Scores, as_number, check_keys, plain, query_failed, single

__all__ = ["exists", "ids", "joined", "match_phrase", "match_words", "needed", "prefix", "range_", "term", "terms_"]

K1, B = 1.2, 0.75
OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
# Of `match` and its kin.
WORD_OPTIONS = {"query", "operator", "boost", "minimum_should_match", "analyzer", "zero_terms_query", "lenient"}
WORD_OPTIONS_NOT_DONE = {"fuzziness", "fuzzy_rewrite", "fuzzy_transpositions", "max_expansions", "prefix_length"} | {
    "auto_generate_synonyms_phrase_query",
    "cutoff_frequency",
}


def match_words(context: Context, path: str, options: Json) -> Scores:
    """`match` on a field that is not semantic: its words, or its exact value."""
    field = context.field(path)
    if field is None:
        return {}
    boost = as_number(options, "boost", 1.0)
    if field.kind != "text":
        try:
            return scaled(exact(context, field, options["query"]), boost)
        except ShardError:
            if options.get("lenient"):
                return {}
            raise
    check_analyzer(options)
    wanted = Counter(terms(str(read_value("text", options["query"]))))
    if not wanted:
        everything = options.get("zero_terms_query", "none") == "all"
        return dict.fromkeys(context.index.all_docs(), boost) if everything else {}
    note_words(context, field, wanted)
    found = [scaled(with_term(context, field, each), boost * times) for each, times in wanted.items()]
    every = str(options.get("operator", "or")).lower() == "and"
    least = len(found) if every else needed(options.get("minimum_should_match", 1), len(found))
    counts = Counter(doc for scores in found for doc in scores)
    return {doc: sum(scores.get(doc, 0.0) for scores in found) for doc in sorted(counts) if counts[doc] >= least}


def match_phrase(context: Context, body: Any) -> Scores:
    """`match_phrase`: words side by side."""
    path, options = single("match_phrase", body, "query")
    check_keys("match_phrase", options, {"query", "boost", "slop", "analyzer"}, {"zero_terms_query"}, need=["query"])
    if options.get("slop"):
        raise not_done("match_phrase.slop")
    field = context.field(path)
    if field is None or field.kind != "text":
        return match_words(context, path, options)
    check_analyzer(options)
    check_indexed(context, field)
    phrase = terms(str(read_value("text", plain("match_phrase", options["query"]))))
    if not phrase:
        return {}
    note_words(context, field, phrase)
    starts: set[tuple[int, int]] | None = None
    for offset, each in enumerate(phrase):
        here = {(doc, position - offset) for doc, position in context.index.positions(path, each)}
        starts = here if starts is None else starts & here
    times = Counter(doc for doc, _ in starts or ())
    lengths = {doc: length for each in set(phrase) for doc, _, length in context.index.occurrences(path, each)}
    docs, words = context.index.text_statistics(path)
    idf = sum(rarity(docs, len(context.index.occurrences(path, each))) for each in phrase)
    boost = as_number(options, "boost", 1.0)
    k1, b = parameters(context, field)
    return {doc: boost * idf * (k1 + 1) * saturation(times[doc], lengths[doc], words / docs, k1, b) for doc in sorted(times)}


def term(context: Context, body: Any) -> Scores:
    """`term`: just this value."""
    path, options = single("term", body, "value")
    check_keys("term", options, {"value", "boost"}, {"case_insensitive"}, need=["value"])
    return scaled(one_term(context, path, plain("term", options["value"])), as_number(options, "boost", 1.0))


def one_term(context: Context, path: str, value: Any) -> Scores:
    if path == "_id":
        return dict.fromkeys(context.index.with_id([str(value)]), 1.0)
    field = known_field(context, path)
    if field is None:
        return {}
    if field.kind != "text":
        return exact(context, field, value)
    note_words(context, field, [str(value)])
    return with_term(context, field, str(value))


def terms_(context: Context, body: Any) -> Scores:
    """`terms`: any of these values."""
    path, options = single("terms", body, "value")
    if list(options.keys() - {"boost"}) != ["value"] or not isinstance(options["value"], list):
        raise not_done("terms with a lookup" if "value" not in options else "[terms] query with a value that is no array")
    found = [one_term(context, path, plain("terms", value)) for value in options["value"]]
    return dict.fromkeys(sorted({doc for each in found for doc in each}), as_number(options, "boost", 1.0))


def range_(context: Context, body: Any) -> Scores:
    """`range`: values within bounds."""
    path, options = single("range", body, None)
    known = {*OPERATORS, "boost"}
    check_keys("range", options, known, {"format", "time_zone", "relation", "from", "to", "include_lower", "include_upper"})
    field = known_field(context, path)
    if field is None:
        return {}
    if field.kind == "text":
        raise not_done(f"range on field [{path}] of type [text]")
    given = [(OPERATORS[name], value) for name, value in options.items() if name in OPERATORS and value is not None]
    bounds = [(operator, read_bound(context, field, plain("range", value))) for operator, value in given]
    return dict.fromkeys(sorted(context.index.between(path, bounds)), as_number(options, "boost", 1.0))


def read_bound(context: Context, field: Field, value: Any) -> Value:
    # A bound may lie between the whole numbers of its field.
    if field.kind in NUMBERS and isinstance(value, float):
        return value
    return read(context, field, value)


def exists(context: Context, body: Any) -> Scores:
    """`exists`: any value."""
    check_keys("exists", body, {"field", "boost"}, need=["field"])
    path, fields = str(body["field"]), context.index.mapping.fields
    inner = [each for each in fields if each == path or each.startswith(f"{path}.")]
    docs = {doc for each in inner for doc in context.index.with_field(each)}
    return dict.fromkeys(sorted(docs), as_number(body, "boost", 1.0))


def ids(context: Context, body: Any) -> Scores:
    """`ids`: documents by their ids."""
    check_keys("ids", body, {"values", "boost"}, need=["values"])
    docs = context.index.with_id([str(value) for value in as_list(body["values"])])
    return dict.fromkeys(sorted(docs), as_number(body, "boost", 1.0))


def prefix(context: Context, body: Any) -> Scores:
    """`prefix`: keywords that begin so."""
    path, options = single("prefix", body, "value")
    check_keys("prefix", options, {"value", "boost"}, {"case_insensitive", "rewrite"}, need=["value"])
    field = known_field(context, path)
    if field is None:
        return {}
    if field.kind != "keyword":
        raise not_done(f"prefix on field [{path}] of type [{field.kind}]")
    start = str(plain("prefix", options["value"]))
    docs = context.index.between(path, [(">=", start), ("<", start + "\U0010ffff")])
    return dict.fromkeys(sorted(docs), as_number(options, "boost", 1.0))


def known_field(context: Context, path: str) -> Field | None:
    """The field, if it has values that can be looked up one by one."""
    if path.startswith("_") and path not in context.index.mapping.fields:
        raise not_done(f"a query on [{path}]")
    field = context.field(path)
    if field is not None and (field.kind == "dense_vector" or field.kind in SEMANTIC):
        raise query_failed(context, f"Field [{path}] of type [{field.kind}] doesn't support term queries")
    return field


def read(context: Context, field: Field, value: Any) -> Value:
    try:
        return read_value(field.kind, value)
    except RefusedError as refused:
        if refused.status == 501:
            raise
        raise query_failed(context, refused.reason, refused.kind) from refused


def exact(context: Context, field: Field, value: Any) -> Scores:
    """The documents with a value; a number scores 1, anything else as a rare word does."""
    known_field(context, field.path)
    wanted = read(context, field, value)
    docs = context.index.with_value(field.path, wanted)
    if not docs or field.kind in NUMBERS or field.kind == "date":
        return dict.fromkeys(sorted(docs), 1.0)
    having, values = context.index.value_statistics(field.path)
    # Without lengths of fields, Elasticsearch takes each for 1.
    score = rarity(having, len(docs)) * (K1 + 1) * saturation(1, 1, values / having, K1, B)
    return dict.fromkeys(sorted(docs), score)


def with_term(context: Context, field: Field, word: str) -> Scores:
    """BM25 of one word."""
    check_indexed(context, field)
    found = context.index.occurrences(field.path, word)
    if not found:
        return {}
    docs, words = context.index.text_statistics(field.path)
    k1, b = parameters(context, field)
    weight = (k1 + 1) * rarity(docs, len(found))
    return {doc: weight * saturation(times, length, words / docs, k1, b) for doc, times, length in found}


def rarity(docs: int, found: int) -> float:
    """Inverse document frequency."""
    return math.log(1 + (docs - found + 0.5) / (found + 0.5))


def saturation(times: float, length: int, mean_length: float, k1: float, b: float) -> float:
    """How much an occurrence counts, the less the more there are and the longer the field is."""
    return times / (times + k1 * (1 - b + b * length / mean_length))


def parameters(context: Context, field: Field) -> tuple[float, float]:
    """k1 and b, which the settings of the index may have for the field's similarity."""
    given = context.index.settings.get("similarity", {}).get(field.settings.get("similarity"), {})
    return float(given.get("k1", K1)), float(given.get("b", B))


def check_indexed(context: Context, field: Field) -> None:
    if field.settings.get("index") is False:
        raise query_failed(context, f"Cannot search on field [{field.path}] since it is not indexed.")


def check_analyzer(options: Json) -> None:
    if options.get("analyzer", "standard") != "standard":
        raise not_done(f"analyzer [{options['analyzer']}], only [standard] is done")


def note_words(context: Context, field: Field, words: Iterable[str]) -> None:
    context.words.setdefault(field.path, set()).update(words)


def scaled(scores: Scores, boost: float) -> Scores:
    return scores if boost == 1.0 else {doc: score * boost for doc, score in scores.items()}


def needed(wanted: Any, clauses: int) -> int:
    """How many of so many clauses must match, by `minimum_should_match`."""
    text = str(wanted).strip()
    if re.fullmatch(r"-?\d+", text):
        least = int(text)
    elif re.fullmatch(r"-?\d+(\.\d+)?%", text):
        least = int(clauses * float(text[:-1]) / 100)
    else:
        raise not_done(f"minimum_should_match [{text}]")
    return max(0, clauses + least if text.startswith("-") else least)


def joined(parts: Sequence[Scores]) -> Scores:
    """The best score of each document."""
    best: Scores = {}
    for scores in parts:
        for doc, score in scores.items():
            best[doc] = max(score, best.get(doc, score))
    return best
