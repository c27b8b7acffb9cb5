"""What the service behind the embedded EIS accepts: sizes of rerank requests, media of rerankers, models of other vendors."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from made import png

from jina_eis.local import LocalEIS
from jina_eis.models import MODELS, RerankModel

RERANKERS = [model.endpoint for model in MODELS if isinstance(model, RerankModel)]
TOO_LARGE = (
    "Request too large; estimated total tokens exceed the maximum limit of 200,000. Reduce document count or document sizes."
)
LONG = "the high alps " * 3_000  # some 10,000 tokens
OTHERS = {
    ".google-gemini-embedding-001": ("text_embedding", 3072),
    ".google-gemini-embedding-2": ("embedding", 3072),
    ".microsoft-multilingual-e5-large": ("text_embedding", 1024),
    ".openai-text-embedding-3-large": ("text_embedding", 3072),
    ".openai-text-embedding-3-small": ("text_embedding", 1536),
}


def image(shade: int) -> dict[str, str]:
    data = b64encode(png(28, 28, shade=shade)).decode()
    return {"type": "image", "format": "base64", "value": f"data:image/png;base64,{data}"}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with LocalEIS(model="hash") as eis, httpx.Client(base_url=eis.url, timeout=60) as client:
        properties = {"t": {"type": "text"}, "long": {"type": "text", "index": False}, "s": {"type": "semantic_text"}}
        client.put("/docs", json={"mappings": {"properties": properties}}).raise_for_status()
        filler = " ".join(f"A sentence number {number} about the sea." for number in range(60))
        for number in range(3):
            answer = "Glaciers flow under their own weight." if number == 1 else ""
            document = {"t": f"document {number}", "long": f"{filler} {answer} {filler}"}
            client.put(f"/docs/_doc/{number}", json=document, params={"refresh": "true"}).raise_for_status()
        yield client


def rerank(http: httpx.Client, endpoint: str, query: Any, documents: Any) -> httpx.Response:
    return http.post(f"/_inference/rerank/{endpoint}", json={"query": query, "input": documents})


@pytest.mark.parametrize("endpoint", RERANKERS)
@pytest.mark.parametrize(
    ("document", "accepted", "refused"),
    [(LONG, 12, 20), ("\u9ad8\u5c71" * 5_000, 12, 30)],
    ids=["English", "Chinese"],
)
def test_text_of_a_rerank_request(http: httpx.Client, endpoint: str, document: str, accepted: int, refused: int) -> None:
    assert rerank(http, endpoint, "q", [document] * accepted).status_code == 200
    response = rerank(http, endpoint, "q", [document] * refused)
    assert response.json() == error(endpoint, f"Error message: [{TOO_LARGE}]")
    assert rerank(http, endpoint, document * refused, ["d"]).status_code == 400


def error(endpoint: str, message: str) -> dict[str, Any]:
    reason = f"Received a bad request status code for request from inference entity id [{endpoint}] status [400]. {message}"
    cause = {"type": "status_exception", "reason": reason}
    return {"error": {"root_cause": [cause], **cause}, "status": 400}


def test_number_of_documents(http: httpx.Client) -> None:
    assert {rerank(http, endpoint, "q", ["d"] * 64).status_code for endpoint in RERANKERS} == {200}
    more = {endpoint: rerank(http, endpoint, "q", ["d"] * 200).status_code for endpoint in RERANKERS}
    assert more == {endpoint: 400 if endpoint == ".jina-reranker-v3" else 200 for endpoint in RERANKERS}


def test_images(http: httpx.Client) -> None:
    m0, first, second = ".jina-reranker-m0", image(1), image(2)
    ranked = rerank(http, m0, first, [second, first, {"type": "text", "value": "alps"}]).json()["rerank"]
    assert (ranked[0]["index"], ranked[0]["relevance_score"]) == (1, pytest.approx(1.0, abs=1e-5)), "the same picture"
    assert len(ranked) == 3 and all(0 <= entry["relevance_score"] <= 1 for entry in ranked)
    (alone,) = rerank(http, m0, "alps", ["the high alps"]).json()["rerank"]
    mixed = rerank(http, m0, "alps", [{"type": "text", "value": "the high alps"}, first]).json()["rerank"]
    assert alone in mixed, "a score is independent of the list"
    for endpoint in RERANKERS:
        response = rerank(http, endpoint, "alps", [first])
        assert response.status_code == (200 if endpoint == m0 else 400)
        assert endpoint == m0 or f"model [{endpoint[1:]}] takes text only" in response.text
    assert "at least 28x28 pixels" in rerank(http, m0, "alps", image_of_one_pixel()).text


def image_of_one_pixel() -> dict[str, str]:
    return image(0) | {"value": f"data:image/png;base64,{b64encode(png(1, 1)).decode()}"}


def test_media_by_address(http: httpx.Client) -> None:
    def embed(**item: str) -> httpx.Response:
        return http.post("/_inference/embedding/.jina-embeddings-v5-omni-small", json={"input": {"content": item}})

    address = "https://example.com/alps.png"
    first = embed(type="image", format="url", value=address).json()["embeddings"]
    assert first == embed(type="image", format="URL", value=address).json()["embeddings"]
    assert first != embed(type="image", format="url", value=address + "?2").json()["embeddings"]
    assert "does not begin with http" in embed(type="image", format="url", value="file:///etc/passwd").text
    assert "[text] does not support data format [url]" in embed(type="text", format="url", value=address).text
    assert rerank(http, ".jina-reranker-m0", "alps", {"type": "image", "format": "url", "value": address}).status_code == 200


def search(http: httpx.Client, **options: Any) -> httpx.Response:
    query = {"standard": {"query": {"match": {"t": "document"}}}}
    body = {"retriever": query, "field": "long", "inference_id": ".jina-reranker-v3.5", "inference_text": "weight of glaciers"}
    return http.post("/docs/_search", json={"retriever": {"text_similarity_reranker": body | options}})


WORDS = {"strategy": "sentence", "max_chunk_size": 30, "sentence_overlap": 0}


@pytest.mark.parametrize("size", [1, 2])
def test_passages_are_reranked(http: httpx.Client, size: int) -> None:
    """Only its passages show the reranker the answer in the middle of a long document."""
    whole = search(http).json()["hits"]["hits"]
    assert whole[0]["_score"] == whole[-1]["_score"]
    first, *others = search(http, chunk_rescorer={"size": size, "chunking_settings": WORDS}).json()["hits"]["hits"]
    assert first["_id"] == "1" and {hit["_id"] for hit in others} == {"0", "2"}
    assert first["_score"] > others[0]["_score"]


@pytest.mark.parametrize("rescorer", [{}, {"size": 2}, {"chunking_settings": {}}, {"chunking_settings": {"max_chunk_size": 20}}])
def test_defaults_of_passages(http: httpx.Client, rescorer: dict[str, Any]) -> None:
    assert search(http, chunk_rescorer=rescorer).status_code == 200


@pytest.mark.parametrize(
    ("rescorer", "text"),
    [
        ({"size": 0}, "size must be greater than 0, was: 0"),
        ({"chunking_settings": {"strategy": "sentence", "max_chunk_size": 1}}, "[max_chunk_size]"),
        ({"chunking_settings": 1}, "chunking_settings doesn't support values of type"),
        (1, "chunk_rescorer doesn't support values of type"),
    ],
)
def test_refused_passages(http: httpx.Client, rescorer: Any, text: str) -> None:
    response = search(http, chunk_rescorer=rescorer)
    assert response.status_code == 400 and text in response.text


def test_all_passages_are_in_one_request(http: httpx.Client) -> None:
    response = search(http, inference_id=".jina-reranker-v3", chunk_rescorer={"size": 40, "chunking_settings": WORDS})
    assert response.status_code == 400 and "at most 64 documents, got" in response.text


def test_too_much_text_in_a_search(http: httpx.Client) -> None:
    http.put("/books", json={"mappings": {"properties": {"long": {"type": "text", "index": False}}}}).raise_for_status()
    for number in range(20):
        http.put(f"/books/_doc/{number}", json={"t": "document", "long": LONG}, params={"refresh": "true"}).raise_for_status()
    reranker = {
        "retriever": {"standard": {"query": {"match_all": {}}}},
        "field": "long",
        "inference_id": ".jina-reranker-v3.5",
        "inference_text": "q",
        "rank_window_size": 20,
    }
    response = http.post("/books/_search", json={"retriever": {"text_similarity_reranker": reranker}})
    envelope = response.json()["error"]
    assert (response.status_code, envelope["type"]) == (400, "status_exception")
    (suppressed,) = envelope["suppressed"]
    assert suppressed["type"] == "search_phase_execution_exception"
    assert suppressed["caused_by"]["type"] == "status_exception" and TOO_LARGE in suppressed["caused_by"]["reason"]


@pytest.mark.parametrize(("endpoint", "task", "dimensions"), [(name, *values) for name, values in OTHERS.items()])
def test_models_of_other_vendors(http: httpx.Client, endpoint: str, task: str, dimensions: int) -> None:
    (listed,) = http.get(f"/_inference/{endpoint}").json()["endpoints"]
    assert (listed["task_type"], listed["service_settings"]["dimensions"], listed["service"]) == (task, dimensions, "elastic")
    assert listed["chunking_settings"]["strategy"] == "sentence"
    ((_, (result,)),) = http.post(f"/_inference/{task}/{endpoint}", json={"input": "alps"}).json().items()
    assert len(result["embedding"]) == dimensions


def test_endpoints_that_are_only_listed(http: httpx.Client) -> None:
    everything = {entry["inference_id"]: entry for entry in http.get("/_inference/_all").json()["endpoints"]}
    assert list(everything) == sorted(everything)
    assert ".jina-ocr-v1-chat_completion" in everything
    only = [name for name, entry in everything.items() if entry["service"] != "elastic" or "gp-llm" in name]
    assert {".rerank-v1-elasticsearch", ".gp-llm-v2-chat_completion", ".multilingual-e5-small-elasticsearch"} <= {*only}
    for name in only:
        assert http.get(f"/_inference/{name}").json()["endpoints"] == [everything[name]]
        response = http.post(f"/_inference/{name}", json={"input": "a"})
        assert response.status_code == 501 and f"inference endpoint {name}" in response.text
    assert http.delete("/_inference/.rerank-v1-elasticsearch").status_code == 501
    assert "reserved inference ID" in http.put("/_inference/rerank/.rerank-v1-elasticsearch", json={"service": "elastic"}).text


def test_a_filled_field_is_searched_by_a_model_for_media(http: httpx.Client) -> None:
    """`search_inference_id` of a field with values can be set to an `embedding` endpoint, and back."""
    http.put("/docs/_doc/9", json={"s": "the high alps"}, params={"refresh": "true"}).raise_for_status()
    search = {"query": {"match": {"s": "high alps"}}}
    before = http.post("/docs/_search", json=search).json()["hits"]
    for endpoint in (".jina-embeddings-v5-omni-small", ".jina-embeddings-v5-text-small"):
        field = {"type": "semantic_text", "inference_id": ".jina-embeddings-v5-text-small", "search_inference_id": endpoint}
        http.put("/docs/_mapping", json={"properties": {"s": field}}).raise_for_status()
        field = http.get("/docs/_mapping").json()["docs"]["mappings"]["properties"]["s"]
        assert field["search_inference_id"] == endpoint and field["model_settings"]["task_type"] == "text_embedding"
        assert http.post("/docs/_search", json=search).json()["hits"] == before


def test_headers_are_recorded() -> None:
    with LocalEIS(model="hash", record=True) as eis:
        httpx.get(eis.url, headers={"X-elastic-product-use-case": "jina-eis"})
        assert eis.requests[0].headers["x-elastic-product-use-case"] == "jina-eis"
