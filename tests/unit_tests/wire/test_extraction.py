"""Responses to a page, fed by hand: streams in any division, cut anywhere, with errors in them; JSON; extraction."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import png

from jina_eis.contents import Medium
from jina_eis.errors import (
    ConnectionFailedError,
    InvalidAnswerError,
    JinaEISError,
    RateLimitError,
    RequestRejectedError,
    ServiceError,
    ServiceUnavailableError,
    error_from_answer,
)
from jina_eis.wire import Call, PageText, extract_text, read_image

IMAGE = Medium.from_bytes(png())
END = "data: [DONE]\n\n"
GATEWAY = (
    "Received a server error status code for request from inference entity id [.jina-ocr-v1] status [503]. Error message: [x]"
)


def image_call(*, stream: bool = True) -> Call[PageText]:
    return read_image(".jina-ocr-v1-chat_completion", lambda: IMAGE, stream=stream, timeout=120, position=3)


def delta(text: str | None, **more: Any) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, "index": 0, **more}], "model": "jina-ocr-v1"}


def event(data: Any, line_end: str = "\n", name: str = "message") -> str:
    return f"event: {name}{line_end}data: {json.dumps(data, ensure_ascii=False)}{line_end}{line_end}"


def read(stream: str) -> PageText:
    return image_call().read(stream)


@given(
    st.lists(st.text(st.characters(codec="utf-8")), min_size=1),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
    st.booleans(),
)
def test_the_texts_of_a_stream_are_joined(texts: list[str], line_end: str, wrapped: bool, comments: bool) -> None:
    parts = [delta(text) for text in texts]
    events = [event({"chat_completion": part} if wrapped else part, line_end) for part in parts]
    noise = f": keep alive{line_end}{line_end}" if comments else ""
    stream = noise.join(["", *events, f"data:[DONE]{line_end}{line_end}"])
    assert read(stream) == PageText("".join(texts))


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=1, max_size=4), st.data())
def test_a_stream_that_is_cut_anywhere_is_never_a_shorter_text(texts: list[str], data: st.DataObject) -> None:
    stream = "".join(event(delta(text)) for text in texts) + END
    with pytest.raises(ConnectionFailedError, match="ended before") as raised:
        read(stream[: data.draw(st.integers(0, len(stream) - 1))])
    assert raised.value.transient, "it is retried"


def test_parts_without_a_text_are_passed_over_and_the_reason_of_the_end_is_read() -> None:
    usage = event({"choices": [], "usage": {"total_tokens": 9}}) + event({"usage": None})
    assert read(event(delta("a")) + event(delta(None, finish_reason="stop")) + usage + END + event(delta("late"))) == PageText(
        "a"
    )
    assert read(event(delta("a")) + event(delta("", finish_reason="length")) + END) == PageText("a", cut_off=True)


@pytest.mark.parametrize("stream", [END, event({"choices": []}) + END, event({}) + END, event("x") + END, event([1]) + END])
def test_a_stream_without_a_text_is_invalid(stream: str) -> None:
    with pytest.raises(InvalidAnswerError, match="has no text"):
        read(stream)


def test_a_stream_of_something_else_is_invalid() -> None:
    with pytest.raises(InvalidAnswerError, match="not JSON"):
        read("data: {\n\n" + END)


@pytest.mark.parametrize(
    ("body", "kind", "reason"),
    [
        ({"error": {"type": "status_exception", "reason": GATEWAY}, "status": 400}, ServiceUnavailableError, GATEWAY),
        ({"error": {"type": "x", "message": "slow down", "code": "429"}}, RateLimitError, "slow down"),
        ({"error": {"type": "x", "message": "no", "code": "bad_request"}, "status": 400}, RequestRejectedError, "no"),
        ({"error": {"type": "x", "message": "no", "code": "bad_request"}}, ServiceError, "no"),
        ({"error": "broken", "status": 503}, ServiceUnavailableError, "broken"),
    ],
)
def test_an_error_in_a_stream_is_typed(body: Any, kind: type[JinaEISError], reason: str) -> None:
    with pytest.raises(kind) as raised:
        read(event(delta("a")) + event(body, name="error"))
    assert type(raised.value) is kind and raised.value.reason == reason
    assert type(error_from_answer(400, {}, event(body, name="error"))) in (kind, RequestRejectedError)
    assert error_from_answer(400, {}, event(body, name="error")).reason == reason, "an error in place of a stream"


def test_one_json_object_is_read() -> None:
    choice = {"message": {"role": "assistant", "content": "# Title"}, "finish_reason": "stop"}
    for body in ({"choices": [choice]}, {"chat_completion": {"choices": [choice]}}):
        assert image_call(stream=False).read(body) == PageText("# Title")
    assert image_call(stream=False).read({"choices": [{**choice, "finish_reason": "length"}]}).cut_off
    for body in ({}, [], None, {"choices": []}, {"choices": [{"message": {"content": None}}]}, {"choices": "x"}):
        with pytest.raises(InvalidAnswerError):
            image_call(stream=False).read(body)


def test_what_is_sent_for_an_image() -> None:
    for stream in (True, False):
        call = image_call(stream=stream).with_body()
        path = "/_inference/chat_completion/.jina-ocr-v1-chat_completion"
        assert (call.path, call.params) == (path + ("/_stream" if stream else ""), {"timeout": "120s"})
        content = [{"type": "image_url", "image_url": {"url": IMAGE.data_uri()}}]
        assert call.body == {"messages": [{"role": "user", "content": content}]}, "no prompt"
        assert (call.inputs, call.completed) == ((3,), 3)


def test_extraction() -> None:
    call = extract_text("mine", lambda: IMAGE, timeout=120, position=0).with_body()
    assert call.path == "/_inference/document_extraction/mine"
    item = {"type": "image", "format": "base64", "value": IMAGE.data_uri()}
    assert call.body == {"input": [{"content": item}], "task_settings": {"output_format": "markdown"}}
    answer = {"content": "# Title", "format": "markdown", "metadata": {"title": "Title"}}
    assert call.read({"document_extraction": [answer]}) == PageText("# Title", metadata={"title": "Title"})
    assert call.read({"document_extraction": [{"content": ""}]}) == PageText("")
    for items in ([], [answer, answer], ["x"], [{}]):
        with pytest.raises(InvalidAnswerError):
            call.read({"document_extraction": items})
    with pytest.raises(InvalidAnswerError):
        call.read({})
