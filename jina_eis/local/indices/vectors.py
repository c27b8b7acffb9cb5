"""Exact vector search: compares every vector of a field with the query. Knows only numbers."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..inference import Array

Integers = NDArray[np.int64]
BLOCK = 32  # rows
UNIT = 1e-3  # by how much the square of a length may differ from 1 for Elasticsearch to take it for 1


@dataclass(frozen=True, slots=True)
class Matrix:
    """The vectors of a field, grouped by document and ordered by document number."""

    rows: Array
    norms: Array  # what Elasticsearch divides the rows by, for cosines
    docs: Integers  # document numbers
    starts: Integers  # first row of each document
    _waiting: list[tuple[Array, list[Array]]] = field(default_factory=list)  # queries, each with a list for its products
    _computing: threading.Lock = field(default_factory=threading.Lock)

    def products(self, query: Array) -> Array:
        """Return the dot product of each row with a query.

        Reading the rows takes most of the time. Queries that arrive meanwhile are therefore computed together by one thread.
        """
        products: list[Array] = []
        self._waiting.append((query, products))
        with self._computing:
            if not products:
                together = [self._waiting.pop() for _ in range(len(self._waiting))]
                queries = np.stack([waiting for waiting, _ in together])
                # Blocks stay in the cache. They are one call of numpy, which lets other threads run meanwhile.
                whole = len(self.rows) // BLOCK * BLOCK
                blocks = queries @ self.rows[:whole].reshape(whole // BLOCK, BLOCK, len(query)).transpose(0, 2, 1)
                first = blocks.transpose(1, 0, 2).reshape(len(together), whole)
                computed = np.concatenate([first, queries @ self.rows[whole:].T], axis=1)
                for row, (_, answer) in zip(computed, together, strict=True):
                    answer.append(row)
        return products[0]


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
    scores, docs = score(matrix, query, similarity), matrix.docs
    if len(docs) < len(scores):
        scores = np.maximum.reduceat(scores, matrix.starts)
    if among is not None:
        keep = np.isin(docs, np.fromiter(among, dtype=np.int64, count=len(among)))
        docs, scores = docs[keep], scores[keep]
    if k < len(docs):  # a full sort takes longer than all products
        candidates = scores >= np.partition(scores, -k)[-k]
        docs, scores = docs[candidates], scores[candidates]
    best = np.argsort(-scores, kind="stable")[:k]  # stable: of equal scores, the older document comes first
    return list(zip(docs[best].tolist(), scores[best].tolist(), strict=True))


def score(matrix: Matrix, query: Array, similarity: str) -> Array:
    """Return Elasticsearch's score of each row."""
    if similarity == "l2_norm":
        differences = matrix.rows - query
        return as_score(np.einsum("ij,ij->i", differences, differences), similarity)
    products = matrix.products(query)
    if similarity == "cosine":
        products = products / (matrix.norms * lengths(query))
    return as_score(products, similarity)


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
