"""A search: its body is read, its query or retriever run, its hits shown.

Knows what a body of `_search` may hold; must not know how queries score, nor HTTP.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..indices import SEMANTIC, Index, InnerInference, SourceFilter, Stored, as_list, values_of
from ..refusals import Json, ShardError, TimeLimit, illegal_argument, invalid, not_done, parsing_exception
from .context import Context, Scores, as_number, check_keys
from .highlight import check_highlight, highlights
from .queries import evaluate
from .retrievers import Ranked, check_window, ranked, retrieve, shard
from .semantic import knn_search

__all__ = ["SHARDS", "matching", "search_index"]

SHARDS = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
KNOWN = {"query", "knn", "retriever", "size", "from", "min_score", "_source", "fields", "highlight"} | {
    "track_total_hits",
    "timeout",
}
# What Elasticsearch does, and the value that asks for nothing of it.
NOT_DONE: dict[str, Any] = {
    **dict.fromkeys(("aggregations", "aggs", "collapse", "docvalue_fields", "ext", "indices_boost", "pit", "post_filter")),
    **dict.fromkeys(("rank", "rescore", "runtime_mappings", "script_fields", "search_after", "slice", "sort", "stats")),
    **dict.fromkeys(("stored_fields", "suggest", "terminate_after")),
    **dict.fromkeys(("explain", "profile", "seq_no_primary_term", "track_scores", "version"), False),
}
WINDOW = 10_000


def search_index(index: Index, inference: InnerInference, body: Json, params: Mapping[str, str]) -> Json:
    """The answer to a search."""
    began = time.monotonic()
    check_body(body)
    size, start = whole(body, params, "size", 10), whole(body, params, "from", 0)
    if start + size > WINDOW:
        reason = f"Result window is too large, from + size must be less than or equal to: [{WINDOW}] but was [{start + size}]."
        with shard(Context(index, inference, evaluate, 0)):
            raise ShardError(400, "illegal_argument_exception", reason)
    source = SourceFilter.of(body.get("_source"), params)
    fields = check_highlight(body["highlight"]) if "highlight" in body else {}
    context = Context(index, inference, evaluate, start + size)
    found = run(context, body, size)
    stored = index.documents([doc for doc, _ in found.hits[start : start + size]])
    hits = []
    with shard(context):
        for doc, score in found.hits[start : start + size]:
            if doc in stored:  # else it was deleted meanwhile
                hits.append(hit(context, stored[doc], shown(score), source, body, fields))
    best = shown(found.hits[0][1]) if found.hits and size else None
    answer = {"total": total(found, body, params), "max_score": best, "hits": hits}
    if answer["total"] is None:
        del answer["total"]
    took = int((time.monotonic() - began) * 1000)
    return {"took": took, "timed_out": False, "_shards": SHARDS, "hits": answer}


def matching(index: Index, inference: InnerInference, query: Any) -> list[int]:
    """The documents that match a query."""
    context = Context(index, inference, evaluate, WINDOW)
    with shard(context):
        return list(evaluate(query, context))


def check_body(body: Json) -> None:
    for name, value in body.items():
        if name in NOT_DONE:
            if value != NOT_DONE[name]:
                raise not_done(f"{name} in a search")
        elif name not in KNOWN:
            raise parsing_exception(f"Unknown key for a value in [{name}].")
    doubled = [name for name in ("query", "knn", "min_score") if name in body and "retriever" in body]
    if doubled:
        raise invalid(*(f"cannot specify [retriever] and [{name}]" for name in doubled))
    if "timeout" in body:
        TimeLimit.parse(str(body["timeout"]))


def whole(body: Json, params: Mapping[str, str], name: str, default: int) -> int:
    value: Any = params.get(name, body.get(name, default))
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise illegal_argument(f"Failed to parse int parameter [{name}] with value [{value}]") from None
    if number < 0:
        raise illegal_argument(f"[{name}] parameter cannot be negative, found [{number}]")
    return number


def run(context: Context, body: Json, size: int) -> Ranked:
    """The ranking, long enough for the hits that are wanted."""
    if "retriever" in body:
        check_window(body["retriever"], size)
        return retrieve(body["retriever"], context)
    least = as_number(body, "min_score", 0.0) if body.get("min_score") is not None else None
    with shard(context):
        scores: Scores = {}
        if "query" in body or "knn" not in body:
            scores = dict(evaluate(body.get("query", {"match_all": {}}), context))
        for each in as_list(body.get("knn")):
            for doc, score in knn_search(context, each).items():
                scores[doc] = scores.get(doc, 0.0) + score
        return ranked(scores, context.size, least)


def total(found: Ranked, body: Json, params: Mapping[str, str]) -> Json | None:
    given = params.get("track_total_hits", body.get("track_total_hits", WINDOW))
    limit = {"true": True, "false": False}.get(str(given).lower(), given)
    if not isinstance(limit, bool) and not str(limit).isdigit():
        raise parsing_exception(f"[track_total_hits] must be a boolean or a number, got [{given}]")
    if limit is False:
        return None
    count = len(found.matched)
    if limit is not True and count > int(limit):
        return {"value": int(limit), "relation": "gte"}
    return {"value": count, "relation": "eq"}


def shown(score: float) -> float:
    """A score in the digits of the float32 that Elasticsearch has for it."""
    return float(str(np.float32(score)))


def hit(context: Context, stored: Stored, score: float, source: SourceFilter, body: Json, fields: dict[str, Json]) -> Json:
    index = context.index
    answer: Json = {"_index": index.name, "_id": stored.id, "_score": score}
    if source.show:
        answer["_source"] = source.apply(stored.source, index.mapping, index.settings)
    if "fields" in body:
        values = {path: found for path, found in fetched(context, stored, as_list(body["fields"])) if found}
        if values:
            answer["fields"] = values
    if fields and (marked := highlights(context, stored, fields)):
        answer["highlight"] = marked
    return answer


def fetched(context: Context, stored: Stored, wanted: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    """The values of fields, always in lists; of semantic fields on demand their passages."""
    found = []
    for each in wanted:
        options = {"field": each} if isinstance(each, str) else check_keys("fields", each, {"field", "format"}, need=["field"])
        path = str(options["field"])
        if "*" in path:
            raise not_done(f"fields [{path}]")
        field = context.field(path)
        if field is None:
            continue
        if "format" in options:
            if options["format"] != "chunks" or field.kind not in SEMANTIC:
                raise not_done(f"format [{options['format']}] of field [{path}]")
            found.append((path, [passage.text for passage in context.index.passages(path, stored.doc)]))
        else:
            found.append((path, flat(values_of(context.index.mapping, stored.source, path))))
    return found


def flat(values: list[Any]) -> list[Any]:
    return [inner for value in values for inner in (flat(value) if isinstance(value, list) else [value])]
