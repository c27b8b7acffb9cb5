"""Retrievers: rank documents by a query or vector, fuse several rankings, and rerank.

Knows the formulas of fusion and of the reranker's score; must not know how a query is evaluated, nor hits or HTTP.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from heapq import nsmallest
from typing import Any

import numpy as np

from ..indices import as_list, values_of
from ..refusals import (
    Json,
    RefusedError,
    SearchError,
    ShardError,
    all_shards_failed,
    illegal_argument,
    invalid,
    not_implemented,
    parsing_exception,
    status_error,
)
from .context import Context, Scores, as_number, check_keys
from .parsers import read_object
from .semantic import KNN as VECTOR_OPTIONS
from .semantic import knn_search

__all__ = ["Ranking", "check_window", "min_score_of", "rank_scores", "retrieve", "shard_errors"]

UNSUPPORTED = frozenset({"diversify", "pinned", "rescorer", "rule"})
# The options of each retriever, and the kind of their values.
SHARED = {"filter": "objects", "min_score": "float", "_name": "text"}
STANDARD = SHARED | {"query": "object"}
KNN = SHARED | {name: kind for name, kind in VECTOR_OPTIONS.items() if name != "boost"}
WINDOW = 10
RANK_CONSTANT = 60
DEFAULT_RERANKER = ".rerank-v1-elasticsearch"


@dataclass(frozen=True, slots=True)
class Ranking:
    """Documents with their scores, best first, and all documents that matched."""

    hits: list[tuple[int, float]]
    matched: set[int]


def retrieve(retriever: Any, context: Context, filters: Sequence[Any] = ()) -> Ranking:
    """Return the ranking of a retriever.

    Args:
        retriever: Its JSON.
        context: The search.
        filters: Queries of outer retrievers that every document must match.
    """
    name, body = name_and_body(retriever)
    combined = [*filters, *as_list(body.get("filter"))]
    return RETRIEVERS[name](context, body, combined)


def name_and_body(retriever: Any) -> tuple[str, Json]:
    if not isinstance(retriever, dict):
        raise parsing_exception("retriever malformed, must start with START_OBJECT")
    if not retriever:
        raise parsing_exception("retriever malformed, empty clause found")
    name, *others = retriever
    body = retriever[name]
    if name in UNSUPPORTED:
        raise not_implemented(f"retriever [{name}]")
    if not isinstance(body, dict):
        raise parsing_exception(f"[{name}] retriever malformed, no [START_OBJECT] after retriever name")
    if name not in RETRIEVERS:
        cause = RefusedError(400, "named_object_not_found_exception", f"[1:1] unknown field [{name}]")
        raise parsing_exception(f"unknown retriever [{name}]", cause)
    if others:
        raise parsing_exception(f"[{name}] malformed retriever, expected [END_OBJECT] but found [FIELD_NAME]")
    return name, body


def name_of(retriever: Any) -> Any:
    """Return the name that every hit of a search reports; Elasticsearch ignores that of `standard` [9.5.3]."""
    return retriever["knn"].get("_name") if isinstance(retriever, dict) and "knn" in retriever else None


def rank_scores(scores: Scores, size: int, min_score: float | None = None) -> Ranking:
    """Return the best matches; of equal scores, the older document comes first."""
    least = None if min_score is None else np.float32(min_score)
    kept = scores if least is None else {doc: score for doc, score in scores.items() if np.float32(score) >= least}
    best = nsmallest(size, kept.items(), key=lambda hit: (-hit[1], hit[0]))
    return Ranking(best, set(kept))


@contextmanager
def shard_errors(context: Context) -> Iterator[None]:
    """Convert a shard error raised inside into the error of the whole search."""
    try:
        yield
    except ShardError as error:
        raise all_shards_failed(context.index.name, error) from error


def min_score_of(body: Json) -> float | None:
    """Return the minimum score of a search or retriever; None if it has none."""
    return as_number(body, "min_score", 0.0) if body.get("min_score") is not None else None


def standard(context: Context, body: Json, filters: Sequence[Any]) -> Ranking:
    """Rank the matches of a query; those of filters alone score 0."""
    options = read_object("standard", body, STANDARD, {"search_after", "sort", "terminate_after", "collapse"})
    query = options.get("query")
    with shard_errors(context):
        filtered = {"bool": {"must": as_list(query), "filter": list(filters)}} if filters else query or {"match_all": {}}
        return rank_scores(context.evaluate(filtered, context), context.depth, options.get("min_score"))


def knn(context: Context, body: Json, filters: Sequence[Any]) -> Ranking:
    """Rank documents by the similarity of their vectors."""
    read_object("knn", body, KNN, required=["field", "k"])
    search = {name: value for name, value in body.items() if name not in SHARED}
    with shard_errors(context):
        # Elasticsearch accepts min_score here and ignores it [9.5.3].
        return rank_scores(knn_search(context, search | ({"filter": list(filters)} if filters else {})), context.depth)


def rrf(context: Context, body: Json, filters: Sequence[Any]) -> Ranking:
    """Fuse rankings by rank: the sum of weight / (rank_constant + rank)."""
    check_keys("rrf", body, {"retrievers", "rank_constant", "rank_window_size", *SHARED}, {"query", "fields"})
    window, constant = window_of("rrf", body), body.get("rank_constant", RANK_CONSTANT)
    if type(constant) is not int or constant < 1:
        raise illegal_argument("[rank_constant] must be greater or equal to [1] for [rrf]")
    entries = [component("rrf", part, {"retriever", "weight"}) for part in components("rrf", body)]
    total: Scores = {}
    rankings = children("rrf", [entry["retriever"] for entry in entries], context, filters, window)
    for entry, ranking in zip(entries, rankings, strict=True):
        for rank, (doc, _) in enumerate(ranking.hits, 1):
            total[doc] = total.get(doc, 0.0) + weight_of(entry) / (constant + rank)
    return fuse(total, rankings, body, window)


def linear(context: Context, body: Json, filters: Sequence[Any]) -> Ranking:
    """Fuse rankings by score: the sum of weight * normalised score."""
    check_keys("linear", body, {"retrievers", "rank_window_size", *SHARED}, {"query", "fields", "normalizer"})
    window = window_of("linear", body)
    entries = [component("linear", part, {"retriever", "weight", "normalizer"}) for part in components("linear", body)]
    rankings = children("linear", [entry["retriever"] for entry in entries], context, filters, window)
    total: Scores = {}
    for entry, ranking in zip(entries, rankings, strict=True):
        for doc, score in normalise(str(entry.get("normalizer", "none")), ranking.hits):
            total[doc] = total.get(doc, 0.0) + weight_of(entry) * score
    return fuse(total, rankings, body, window)


def fuse(total: Scores, rankings: Sequence[Ranking], body: Json, window: int) -> Ranking:
    best = rank_scores(total, window, min_score_of(body))
    matched = {doc for ranking in rankings for doc in ranking.matched}
    return best if min_score_of(body) is not None else Ranking(best.hits, matched)


def normalise(normalizer: str, hits: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    if normalizer == "none" or not hits:
        return list(hits)
    scores = [score for _, score in hits]
    if normalizer == "minmax":
        low, high = min(scores), max(scores)
        if high - low < 1e-6:  # Elasticsearch leaves equal scores as they are
            return [(doc, low) for doc, _ in hits]
        return [(doc, (score - low) / (high - low)) for doc, score in hits]
    if normalizer == "l2_norm":
        norm = math.sqrt(sum(score * score for score in scores))
        return [(doc, score / norm if norm > 1e-6 else score) for doc, score in hits]
    raise illegal_argument(f"Unknown normalizer [{normalizer}]")


def rerank(context: Context, body: Json, filters: Sequence[Any]) -> Ranking:
    """Rank the hits of another retriever by a reranker."""
    name = "text_similarity_reranker"
    known = {"retriever", "field", "inference_id", "inference_text", "rank_window_size", "allow_rerank_failures", *SHARED}
    check_keys(name, body, known, {"chunk_rescorer"}, required=["retriever", "field", "inference_text"])
    window = window_of(name, body)
    (ranking,) = children(name, [body["retriever"]], context, filters, window)
    stored = context.index.documents([doc for doc, _ in ranking.hits])
    docs = [doc for doc, _ in ranking.hits if doc in stored]
    texts = [text_of(context, stored[doc].source, str(body["field"])) for doc in docs]
    try:
        endpoint = str(body.get("inference_id", DEFAULT_RERANKER))
        scores = context.inference.rerank(endpoint, str(body["inference_text"]), texts) if texts else []
    except RefusedError as refused:
        if body.get("allow_rerank_failures"):
            return ranking
        reason = "Computing updated ranks for results failed"
        error = SearchError(refused.status, "search_phase_execution_exception", reason, refused)
        error.details.update(phase="rank-feature", grouped=True, failed_shards=[])
        raise retriever_failure(name, [(name_and_body(body["retriever"])[0], error)]) from refused
    final_scores = {doc: max(score, 0.0) + min(math.exp(score), 1.0) for doc, score in zip(docs, scores, strict=True)}
    best = rank_scores(final_scores, window, min_score_of(body))
    return best if min_score_of(body) is not None else Ranking(best.hits, ranking.matched)


def text_of(context: Context, source: Json, path: str) -> str:
    """Return the text that the reranker scores: the first value of a field."""
    value = next(iter(values_of(context.index.mapping, source, path)), "")
    return str(value.get("value", "")) if isinstance(value, dict) else str(value)


def children(name: str, retrievers: Sequence[Any], context: Context, filters: Sequence[Any], window: int) -> list[Ranking]:
    """Return the rankings of inner retrievers; all of them run before their errors are raised together."""
    rankings, failures = [], []
    for retriever in retrievers:
        child, body = name_and_body(retriever)
        if child in COMPOUND and window > window_of(child, body):
            raise invalid(
                f"[{name}] requires [rank_window_size: {window}] to be smaller than or equal to its sub retriever's "
                f"{child} [rank_window_size: {window_of(child, body)}]"
            )
        try:
            ranking = retrieve(retriever, replace(context, size=window, start=0), filters)
            rankings.append(Ranking(ranking.hits[:window], ranking.matched))
        except SearchError as error:
            failures.append((child, error))
    if failures:
        raise retriever_failure(name, failures)
    return rankings


def retriever_failure(name: str, failures: Sequence[tuple[str, SearchError]]) -> RefusedError:
    """Return Elasticsearch's error for failed inner retrievers: `suppressed` holds the causes."""
    failed = ", ".join(child for child, _ in failures)
    refused = status_error(
        f"[{name}] search failed - retrievers '[{failed}]' returned errors. All failures are attached as suppressed exceptions.",
        max(error.status for _, error in failures),
    )
    refused.suppressed += [error for _, error in failures]
    return refused


