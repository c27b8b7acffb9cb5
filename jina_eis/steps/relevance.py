"""Scores from 0 to 1, for interfaces that promise them: one formula for each kind of score of Elasticsearch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..models import RerankModel
from ..wire import Steps
from .fields import choose_field, describe_index
from .retrievers import LINEAR_WEIGHTS, Fusion

if TYPE_CHECKING:
    from .search_settings import SearchResult, SearchSettings

__all__ = ["check_reachable", "highest_fused_score", "relevance", "relevances"]


def highest_fused_score(fusion: Fusion, weights: tuple[float, float] | None, rank_constant: int) -> float:
    """Return the score of a document that is the first of both rankings of a hybrid search."""
    if fusion == "rrf":
        return sum(weights or (1, 1)) / (rank_constant + 1)
    return sum(weights or LINEAR_WEIGHTS)


def check_reachable(name: str, threshold: float | None, model: RerankModel | None) -> None:
    """Raise ConfigurationError for a threshold that no score of a reranker reaches.

    Args:
        name: The argument.
        threshold: Its value.
        model: The reranker; None if the table does not have it.
    """
    if threshold is None or model is None or threshold <= model.scores[1]:
        return
    low, high = model.scores
    raise ConfigurationError(
        f"{name}={threshold:g}: the scores of {model.name} are from {low:g} to {high:g}, so that no document would be returned. "
        "Choose a number within this range."
    )


def relevances(searcher: SearchSettings, results: Sequence[SearchResult]) -> Steps[list[float]]:
    """Return the scores of a search as numbers from 0 to 1.

    Of a reranker, whose scores are from -1 to 1 or from 0 to 1: `(1 + score) / 2`. Of fused rankings: the share of the highest
    score that they can give. Of vectors: by their similarity function.
    """
    if searcher.rerank_inference_id:
        return [min(max((1 + (result.relevance_score or 0.0)) / 2, 0.0), 1.0) for result in results]
    scores = [result.hit.score or 0.0 for result in results]
    if searcher.search_type == "hybrid":
        highest = highest_fused_score(searcher.fusion, searcher.weights, searcher.rank_constant)
        return [min(max(score / highest, 0.0), 1.0) if highest else 0.0 for score in scores]
    index = yield from describe_index(searcher.index)
    field = choose_field(index, searcher.search_type, searcher.field)
    return [relevance(score, field.similarity or "cosine") for score in scores]


def relevance(score: float, similarity: str | None) -> float:
    """Return a score of Elasticsearch as a number from 0 to 1; the order of the hits stays.

    Args:
        score: The score of a hit.
        similarity: The similarity function of the vectors. "cosine" and "dot_product" (`(1 + cosine) / 2`) and "l2_norm"
            (`1 / (1 + distance**2)`) are from 0 to 1 already. "max_inner_product" is from 0 to 1 for negative products and 1 or
            more for others, which become 0 to 0.5, and 0.5 or more. None for scores without an upper bound, as of BM25:
            `score / (1 + score)`.
    """
    if similarity == "max_inner_product":
        value = score / 2 if score < 1 else 1 - 1 / (2 * score)
    elif similarity is None:
        value = score / (1 + score) if score > 0 else 0.0
    else:
        value = score
    return min(max(value, 0.0), 1.0)
