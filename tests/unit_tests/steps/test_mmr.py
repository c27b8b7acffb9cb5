"""Maximal marginal relevance on the client: the same choice as the embedded EIS makes, and relevance from 0 to 1."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.errors import InputError
from jina_eis.local.search.diversity import choose
from jina_eis.steps import maximal_marginal_relevance, relevance

VECTORS = st.lists(st.tuples(*[st.integers(-9, 9)] * 3).filter(any), min_size=1, max_size=12)


@given(VECTORS, st.tuples(*[st.integers(-9, 9)] * 3).filter(any), st.integers(1, 15), st.floats(0, 1))
def test_the_choice_is_that_of_the_server_up_to_ties(
    rows: list[tuple[int, ...]], asked: tuple[int, ...], k: int, mult: float
) -> None:
    vectors = [np.array(row, dtype=np.float64) for row in rows]
    query = np.array(asked, dtype=np.float64)
    chosen = maximal_marginal_relevance([float(x) for x in asked], [[float(x) for x in row] for row in rows], k, mult)
    assert len(set(chosen)) == len(chosen) == min(k, len(rows))
    gains: list[float] = []
    for position, best in enumerate(chosen):
        gains = [_gain(vectors, query, chosen[:position], n, mult) for n in range(len(rows)) if n not in chosen[:position]]
        assert _gain(vectors, query, chosen[:position], best, mult) == pytest.approx(max(gains), abs=1e-9)
    if len(rows) == k:
        assert sorted(chosen) == choose([vector.astype(np.float32) for vector in vectors], query.astype(np.float32), mult, k)


def _gain(vectors: list[np.ndarray], query: np.ndarray, chosen: list[int], n: int, mult: float) -> float:
    def score(one: np.ndarray, other: np.ndarray) -> float:
        product = float(one @ other)
        return product + 1 if product >= 0 else 1 / (1 - product)

    if not chosen:
        return score(query, vectors[n])
    return mult * score(query, vectors[n]) - (1 - mult) * max(score(vectors[other], vectors[n]) for other in chosen)


def test_vectors_of_another_length_are_refused() -> None:
    assert maximal_marginal_relevance([1.0], [], 3, 0.5) == []
    with pytest.raises(InputError, match="The query vector has 1 dimensions"):
        maximal_marginal_relevance([1.0], [[1.0, 2.0]], 3, 0.5)


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=2).map(sorted), st.sampled_from(["cosine", "max_inner_product", None]))
def test_relevance_is_from_0_to_1_in_the_order_of_the_scores(scores: list[float], similarity: str | None) -> None:
    low, high = (relevance(score, similarity) for score in scores)
    assert 0 <= low <= high <= 1


def test_relevance_of_scores_that_are_from_0_to_1() -> None:
    assert relevance(0.75, "cosine") == relevance(0.75, "l2_norm") == 0.75
    assert math.isclose(relevance(1.0, "max_inner_product"), 0.5)
    assert relevance(3.0, None) == 0.75
