"""Exact vector search: compares every vector of a field with the query. Knows only numbers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..inference import Array

__all__ = ["Matrix", "nearest", "scale_back", "score", "score_at_similarity", "stack"]

Integers = NDArray[np.int64]
BLOCK = 64  # rows
UNIT = 1e-4  # by how much the square of a length of 1 may differ


@dataclass(frozen=True, slots=True)
class Matrix:
    """The vectors of a field, grouped by document and ordered by document number."""

    rows: Array
    norms: Array
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
                queries = np.stack([waiting for waiting, _ in together], axis=1)
                # Blocks stay in the cache. They are one call of numpy, which lets other threads run meanwhile.
                whole = len(self.rows) // BLOCK * BLOCK
                blocks = self.rows[:whole].reshape(whole // BLOCK, BLOCK, len(query)) @ queries
                columns = np.concatenate([blocks.reshape(whole, len(together)), self.rows[whole:] @ queries]).T
                for column, (_, answer) in zip(columns, together, strict=True):
                    answer.append(column)
        return products[0]


def stack(vectors: Mapping[int, Array]) -> Matrix:
    """Return the matrix of these vectors; every document must have at least one."""
    docs = np.array(sorted(vectors), dtype=np.int64)
    rows = np.concatenate([vectors[doc] for doc in docs.tolist()]) if len(docs) else np.zeros((0, 0), dtype=np.float32)
    counts = np.array([len(vectors[doc]) for doc in docs.tolist()], dtype=np.int64)
    starts = np.cumsum(counts) - counts
    return Matrix(rows, np.linalg.norm(rows, axis=1).astype(np.float32) if len(docs) else rows[:, 0:0], docs, starts)


def nearest(matrix: Matrix, query: Array, similarity: str, k: int, among: Collection[int] | None) -> list[tuple[int, float]]:
    """Return the best documents with their scores, best first; a document has the score of its best vector.

    Args:
        matrix: The vectors.
        query: The query vector.
        similarity: cosine, dot_product, l2_norm or max_inner_product.
        k: Maximum number of documents.
        among: Documents to consider; None for all.
    """
    if not len(matrix.docs) or k < 1:
        return []
    scores, docs = score(matrix.rows, matrix.norms, query, similarity, matrix.products), matrix.docs
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


def score(rows: Array, norms: Array, query: Array, similarity: str, products: Callable[[Array], Array] | None = None) -> Array:
    """Return Elasticsearch's score of each vector; `products` computes their dot products with the query."""
    if similarity == "l2_norm":
        differences = rows - query
        values = 1.0 / (1.0 + np.einsum("ij,ij->i", differences, differences))
    else:
        dots = rows @ query if products is None else products(query)
        if similarity == "cosine":
            lengths = norms * np.linalg.norm(query)
            cosines = np.divide(dots, lengths, out=np.zeros_like(dots), where=lengths > 0)
            values = (1.0 + np.clip(cosines, -1.0, 1.0)) / 2.0
        elif similarity == "dot_product":
            values = np.maximum((1.0 + dots) / 2.0, 0.0)
        else:
            values = np.where(dots < 0, 1.0 / (1.0 - dots), dots + 1.0)
    scores: Array = values.astype(np.float32)
    return scores


def scale_back(vector: Array) -> Array:
    """Return a vector with the digits that it has after Elasticsearch scaled it to length 1 for storage."""
    square = np.float32(np.dot(vector.astype(np.float64), vector))
    if abs(square - 1.0) <= UNIT:
        return vector
    length = np.sqrt(square)
    scaled: Array = vector / length * length
    return scaled


def score_at_similarity(threshold: float, similarity: str) -> float:
    """Return the score of a vector at a similarity threshold: a cosine, a product or a distance."""
    if similarity == "l2_norm":
        return 1.0 / (1.0 + threshold * threshold)
    if similarity == "max_inner_product":
        return 1.0 / (1.0 - threshold) if threshold < 0 else threshold + 1.0
    return (1.0 + threshold) / 2.0
