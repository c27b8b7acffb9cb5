"""Retrievers: what finds a ranking of documents, and what makes one of several or ranks it anew.

Knows the formulas of fusion and of the reranker's score; must not know how a query is evaluated, nor hits or HTTP.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from ..indices import SEMANTIC, as_list, values_of
from ..refusals import (
    Json,
    RefusedError,
    SearchError,
    ShardError,
    all_shards_failed,
    illegal_argument,
    invalid,
    not_done,
    parsing_exception,
    status_error,
)
from .context import Context, Scores, as_number, check_keys, weighted
from .semantic import knn_search

__all__ = ["Ranked", "check_window", "ranked", "retrieve", "shard"]

NOT_DONE = frozenset({"diversify", "pinned", "rescorer", "rule"})
SHARED = {"filter", "min_score", "_name"}
KNN = {"field", "query_vector", "query_vector_builder", "k", "num_candidates", "similarity", "rescore_vector", "visit_percentage"}
WINDOW = 10
RANK_CONSTANT = 60
DEFAULT_RERANKER = ".rerank-v1-elasticsearch"


@dataclass(frozen=True, slots=True)
class Ranked:
    """Documents with their scores, best first, and how many matched."""

    hits: list[tuple[int, float]]
    matched: set[int]


def retrieve(retriever: Any, context: Context, filters: Sequence[Any] = ()) -> Ranked:
    """What a retriever finds: as many as the context wants.

    Args:
        retriever: Its JSON.
        context: The search.
        filters: Queries of outer retrievers, which all must match.
    """
    name, body = named(retriever)
    inner = [*filters, *as_list(body.get("filter"))]
    return RETRIEVERS[name](context, body, inner)


def named(retriever: Any) -> tuple[str, Json]:
    if not isinstance(retriever, dict) or len(retriever) != 1:
        raise parsing_exception("[retriever] malformed, expected an object with one retriever")
    ((name, body),) = retriever.items()
    if name in NOT_DONE:
        raise not_done(f"retriever [{name}]")
    if name not in RETRIEVERS:
        cause = RefusedError(400, "named_object_not_found_exception", f"[1:1] unknown field [{name}]")
        raise parsing_exception(f"unknown retriever [{name}]", cause)
    if not isinstance(body, dict):
        raise parsing_exception(f"[{name}] malformed, expected an object")
    return name, body


def ranked(scores: Scores, size: int, min_score: float | None = None) -> Ranked:
    """The best of what matches; of equals, the older document comes first."""
    kept = {doc: score for doc, score in scores.items() if min_score is None or score >= min_score}
    best = sorted(kept.items(), key=lambda hit: (-hit[1], hit[0]))[:size]
    return Ranked(best, set(kept))


@contextmanager
def shard(context: Context) -> Iterator[None]:
    """Answer for what fails inside as a search does."""
    try:
        yield
    except ShardError as error:
        raise all_shards_failed(context.index.name, error) from error


def least(body: Json) -> float | None:
    return as_number(body, "min_score", 0.0) if body.get("min_score") is not None else None


def standard(context: Context, body: Json, filters: Sequence[Any]) -> Ranked:
    """What a query finds."""
    check_keys("standard", body, {"query", *SHARED}, {"search_after", "sort", "terminate_after", "collapse"})
    query = body.get("query", {"match_all": {}})
    with shard(context):
        filtered = {"bool": {"must": [query], "filter": list(filters)}} if filters else query
        return ranked(context.evaluate(filtered, context), context.size, least(body))


def knn(context: Context, body: Json, filters: Sequence[Any]) -> Ranked:
    """The nearest vectors."""
    check_keys("knn", body, KNN | SHARED, need=["field", "k"])
    search = {name: value for name, value in body.items() if name not in SHARED}
    with shard(context):
        return ranked(knn_search(context, search | ({"filter": list(filters)} if filters else {})), context.size, least(body))


def rrf(context: Context, body: Json, filters: Sequence[Any]) -> Ranked:
    """Fusion by ranks: the sum of weight / (rank_constant + rank)."""
    check_keys("rrf", body, {"retrievers", "rank_constant", "rank_window_size", "query", "fields", *SHARED})
    window, constant = window_of("rrf", body), body.get("rank_constant", RANK_CONSTANT)
    if type(constant) is not int or constant < 1:
        raise illegal_argument("[rank_constant] must be greater or equal to [1] for [rrf]")
    entries = [component("rrf", each, {"retriever", "weight"}) for each in components("rrf", body, context)]
    total: Scores = {}
    found = children("rrf", [entry["retriever"] for entry in entries], context, filters, window)
    for entry, one in zip(entries, found, strict=True):
        for rank, (doc, _) in enumerate(one.hits, 1):
            total[doc] = total.get(doc, 0.0) + weight_of(entry) / (constant + rank)
    return fused(total, found, body, window)


def linear(context: Context, body: Json, filters: Sequence[Any]) -> Ranked:
    """Fusion by scores: the sum of weight * normalised score."""
    check_keys("linear", body, {"retrievers", "rank_window_size", "query", "fields", "normalizer", *SHARED})
    window, default = window_of("linear", body), str(body.get("normalizer", "none"))
    entries = [component("linear", each, {"retriever", "weight", "normalizer"}) for each in components("linear", body, context)]
    found = children("linear", [entry["retriever"] for entry in entries], context, filters, window)
    total: Scores = {}
    for entry, one in zip(entries, found, strict=True):
        for doc, score in normalised(str(entry.get("normalizer", default)), one.hits):
            total[doc] = total.get(doc, 0.0) + weight_of(entry) * score
    return fused(total, found, body, window)


def fused(total: Scores, found: Sequence[Ranked], body: Json, window: int) -> Ranked:
    best = ranked(total, window, least(body))
    matched = {doc for one in found for doc in one.matched}
    return best if least(body) is not None else Ranked(best.hits, matched)


def normalised(normalizer: str, hits: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
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


def rerank(context: Context, body: Json, filters: Sequence[Any]) -> Ranked:
    """What another retriever finds, in the order of a reranker."""
    name = "text_similarity_reranker"
    known = {"retriever", "field", "inference_id", "inference_text", "rank_window_size", "allow_rerank_failures", *SHARED}
    check_keys(name, body, known, {"chunk_rescorer"}, need=["retriever", "field", "inference_text"])
    window = window_of(name, body)
    (found,) = children(name, [body["retriever"]], context, filters, window)
    stored = context.index.documents([doc for doc, _ in found.hits])
    docs = [doc for doc, _ in found.hits if doc in stored]
    texts = [text_of(context, stored[doc].source, str(body["field"])) for doc in docs]
    try:
        endpoint = str(body.get("inference_id", DEFAULT_RERANKER))
        scores = context.inference.rerank(endpoint, str(body["inference_text"]), texts) if texts else []
    except RefusedError as refused:
        if body.get("allow_rerank_failures"):
            return found
        reason = "Computing updated ranks for results failed"
        failed = SearchError(refused.status, "search_phase_execution_exception", reason, refused)
        failed.details.update(phase="rank-feature", grouped=True, failed_shards=[])
        raise failure(name, [(named(body["retriever"])[0], failed)]) from refused
    shown = {doc: max(score, 0.0) + min(math.exp(score), 1.0) for doc, score in zip(docs, scores, strict=True)}
    best = ranked(shown, window, least(body))
    return best if least(body) is not None else Ranked(best.hits, found.matched)


def text_of(context: Context, source: Json, path: str) -> str:
    """The text of a field that the reranker reads: its first value."""
    value = next(iter(values_of(context.index.mapping, source, path)), "")
    return str(value.get("value", "")) if isinstance(value, dict) else str(value)


def children(name: str, retrievers: Sequence[Any], context: Context, filters: Sequence[Any], window: int) -> list[Ranked]:
    """What the retrievers within another find; all are tried, and the failures told together."""
    found, failures = [], []
    for each in retrievers:
        child, body = named(each)
        if child in COMPOUND and window > window_of(child, body):
            raise invalid(
                f"[{name}] requires [rank_window_size: {window}] to be smaller than or equal to its sub retriever's "
                f"{child} [rank_window_size: {window_of(child, body)}]"
            )
        try:
            one = retrieve(each, replace(context, size=window), filters)
            found.append(Ranked(one.hits[:window], one.matched))
        except SearchError as error:
            failures.append((child, error))
    if failures:
        raise failure(name, failures)
    return found


def failure(name: str, failures: Sequence[tuple[str, SearchError]]) -> RefusedError:
    """How Elasticsearch tells that retrievers within another failed: what is wrong is in `suppressed`."""
    failed = ", ".join(child for child, _ in failures)
    refused = status_error(
        f"[{name}] search failed - retrievers '[{failed}]' returned errors. All failures are attached as suppressed exceptions.",
        max(error.status for _, error in failures),
    )
    refused.suppressed += [error for _, error in failures]
    return refused


def components(name: str, body: Json, context: Context) -> list[Any]:
    """The retrievers to fuse, given or made of a query and fields: one for words, and one for each semantic field."""
    if "query" not in body:
        given = body.get("retrievers")
        if not isinstance(given, list) or not given:
            raise illegal_argument(f"[{name}] must have at least one retriever in [retrievers]")
        return given
    if "retrievers" in body or not body.get("fields"):
        raise not_done(f"{name} with query and " + ("retrievers" if "retrievers" in body else "without fields"))
    words: list[str] = []
    meaning: list[Json] = []
    for given in body["fields"]:
        path, weight = weighted(given)
        field = context.field(path)
        if field is not None and field.kind in SEMANTIC:
            match = {"standard": {"query": {"match": {path: {"query": body["query"]}}}}}
            meaning.append({"retriever": match, "weight": weight})
        else:
            words.append(given)
    shared = {key: body[key] for key in ("rank_window_size", "rank_constant", "normalizer") if key in body}
    parts: list[Any] = []
    if words:
        query: Json = {"multi_match": {"query": body["query"], "fields": words, "type": "most_fields"}}
        parts.append({"retriever": {"standard": {"query": query}}})
    if meaning:
        parts.append({"retriever": {name: {"retrievers": meaning, **shared}}})
    return parts


def component(name: str, given: Any, known: set[str]) -> Json:
    """An entry of the retrievers to fuse: one with a weight, or a bare retriever."""
    if isinstance(given, dict) and "retriever" in given:
        return check_keys(name, given, known)
    return {"retriever": given}


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
    """Refuse a search for more hits than its retriever ranks."""
    name, body = named(retriever)
    if name in COMPOUND and size > window_of(name, body):
        window = window_of(name, body)
        raise invalid(f"[{name}] requires [rank_window_size: {window}] be greater than or equal to [size: {size}]")


COMPOUND = ("linear", "rrf", "text_similarity_reranker")
RETRIEVERS: dict[str, Callable[[Context, Json, Sequence[Any]], Ranked]] = {
    "knn": knn,
    "linear": linear,
    "rrf": rrf,
    "standard": standard,
    "text_similarity_reranker": rerank,
}
