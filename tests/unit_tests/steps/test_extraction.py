"""Which endpoint reads a page, and how it is called, with responses fed by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from by_hand import feed
from made import pdf, png

from jina_eis.contents import Medium
from jina_eis.errors import AuthorizationError, ConfigurationError, EndpointNotFoundError, RequestRejectedError
from jina_eis.steps import Extractor
from jina_eis.wire import Call

OCR = ".jina-ocr-v1-chat_completion"
ENDPOINTS = {
    OCR: ("chat_completion", "jina-ocr-v1"),
    "mine": ("document_extraction", "reader"),
    "b": ("document_extraction", "r"),
}
OTHERS = {
    ".gp-llm-v2-chat_completion": ("chat_completion", "gp-llm-v2"),
    ".jina-embeddings-v3": ("text_embedding", "jina-embeddings-v3"),
}
PDF, IMAGE = Medium.from_bytes(pdf(2)), Medium.from_bytes(png())


def deployment(
    *ids: str, version: str = "9.6.0", flavour: str = "default", hidden: bool = False, denied: bool = False
) -> Callable[[Call[Any]], Any]:
    """Answers as a deployment with these endpoints; if `hidden`, to a key that may see none, nor the version."""

    def describe(name: str) -> dict[str, Any]:
        task, model = (ENDPOINTS | OTHERS)[name]
        metadata = {"denied_by_region_policy": denied and name == OCR}
        return {
            "inference_id": name,
            "task_type": task,
            "service": "elastic",
            "service_settings": {"model_id": model},
            "metadata": metadata,
        }

    def answer(call: Call[Any]) -> Any:
        name = call.path.rpartition("/")[2]
        if hidden:
            raise AuthorizationError("no", status=403)
        if call.path == "/":
            return {"version": {"number": version, "build_flavor": flavour}}
        if name == "_all":
            return {"endpoints": [describe(inference_id) for inference_id in ids]}
        if name not in ids:
            raise EndpointNotFoundError("no", status=404)
        return {"endpoints": [describe(name)]}

    return answer


def planned(answer: Callable[[Call[Any]], Any], inference_id: str | None = None) -> tuple[str, str, bool]:
    (endpoint, stream), _ = feed(Extractor(inference_id).plan(), answer)
    return endpoint.inference_id, endpoint.task, stream


@pytest.mark.parametrize(
    ("answer", "inference_id", "expected"),
    [
        (deployment("mine", OCR), None, (OCR, "chat_completion", False)),
        (deployment(OCR, version="9.5.3"), None, (OCR, "chat_completion", True)),
        (deployment(OCR, version="9.5.0", flavour="serverless"), None, (OCR, "chat_completion", False)),
        (deployment("mine", "b"), None, ("b", "document_extraction", False)),
        (deployment("mine", OCR, denied=True), None, ("mine", "document_extraction", False)),
        (deployment("mine", OCR), "mine", ("mine", "document_extraction", False)),
        (deployment(hidden=True), None, (OCR, "chat_completion", True)),
        (deployment(hidden=True), OCR, (OCR, "chat_completion", True)),
        (deployment(hidden=True), "mine", ("mine", "document_extraction", False)),
    ],
)
def test_the_endpoint_is_what_the_deployment_has(answer: Any, inference_id: str | None, expected: Any) -> None:
    assert planned(answer, inference_id) == expected


@pytest.mark.parametrize(
    ("answer", "inference_id", "message"),
    [
        (
            deployment(*OTHERS),
            None,
            r"it lacks .jina-ocr-v1-chat_completion \(Elastic Stack 9.5\), and has none for document_extraction",
        ),
        (deployment(OCR, denied=True), None, "is denied by its region policy"),
        (
            deployment(*OTHERS),
            ".gp-llm-v2-chat_completion",
            "is an endpoint for chat_completion with gp-llm-v2, which does not read pages",
        ),
        (deployment(*OTHERS), ".jina-embeddings-v3", "is an endpoint for text_embedding"),
    ],
)
def test_an_endpoint_that_reads_no_pages_is_refused(answer: Any, inference_id: str | None, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        planned(answer, inference_id)


def test_one_call_for_each_page_which_is_made_when_it_is_sent() -> None:
    extractor = Extractor(dpi=144)
    (endpoint, stream), _ = feed(extractor.plan(), deployment(OCR))
    calls = [call.with_body() for call in extractor.calls(endpoint, stream, PDF, 2)]
    assert [call.inputs for call in calls] == [(0,), (1,)]
    images = [Medium.from_data_uri(call.body["messages"][0]["content"][0]["image_url"]["url"]) for call in calls]
    assert [image.pixels for image in images] == [(144, 144)] * 2
    (call,) = extractor.calls(endpoint, stream, IMAGE, 1)
    assert call.with_body().body["messages"][0]["content"][0]["image_url"]["url"] == IMAGE.data_uri()


def test_extraction_takes_pages_of_a_pdf_as_pdfs() -> None:
    (endpoint, stream), _ = feed(Extractor("mine").plan(), deployment("mine"))
    bodies = [call.with_body().body for call in Extractor("mine").calls(endpoint, stream, PDF, 2)]
    pages = [body["input"][0]["content"] for body in bodies]
    assert [page["type"] for page in pages] == ["pdf", "pdf"]
    (whole,) = Extractor("mine").calls(endpoint, stream, Medium.from_bytes(pdf()), 1)
    assert whole.with_body().body["input"][0]["content"]["value"] == Medium.from_bytes(pdf()).data_uri()


def test_a_deployment_that_only_streams_is_asked_again_for_a_stream() -> None:
    (endpoint, stream), _ = feed(Extractor().plan(), deployment(OCR))
    (call,) = Extractor().calls(endpoint, stream, IMAGE, 1)
    refused = RequestRejectedError("no", status=400, reason="The [chat_completion] task type only supports streaming")
    assert call.rescue is not None
    answer = 'data: {"choices": [{"delta": {"content": "a"}}]}\n\ndata: [DONE]\n\n'
    text, rounds = feed(call.rescue(call, refused, False), lambda call: answer)
    assert text.text == "a"
    assert [call.path for calls in rounds for call in calls] == [f"/_inference/chat_completion/{OCR}/_stream"]
    other = RequestRejectedError("no", status=400, reason="the image is too small")
    with pytest.raises(RequestRejectedError, match="no"):
        feed(call.rescue(call, other, False), lambda call: answer)
