"""The embedded EIS as each version of Elasticsearch: what it lists, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from jina_eis.local import LocalEIS
from jina_eis.local.versions import VERSIONS
from jina_eis.models import MODELS

TEXT = {"type": "text", "value": "alps"}
AUDIO = {"type": "audio", "value": "data:audio/wav;base64,AAAA"}
URL = {"type": "image", "format": "url", "value": "https://example.com/alps.png"}
CLIP, OMNI, RERANKER = ".jina-clip-v2", ".jina-embeddings-v5-omni-small", ".jina-reranker-v3"
SEARCHED_BY_CLIP = {"type": "semantic_text", "search_inference_id": CLIP}
BUILDER = {"field": "absent", "query_vector_builder": {"embedding": {"inference_id": CLIP, "input": "alps"}}}
FUSED_BUILDER = {"field": "absent", "query_vector_builder": {"embedding": {"inference_id": CLIP, "input": [TEXT, TEXT]}}}

NOTHING = {"standard": {"query": {"match_none": {}}}}
WEIGHTED = {"rrf": {"retrievers": [{"retriever": NOTHING, "weight": 2}, NOTHING]}}
DIVERSE = {"diversify": {"type": "mmr", "field": "vector", "lambda": 0.5, "retriever": NOTHING}}
CHUNKED = {
    "text_similarity_reranker": {"retriever": NOTHING, "field": "text", "inference_text": "q", "chunk_rescorer": {"size": 1}}
}


def mapped(field: dict[str, Any]) -> dict[str, Any]:
    return {"mappings": {"properties": {"x": field}}}


class Cluster:
    """A client of an embedded EIS of some version."""

    def __init__(self, version: str) -> None:
        self.server = LocalEIS(model="hash", version=version).start()
        self.http = httpx.Client(base_url=self.server.url, timeout=30)

    def send(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return self.http.request(method, path, json=body)

    def close(self) -> None:
        self.http.close()
        self.server.stop()


@pytest.fixture(scope="module")
def clusters() -> Iterator[dict[str, Cluster]]:
    """A cluster of each version, with an index of two documents."""
    clusters = {version: Cluster(version) for version in VERSIONS}
    for cluster in clusters.values():
        properties = {"text": {"type": "text"}, "vector": {"type": "dense_vector", "dims": 2}}
        assert cluster.send("PUT", "/docs", {"mappings": {"properties": properties}}).status_code == 200
        for number, vector in enumerate([[1.0, 0.5], [0.5, 1.0]]):
            document = {"text": "the high alps", "vector": vector}
            assert cluster.send("PUT", f"/docs/_doc/{number}?refresh=true", document).status_code == 201
    yield clusters
    for cluster in clusters.values():
        cluster.close()


def test_the_newest_is_the_default() -> None:
    with LocalEIS(model="hash") as eis:
        assert httpx.get(eis.url).json()["version"]["number"] == "9.6.0"


@pytest.mark.parametrize("version", ["9.7", "9", "8.18", "9.5.3", "", None, 9.5])
def test_other_versions_are_refused(version: Any) -> None:
    with pytest.raises(ValueError, match=r"choose one of 8\.19, 9\.0, 9\.1"):
        LocalEIS(model="hash", version=version)


@pytest.mark.parametrize("version", VERSIONS)
def test_number_and_models(clusters: dict[str, Cluster], version: str) -> None:
    cluster = clusters[version]
    assert cluster.send("GET", "/").json()["version"]["number"] == f"{version}.0"
    listed = {entry["inference_id"] for entry in cluster.send("GET", "/_inference/_all").json()["endpoints"]}
    number = VERSIONS.index(version)
    since = {"9.3": VERSIONS.index("9.3")} | {name: position for position, name in enumerate(VERSIONS)}
    assert {name for name in listed if name.startswith(".jina-") and "chat" not in name} == {
        model.endpoint for model in MODELS if since[model.since] <= number
    }


# The first version that accepts a request, the request, and the reason of the version before.
FEATURES: list[tuple[str, str, str, Any, str]] = [
    ("9.3", "POST", f"/_inference/embedding/{CLIP}", {"input": "a"}, "Unknown task_type [embedding]"),
    ("9.5", "POST", f"/_inference/embedding/{OMNI}", {"input": {"content": AUDIO}}, "[audio], must be one of [text, image]"),
    ("9.5", "POST", f"/_inference/embedding/{OMNI}", {"input": ["a", {"content": [TEXT, TEXT]}]}, "input 1 has several"),
    ("9.6", "POST", f"/_inference/embedding/{OMNI}", {"input": {"content": URL}}, "does not support data format [url]"),
    ("9.5", "POST", f"/_inference/rerank/{RERANKER}", {"query": "q", "input": TEXT}, "START_OBJECT"),
    ("9.5", "POST", f"/_inference/rerank/{RERANKER}", {"query": TEXT, "input": "d"}, "START_OBJECT"),
    ("9.5", "POST", f"/_inference/rerank/{RERANKER}", {"query": "q", "input": [TEXT]}, "START_OBJECT"),
    ("9.2", "POST", "/docs/_search", {"_source": {"exclude_vectors": False}}, "Unknown key for a VALUE_BOOLEAN"),
    ("9.5", "PUT", "/new", mapped({"type": "semantic", "inference_id": OMNI}), "type [semantic] declared on field [x] does not"),
    ("9.4", "PUT", "/new", mapped({"type": "semantic_text", "inference_id": CLIP}), "expected text_embedding, got embedding"),
    ("9.4", "PUT", "/new", mapped(SEARCHED_BY_CLIP), "expected text_embedding, got embedding"),
    ("9.4", "PUT", "/docs/_mapping", mapped(SEARCHED_BY_CLIP)["mappings"], "expected text_embedding, got embedding"),
    (
        "9.5",
        "PUT",
        "/new",
        {"settings": {"index.mode": "vectordb_document"}},
        "[index.mode=vectordb_document] needs version 9.5",
    ),
    ("9.2", "POST", "/docs/_search", {"retriever": CHUNKED}, "[text_similarity_reranker] unknown field [chunk_rescorer]"),
    ("9.2", "POST", "/docs/_search", {"retriever": WEIGHTED}, "[rrf] unknown field [weight]"),
    ("9.3", "POST", "/docs/_search", {"retriever": DIVERSE}, "unknown field [diversify]"),
    ("9.4", "POST", "/docs/_search", {"query": {"knn": BUILDER}}, "unknown field [embedding]"),
    ("9.5", "POST", "/docs/_search", {"query": {"knn": FUSED_BUILDER}}, "must contain a single item"),
]


def reason(response: httpx.Response) -> str:
    """Return the innermost reason of an error."""
    error = response.json()["error"]
    while "caused_by" in error:
        error = error["caused_by"]
    return str(error["reason"])


@pytest.mark.parametrize(("since", "method", "path", "body", "text"), FEATURES)
def test_features(clusters: dict[str, Cluster], since: str, method: str, path: str, body: Any, text: str) -> None:
    older = VERSIONS[VERSIONS.index(since) - 1]
    refused = clusters[older].send(method, path, body)
    assert refused.status_code == 400 and text in reason(refused), refused.text
    for version in {since, VERSIONS[-1]}:
        accepted = clusters[version].send(method, path, body)
        assert accepted.status_code == 200, accepted.text
        clusters[version].send("DELETE", "/new")


@pytest.mark.parametrize("version", VERSIONS)
def test_vectors_in_sources(clusters: dict[str, Cluster], version: str) -> None:
    """Indices of 9.2 and newer leave vectors out of `_source`, also if a document made the index."""
    cluster = clusters[version]
    (hit, _) = cluster.send("POST", "/docs/_search", {}).json()["hits"]["hits"]
    assert ("vector" in hit["_source"]) == (VERSIONS.index(version) < VERSIONS.index("9.2"))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cause", ["fault", "latency"])
def test_timeouts(clusters: dict[str, Cluster], version: str, cause: str) -> None:
    cluster = clusters[version]
    body = {"service": "elastic", "service_settings": {"model_id": "jina-embeddings-v5-text-nano"}}
    cluster.send("PUT", "/_inference/text_embedding/mine", body)
    if cause == "fault":
        cluster.server.faults.queue("timeout")
    else:
        cluster.server.faults.latency = 1.0
    response = cluster.send("POST", "/_inference/text_embedding/mine?timeout=10ms", {"input": "a"})
    cluster.server.faults.clear()
    new = VERSIONS.index(version) >= VERSIONS.index("9.4")
    assert response.status_code == (429 if new else 408)
    assert response.json()["error"]["type"] == ("timeout_exception" if new else "status_exception")
    assert reason(response).startswith("Request timed out after [10ms]")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"index": {"mode": "vectordb_document", "mapping.exclude_source_vectors": False}},
            "[index.mode=vectordb_document] needs version 9.5, and no [index.mapping.exclude_source_vectors] of [false]",
        ),
        ({"mode": "vectordb_document", "refresh_interval": "5s"}, None),
        ({"index.mode": "STANDARD"}, None),
        ({"index.mode": None}, None),
    ],
)
def test_index_modes(clusters: dict[str, Cluster], settings: dict[str, Any], text: str | None) -> None:
    """The answers are those of 9.5.3."""
    for version in ("9.5", "9.6"):
        cluster = clusters[version]
        response = cluster.send("PUT", "/new", {"settings": settings})
        assert response.status_code == (400 if text else 200), response.text
        assert text is None or reason(response) == text
        if settings.get("mode") == "vectordb_document":
            kept = cluster.send("GET", "/new").json()["new"]["settings"]["index"]
            assert (kept["mode"], kept["mapping"]) == ("vectordb_document", {"exclude_source_vectors": "true"})
            assert kept["refresh_interval"] == "5s"
        cluster.send("DELETE", "/new")
