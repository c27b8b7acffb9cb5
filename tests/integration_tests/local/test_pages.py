"""The embedded EIS reads pages and PDFs: chat completions, document extraction, vectors of pages, and what it refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import pikepdf
import pytest
from made import pdf, png, wav

from jina_eis.local import LocalEIS

OCR = "/_inference/chat_completion/.jina-ocr-v1-chat_completion"
OMNI = "/_inference/embedding/.jina-embeddings-v5-omni-small"
TEXTS = ["Salt melts ice.", "Owls are quiet."]


def uri(mime: str, data: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def message(*images: str, prompt: str | None = None) -> dict[str, Any]:
    parts = [{"type": "image_url", "image_url": {"url": image}} for image in images]
    return {"messages": [{"role": "user", "content": [*parts, *([{"type": "text", "text": prompt}] if prompt else [])]}]}


def encrypted(user: str) -> bytes:
    file = BytesIO()
    with pikepdf.open(BytesIO(pdf(texts=TEXTS))) as document:
        document.save(file, encryption=pikepdf.Encryption(owner="owner", user=user, R=6))
    return file.getvalue()


@pytest.fixture
def http(eis: LocalEIS) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=eis.url) as client:
        yield client


@pytest.fixture
def extraction(http: httpx.Client) -> Iterator[str]:
    body = {"service": "elastic", "service_settings": {"model_id": "jina-reader"}}
    created = http.put("/_inference/document_extraction/mine", json=body).json()
    assert (created["task_type"], created["service_settings"]) == ("document_extraction", {"model_id": "jina-reader"})
    yield "/_inference/document_extraction/mine"
    http.delete("/_inference/mine")


def reason(response: httpx.Response) -> str:
    error = response.json()["error"]
    while "caused_by" in error:
        error = error["caused_by"]
    return str(error["reason"])


def test_an_image_is_described_in_a_stream_and_in_one_object(http: httpx.Client) -> None:
    body = message(uri("image/png", png(60, 40)), prompt="a prompt is ignored")
    streamed = http.post(f"{OCR}/_stream", json=body)
    assert streamed.headers["content-type"] == "text/event-stream"
    *events, done = [line.removeprefix("data: ") for line in streamed.text.split("\n\n") if line]
    deltas = [json.loads(event)["choices"][0]["delta"]["content"] for event in events]
    assert done == "[DONE]" and len(deltas) >= 2
    (choice,) = http.post(OCR, json=body).json()["choices"]
    assert choice["message"]["content"] == "".join(deltas)
    assert choice["message"]["content"].startswith("An image of 60x40 pixels")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (message(), "the model takes one image, got 0"),
        (message(uri("image/png", png()), uri("image/png", png())), "the model takes one image, got 2"),
        (message(uri("application/pdf", pdf())), "an image is expected here, but its bytes are application/pdf"),
        (message(uri("image/png", png(20, 20))), "at least 28x28"),
        ({"messages": []}, "cannot be an empty array"),
        ({"messages": [{"role": "user", "content": "a text"}]}, "got 0"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "failed to parse field [messages]"),
        ({"messages": [7]}, "failed to parse field [messages]"),
    ],
)
def test_what_the_model_for_ocr_refuses(http: httpx.Client, body: Any, text: str) -> None:
    response = http.post(f"{OCR}/_stream", json=body)
    assert response.status_code == 400 and text in reason(response)


def test_older_versions() -> None:
    with LocalEIS(model="hash", version="9.5") as eis, httpx.Client(base_url=eis.url) as http:
        body = message(uri("image/png", png()))
        assert "only supports streaming" in reason(http.post(OCR, json=body))
        assert http.post(f"{OCR}/_stream", json=body).status_code == 200
        assert "Unknown task_type" in reason(http.post("/_inference/document_extraction/mine", json={}))
        assert http.post(f"{OMNI}/_stream", json={"input": "a"}).status_code == 501


@pytest.mark.parametrize("data", [pdf(texts=TEXTS), encrypted("")], ids=["plain", "AES-256"])
def test_pdfs_are_extracted_and_embedded_by_their_text(http: httpx.Client, extraction: str, data: bytes) -> None:
    report = {"content": {"type": "pdf", "value": uri("application/pdf", data)}}
    image = {"content": {"type": "image", "value": uri("image/png", png())}}
    pages, picture = http.post(extraction, json={"input": [report, image]}).json()["document_extraction"]
    assert pages == {"content": "\n\n".join(TEXTS), "format": "markdown"}
    assert picture["content"].startswith("An image of 28x28 pixels")
    assert http.post(OMNI, json={"input": report}).json() == http.post(OMNI, json={"input": TEXTS}).json()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            {"input": {"content": {"type": "text", "value": "a"}}},
            "unsupported [type] value. Supported values are [image, pdf]",
        ),
        (
            {"input": {"content": {"type": "pdf", "value": uri("application/pdf", encrypted("secret"))}}},
            "the PDF needs a password",
        ),
        (
            {"input": {"content": {"type": "pdf", "value": uri("application/pdf", b"%PDF-1.7")}}},
            "the local EIS cannot read the PDF",
        ),
        ({"input": {"content": {"type": "html", "value": "a"}}}, "Unrecognized type [html]"),
        ({"input": [], "task_settings": {"prompt": "x"}}, "unknown field [prompt]"),
        ({}, "Required [input]"),
    ],
)
def test_what_extraction_refuses(http: httpx.Client, extraction: str, body: Any, text: str) -> None:
    response = http.post(extraction, json=body)
    assert response.status_code == 400 and text in reason(response)


def test_endpoints_that_read_pages_have_no_settings_of_vectors(http: httpx.Client) -> None:
    for settings in ({"dimensions": 8}, {"similarity": "cosine"}):
        body = {"service": "elastic", "service_settings": {"model_id": "jina-reader", **settings}}
        assert http.put("/_inference/document_extraction/other", json=body).status_code == 400
    assert http.get("/_inference/.jina-ocr-v1-chat_completion").json()["endpoints"][0]["task_type"] == "chat_completion"


def test_bytes_of_another_type_are_refused_on_request(eis: LocalEIS, http: httpx.Client) -> None:
    def embed(*media: tuple[str, str, bytes]) -> httpx.Response:
        items = [{"content": {"type": kind, "value": uri(mime, data)}} for kind, mime, data in media]
        return http.post(OMNI, json={"input": items})

    good, wrong = ("image", "image/png", png()), ("image", "image/jpeg", png())
    assert embed(good, wrong).status_code == 200
    eis.faults.always("wrong_type")
    assert embed(good, ("audio", "audio/wav", wav())).status_code == 200
    assert http.post(OMNI, json={"input": "a"}).status_code == 200
    refused = embed(good, wrong)
    assert refused.status_code == 422
    assert "input 1: it is declared as image/jpeg, but its bytes are image/png" in reason(refused)
    assert embed(("video", "video/mp4", wav())).status_code == 422
    assert embed(("image", "image/png", b"nothing")).status_code == 422
