"""Vectors and how they compare, exactly: every one of a field with the query. Knows numbers alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..inference import Array

__all__ = ["Matrix", "least_score", "nearest", "stack"]

Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The vectors of a field, those of a document side by side, documents in the order of their numbers."""

    rows: Array
    norms: Array
    docs: Whole  # the documents
    starts: Whole  # where the vectors of each begin


def stack(vectors: Mapping[int, Array]) -> Matrix:
    """The matrix of these vectors, which every document has at least one of."""
    docs = np.array(sorted(vectors), dtype=np.int64)
    rows = np.concatenate([vectors[doc] for doc in docs.tolist()]) if len(docs) else np.zeros((0, 0), dtype=np.float32)
    counts = np.array([len(vectors[doc]) for doc in docs.tolist()], dtype=np.int64)
    starts = np.cumsum(counts) - counts
    return Matrix(rows, np.linalg.norm(rows, axis=1).astype(np.float32) if len(docs) else rows[:, 0:0], docs, starts)


def nearest(matrix: Matrix, query: Array, similarity: str, k: int, among: Collection[int] | None) -> list[tuple[int, float]]:
    """The best documents with their scores, best first; a document scores as its best vector does.

    Args:
        matrix: The vectors.
        query: The vector they are compared with.
        similarity: How: cosine, dot_product, l2_norm or max_inner_product.
        k: The most documents.
        among: The only documents that count, if not all.
    """
    if not len(matrix.docs):
        return []
    scores = np.maximum.reduceat(score(matrix.rows, matrix.norms, query, similarity), matrix.starts)
    docs = matrix.docs
    if among is not None:
        keep = np.isin(docs, np.fromiter(among, dtype=np.int64, count=len(among)))
        docs, scores = docs[keep], scores[keep]
    best = np.argsort(-scores, kind="stable")[:k]  # stable: of equals, the older document comes first
    return [(int(doc), float(found)) for doc, found in zip(docs[best], scores[best], strict=True)]


def score(rows: Array, norms: Array, query: Array, similarity: str) -> Array:
    """Elasticsearch's score of each vector."""
    if similarity == "l2_norm":
        apart = rows - query
        found = 1.0 / (1.0 + np.einsum("ij,ij->i", apart, apart))
    else:
        products = rows @ query
        if similarity == "cosine":
            lengths = norms * np.linalg.norm(query)
            cosines = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
            found = (1.0 + np.clip(cosines, -1.0, 1.0)) / 2.0
        elif similarity == "dot_product":
            found = np.maximum((1.0 + products) / 2.0, 0.0)
        else:
            found = np.where(products < 0, 1.0 / (1.0 - products), products + 1.0)
    scores: Array = found.astype(np.float32)
    return scores


def least_score(threshold: float, similarity: str) -> float:
    """The score of a vector at just this similarity: a cosine, a product, or a distance."""
    if similarity == "l2_norm":
        return 1.0 / (1.0 + threshold * threshold)
    if similarity == "max_inner_product":
        return 1.0 / (1.0 - threshold) if threshold < 0 else threshold + 1.0
    return (1.0 + threshold) / 2.0
