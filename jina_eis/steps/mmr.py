"""Maximal marginal relevance: which of some vectors to keep, so that they are close to a query and differ from each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import mul

from ..errors import InputError
from ..wire import Vector

__all__ = ["maximal_marginal_relevance"]


def maximal_marginal_relevance(query: Vector, vectors: Sequence[Vector], k: int, lambda_mult: float) -> list[int]:
    """Return the positions of the vectors to keep, at most `k`, in the order in which they are chosen.

    The first is the closest to the query. Each next one has the highest `lambda_mult * similarity to the query -
    (1 - lambda_mult) * highest similarity to those already chosen`; of equal ones, the first. Similarities are inner products in
    the form in which Elasticsearch's `diversify` compares them, so that both choose the same: it does not normalise vectors, also
    where the field is compared by cosine [Elasticsearch 9.5.3]. The vectors of Jina models have unit length.

    Args:
        query: The query vector.
        vectors: Vectors of the same length.
        k: Maximum number of vectors to keep.
        lambda_mult: From 0 (only differences count) to 1 (only similarity to the query counts).

    Raises:
        InputError: vectors of different lengths.
    """
    if any(len(vector) != len(query) for vector in vectors):
        raise InputError(f"The query vector has {len(query)} dimensions, and not every other vector has. Use one endpoint.")
    relevance = [_similarity(query, vector) for vector in vectors]
    overlap = [-math.inf] * len(vectors)
    remaining = list(range(len(vectors)))
    chosen: list[int] = []
    while remaining and len(chosen) < k:
        best = max(
            remaining,
            key=lambda n: relevance[n] if not chosen else lambda_mult * relevance[n] - (1 - lambda_mult) * overlap[n],
        )
        remaining.remove(best)
        chosen.append(best)
        for n in remaining:
            overlap[n] = max(overlap[n], _similarity(vectors[best], vectors[n]))
    return chosen


def _similarity(one: Vector, other: Vector) -> float:
    """Return Elasticsearch's score of an inner product."""
    product = math.fsum(map(mul, one, other))
    return product + 1 if product >= 0 else 1 / (1 - product)
