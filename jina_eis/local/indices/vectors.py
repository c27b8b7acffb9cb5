"""Exact vector search: compares every vector of a field with the query. Knows only numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..inference import Array
from .parameters import CHUNK, EPSILON, LARGE, LEAST_STEP, REPEATED, SHORT, TINY

numkong: Any = import_module("numkong") if find_spec("numkong") else None  # optional: without it, searches read all vectors
Integers = NDArray[np.int64]
Integers8 = NDArray[np.int8]
Booleans = NDArray[np.bool_]
UNIT = 1e-3  # by how much the square of a length may differ from 1 for Elasticsearch to take it for 1


class Rounded:
    """Rows as `step * numbers + rest`, with whole numbers from -127 to 127: bounds of products from a quarter of the memory."""

    def __init__(self, rows: Array) -> None:
        parts = [round_rows(rows[first : first + CHUNK]) for first in range(0, len(rows), CHUNK)]
        numbers, self._steps, self._rests = (np.concatenate(part) for part in zip(*parts, strict=True))
        self._numbers = numkong.dots_pack(numbers)
        self._lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        error = np.float32(2 * (rows.shape[1] + 8) * EPSILON)  # products of float32 err, too
        self._rests += self._lengths * error + np.float32(TINY)
        self._waiting: list[tuple[Integers8, list[Any]]] = []  # queries, each with a list for its products
        self._computing = Lock()

    def bounds(self, query: Array) -> tuple[Array, Array]:
        """Return what the product of each row with a query is at least, and at most, by the inequality of Cauchy and Schwarz."""
        numbers, step, rest = round_rows(query[np.newaxis])
        products = self._products(numbers).astype(np.float32) * (self._steps * step)
        error = self._rests * (np.linalg.norm(query) + rest) + self._lengths * rest
        return products - error, products + error

    def _products(self, query: Integers8) -> Any:
        """Return the products of the numbers. Reading takes most of the time, so one thread computes all waiting queries."""
        own: tuple[Integers8, list[Any]] = (query, [])
        self._waiting.append(own)
        with self._computing:
            if not own[1]:  # also if it waits no more, because the thread that took it failed
                waiting = [self._waiting.pop() for _ in range(len(self._waiting))]
                taken = [own, *(other for other in waiting if other is not own)]
                rows = numkong.dots_packed(np.concatenate([numbers for numbers, _ in taken]), self._numbers)
                for (_, products), row in zip(taken, np.asarray(rows), strict=True):
                    products.append(row)
        return own[1][0]


def round_rows(rows: Array) -> tuple[Integers8, Array, Array]:
    """Return the numbers and the step of each row, and the length of its rest."""
    steps = np.abs(rows).max(axis=1) / np.float32(127)
    steps = np.where(steps < LEAST_STEP, np.float32(1), steps)
    numbers = np.rint(rows / steps[:, np.newaxis])
    rests = rows - numbers * steps[:, np.newaxis]
    return numbers.astype(np.int8), steps, np.sqrt(np.einsum("ij,ij->i", rests, rests))


@dataclass(eq=False, slots=True)
class Matrix:
    """The vectors of a field, grouped by document and ordered by document number."""

    rows: Array
    norms: Array  # what Elasticsearch divides the rows by, for cosines
    docs: Integers  # document numbers
    starts: Integers  # first row of each document
    _searches: int = 0
    _rounded: Rounded | None = None
    _rounding: Lock = field(default_factory=Lock)

    def rounded(self) -> Rounded | None:
        """Return the rounded rows, if they are worth it."""
        with self._rounding:
            self._searches += 1
            if self._rounded is None and numkong is not None and self.rows.size >= LARGE and self._searches > REPEATED:
                self._rounded = Rounded(self.rows)
            return self._rounded

    def of(self, chosen: Booleans) -> Matrix:
        """Return the matrix of the chosen documents."""
        counts = np.diff(self.starts, append=len(self.rows))
        rows, counts = np.repeat(chosen, counts), counts[chosen]
        return Matrix(self.rows[rows], self.norms[rows], self.docs[chosen], np.cumsum(counts) - counts)


def stack(vectors: Mapping[int, Array]) -> Matrix:
    """Return the matrix of these vectors; every document must have at least one."""
    docs = np.array(sorted(vectors), dtype=np.int64)
    groups = [vectors[doc] for doc in docs.tolist()]
    rows = np.concatenate(groups) if groups else np.zeros((0, 0), dtype=np.float32)
    counts = np.array([len(group) for group in groups], dtype=np.int64)
    return Matrix(rows, lengths(rows), docs, np.cumsum(counts) - counts)


def lengths(rows: Array) -> Array:
    """Return the length of each row; 1 if it is near 1, and for a row of zeros, which has no direction."""
    squares = np.einsum("...i,...i->...", rows, rows)
    unchanged = (squares == 0) | (np.abs(squares - 1) <= UNIT)
    return np.sqrt(np.where(unchanged, np.float32(1), squares), dtype=np.float32)


def nearest(matrix: Matrix, query: Array, similarity: str, k: int, among: Collection[int] | None) -> list[tuple[int, float]]:
    """Return the `k` best documents, among these or all, with their scores, best first.

    A document has the score of its best vector. The similarity is cosine, dot_product, l2_norm or max_inner_product.
    """
    if not len(matrix.docs) or k < 1:
        return []
    keep = None if among is None else np.isin(matrix.docs, np.fromiter(among, dtype=np.int64, count=len(among)))
    if similarity != "l2_norm" and (rounded := matrix.rounded()) is not None:
        near = shortlist(matrix, rounded, query, similarity, k, keep)
        if np.count_nonzero(near) * SHORT <= len(near):
            matrix, keep = matrix.of(near), None
    docs, scores = matrix.docs, score(matrix, query, similarity)
    if keep is not None:
        docs, scores = docs[keep], scores[keep]
    if k < len(docs):  # a full sort takes longer than all products
        candidates = scores >= np.partition(scores, -k)[-k]
        docs, scores = docs[candidates], scores[candidates]
    best = np.argsort(-scores, kind="stable")[:k]  # stable: of equal scores, the older document comes first
    return list(zip(docs[best].tolist(), scores[best].tolist(), strict=True))


def shortlist(matrix: Matrix, rounded: Rounded, query: Array, similarity: str, k: int, keep: Booleans | None) -> Booleans:
    """Return whether each document may be among the `k` best."""
    with np.errstate(over="ignore", invalid="ignore"):  # the bounds of extreme vectors are no numbers
        low, high = (score_values(matrix, bound, query, similarity) for bound in rounded.bounds(query))
    low = np.where(np.isnan(low) if keep is None else np.isnan(low) | ~keep, np.float32(-1), low)
    near: Booleans = ~(high < np.partition(low, -min(k, len(low)))[-min(k, len(low))])  # also what is no number
    return near if keep is None else near & keep


def score(matrix: Matrix, query: Array, similarity: str) -> Array:
    """Return Elasticsearch's score of each document, which is that of its best vector."""
    if similarity == "l2_norm":
        differences = matrix.rows - query
        return score_values(matrix, np.einsum("ij,ij->i", differences, differences), query, similarity)
    # One row after the other, so that equal rows have equal products. A product of the whole matrix is not faster.
    return score_values(matrix, (matrix.rows[:, np.newaxis] @ query)[:, 0], query, similarity)


