"""The choice of hits that differ from each other, by maximal marginal relevance. Knows only vectors and numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..indices import as_score
from ..inference import Array


def choose(vectors: Sequence[Array], query: Array | None, weight: float, size: int) -> list[int]:
    """Return the positions of the vectors to keep, in ascending order.

    The first is the closest to the query. Each next one has the highest `weight * similarity to the query - (1 - weight) *
    highest similarity to those already chosen`; of equal ones, the first. Without a query, its similarity is 0 for all.

    Args:
        vectors: One vector for each candidate; of equal length.
        query: The query vector.
        weight: From 0 (differences only) to 1 (similarity to the query only).
        size: Maximum number of vectors to keep.
    """
    if not vectors:
        return []
    rows, share = np.stack(vectors), np.float32(weight)
    relevance = np.zeros(len(rows), dtype=np.float32) if query is None else similarities(rows, query)
    chosen = [int(relevance.argmax())]
    overlap = np.full(len(rows), -np.inf, dtype=np.float32)
    while len(chosen) < min(size, len(rows)):
        overlap = np.maximum(overlap, similarities(rows, rows[chosen[-1]]))
        gains = share * relevance - (1 - share) * overlap
        gains[chosen] = -np.inf
        chosen.append(int(gains.argmax()))
    return sorted(chosen)


def closest(vectors: Sequence[Array], query: Array) -> Array:
    """Return the vector that is most similar to the query."""
    return vectors[int(similarities(np.stack(vectors), query).argmax())]


def similarities(rows: Array, vector: Array) -> Array:
    """Return Elasticsearch's scores of inner products, whatever the similarity of the field."""
    return as_score(rows @ vector, "max_inner_product")
