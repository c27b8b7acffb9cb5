"""What a search is asked for: its query, its settings, which do not contradict each other, and a result.

The index is described once, and the names of models become endpoints. It builds no search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..contents import Content
from ..errors import ConfigurationError
from ..models import RerankModel, find_model
from ..wire import EndpointInfo, Field, Hit, Index, Steps, Vector
from .endpoints import known_endpoint
from .fields import SearchType, choose_field, choose_text_field, describe_index, origin_of_text, query_endpoint
from .filters import as_queries
from .names import resolve
from .relevance import check_reachable, highest_fused_score
from .retrievers import CHUNK_WORDS, RANK_CONSTANT, Fusion

__all__ = [
    "RANK_WINDOW",
    "Query",
    "SearchResult",
    "SearchSettings",
    "SearchSteps",
    "check_reranker",
    "described",
    "query_endpoint_of",
    "window_name",
    "window_of",
    "with_endpoints",
]

RANK_WINDOW = 64  # documents that are fused and reranked; the window of the listwise models [models.py]

S = TypeVar("S", bound="SearchSettings")


@dataclass(frozen=True, slots=True)
class Query:
    """A query, as text, content or vector.

    Attributes:
        text: Its text, for BM25 and rerankers; None if there is none.
        content: The content that is embedded; None if there is a vector.
        vector: Its vector, if the caller has made it.
    """

    text: str | None
    content: Content | None
    vector: Vector | None = None

    @classmethod
    def of(cls, content: Content) -> Query:
        """Return the query for a text or medium."""
        return cls(content if isinstance(content, str) else None, content)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A document that was found.

    Attributes:
        hit: The hit. Its source may still hold the text.
        text: Its text; "" if it has none.
        relevance_score: The reranker's own score, if it was reranked.
        text_field: The field with the text.
        vector: Its vector, if it was asked for and the field is of type dense_vector.
    """

    hit: Hit
    text: str
    relevance_score: float | None = None
    text_field: str = ""
    vector: Vector | None = None


SearchSteps = Steps[list[SearchResult]]


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What a search of an index needs to know. Valid if it exists, as far as that can be checked without a request.

    Args:
        index: The index.
        search_type: "semantic" for a field that Elasticsearch embeds, "knn" for vectors, "hybrid" for one of them and keyword
            search (BM25).
        field: The field for semantic search; None for the only one in the index.
        content_field: The text field; None for `text` or `content`, or the searched semantic_text field.
        inference_id: The endpoint for queries; None for that of the index.
        dimensions: Length of the vectors if they were truncated; the query is then embedded and truncated by this library.
        filters: What every hit must match: queries and dicts of metadata, as `as_queries` takes them. For every retriever.
        min_score: Minimum score of a hit, on the reranker's own scale if it is reranked.
        source_fields: Fields to return in addition to the text; None for all except vectors.
        always: Fields to return in any case.
        passages: Number of the best passages of a hit to return; 0 for none.
        fusion: How hybrid search fuses its two lists.
        weights: Weights of keyword and semantic search in the fusion.
        rank_constant: Constant of reciprocal rank fusion.
        oversample: How many times `k` vectors of a quantised index are compared with the full vectors; None for the default of
            the index.
        num_candidates: Number of vectors that each shard considers.
        rerank_inference_id: An endpoint that reranks inside Elasticsearch, in the same request.
        rank_window_size: Number of documents that are fused and reranked.
        window_origin: What this number follows from, as the caller wrote it, such as `fetch_k=20`; None for its own name.
        rerank_chunks: Number of passages of a document that the reranker reads; None for the whole document.
        rerank_chunk_words: Maximum words of such a passage.
        diversify: The `lambda` of maximal marginal relevance, from 0 (diversity) to 1 (similarity to the query); None for hits
            that are not compared with each other.
        timeout: Seconds that an embedding request of this library may take.
        observe: Follows a search, given its steps and `k`, and returns the same steps.

    Raises:
        ConfigurationError: settings that contradict each other.
    """

    index: str
    search_type: SearchType
    field: str | None
    content_field: str | None = None
    inference_id: str | None = None
    dimensions: int | None = None
    filters: Sequence[Mapping[str, Any]] = ()
    min_score: float | None = None
    source_fields: Sequence[str] | None = None
    always: Sequence[str] = ()
    passages: int = 0
    fusion: Fusion = "rrf"
    weights: tuple[float, float] | None = None
    rank_constant: int = RANK_CONSTANT
    oversample: float | None = None
    num_candidates: int | None = None
    rerank_inference_id: str | None = None
    rank_window_size: int | None = None
    window_origin: str | None = None
    rerank_chunks: int | None = None
    rerank_chunk_words: int = CHUNK_WORDS
    diversify: float | None = None
    timeout: float = 60.0
    observe: Callable[[SearchSteps, int], SearchSteps] = lambda steps, k: steps

    def __post_init__(self) -> None:
        known_endpoint(self.inference_id or "")  # checks the name
        known = known_endpoint(self.rerank_inference_id or "")
        if known:
            check_reranker(self, known)
        _check_min_score(self, known)
        if self.fusion == "linear" and self.rank_constant != RANK_CONSTANT:
            raise ConfigurationError('rank_constant applies only to fusion="rrf". Leave it out, or choose that fusion.')
        if self.rerank_chunks and not self.rerank_inference_id:
            raise ConfigurationError(f"rerank_chunks={self.rerank_chunks} applies only to a reranker. Pass rerank_inference_id.")
        if self.rerank_chunk_words != CHUNK_WORDS and not self.rerank_chunks:
            raise ConfigurationError("rerank_chunk_words applies only to passages for the reranker. Pass rerank_chunks as well.")


def _check_min_score(settings: SearchSettings, reranker: EndpointInfo | None) -> None:
    """Raise ConfigurationError for a minimum score that no document can have, as far as the highest score is known."""
    if settings.min_score is None:
        return
    if settings.rerank_inference_id:
        model = find_model(reranker.model_id or "") if reranker else None
        check_reachable("min_score", settings.min_score, model if isinstance(model, RerankModel) else None)
    elif settings.search_type == "hybrid":
        highest = highest_fused_score(settings.fusion, settings.weights, settings.rank_constant)
        if settings.min_score > highest:
            raise ConfigurationError(
                f'min_score={settings.min_score:g}: the scores of hybrid search with fusion="{settings.fusion}" are at most '
                f"{highest:.3g}, so that no document would be returned. Choose a smaller number, or use a reranker, whose "
                "scores are from -1 to 1 or from 0 to 1."
            )


def check_min_score_of(settings: SearchSettings, field: Field) -> None:
    """Raise ConfigurationError for a minimum score above those of a field's similarity; a sparse model has no highest score."""
    bounded = field.similarity in ("cosine", "dot_product", "l2_norm") or (field.type, field.similarity) == ("dense_vector", None)
    by_vector = settings.search_type != "hybrid" and not settings.rerank_inference_id
    if by_vector and bounded and (settings.min_score or 0.0) > 1:
        raise ConfigurationError(
            f"min_score={settings.min_score!r}: the scores of vectors in {field.name!r} are from 0 to 1, so that no document "
            "would be returned. Choose a number within this range."
        )


