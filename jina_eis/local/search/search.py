"""A search: reads its body, runs its query or retriever, and returns its hits.

Knows the options of a `_search` body; must not know how queries score, nor HTTP.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..indices import SEMANTIC, Index, InnerInference, SourceFilter, StoredDocument, as_list, values_of
from ..refusals import Json, ShardError, TimeLimit, illegal_argument, invalid, not_implemented, parsing_exception
from .context import Context, Scores, check_keys
from .highlight import check_highlight, highlights
from .queries import evaluate
from .retrievers import Ranking, check_window, min_score_of, rank_scores, retrieve, shard_errors
from .semantic import knn_search

__all__ = ["SHARDS", "matching_documents", "search_index"]

SHARDS = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
KNOWN = {"query", "knn", "retriever", "size", "from", "min_score", "_source", "fields", "highlight"} | {
    "track_total_hits",
    "timeout",
}
# Unsupported options of Elasticsearch, and the value that disables each.
UNSUPPORTED: dict[str, Any] = {
    **dict.fromkeys(("aggregations", "aggs", "collapse", "docvalue_fields", "ext", "indices_boost", "pit", "post_filter")),
    **dict.fromkeys(("rank", "rescore", "runtime_mappings", "script_fields", "search_after", "slice", "sort", "stats")),
    **dict.fromkeys(("stored_fields", "suggest", "terminate_after")),
    **dict.fromkeys(("explain", "profile", "seq_no_primary_term", "track_scores", "version"), False),
}
WINDOW = 10_000


def search_index(index: Index, inference: InnerInference, body: Json, params: Mapping[str, str]) -> Json:
    """Return the response to a search."""
    began = time.monotonic()
    check_body(body)
    size, start = read_count(body, params, "size", 10), read_count(body, params, "from", 0)
    if start + size > WINDOW:
        reason = f"Result window is too large, from + size must be less than or equal to: [{WINDOW}] but was [{start + size}]."
        with shard_errors(Context(index, inference, evaluate, 0)):
            raise ShardError(400, "illegal_argument_exception", reason)
    source = SourceFilter.of(body.get("_source"), params)
    context = Context(index, inference, evaluate, start + size)
    fields = check_highlight(body["highlight"], context) if "highlight" in body else {}
    ranking = run(context, body, size)
    stored = index.documents([doc for doc, _ in ranking.hits[start : start + size]])
    hits = []
    with shard_errors(context):
        for doc, score in ranking.hits[start : start + size]:
            if doc in stored:  # a missing document was deleted since the ranking
                hits.append(build_hit(context, stored[doc], as_float32(score), source, body, fields))
    best = as_float32(ranking.hits[0][1]) if ranking.hits and size else None
    result = {"total": total(ranking, body, params), "max_score": best, "hits": hits}
    if result["total"] is None:
        del result["total"]
    took = int((time.monotonic() - began) * 1000)
    return {"took": took, "timed_out": False, "_shards": SHARDS, "hits": result}


def matching_documents(index: Index, inference: InnerInference, query: Any) -> list[int]:
    """Return the documents that match a query."""
    context = Context(index, inference, evaluate, WINDOW)
    with shard_errors(context):
        return list(evaluate(query, context))


def check_body(body: Json) -> None:
    for name, value in body.items():
        if name in UNSUPPORTED:
            if value != UNSUPPORTED[name]:
                raise not_implemented(f"{name} in a search")
        elif name not in KNOWN:
            raise parsing_exception(f"Unknown key for a value in [{name}].")
    conflicting = [name for name in ("query", "knn") if name in body and "retriever" in body]
    if conflicting:
        raise invalid(*(f"cannot specify [retriever] and [{name}]" for name in conflicting))
    if "timeout" in body:
        TimeLimit.parse(str(body["timeout"]))


def read_count(body: Json, params: Mapping[str, str], name: str, default: int) -> int:
    value: Any = params.get(name, body.get(name, default))
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise illegal_argument(f"Failed to parse int parameter [{name}] with value [{value}]") from None
    if number < 0:
        raise illegal_argument(f"[{name}] parameter cannot be negative, found [{number}]")
    return number


def run(context: Context, body: Json, size: int) -> Ranking:
    """Return the ranking of the search."""
    min_score = min_score_of(body)
    if "retriever" in body:
        check_window(body["retriever"], size)
        if min_score is None:
            return retrieve(body["retriever"], context)
        return rank_scores(dict(retrieve(body["retriever"], replace(context, size=WINDOW)).hits), context.size, min_score)
    with shard_errors(context):
        scores: Scores = {}
        if "query" in body or "knn" not in body:
            scores = dict(evaluate(body.get("query", {"match_all": {}}), context))
        for knn in as_list(body.get("knn")):
            for doc, score in knn_search(context, knn).items():
                scores[doc] = scores.get(doc, 0.0) + score
        return rank_scores(scores, context.size, min_score)


def total(ranking: Ranking, body: Json, params: Mapping[str, str]) -> Json | None:
    value = params.get("track_total_hits", body.get("track_total_hits", WINDOW))
    limit = {"true": True, "false": False}.get(str(value).lower(), value)
    if not isinstance(limit, bool) and not str(limit).isdigit():
        raise parsing_exception(f"[track_total_hits] must be a boolean or a number, got [{value}]")
    if limit is False:
        return None
    count = len(ranking.matched)
    if limit is not True and count > int(limit):
        return {"value": int(limit), "relation": "gte"}
    return {"value": count, "relation": "eq"}


def as_float32(score: float) -> float:
    """Return a score with the digits of its float32, as Elasticsearch does."""
    return float(str(np.float32(score)))


def build_hit(
    context: Context, stored: StoredDocument, score: float, source: SourceFilter, body: Json, fields: dict[str, Json]
) -> Json:
    index = context.index
    result: Json = {"_index": index.name, "_id": stored.id, "_score": score}
    if source.show:
        result["_source"] = source.apply(stored.source, index.mapping, index.settings)
    if "fields" in body:
        values = {path: items for path, items in field_values(context, stored, as_list(body["fields"])) if items}
        if values:
            result["fields"] = values
    if fields and (fragments := highlights(context, stored, fields)):
        result["highlight"] = fragments
    return result


def field_values(context: Context, stored: StoredDocument, fields: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    """Return lists of the values of fields; for a semantic field with format `chunks`, its passages."""
    values = []
    for spec in fields:
        options = (
            {"field": spec} if isinstance(spec, str) else check_keys("fields", spec, {"field", "format"}, required=["field"])
        )
        path = str(options["field"])
        if "*" in path:
            raise not_implemented(f"fields [{path}]")
        field = context.field(path)
        if field is None:
            continue
        if "format" in options:
            if options["format"] != "chunks" or field.kind not in SEMANTIC:
                raise not_implemented(f"format [{options['format']}] of field [{path}]")
            values.append((path, [passage.text for passage in context.index.passages(path, stored.doc)]))
        else:
            values.append((path, flatten(values_of(context.index.mapping, stored.source, path))))
    return values


def flatten(values: list[Any]) -> list[Any]:
    return [inner for value in values for inner in (flatten(value) if isinstance(value, list) else [value])]
