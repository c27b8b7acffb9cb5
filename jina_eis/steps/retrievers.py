"""The retrievers of a search, in the form that Elasticsearch takes: functions from settings to JSON.

Each function returns one retriever; `fused`, `reranked` and `diversified` contain others. Nothing here is requested or sent.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

from ..wire import Field, elasticsearch_score

__all__ = [
    "CANDIDATES",
    "CHUNK_WORDS",
    "LINEAR_WEIGHTS",
    "RANK_CONSTANT",
    "Filters",
    "Fusion",
    "Json",
    "by_vector",
    "by_words",
    "diversified",
    "fused",
    "reranked",
    "rescoring",
]

Json = dict[str, Any]
Filters = Sequence[Mapping[str, Any]]
Fusion = Literal["rrf", "linear"]

CANDIDATES = 100  # minimum vectors that each shard considers in a vector search
LINEAR_WEIGHTS = (0.5, 0.5)  # of keyword and semantic search
RANK_CONSTANT = 60  # of reciprocal rank fusion; Elasticsearch's default
UNQUANTISED = ("hnsw", "flat")  # the types of a vector index that holds full vectors
MAX_RESCORED = 10_000  # vectors; for a large k, `oversample` is lowered to stay near it, as num_candidates has this limit
SERVER_OVERSAMPLE = 3.0  # Elasticsearch's default for bbq indices
SINGLE_PRECISION = 1e-6  # relative difference below which Elasticsearch's scores are equal
# Words of a passage for the reranker. It found the answer in 9 of 9 long manuals; Elasticsearch's own default of 7,000 words,
# which is more than jina-reranker-v3.5 reads, in 6 (J. Whelan, serverless 9.6, September 2026).
CHUNK_WORDS = 300


def by_words(field: str, text: str, filters: Filters) -> Json:
    """Search a field by a text. Elasticsearch embeds it if the field is for semantic search."""
    return _standard({"match": {field: {"query": text}}}, filters)


def by_vector(field: Field, vector: Json, filters: Filters, *, window: int, num_candidates: int, oversample: Json) -> Json:
    """Search a field by a vector.

    Args:
        field: The field.
        vector: The query vector, or its builder, with its key.
        filters: Queries that every hit must match.
        window: Number of nearest vectors to find.
        num_candidates: Number of vectors that each shard considers.
        oversample: The result of `rescoring`.
    """
    knn: Json = {
        "field": field.name,
        "k": window,
        "num_candidates": num_candidates,
        **oversample,
        **vector,
        **_filter(filters),
    }
    # the knn retriever takes only dense_vector fields
    return {"knn": knn} if field.type == "dense_vector" else _standard({"knn": knn}, filters)


def rescoring(index: str, field: Field, oversample: float | None, window: int) -> Json:
    """Compare more candidates with the full vectors, where the index holds short codes of them."""
    if oversample is None or field.type != "dense_vector" or field.index_type in UNQUANTISED:
        return {}
    if field.element_type not in ("float", "bfloat16"):
        log_unrescorable(index, field.name, field.element_type)
        return {}
    return {"rescore_vector": {"oversample": min(oversample, max(SERVER_OVERSAMPLE, MAX_RESCORED / window))}}


def fused(
    keyword: Json, semantic: Json, *, fusion: Fusion, weights: tuple[float, float] | None, rank_constant: int, window: int
) -> Json:
    """Fuse the results of a search by words and of one by meaning."""
    retrievers = (keyword, semantic)
    if fusion == "linear":
        parts = [
            {"retriever": retriever, "weight": weight, "normalizer": "minmax"}
            for retriever, weight in zip(retrievers, weights or LINEAR_WEIGHTS, strict=True)
        ]
        return {"linear": {"retrievers": parts, "rank_window_size": window}}
    parts = (
        [{"retriever": retriever, "weight": weight} for retriever, weight in zip(retrievers, weights, strict=True)]
        if weights
        else [*retrievers]
    )
    return {"rrf": {"retrievers": parts, "rank_constant": rank_constant, "rank_window_size": window}}


def reranked(
    retriever: Json,
    *,
    field: str,
    inference_id: str,
    text: str,
    window: int,
    min_score: float | None,
    chunks: int | None,
    chunk_words: int,
) -> Json:
    """Rerank the best `window` hits by a text field.

    Args:
        retriever: The retriever whose hits are reranked.
        field: The text field.
        inference_id: The rerank endpoint.
        text: The query.
        window: Number of hits to rerank.
        min_score: Minimum score of a hit, on the reranker's own scale.
        chunks: Number of passages of a document that the reranker reads; None for the whole document.
        chunk_words: Maximum words of a passage.
    """
    reranker: Json = {
        "retriever": retriever,
        "field": field,
        "inference_id": inference_id,
        "inference_text": text,
        "rank_window_size": window,
    }
    if min_score is not None:
        reranker["min_score"] = elasticsearch_score(min_score) * (1 - SINGLE_PRECISION)
    if chunks is not None:
        settings = {"strategy": "sentence", "max_chunk_size": chunk_words, "sentence_overlap": 1}
        reranker["chunk_rescorer"] = {"size": chunks, "chunking_settings": settings}
    return {"text_similarity_reranker": reranker}


def diversified(retriever: Json, *, field: str, vector: Json, relevance: float, size: int, window: int) -> Json:
    """Choose `size` of the best `window` hits that differ from each other (maximal marginal relevance).

    Args:
        retriever: The retriever whose hits are chosen from. Their order and scores are kept.
        field: The field with the vectors that are compared.
        vector: The query vector, or its builder, with its key.
        relevance: Elasticsearch's `lambda`, from 0 (only diversity counts) to 1 (only similarity to the query counts).
        size: Number of hits to choose.
        window: Number of hits to choose from.
    """
    diversify = {"type": "mmr", "field": field, "lambda": relevance, "size": size, "rank_window_size": window, **vector}
    return {"diversify": {**diversify, "retriever": retriever}}


@cache
def log_unrescorable(index: str, field: str, element_type: str) -> None:
    """Log once that a field holds no full vectors."""
    logging.getLogger("jina_eis.search").info(
        "The field %r of the index %r holds %s vectors, which are compared as they are: oversample has no effect.",
        *(field, index, element_type),
    )


def _standard(query: Json, filters: Filters) -> Json:
    return {"standard": {"query": query, **_filter(filters)}}


def _filter(filters: Filters) -> Json:
    return {"filter": [dict(query) for query in filters]} if filters else {}
