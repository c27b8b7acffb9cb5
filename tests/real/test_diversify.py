"""The retriever `diversify` of the embedded EIS chooses the hits that the real node chooses, from generated vectors."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
import pytest
from real.node import RealNode

from jina_eis.local import LocalEIS

DOCUMENTS, DIMENSIONS = 200, 64


def fill(http: httpx.Client, similarity: str, vectors: np.ndarray) -> None:
    """Index vectors in clusters; every eleventh document has none."""
    field = {"type": "dense_vector", "dims": DIMENSIONS, "similarity": similarity, "index_options": {"type": "hnsw"}}
    properties = {"v": field, "n": {"type": "integer"}}
    http.put("/diverse", json={"mappings": {"properties": properties}}).raise_for_status()
    lines: list[Any] = []
    for number, vector in enumerate(vectors):
        lines += [{"index": {"_id": str(number)}}, {"n": number} | ({"v": vector.tolist()} if number % 11 else {})]
    content = "".join(f"{json.dumps(line)}\n" for line in lines)
    headers = {"content-type": "application/x-ndjson"}
    assert not http.post("/diverse/_bulk?refresh=true", content=content, headers=headers).json()["errors"]


def searches(vectors: np.ndarray, similarity: str) -> list[dict[str, Any]]:
    random, bodies = np.random.default_rng(7), []
    for number, weight in enumerate([0, 0.01, 0.1, 0.25, 0.3, 0.42, 0.5, 0.6, 0.7, 0.9, 0.99, 1]):
        query = vectors[random.integers(DOCUMENTS)] + 0.2 * random.normal(size=DIMENSIONS)
        query = query / np.linalg.norm(query) if similarity == "dot_product" else query
        window, size = (10, 20, 50, 100)[number % 4], (3, 5, 10)[number % 3]
        inner: dict[str, Any] = {"standard": {"query": {"range": {"n": {"gte": number}}}}}
        if number % 2:
            inner = {"knn": {"field": "v", "query_vector": query.tolist(), "k": window, "num_candidates": 200}}
        options = {"type": "mmr", "field": "v", "lambda": weight, "rank_window_size": window, "size": size, "retriever": inner}
        options |= {"query_vector": query.tolist()} if number % 5 else {}
        bodies.append({"size": 20, "_source": False, "retriever": {"diversify": options}})
    return bodies


def answers(url: str, similarity: str, vectors: np.ndarray) -> list[tuple[list[str], int]]:
    with httpx.Client(base_url=url, timeout=60) as http:
        fill(http, similarity, vectors)
        found = [http.post("/diverse/_search", json=body).raise_for_status() for body in searches(vectors, similarity)]
        http.delete("/diverse").raise_for_status()
    hits = [response.json()["hits"] for response in found]
    return [([hit["_id"] for hit in part["hits"]], part["total"]["value"]) for part in hits]


@pytest.mark.parametrize("similarity", ["cosine", "dot_product", "l2_norm", "max_inner_product"])
def test_the_same_hits_are_chosen(node: RealNode, eis: LocalEIS, similarity: str) -> None:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(5, DIMENSIONS))[random.integers(0, 5, DOCUMENTS)]
    vectors = vectors + 0.3 * random.normal(size=vectors.shape)
    if similarity == "dot_product":
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors.astype(np.float32)
    expected, found = (answers(server.url, similarity, vectors) for server in (node, eis))
    assert expected == found and all(ids for ids, _ in expected)
