"""Retrievers: rank documents by a query or vector, fuse several rankings, and rerank.

Knows the formulas of fusion and of the reranker's score; must not know how a query is evaluated, nor hits or HTTP.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from itertools import islice
from typing import Any

import numpy as np

from ..indices import Index, values_of
from ..inference import Array, as_list
from ..refusals import Json, RefusedError, SearchError, illegal_argument, invalid, not_implemented, shard_errors, status_error
from .context import Context, Scores, read_named, read_object
from .diversity import choose, closest
from .options import COMPONENT, COMPOUND, DIVERSIFY, KNN_RETRIEVER, LINEAR, RANK_CONSTANT, RANKED, RERANK, RERANKER, RRF, STANDARD
from .passages import best_passages, read_rescorer
from .semantic import embedded_query, knn_search, read_vector

Hits = Sequence[tuple[int, float]]  # documents with their scores


@dataclass(frozen=True, slots=True)
class Ranking:
    """Documents with their scores, best first, and all documents that matched."""

    hits: list[tuple[int, float]]
    matched: set[int]


def retrieve(retriever: Any, context: Context) -> Ranking:
    """Return the ranking of a retriever."""
    known = [name for name in RETRIEVERS if name != "diversify" or context.version.has(name)]
    name, body = read_named("retriever", retriever, known)
    rank, kinds, required = RETRIEVERS[name]
    return rank(context, read_object(name, body, kinds, required))


def rank_scores(scores: Scores, size: int, min_score: float = -math.inf) -> Ranking:
    """Return the best matches; of equal scores, the older document comes first."""
    least = np.float32(min_score)
    kept = {doc: score for doc, score in scores.items() if np.float32(score) >= least} if min_score > -math.inf else scores
    best = nsmallest(size, kept.items(), key=lambda hit: (-hit[1], hit[0]))
    return Ranking(best, set(kept))


def standard(context: Context, options: Json) -> Ranking:
    """Rank the matches of a query; those of filters alone score 0."""
    query, filters = options.get("query"), as_list(options.get("filter"))
    filtered = {"bool": {"must": as_list(query), "filter": filters}} if filters else query or {"match_all": {}}
    with shard_errors(context.indices.names):
        return rank_scores(context.in_each(lambda part: context.evaluate(filtered, part)), context.depth)


def knn(context: Context, options: Json) -> Ranking:
    """Rank documents by the similarity of their vectors."""
    with shard_errors(context.indices.names):
        return rank_scores(nearest_in_all(context, options), context.depth)


def nearest_in_all(context: Context, search: Json) -> Scores:
    """Return the `k` nearest documents of all indices."""
    found = context.in_each(lambda part: knn_search(part, search))
    return dict(rank_scores(found, search.get("k", context.size)).hits)


def rrf(context: Context, options: Json) -> Ranking:
    """Fuse rankings by rank: the sum of weight / (rank_constant + rank)."""
    if (constant := options.get("rank_constant", RANK_CONSTANT)) < 1:
        raise illegal_argument("[rank_constant] must be greater or equal to [1] for [rrf]")
    kinds = COMPONENT if context.version.has("weights of rrf") else {"retriever": "object"}

    def shares(_: Json, hits: Hits) -> Hits:
        return [(doc, 1 / (constant + rank)) for rank, (doc, _) in enumerate(hits, 1)]

    return fuse("rrf", kinds, context, options, shares)


def linear(context: Context, options: Json) -> Ranking:
    """Fuse rankings by score: the sum of weight * normalised score."""
    return fuse("linear", COMPONENT | {"normalizer": "text"}, context, options, normalise)


def fuse(name: str, kinds: Mapping[str, str], context: Context, options: Json, shares: Callable[[Json, Hits], Hits]) -> Ranking:
    """Return the ranking by the sums of weighted shares, which are computed from each component and its hits."""
    window, total = window_of(name, options), Scores()
    parts = [part if isinstance(part, dict) and "retriever" in part else {"retriever": part} for part in options["retrievers"]]
    entries = [read_object(name, part, kinds) for part in parts]
    if not entries or any(entry.get("weight", 1.0) < 0 for entry in entries):
        raise illegal_argument(f"[{name}] must have at least one retriever in [retrievers], and no [weight] below 0")
    rankings = children(name, [entry["retriever"] for entry in entries], context, window)
    for entry, ranking in zip(entries, rankings, strict=True):
        for doc, share in shares(entry, ranking.hits):
            total[doc] = total.get(doc, 0.0) + entry.get("weight", 1.0) * share
    return Ranking(rank_scores(total, window).hits, {doc for ranking in rankings for doc in ranking.matched})


def normalise(entry: Json, hits: Hits) -> Hits:
    """Return the hits with the scores that the normalizer of a component gives them."""
    normalizer = entry.get("normalizer", "none")
    if normalizer not in ("none", "minmax"):
        raise not_implemented(f"normalizer [{normalizer}]")
    low, high = min((score for _, score in hits), default=0.0), max((score for _, score in hits), default=0.0)
    if normalizer == "none":
        return hits
    # Equal scores are all the best, also that of an only hit.
    return [(doc, (score - low) / (high - low) if high - low >= 1e-6 else 1.0) for doc, score in hits]


def rerank(context: Context, options: Json) -> Ranking:
    """Rank the hits of another retriever by a reranker."""
    name = "text_similarity_reranker"
    rescorer = read_rescorer(options["chunk_rescorer"], context.version) if "chunk_rescorer" in options else None
    window = window_of(name, options)
    (ranking,) = children(name, [options["retriever"]], context, window)
    stored = context.indices.documents([doc for doc, _ in ranking.hits])
    docs = [doc for doc, _ in ranking.hits if doc in stored]
    query, path = options["inference_text"], options["field"]
    texts = [text_of(context.indices.owner(doc), stored[doc].source, path) for doc in docs]
    passages = [[text] if rescorer is None else best_passages(text, query, rescorer) for text in texts]
    try:
        if "inference_id" in options:
            context.inference.registry.get(options["inference_id"], "rerank")  # also where no document was found
        endpoint = options.get("inference_id", RERANKER)
        every = iter(context.inference.rerank(endpoint, query, [text for texts in passages for text in texts]) if texts else [])
        scores = [max(islice(every, len(texts))) for texts in passages]
    except RefusedError as refused:
        reason = "Computing updated ranks for results failed"
        error = SearchError(refused.status, "search_phase_execution_exception", reason, refused)
        error.details.update(phase="rank-feature", grouped=True, failed_shards=[])
        raise retriever_failure(name, [(next(iter(options["retriever"])), error)]) from refused
    final_scores = {doc: max(score, 0.0) + min(math.exp(score), 1.0) for doc, score in zip(docs, scores, strict=True)}
    if "min_score" in options:
        return rank_scores(final_scores, window, options["min_score"])
    return Ranking(rank_scores(final_scores, window).hits, ranking.matched)


def diversify(context: Context, options: Json) -> Ranking:
    """Keep the hits of another retriever whose vectors differ, in their order and with their scores."""
    name, vector, builder = "diversify", options.get("query_vector"), options.get("query_vector_builder")
    if options["type"] != "mmr":
        raise RefusedError(400, "x_content_parse_exception", f"[{name}] unknown result diversification type [{options['type']}]")
    window, weight = options.get("rank_window_size", RANKED), options.get("lambda", -1)
    size = options.get("size", min(RANKED, window))
    if not 0 < size <= window or not 0 <= weight <= 1 or (vector is not None and builder is not None):
        rules = "a [size] from 1 to its [rank_window_size], a [lambda] from 0.0 to 1.0, and not more than one query vector"
        raise invalid(f"[diversify] MMR result diversification must have {rules}")
    query = None if vector is None else read_vector(vector, context.version)
    if builder is not None:
        query = embedded_query(context, context.indices.fields.get(options["field"]), builder)
    (ranking,) = children(name, [options["retriever"]], context, window)
    try:
        vectors = hit_vectors(context, options["field"], [doc for doc, _ in ranking.hits], query)
    except RefusedError as refused:
        raise retriever_failure(name, [(name, refused)]) from refused
    hits = [hit for hit in ranking.hits if hit[0] in vectors]
    chosen = choose([vectors[doc] for doc, _ in hits], query, weight, size)
    return Ranking([hits[position] for position in chosen], ranking.matched)


def hit_vectors(context: Context, path: str, docs: Sequence[int], query: Array | None) -> dict[int, Array]:
    """Return one vector of each document that has any; of several passages, the one closest to the query."""
    field, found = context.indices.fields.get(path), dict[int, Array]()
    by_text = field is not None and field.kind == "semantic_text"
    if field is None or (by_text and not context.version.has("diversify over semantic_text")):
        return found
    for doc in docs:
        if not by_text and not context.indices.owner(doc).hides_vectors:
            continue  # Elasticsearch looks for its vectors elsewhere [9.5.3]
        vectors = [passage.vector for passage in context.indices.passages(field.path, doc)]
        if vectors and query is not None and vectors[0].size != query.size:
            raise illegal_argument(f"vector dimensions differ: {vectors[0].size}!={query.size}")
        if len(vectors) > 1 and query is None:
            given = "[query_vector] or [query_vector_builder] must be supplied when diversifying on inference field"
            raise illegal_argument(f"{given} [{path}]")
        if vectors:
            found[doc] = vectors[0] if query is None else closest(vectors, query)
    return found


def text_of(index: Index, source: Json, path: str) -> str:
    """Return the text that the reranker scores: the first value of a field."""
    value = next(iter(values_of(index.mapping, source, path)), "")
    return str(value.get("value", "")) if isinstance(value, dict) else str(value)


def children(name: str, retrievers: Sequence[Any], context: Context, window: int) -> list[Ranking]:
    """Return the rankings of inner retrievers; all of them run before their errors are raised together."""
    rankings, failures = [], []
    for retriever in retrievers:
        if name != "diversify":
            check_window(retriever, window, (*COMPOUND, "diversify"))
        try:
            ranking = retrieve(retriever, replace(context, size=window, start=0))
            rankings.append(Ranking(ranking.hits[:window], ranking.matched))
        except SearchError as error:
            failures.append((next(iter(retriever)), error))
    if failures:
        raise retriever_failure(name, failures)
    return rankings


def retriever_failure(name: str, failures: Sequence[tuple[str, RefusedError]]) -> RefusedError:
    """Return Elasticsearch's error for failed inner retrievers: `suppressed` holds the causes."""
    failed = ", ".join(child for child, _ in failures)
    refused = status_error(
        f"[{name}] search failed - retrievers '[{failed}]' returned errors. All failures are attached as suppressed exceptions.",
        max(error.status for _, error in failures),
    )
    refused.suppressed += [error for _, error in failures]
    return refused


def window_of(name: str, body: Json) -> int:
    window = body.get("rank_window_size", RANKED)
    if type(window) is not int or window < 1:
        raise invalid(f"[{name}] [rank_window_size] must be greater than or equal to 1, found [{window}]")
    return window


def check_window(retriever: Any, size: int, limited: Sequence[str] = COMPOUND) -> None:
    """Refuse to request more hits than a retriever ranks."""
    name, body = read_named("retriever", retriever, RETRIEVERS)
    if name in limited and size > (window := window_of(name, body)):
        raise invalid(f"[{name}] requires [rank_window_size: {window}] be greater than or equal to [size: {size}]")


# What ranks, the options, and those that are required.
RETRIEVERS: dict[str, tuple[Callable[[Context, Json], Ranking], Mapping[str, str], Sequence[str]]] = {
    "diversify": (diversify, DIVERSIFY, ("retriever", "type", "field")),
    "knn": (knn, KNN_RETRIEVER, ("field", "k")),
    "linear": (linear, LINEAR, ("retrievers",)),
    "rrf": (rrf, RRF, ("retrievers",)),
    "standard": (standard, STANDARD, ()),
    "text_similarity_reranker": (rerank, RERANK, ("retriever", "field", "inference_text")),
}
