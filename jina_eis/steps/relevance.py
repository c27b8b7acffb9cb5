"""Scores from 0 to 1, for interfaces that promise them: one formula for each kind of score of Elasticsearch."""

from __future__ import annotations

__all__ = ["relevance"]


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