def components(name: str, body: Json) -> list[Any]:
    """Return the retrievers of the body."""
    retrievers = body.get("retrievers")
    if not isinstance(retrievers, list) or not retrievers:
        raise illegal_argument(f"[{name}] must have at least one retriever in [retrievers]")
    return retrievers


def component(name: str, part: Any, known: set[str]) -> Json:
    """Return a retriever to fuse with its options; accepts a bare retriever."""
    if isinstance(part, dict) and "retriever" in part:
        return check_keys(name, part, known)
    return {"retriever": part}


def weight_of(entry: Json) -> float:
    weight = as_number(entry, "weight", 1.0)
    if weight < 0:
        raise illegal_argument(f"[weight] must be non-negative, found [{weight}]")
    return weight


def window_of(name: str, body: Json) -> int:
    window = body.get("rank_window_size", WINDOW)
    if type(window) is not int or window < 1:
        raise invalid(f"[{name}] [rank_window_size] must be greater than or equal to 1, found [{window}]")
    return window


def check_window(retriever: Any, size: int) -> None:
    """Refuse a search that requests more hits than its retriever ranks."""
    name, body = name_and_body(retriever)
    if name in COMPOUND and size > window_of(name, body):
        window = window_of(name, body)
        raise invalid(f"[{name}] requires [rank_window_size: {window}] be greater than or equal to [size: {size}]")


COMPOUND = ("linear", "rrf", "text_similarity_reranker")
RETRIEVERS: dict[str, Callable[[Context, Json, Sequence[Any]], Ranking]] = {
    "knn": knn,
    "linear": linear,
    "rrf": rrf,
    "standard": standard,
    "text_similarity_reranker": rerank,
}
