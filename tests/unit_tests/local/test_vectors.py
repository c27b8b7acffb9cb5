"""The nearest vectors: found by rounded vectors, by the products of all, and by many threads at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event
from time import sleep
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.local.indices import vectors
from jina_eis.local.indices.vectors import Matrix, nearest, stack

SIMILARITIES = ("cosine", "dot_product", "max_inner_product", "l2_norm")


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Round small matrices, too, and on their first search."""
    monkeypatch.setattr(vectors, "LARGE", 1)
    monkeypatch.setattr(vectors, "REPEATED", 0)
    monkeypatch.setattr(vectors, "SHORT", 1)


def whole(matrix: Matrix, *search: Any) -> list[tuple[int, float]]:
    """Return the nearest documents by the products of all vectors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vectors, "numkong", None)
        return nearest(stack(dict(zip(matrix.docs.tolist(), np.split(matrix.rows, matrix.starts[1:]), strict=True))), *search)


@st.composite
def searches(draw: st.DrawFn) -> tuple[Matrix, Any]:
    """Documents with one or several vectors, many of them equal or near to each other, and a search."""
    dice = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    dims, docs, scale = draw(st.integers(1, 70)), draw(st.integers(1, 60)), 10.0 ** draw(st.sampled_from([0, 0, 0, -25, -9, 6]))
    centres = dice.standard_normal((draw(st.integers(1, 5)), dims))
    counts = dice.integers(1, draw(st.sampled_from([2, 4])), docs)
    points = centres[dice.integers(len(centres), size=counts.sum())]
    points = points + draw(st.sampled_from([0.0, 1e-4, 1e-2, 1.0])) * dice.standard_normal(points.shape)
    points *= 10.0 ** (draw(st.sampled_from([0, 3])) * dice.random((len(points), 1)))
    points[dice.random(len(points)) < draw(st.sampled_from([0.0, 0.2]))] = 0
    rows = np.split((points * scale).astype(np.float32), np.cumsum(counts)[:-1])
    query = (centres[0] * draw(st.sampled_from([1.0, -1.0, 1e-20]))).astype(np.float32)
    among = draw(st.none() | st.sets(st.integers(0, 3 * docs)))
    return stack({3 * doc: row for doc, row in enumerate(rows)}), (
        query, draw(st.sampled_from(SIMILARITIES)), draw(st.integers(1, 20)), among
    )  # fmt: skip


@pytest.mark.skipif(vectors.numkong is None, reason="numkong is not installed")
@given(searches())
def test_rounded_vectors_find_the_same_documents(search: tuple[Matrix, Any]) -> None:
    matrix, options = search
    assert nearest(matrix, *options) == whole(matrix, *options)


@pytest.mark.skipif(vectors.numkong is None, reason="numkong is not installed")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # squares beyond float32
@pytest.mark.parametrize("similarity", SIMILARITIES)
@pytest.mark.parametrize("among", [None, range(0, 200, 3)])
def test_rows_without_bounds_do_not_replace_others(similarity: str, among: range | None) -> None:
    dice = np.random.default_rng(0)
    rows = dice.standard_normal((200, 64)).astype(np.float32)
    rows[:2] *= np.float32(1e20)
    matrix = stack({doc: row[np.newaxis] for doc, row in enumerate(rows)})
    search = (dice.standard_normal(64).astype(np.float32), similarity, 5, among)
    assert nearest(matrix, *search) == whole(matrix, *search)


@pytest.mark.skipif(vectors.numkong is None, reason="numkong is not installed")
def test_few_of_many_documents_are_compared_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "SHORT", 4)
    dice = np.random.default_rng(1)
    matrix = stack({doc: row[np.newaxis] for doc, row in enumerate(dice.standard_normal((2000, 256)).astype(np.float32))})
    parts: list[int] = []
    monkeypatch.setattr(vectors, "score", lambda part, *rest, run=vectors.score: parts.append(len(part.docs)) or run(part, *rest))
    for query in matrix.rows[:20] + dice.standard_normal((20, 256)).astype(np.float32) / 4:
        found = nearest(matrix, query, "cosine", 10, None)
        assert [doc for doc, _ in found] == [doc for doc, _ in whole(matrix, query, "cosine", 10, None)]
    assert max(parts[::2]) < 200 < min(parts[1::2])


@pytest.mark.parametrize("installed", [True, False])
def test_queries_at_once_get_their_own_documents(monkeypatch: pytest.MonkeyPatch, installed: bool) -> None:
    if not installed:
        monkeypatch.setattr(vectors, "numkong", None)
    dice = np.random.default_rng(2)
    matrix = stack({doc: row[np.newaxis] for doc, row in enumerate(dice.standard_normal((3000, 64)).astype(np.float32))})
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda query: nearest(matrix, query, "cosine", 1, None), matrix.rows[:400]))
    assert [doc for ((doc, _),) in found] == list(range(400))


@pytest.mark.skipif(vectors.numkong is None, reason="numkong is not installed")
def test_an_error_of_a_thread_that_computes_for_others_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(4).standard_normal((300, 64)).astype(np.float32)
    rounded, numkong, calls = vectors.Rounded(rows), vectors.numkong, count()
    computing, everyone_waits = Event(), Event()

    class Failing:
        @staticmethod
        def dots_packed(queries: Any, packed: Any) -> Any:
            call = next(calls)
            computing.set()
            everyone_waits.wait(60)
            if call == 1:  # the first has taken only its own query, and the second those of the others
                raise MemoryError
            return numkong.dots_packed(queries, packed)

    monkeypatch.setattr(vectors, "numkong", Failing)
    with ThreadPoolExecutor(4) as threads:
        searches = [threads.submit(rounded.bounds, rows[0])]
        assert computing.wait(60)
        searches += [threads.submit(rounded.bounds, row) for row in rows[1:4]]
        while len(rounded._waiting) < 3:
            sleep(0.001)
        everyone_waits.set()
    errors = [search.exception() for search in searches]
    assert sum(isinstance(error, MemoryError) for error in errors) == 1
    assert sum(error is None for error in errors) == 3


@pytest.mark.skipif(vectors.numkong is None, reason="numkong is not installed")
@pytest.mark.parametrize("scales", [(1, 1), (1e-25, 1e15), (1e-7, 1e7)])
def test_products_are_within_their_bounds(scales: tuple[float, float]) -> None:
    """Also where one vector is not rounded at all, and the rest of the other has the same signs: the farthest from it."""
    dice = np.random.default_rng(3)
    for _ in range(50):
        uneven = dice.standard_normal((1, 64)).astype(np.float32)
        numbers, step, _ = vectors.round_rows(uneven)
        even = np.where(uneven > step * numbers, np.float32(0.1), np.float32(-0.1))
        for one, other in ((uneven, even), (even, uneven), (even, even), (uneven, uneven)):
            row, query = one * np.float32(scales[0]), other[0] * np.float32(scales[1])
            least, greatest = vectors.Rounded(row).bounds(query)
            assert least[0] <= row[0].astype(np.float64) @ query <= greatest[0]
            assert least[0] <= (row[:, np.newaxis] @ query)[0, 0] <= greatest[0]
