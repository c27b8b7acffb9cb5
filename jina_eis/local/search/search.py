"""A search: reads its body, runs its query or retriever, and returns its hits.

Knows the options of a `_search` body; must not know how queries score, nor HTTP.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..indices import Indices, SourceFilter, as_float32, show_values
from ..inference import InnerInference, as_list
from ..refusals import Json, ShardError, TimeLimit, illegal_argument, invalid, not_implemented, parsing_exception, shard_errors
from .context import Context, Scores, read_options
from .options import SEARCH, SHARD_ORDER, WINDOW
from .passages import check_highlight, highlights
from .queries import evaluate
from .retrievers import Ranking, check_window, nearest_in_all, rank_scores, retrieve
from .sorting import read_sort, sort_documents


def search_index(indices: Indices, inference: InnerInference, body: Json, params: Mapping[str, str]) -> Json:
    """Return the response to a search."""
    began = time.monotonic()
    options = read_body(body)
    size, start, limit = options["size"], options["from"], options["track_total_hits"]
    given = options.get("_source")
    if isinstance(given, dict) and "exclude_vectors" in given and not inference.registry.version.has("sources without vectors"):
        raise parsing_exception("Unknown key for a VALUE_BOOLEAN in [exclude_vectors].")
    source, requested = SourceFilter.of(given, params), read_fields(options.get("fields", ()))
    keys = [] if "pit" in options else read_sort(options.get("sort"), params.get("sort"))
    context = Context(indices, inference, evaluate, size, start)
    if start + size > WINDOW:
        reason = f"Result window is too large, from + size must be less than or equal to: [{WINDOW}] but was [{start + size}]."
        with shard_errors(context.indices.names):
            raise ShardError(400, "illegal_argument_exception", reason)
    fields = check_highlight(options["highlight"], context) if "highlight" in options else {}
    ranking = run(context, options)
    ranked: list[tuple[int, Json]] = [(doc, {"_score": as_float32(score)}) for doc, score in ranking.hits]
    best = ranked[0][1]["_score"] if ranked and size and "pit" not in options else None
    hits = []
    with shard_errors(context.indices.names):
        if keys:
            best, ranked = None, sort_documents(context, ranking.matched, keys)
        if "pit" in options:
            (after,) = options.get("search_after", (-1,))
            ranked = [(doc, {"_score": None, "sort": [doc]}) for doc in sorted(ranking.matched) if doc > after]
        page = ranked[start : start + size]
        stored = indices.documents([doc for doc, _ in page])
        for doc, rank in page:
            if doc in stored:  # a missing document was deleted since the ranking
                owner = indices.owner(doc)
                hit = {"_index": owner.name, "_id": stored[doc].id, **rank}
                hits.append(hit | show_values(owner, stored[doc], source, requested))
                part = replace(context, number=indices.parts.index(owner)) if fields else context
                if fields and (fragments := highlights(part, stored[doc], fields)):
                    hits[-1]["highlight"] = fragments
    more = limit is not True and len(ranking.matched) > limit  # than are counted
    total = {"value": limit, "relation": "gte"} if more else {"value": len(ranking.matched), "relation": "eq"}
    result: Json = {} if limit is False else {"total": total}
    early = {"terminated_early": False} if limit is True and not size and "knn" not in options else {}
    took, point = int((time.monotonic() - began) * 1000), {"pit_id": options["pit"]["id"]} if "pit" in options else {}
    found = result | {"max_score": best, "hits": hits}
    return point | {"took": took, "timed_out": False, **early, "_shards": indices.shards, "hits": found}


def matching_documents(indices: Indices, inference: InnerInference, query: Any) -> list[int]:
    """Return the documents that match a query."""
    context = Context(indices, inference, evaluate, WINDOW)
    with shard_errors(context.indices.names):
        return list(context.in_each(lambda part: evaluate(query, part)))


def read_body(body: Json) -> Json:
    """Return the options of a search, checked and with their defaults."""
    options: Json = {"size": 10, "from": 0, "track_total_hits": WINDOW} | read_options(body, SEARCH)
    for name, least in (("size", 0), ("from", 0), ("track_total_hits", -1)):
        if options[name] < least:
            raise illegal_argument(f"[{name}] parameter must be {least} or more, found [{options[name]}]")
    conflicting = [name for name in ("query", "knn", "sort") if name in options and "retriever" in options]
    if conflicting:
        raise invalid(*(f"cannot specify [retriever] and [{name}]" for name in conflicting))
    of_a_point = "pit" in options
    after = [type(value) for value in options["search_after"]] if "search_after" in options else None
    if of_a_point != (options.get("sort") == SHARD_ORDER) or after not in ((None, [int]) if of_a_point else (None,)):
        raise not_implemented("a search of a point in time in another order than _shard_doc, or pages of other searches")
    if options.get("timeout", "-1") != "-1":
        TimeLimit.parse(options["timeout"])
    return options | ({"track_total_hits": False} if options["track_total_hits"] == -1 else {})


def read_fields(names: list[Any]) -> list[str]:
    """Return the names in `fields`; patterns, formats and metadata are refused."""
    for name in names:
        if not isinstance(name, str) or "*" in name or name.startswith("_"):
            raise not_implemented(f"fields [{name}]")
    return names


def run(context: Context, options: Json) -> Ranking:
    """Return the ranking of the search."""
    min_score = options.get("min_score", -math.inf)
    if "retriever" in options:
        check_window(options["retriever"], options["size"])
        if "min_score" not in options:
            return retrieve(options["retriever"], context)
        ranking = retrieve(options["retriever"], replace(context, size=WINDOW, start=0))
        return rank_scores(dict(ranking.hits), context.depth, min_score)
    with shard_errors(context.indices.names):
        scores: Scores = {}
        if "query" in options or not options.get("knn"):
            scores = context.in_each(lambda part: evaluate(options.get("query", {"match_all": {}}), part))
        for knn in as_list(options.get("knn")):
            if not isinstance(knn, dict):
                raise not_implemented(f"knn with [{knn}], which is no object")
            for doc, score in nearest_in_all(context, knn).items():
                scores[doc] = scores.get(doc, 0.0) + score
        return rank_scores(scores, context.depth, min_score)