def check_reranker(settings: SearchSettings, endpoint: EndpointInfo) -> None:
    """Raise ConfigurationError for an endpoint that cannot rerank, or not as many passages in one call."""
    if endpoint.task != "rerank":
        raise ConfigurationError(
            f"rerank_inference_id={endpoint.inference_id!r} is an endpoint for {endpoint.task}, not for rerank."
        )
    model = find_model(endpoint.model_id or "")
    if not (isinstance(model, RerankModel) and model.window):
        return
    window, chunks = settings.rank_window_size or RANK_WINDOW, settings.rerank_chunks or 1
    origin = settings.window_origin or f"rank_window_size={window}"
    if window * chunks <= model.window:
        return
    if chunks > 1:
        raise ConfigurationError(
            f"{origin} and rerank_chunks={chunks} are {window * chunks} passages in one call, and {model.name} takes "
            f"{model.window}. Choose {window_name(settings)}={max(1, model.window // chunks)}, or fewer rerank_chunks."
        )
    raise ConfigurationError(
        f"{origin}: {model.name} takes {model.window} documents in a call, and reranking "
        f"is one call. Choose {model.window} or less, or rerank with JinaEISRerank, which takes any number."
    )


def window_name(settings: SearchSettings) -> str:
    """Return the name of the argument that determines how many documents are ranked."""
    return (settings.window_origin or "rank_window_size").partition("=")[0]


def window_of(settings: SearchSettings, k: int) -> int:
    """Return the number of documents that are ranked. Raises ConfigurationError if `k` is more."""
    window = settings.rank_window_size or max(RANK_WINDOW, 0 if settings.rerank_inference_id else k)
    if k > window:
        raise ConfigurationError(
            f"k={k}: at most rank_window_size={window} documents are ranked. Raise rank_window_size"
            + (", or rerank with JinaEISRerank, which takes any number." if settings.rerank_inference_id else ".")
        )
    return window


def with_endpoints(settings: S) -> Steps[S]:
    """Return the same settings with the ids of the endpoints, in place of names of their models."""
    inference_id = (yield from resolve(settings.inference_id)) if settings.inference_id else None
    reranker = (yield from resolve(settings.rerank_inference_id)) if settings.rerank_inference_id else None
    return replace(settings, inference_id=inference_id, rerank_inference_id=reranker)


def described(settings: S) -> Steps[tuple[S, Index, Field]]:
    """Return the same settings for the fields of the index, with the index and the field for semantic search."""
    index = yield from describe_index(settings.index)
    field = choose_field(index, settings.search_type, settings.field)
    text_field = origin_of_text(index, settings.content_field) if settings.content_field else choose_text_field(index, field)
    return replace(settings, content_field=text_field, filters=as_queries(settings.filters, index)), index, field


def query_endpoint_of(settings: SearchSettings, index: Index, field: Field) -> str | None:
    """Return the endpoint that embeds queries."""
    return settings.inference_id or query_endpoint(index, field)
