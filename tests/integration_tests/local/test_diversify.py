"""The retriever `diversify`. The answers are those of Elasticsearch 9.5.3, except over `semantic_text`, which its core lacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.local import LocalEIS
from jina_eis.local.search.diversity import choose

VECTORS = [[1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], None]
MATCH = {"standard": {"query": {"match": {"t": "alps"}}}}
LABEL = "[diversify] MMR result diversification"


def diversify(**changes: Any) -> dict[str, Any]:
    """Return a search with the retriever; the value `...` removes an option."""
    options = {"type": "mmr", "field": "v", "lambda": 0.5, "retriever": MATCH} | changes
    return {"retriever": {"diversify": {name: value for name, value in options.items() if value is not ...}}}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """A client of a cluster with two indices, one of which keeps vectors in `_source`."""
    with LocalEIS(model="hash") as eis, httpx.Client(base_url=eis.url) as client:
        properties = {"t": {"type": "text"}, "n": {"type": "integer"}, "v": {"type": "dense_vector", "dims": 3}}
        for index, settings in (("docs", {}), ("kept", {"index.mapping.exclude_source_vectors": False})):
            client.put(f"/{index}", json={"settings": settings, "mappings": {"properties": properties}}).raise_for_status()
            for number, vector in enumerate(VECTORS):
                document = {"t": "alps " * (5 - number), "n": number} | ({"v": vector} if vector else {})
                client.put(f"/{index}/_doc/{number}", json=document, params={"refresh": "true"}).raise_for_status()
        yield client


def search(http: httpx.Client, body: dict[str, Any], index: str = "docs") -> tuple[list[str], int]:
    hits = http.post(f"/{index}/_search", json=body).raise_for_status().json()["hits"]
    return [hit["_id"] for hit in hits["hits"]], hits["total"]["value"]


@pytest.mark.parametrize(
    ("body", "ids", "total"),
    [
        (diversify(), "0123", 5),  # the document without a vector is counted
        (diversify(query_vector=[1, 0, 0]), "0123", 5),
        (diversify(size=2, query_vector=[1, 0, 0]), "01", 5),
        (diversify(size=3), "023", 5),
        (diversify(rank_window_size=2), "01", 5),
        (diversify(size=3) | {"size": 2}, "02", 5),
        (diversify(size=3) | {"size": 20, "from": 1}, "23", 5),
        (diversify(size=3) | {"min_score": 0.2}, "", 0),
        (diversify(retriever={"knn": {"field": "v", "query_vector": [1, 0, 0], "k": 2}}, rank_window_size=3, size=1), "0", 2),
        (diversify(retriever=diversify(rank_window_size=2)["retriever"]), "01", 5),
        (diversify(retriever={"standard": {"query": {"match_none": {}}}}), "", 0),
        (diversify(field="absent"), "", 5),
        (diversify(field="n"), "", 5),
    ],
)
def test_hits(http: httpx.Client, body: dict[str, Any], ids: str, total: int) -> None:
    assert search(http, body) == (list(ids), total)


def test_scores_and_order_are_those_of_the_inner_retriever(http: httpx.Client) -> None:
    kept, every = (
        http.post("/docs/_search", json=body).json()["hits"]["hits"] for body in (diversify(size=3), {"retriever": MATCH})
    )
    assert kept == [hit for hit in every if hit["_id"] in "023"]


def test_an_index_that_keeps_vectors_in_its_sources(http: httpx.Client) -> None:
    assert search(http, diversify(), "kept") == ([], 5)


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (diversify(size=0), "action_request_validation_exception", LABEL),
        (diversify(size=11), "action_request_validation_exception", LABEL),
        (diversify(**{"lambda": ...}), "action_request_validation_exception", LABEL),
        (diversify(**{"lambda": 1.5}), "action_request_validation_exception", LABEL),
        (
            diversify(query_vector=[1, 0, 0], query_vector_builder={"lookup": {}}),
            "action_request_validation_exception",
            LABEL,
        ),
        (diversify(type="x"), "x_content_parse_exception", "unknown result diversification type [x]"),
        (diversify(size=None), "x_content_parse_exception", "size doesn't support values of type: VALUE_NULL"),
        (diversify(other=1), "x_content_parse_exception", "[diversify] unknown field [other]"),
        ({"retriever": {"diversify": {}}}, "illegal_argument_exception", "Required [retriever, type, field]"),
        (diversify(query_vector=[1, 0]), "status_exception", "retrievers '[diversify]' returned errors"),
        (
            diversify(retriever={"knn": {"field": "v", "query_vector": [1], "k": 5}}),
            "status_exception",
            "'[knn]' returned errors",
        ),
    ],
)
def test_refusals(http: httpx.Client, body: dict[str, Any], kind: str, text: str) -> None:
    response = http.post("/docs/_search", json=body)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["type"] == kind
    while "caused_by" in error:
        error = error["caused_by"]
    assert text in error["reason"]


def test_a_vector_of_another_length(http: httpx.Client) -> None:
    (suppressed,) = http.post("/docs/_search", json=diversify(query_vector=[1, 0])).json()["error"]["suppressed"]
    assert suppressed == {"type": "illegal_argument_exception", "reason": "vector dimensions differ: 3!=2"}


@pytest.mark.parametrize(("version", "found"), [("9.4", False), ("9.5", False), ("9.6", True)])
def test_semantic_text(version: str, found: bool) -> None:
    """Before 9.6 nothing is found; then, the passage closest to the query stands for its document."""
    with LocalEIS(model="hash", version=version) as eis, httpx.Client(base_url=eis.url) as http:
        chunking = {"strategy": "sentence", "max_chunk_size": 20, "sentence_overlap": 0}
        properties = {"t": {"type": "semantic_text", "chunking_settings": chunking}}
        http.put("/texts", json={"mappings": {"properties": properties}}).raise_for_status()
        texts = ["the high alps", "the high alps", "deep sea, and more of it. " * 10]
        for number, text in enumerate(texts):
            http.put(f"/texts/_doc/{number}", json={"t": text}, params={"refresh": "true"}).raise_for_status()
        builder = {"text_embedding": {"model_id": ".jina-embeddings-v5-text-small", "model_text": "high alps"}}
        body = diversify(field="t", size=2, retriever={"standard": {"query": {"match": {"t": "high alps"}}}})
        body["retriever"]["diversify"]["query_vector_builder"] = builder
        assert search(http, body, "texts") == (["0", "2"] if found else [], 3)
        del body["retriever"]["diversify"]["query_vector_builder"]
        response = http.post("/texts/_search", json=body)
        assert response.status_code == (400 if found else 200)
        assert ("must be supplied when diversifying on inference field [t]" in response.text) == found


@pytest.mark.parametrize(
    ("inner", "status"),
    [({"rank_window_size": 10}, 200), ({"rank_window_size": 5}, 400)],
)
def test_inside_a_fusion(http: httpx.Client, inner: dict[str, Any], status: int) -> None:
    retrievers = [diversify(size=3, **inner)["retriever"], MATCH]
    response = http.post("/docs/_search", json={"retriever": {"rrf": {"retrievers": retrievers, "rank_window_size": 10}}})
    assert response.status_code == status
    assert status == 200 or "[rank_window_size: 5] be greater than or equal to" in response.text


@given(
    vectors=st.lists(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=3, max_size=3), max_size=8),
    weight=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
    size=st.integers(1, 9),
    query=st.one_of(st.none(), st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=3, max_size=3)),
)
def test_choice(vectors: list[list[float]], weight: float, size: int, query: list[float] | None) -> None:
    rows = [np.array(vector, dtype=np.float32) for vector in vectors]
    wanted = None if query is None else np.array(query, dtype=np.float32)
    chosen = choose(rows, wanted, weight, size)
    assert len(chosen) == min(size, len(rows)) and chosen == sorted(set(chosen))
    if weight == 1.0 and wanted is not None and chosen:  # the closest ones only
        products = sorted((float(row @ wanted) for row in rows), reverse=True)
        assert sorted((float(rows[position] @ wanted) for position in chosen), reverse=True) == products[: len(chosen)]
