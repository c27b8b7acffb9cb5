"""Searches, and what Elasticsearch 9.5.3 answered to them: bodies, sources, fields, vectors and retrievers.

The first line of `search_bodies.jsonl` is the index. Each of the others is a search with its answer: its hits and, unless it is
their number, the total; or the type of its error.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jina_eis.local import LocalEIS

LINES = Path(__file__).with_name("search_bodies.jsonl").read_text("utf-8").splitlines()
INDEX, *CASES = map(json.loads, LINES)


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """An embedded EIS with the index of the cases."""
    with LocalEIS(model="hash") as eis, httpx.Client(base_url=eis.url) as client:
        assert client.put("/docs", json={"mappings": INDEX["mappings"]}).status_code == 200
        for number, document in enumerate(INDEX["documents"], 1):
            assert client.put(f"/docs/_doc/{number}", params={"refresh": "true"}, json=document).status_code == 201
        yield client


@pytest.mark.parametrize(("body", "expected"), CASES, ids=[json.dumps(body)[:90] for body, _ in CASES])
def test_a_search_is_answered_as_by_elasticsearch(http: httpx.Client, body: Any, expected: Any) -> None:
    response = http.post("/docs/_search", json=body)
    answer = response.json()
    if isinstance(expected, str):
        status = 501 if expected == "not_implemented_exception" else 400
        assert (response.status_code, answer["error"]["root_cause"][0]["type"]) == (status, expected)
        return
    assert response.status_code == 200, answer["error"]["reason"]
    hits = [{name: value for name, value in hit.items() if name != "_index"} for hit in answer["hits"]["hits"]]
    found = {"hits": hits, "total": answer["hits"].get("total")}
    number = {"total": {"value": len(expected["hits"]), "relation": "eq"}}
    assert same(found, number | expected), found


def same(found: Any, expected: Any) -> bool:
    """Compare answers; numbers may differ in their last digits."""
    if isinstance(expected, float):
        return bool(found == pytest.approx(expected, rel=1e-4))
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[name], value) for name, value in expected.items())
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    return bool(found == expected) and type(found) is type(expected)


def test_parameters_of_the_url_replace_the_source_of_the_body(http: httpx.Client) -> None:
    def source(body: Any, **params: str) -> Any:
        body = {"query": {"ids": {"values": ["2"]}}, **body}
        return http.post("/docs/_search", params=params, json=body).json()["hits"]["hits"][0].get("_source")

    everything = source({})
    assert source({"_source": ["k"]}, _source_excludes="none") == everything
    assert source({"_source": False}, _source_exclude_vectors="true") == everything
    expected = {"v": [1.0, 0.0], "o": {"k": "y", "v": [0.9876543, 2.0]}}
    assert source({"_source": False}, _source_includes="v,o") == expected
    assert http.get("/docs/_doc/2", params={"_source": "v,o"}).json()["_source"] == expected
    assert http.get("/docs/_doc/2").json()["_source"] == everything
    (document,) = http.post("/docs/_mget", params={"_source_includes": "o"}, json={"ids": ["2"]}).json()["docs"]
    assert document["_source"] == {"o": expected["o"]}


def test_an_update_keeps_the_vectors(http: httpx.Client) -> None:
    http.put("/docs/_doc/u", json={"v": [0.5, 0.25], "o": {"v": [1, 2]}, "k": "u"})
    http.post("/docs/_update/u", params={"refresh": "true"}, json={"doc": {"n": 1}})
    source = http.get("/docs/_doc/u", params={"_source_exclude_vectors": "false"}).json()["_source"]
    http.delete("/docs/_doc/u", params={"refresh": "true"})
    assert source == {"v": [0.5, 0.25], "o": {"v": [1.0, 2.0]}, "k": "u", "n": 1}


def test_all_indices(http: httpx.Client) -> None:
    for name in ("_all", "*", "do*"):
        assert list(http.get(f"/{name}").json()) == ["docs"]
        response = http.delete(f"/{name}")
        assert response.status_code == 400
        assert response.json()["error"]["reason"] == "Wildcard expressions or all indices are not allowed"
    assert http.get("/nope*").json() == {}
    with LocalEIS(model="hash") as empty:
        assert httpx.get(f"{empty.url}/_all").json() == {}
        assert httpx.post(f"{empty.url}/_all/_refresh").json()["_shards"]["total"] == 0


def test_the_reason_of_a_refused_head(http: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "jina_eis.local"):
        response = http.head("/docs/_source/1")
    assert (response.status_code, response.content) == (501, b"")
    assert response.headers["x-jina-eis-reason"].startswith("the local EIS does not implement [HEAD /docs/_source/1]")
    assert "HEAD /docs/_source/1" in caplog.text
