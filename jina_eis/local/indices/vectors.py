"""Exact vector search: compares every vector of a field with the query. Knows only numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..inference import Array

__all__ = ["Matrix", "nearest", "score", "score_at_similarity", "stack"]

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The vectors of a field, grouped by document and ordered by document number."""

    rows: Array
    norms: Array
    docs: Integers  # document numbers
    starts: Integers  # first row of each document


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
    if not len(matrix.docs):
        return []
    scores = np.maximum.reduceat(score(matrix.rows, matrix.norms, query, similarity), matrix.starts)
    docs = matrix.docs
    if among is not None:
        keep = np.isin(docs, np.fromiter(among, dtype=np.int64, count=len(among)))
        docs, scores = docs[keep], scores[keep]
    best = np.argsort(-scores, kind="stable")[:k]  # stable: of equal scores, the older document comes first
    return [(int(doc), float(value)) for doc, value in zip(docs[best], scores[best], strict=True)]


def score(rows: Array, norms: Array, query: Array, similarity: str) -> Array:
    """Return Elasticsearch's score of each vector."""
    if similarity == "l2_norm":
        differences = rows - query
        values = 1.0 / (1.0 + np.einsum("ij,ij->i", differences, differences))
    else:
        products = rows @ query
        if similarity == "cosine":
            lengths = norms * np.linalg.norm(query)
            cosines = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
            values = (1.0 + np.clip(cosines, -1.0, 1.0)) / 2.0
        elif similarity == "dot_product":
            values = np.maximum((1.0 + products) / 2.0, 0.0)
        else:
            values = np.where(products < 0, 1.0 / (1.0 - products), products + 1.0)
    scores: Array = values.astype(np.float32)
    return scores


def score_at_similarity(threshold: float, similarity: str) -> float:
    """Return the score of a vector at a similarity threshold: a cosine, a product or a distance."""
    if similarity == "l2_norm":
        return 1.0 / (1.0 + threshold * threshold)
    if similarity == "max_inner_product":
        return 1.0 / (1.0 - threshold) if threshold < 0 else threshold + 1.0
    return (1.0 + threshold) / 2.0
