"""Retrievers: rank documents by a query or vector, fuse several rankings, and rerank.

Knows the formulas of fusion and of the reranker's score; must not know how a query is evaluated, nor hits or HTTP.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from heapq import nsmallest
from itertools import islice
from typing import Any

import numpy as np

from ..indices import hides_vectors, values_of
from ..inference import Array, as_list
from ..refusals import (
    Json,
    RefusedError,
    SearchError,
    ShardError,
    all_shards_failed,
    illegal_argument,
    invalid,
    not_implemented,
    parse_error,
    parsing_exception,
    status_error,
)
from .context import Context, Scores, as_number, check_keys
from .diversity import choose, closest
from .parsers import read_object
from .rescoring import best_passages, read_rescorer
from .semantic import KNN as VECTOR_OPTIONS
from .semantic import embedded_query, knn_search, read_vector

__all__ = ["Ranking", "check_window", "min_score_of", "rank_scores", "retrieve", "shard_errors"]

UNSUPPORTED = frozenset({"pinned", "rescorer", "rule"})
# The options of each retriever, and the kind of their values.
SHARED = {"filter": "objects", "min_score": "float", "_name": "text"}
STANDARD = SHARED | {"query": "object"}
DIVERSIFY = (
    SHARED
    | {"retriever": "object", "type": "text", "field": "text", "query_vector": "vector", "query_vector_builder": "object"}
    | {"rank_window_size": "int", "size": "int", "lambda": "float"}
)
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
        raise unknown_retriever(name)
    if others:
        raise parsing_exception(f"[{name}] malformed retriever, expected [END_OBJECT] but found [FIELD_NAME]")
    return name, body


def unknown_retriever(name: str) -> RefusedError:
    cause = RefusedError(400, "named_object_not_found_exception", f"[1:1] unknown field [{name}]")
    return parsing_exception(f"unknown retriever [{name}]", cause)


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
    options = {"retriever", "weight"} if context.version.has("weights of rrf") else {"retriever"}
    entries = [component("rrf", part, options) for part in components("rrf", body)]
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
    known |= {"chunk_rescorer"} if context.version.has("chunk_rescorer") else set()
    check_keys(name, body, known, required=["retriever", "field", "inference_text"])
    rescorer = read_rescorer(body["chunk_rescorer"]) if "chunk_rescorer" in body else None
    window = window_of(name, body)
    (ranking,) = children(name, [body["retriever"]], context, filters, window)
    stored = context.index.documents([doc for doc, _ in ranking.hits])
    docs = [doc for doc, _ in ranking.hits if doc in stored]
    query, texts = str(body["inference_text"]), [text_of(context, stored[doc].source, str(body["field"])) for doc in docs]
    passages = [[text] if rescorer is None else best_passages(text, query, rescorer) for text in texts]
    try:
        endpoint = str(body.get("inference_id", DEFAULT_RERANKER))
        every = iter(context.inference.rerank(endpoint, query, [text for texts in passages for text in texts]) if texts else [])
        scores = [max(islice(every, len(texts))) for texts in passages]
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


def diversify(context: Context, body: Json, filters: Sequence[Any]) -> Ranking:
    """Keep the hits of another retriever whose vectors differ, in their order and with their scores."""
    name = "diversify"
    if not context.version.has(name):
        raise unknown_retriever(name)
    options = read_object(name, body, DIVERSIFY, required=["retriever", "type", "field"])
    if options["type"] != "mmr":
        cause = illegal_argument(f"unknown result diversification type [{options['type']}]")
        reason = "Failed to build [diversify] after last required field arrived"
        raise RefusedError(400, "x_content_parse_exception", reason, cause)
    window = options.get("rank_window_size", WINDOW)
    size = options.get("size", min(WINDOW, window))
    check_diversify(options, window, size)
    query = diversify_query(context, options)
    (ranking,) = children(name, [options["retriever"]], context, filters, window)
    try:
        vectors = hit_vectors(context, options["field"], [doc for doc, _ in ranking.hits], query)
    except RefusedError as refused:
        raise retriever_failure(name, [(name, refused)]) from refused
    hits = [hit for hit in ranking.hits if hit[0] in vectors]
    chosen = choose([vectors[doc] for doc, _ in hits], query, options["lambda"], size)
    return Ranking([hits[position] for position in chosen], ranking.matched)


def check_diversify(options: Json, window: int, size: int) -> None:
    label, weight, vector = "[diversify] MMR result diversification", options.get("lambda"), options.get("query_vector")
    both, number = vector is not None and "query_vector_builder" in options, "null" if weight is None else weight
    problems = (
        (both, f"{label} can have one of [query_vector] or [query_vector_builder], but not both"),
        (size <= 0, f"{label} [size] of {size} must be greater than zero"),
        (size > window, f"{label} [size] of {size} cannot be greater than the [rank_window_size] of {window}"),
        (
            weight is None or not 0 <= weight <= 1,
            f"{label} must have a [lambda] between 0.0 and 1.0. The value provided was {number}",
        ),
        (isinstance(vector, str), "[diversify] retriever cannot have a [query_vector] that is string encoded"),
    )
    if found := [problem for wrong, problem in problems if wrong]:
        raise invalid(*found)


def diversify_query(context: Context, options: Json) -> Array | None:
    if "query_vector_builder" in options:
        return embedded_query(context, context.field(options["field"]), options["query_vector_builder"])
    vector = options.get("query_vector")
    if isinstance(vector, dict):
        cause = parsing_exception("Unknown type [START_OBJECT] for parsing vector")
        raise parse_error("diversify", "failed to parse field [query_vector]", cause)
    return None if vector is None else read_vector(vector)


def hit_vectors(context: Context, path: str, docs: Sequence[int], query: Array | None) -> dict[int, Array]:
    """Return one vector of each document that has any; of several passages, the one closest to the query."""
    field, found = context.field(path), dict[int, Array]()
    by_text = field is not None and field.kind == "semantic_text"
    if field is None or (by_text and not context.version.has("diversify over semantic_text")):
        return found
    if not by_text and not hides_vectors(context.index):
        return found  # Elasticsearch looks for them elsewhere [9.5.3]
    for doc in docs:
        vectors = [passage.vector for passage in context.index.passages(field.path, doc)]
        if vectors and query is not None and vectors[0].size != query.size:
            raise illegal_argument(f"vector dimensions differ: {vectors[0].size}!={query.size}")
        if len(vectors) > 1 and query is None:
            given = "[query_vector] or [query_vector_builder] must be supplied when diversifying on inference field"
            raise illegal_argument(f"{given} [{path}]")
        if vectors:
            found[doc] = vectors[0] if query is None else closest(vectors, query)
    return found


def text_of(context: Context, source: Json, path: str) -> str:
    """Return the text that the reranker scores: the first value of a field."""
    value = next(iter(values_of(context.index.mapping, source, path)), "")
    return str(value.get("value", "")) if isinstance(value, dict) else str(value)


def children(name: str, retrievers: Sequence[Any], context: Context, filters: Sequence[Any], window: int) -> list[Ranking]:
    """Return the rankings of inner retrievers; all of them run before their errors are raised together."""
    rankings, failures = [], []
    for retriever in retrievers:
        child, body = name_and_body(retriever)
        if name != "diversify" and child in (*COMPOUND, "diversify") and window > window_of(child, body):
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


def retriever_failure(name: str, failures: Sequence[tuple[str, RefusedError]]) -> RefusedError:
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
    "diversify": diversify,
    "knn": knn,
    "linear": linear,
    "rrf": rrf,
    "standard": standard,
    "text_similarity_reranker": rerank,
}
