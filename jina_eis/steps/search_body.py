"""The body of a search: its retriever, by the fields and the settings, and the fields of a document that it returns.

It combines what `retrievers` and `query_vectors` create. It neither sends the search nor reads its results.
"""

from __future__ import annotations

from typing import Any

from ..errors import ConfigurationError, InputError
from ..wire import VECTORS, Field, Index, Steps
from .query_vectors import is_embedded_by_field, query_vector
from .retrievers import CANDIDATES, Json, by_vector, by_words, diversified, fused, reranked, rescoring
from .search_settings import RANK_WINDOW, Query, SearchSettings, window_name

__all__ = ["PASSAGES", "body_of", "excluded_fields", "reranked_by", "retriever_of", "source_of", "text_of", "vectors_of"]

PASSAGES = 3  # of a hit, with `highlight=True`


def retriever_of(settings: SearchSettings, index: Index, field: Field, query: Query, k: int, window: int) -> Steps[Json]:
    """Return the retriever: semantic search, fused with keyword search if hybrid, then reranked, then diversified."""
    depth = max(window, RANK_WINDOW) if settings.rerank_inference_id else window  # a small window must not reduce the candidates
    embedded_by_field = is_embedded_by_field(settings, field, query)
    vector = (
        None if embedded_by_field and settings.diversify is None else (yield from query_vector(settings, index, field, query))
    )
    if vector is None or embedded_by_field:
        retriever = by_words(field.name, str(query.content), settings.filters)
    else:
        retriever = _search_by_vector(settings, field, vector, depth)
    if settings.search_type == "hybrid":
        keyword = by_words(str(settings.content_field), text_of(query, "hybrid search needs its words"), settings.filters)
        fusion: dict[str, Any] = {"fusion": settings.fusion, "weights": settings.weights, "rank_constant": settings.rank_constant}
        retriever = fused(keyword, retriever, **fusion, window=depth)
    if settings.rerank_inference_id:
        retriever = reranked_by(settings, retriever, query, window)
    if settings.diversify is not None and vector is not None:
        retriever = diversified(retriever, field=field.name, vector=vector, relevance=settings.diversify, size=k, window=window)
    return retriever


def reranked_by(settings: SearchSettings, retriever: Json, query: Query, window: int) -> Json:
    """Return the retriever with its best documents reranked."""
    return reranked(
        retriever,
        field=str(settings.content_field),
        inference_id=str(settings.rerank_inference_id),
        text=text_of(query, "the reranker needs it"),
        window=window,
        min_score=settings.min_score,
        chunks=settings.rerank_chunks,
        chunk_words=settings.rerank_chunk_words,
    )


def _search_by_vector(settings: SearchSettings, field: Field, vector: Json, window: int) -> Json:
    if settings.num_candidates and settings.num_candidates < window:
        at_least = settings.rerank_inference_id and window <= RANK_WINDOW
        raise ConfigurationError(
            f"num_candidates={settings.num_candidates}: {window} documents are ranked, and each shard must consider as many. "
            + ("Raise it." if at_least else f"Raise it, or lower {window_name(settings)}.")
        )
    candidates = settings.num_candidates or max(CANDIDATES, window)
    oversample = rescoring(settings.index, field, settings.oversample, window)
    return by_vector(field, vector, settings.filters, window=window, num_candidates=candidates, oversample=oversample)


def body_of(settings: SearchSettings, index: Index, field: Field, retriever: Json, k: int) -> Json:
    """Return the body of a search with a retriever."""
    body: Json = {"retriever": retriever, "size": k}
    if settings.min_score is not None and not settings.rerank_inference_id:
        body["min_score"] = settings.min_score  # a knn retriever accepts its own and ignores it [Elasticsearch 9.5.3]
    body |= source_of(settings, index)
    if settings.passages and field.type != "dense_vector":
        body["highlight"] = {
            "fields": {field.name: {"number_of_fragments": settings.passages, "order": "score"}},
            "max_analyzed_offset": -1,  # of a longer text, the start: without it the search fails [Elasticsearch 9.5.3]
        }
    return body


def source_of(settings: SearchSettings, index: Index) -> Json:
    """Return the part of a body that selects the fields of a document."""
    if settings.source_fields is not None:
        return {"_source": {"includes": [settings.content_field, *settings.source_fields, *settings.always]}}
    excluded = excluded_fields(settings, index)
    return {"_source": {"excludes": excluded} if excluded else True}


def excluded_fields(settings: SearchSettings, index: Index) -> list[str]:
    """Return the fields that hold vectors and media, which a document is returned without."""
    return [vector.name for vector in index.of_types(*VECTORS) if vector.name != settings.content_field and not vector.parent]


def vectors_of(field: Field, vectors: bool) -> Json:
    """Return the part of a body that asks for the vectors of a field, if it has some."""
    return {"fields": [field.name]} if vectors and field.type == "dense_vector" else {}


def text_of(query: Query, reason: str) -> str:
    """Return the text of a query. Raises InputError if it has none."""
    if not query.text:
        raise InputError(f"The query has no text, and {reason}. Use semantic search without a reranker.")
    return query.text