def score_values(matrix: Matrix, values: Array, query: Array, similarity: str) -> Array:
    """Return the scores of documents by the products, or squares of distances, of their rows; they grow with the products."""
    scores = as_score(values / (matrix.norms * lengths(query)) if similarity == "cosine" else values, similarity)
    return np.maximum.reduceat(scores, matrix.starts) if len(matrix.docs) < len(scores) else scores


def as_score(values: Array, similarity: str) -> Array:
    """Return Elasticsearch's scores of cosines, products or squares of distances."""
    scores: Array = np.maximum((1 + values) / 2, 0)
    if similarity == "l2_norm":
        scores = np.float32(1) / (1 + values)
    elif similarity == "max_inner_product":
        scores = np.where(values < 0, np.float32(1) / (1 - np.minimum(values, 0)), values + 1)
    return scores


def norm_problem(vector: Array, similarity: str, indexed: bool) -> str:
    """Return why a field does not take a vector of this length; "" if it does."""
    problem, norm = "", float(np.linalg.norm(vector))
    if similarity == "cosine" and indexed and norm == 0.0:
        problem = "The [cosine] similarity does not support vectors with zero magnitude"
    if similarity == "dot_product" and abs(norm * norm - 1.0) > UNIT:
        problem = "The [dot_product] similarity can only be used with unit-length vectors"
    return problem and f"{problem}. Preview of invalid vector: {vector[:5].tolist()}"


def scale_back(vector: Array) -> Array:
    """Return a vector with the digits that it has after Elasticsearch scaled it to length 1 for storage."""
    square = np.float32(np.dot(vector.astype(np.float64), vector))
    if abs(square - 1.0) <= UNIT:
        return vector
    length = np.sqrt(square)
    scaled: Array = vector / length * length
    return scaled
