"""Queries for words and exact values, scored as in Elasticsearch.

Knows fields and their values; must not know vectors or compound queries.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from ..indices import NUMBERS, SEMANTIC, Field, format_value, terms
from ..inference import as_list
from ..refusals import Json, ShardError, not_implemented, parsing_exception, wrapping
from .context import Context, Scores, multiply, query_failed, read_query_options, scalar
from .operands import OPERATORS, Bound, read_bounds, read_exact

K1, B = 1.2, 0.75


def match(context: Context, path: str, options: Json, *, phrase: bool = False) -> Scores:
    """Evaluate `match` and `match_phrase` on a field that is not semantic, by its words or by its exact value."""
    field = exact_field(context, path)
    if field is None or field.kind != "text":
        return exact_scores(context, path, options["query"])
    query_terms = terms(format_value(options["query"]))
    if phrase:
        return phrase_scores(context, field, query_terms) if query_terms else {}
    by_term = {word: term_scores(context, field, word) for word in query_terms}
    operator, matching = options.get("operator", "or"), [set(scores) for scores in by_term.values()] or [set()]
    if operator not in ("and", "or"):
        raise not_implemented(f"match.operator [{operator}]")
    docs = set.intersection(*matching) if operator == "and" else set.union(*matching)
    return {doc: sum(by_term[word].get(doc, 0.0) for word in query_terms) for doc in sorted(docs)}


def phrase_scores(context: Context, field: Field, phrase: list[str]) -> Scores:
    """Return the scores of documents with consecutive words."""
    positions = [context.index.positions(field.path, word) for word in phrase]
    starts = [{(doc, position - offset) for doc, position in found} for offset, found in enumerate(positions)]
    times = Counter(doc for doc, _ in set.intersection(*starts))
    occurrences = [context.index.occurrences(field.path, word) for word in phrase]
    found = sorted((doc, times[doc], length) for doc, _, length in occurrences[0] if doc in times)
    return bm25_scores(context, field, found, list(map(len, occurrences)))


def exact_scores(context: Context, path: str, value: Any, *, one_of: bool = False) -> Scores:
    """Score the documents with a value: 1 for numbers, dates and what is not indexed, otherwise BM25 as for a word."""
    field = exact_field(context, path)
    if path == "_id":
        return dict.fromkeys(sorted(context.index.with_id([format_value(value)])), 1.0)
    if field is None:
        return {}
    if field.kind == "text":
        return term_scores(context, field, format_value(value))
    bounds = query_bounds(context, lambda: read_exact(field, value, one_of=one_of))
    docs = [] if bounds is None else sorted(context.index.between(path, bounds))
    if not docs or field.kind in NUMBERS or field.kind == "date" or not field.settings.get("index", True):
        return dict.fromkeys(docs, 1.0)
    # These fields have no stored length; Elasticsearch takes it as 1.
    (score,) = bm25_scores(context, field, [(docs[0], 1, 1)], [len(docs)]).values()
    return dict.fromkeys(docs, score)


def terms_(context: Context, _: str, body: Json) -> Scores:
    """Evaluate `terms`: any of several exact values."""
    fields = [name for name in body if name not in ("boost", "_name")]
    options: Json = read_query_options("terms", {name: body[name] for name in body if name not in fields}, ())
    if len(fields) != 1:
        raise parsing_exception("[terms] query requires a field name, followed by array of terms, and supports no other field")
    path, values = fields[0], body[fields[0]]
    if not isinstance(values, list):
        raise not_implemented("terms with a lookup, or with a value that is not an array")
    docs = {doc for value in values for doc in exact_scores(context, path, scalar("terms", value), one_of=True)}
    return multiply(dict.fromkeys(sorted(docs), 1.0), options.get("boost", 1.0))


def range_(context: Context, path: str, options: Json) -> Scores:
    """Evaluate `range`: values within bounds."""
    values = {name: None if value is None else scalar("range", value) for name, value in options.items() if name in OPERATORS}
    last = {name[0]: name for name in values}  # of two bounds of one side
    limits = {name: values[name] for name in last.values() if values[name] is not None}
    field = exact_field(context, path)
    if path == "_id" or (field is not None and field.kind == "text"):
        raise not_implemented(f"range on field [{path}] of text")
    if field is None:
        return {}
    try:
        bounds = query_bounds(context, lambda: read_bounds(field, limits))
    except ShardError:
        if field.kind != "date" or context.index.with_field(path):
            raise
        bounds = None  # without a date in the index, Elasticsearch reads no bound
    return dict.fromkeys(sorted(context.index.between(path, bounds or ())), 1.0)


def exists(context: Context, path: str, options: Json) -> Scores:
    """Evaluate `exists`: any value."""
    path, fields = format_value(options["field"]), context.index.mapping.fields
    if (path.startswith("_") and path not in fields) or "*" in path:
        raise not_implemented(f"exists on [{path}]")
    of_object = path in fields and fields[path].kind == "object"
    found = [name for name in fields if name == path or (of_object and name.startswith(f"{path}."))]
    names = [name for name in found if is_recorded(fields[name])]
    return dict.fromkeys(sorted({doc for name in names for doc in context.index.with_field(name)}), 1.0)


def ids(context: Context, path: str, options: Json) -> Scores:
    """Evaluate `ids`: documents by id."""
    values = options.get("values", [])
    if not isinstance(values, str | list) or not all(isinstance(value, str | int) for value in values):
        raise not_implemented(f"ids.values with [{values}] as a value")
    return dict.fromkeys(sorted(context.index.with_id([str(value) for value in as_list(values)])), 1.0)


def exact_field(context: Context, path: str) -> Field | None:
    """Return the field at this path after checking that it supports queries for exact values."""
    field = context.field(path)
    if field is None and path.startswith("_") and path != "_id":
        raise not_implemented(f"a query on [{path}]")
    if field is not None and (field.kind == "dense_vector" or field.kind in SEMANTIC):
        raise query_failed(context, f"Field [{path}] of type [{field.kind}] doesn't support term queries")
    if field is not None and not is_recorded(field):
        reason = "." if field.kind == "text" else " nor has doc values."
        raise query_failed(context, f"Cannot search on field [{path}] since it is not indexed{reason}")
    return field


def query_bounds(context: Context, read: Callable[[], list[Bound] | None]) -> list[Bound] | None:
    """Read values for a field; a value that its type refuses fails the query."""
    with wrapping(lambda refused: query_failed(context, refused.reason, refused.kind)):
        return read()


def term_scores(context: Context, field: Field, word: str) -> Scores:
    occurrences = context.index.occurrences(field.path, word)
    return bm25_scores(context, field, occurrences, [len(occurrences)])


def bm25_scores(context: Context, field: Field, found: list[tuple[int, int, int]], matching: list[int]) -> Scores:
    """Return the BM25 scores of documents, with occurrences and lengths, for words that `matching` documents have each."""
    if not found:
        return {}
    doc_count, word_count = context.index.statistics(field)
    similarity = context.index.settings.get("similarity", {}).get(field.settings.get("similarity"), {})
    k1, b = float(similarity.get("k1", K1)), float(similarity.get("b", B))
    weight = (k1 + 1) * sum(math.log(1 + (doc_count - docs + 0.5) / (docs + 0.5)) for docs in matching)
    return {doc: weight * term_frequency(times, length, word_count / doc_count, k1, b) for doc, times, length in found}


@functools.lru_cache(maxsize=4096)
def term_frequency(times: float, length: int, mean_length: float, k1: float, b: float) -> float:
    """BM25 term frequency: saturates with the number of occurrences, and decreases with the length of the field."""
    return times / (times + k1 * (1 - b + b * stored_length(length) / mean_length))


def stored_length(length: int) -> int:
    """Return a length as Lucene keeps it in one byte: exact up to 40, above with four significant bits of what exceeds 24."""
    shift = max(0, max(0, length - 24).bit_length() - 4)
    return 24 + ((length - 24) >> shift << shift)


def is_recorded(field: Field) -> bool:
    """Return whether the index holds the values of a field."""
    return field.settings.get("index", True) or (field.kind != "text" and field.settings.get("doc_values", True))
