"""Requests that turn a page into text, and the readers of their responses: a chat completion with an image, and extraction.

A chat completion is a stream of server-sent events, or one JSON object. No prompt is sent: the model for OCR ignores it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ..contents import Medium
from ..errors import ConnectionFailedError, InvalidAnswerError, JinaEISError, error_from_answer
from .call import Call
from .inference import as_item, duration, list_of

__all__ = ["PageText", "extract_text", "read_image"]

END_OF_STREAM = "[DONE]"
_LINE_END = re.compile(r"\r\n|\n|\r")  # not str.splitlines, which also divides at characters that JSON may hold


@dataclass(frozen=True, slots=True)
class PageText:
    """The text of a page.

    Attributes:
        text: Markdown; "" for an empty page.
        cut_off: Whether the model stopped at its limit before the end of the page.
        metadata: What the service knows of the document, such as its title.
    """

    text: str
    cut_off: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)


def read_image(inference_id: str, load: Callable[[], Medium], *, stream: bool, timeout: float, position: int) -> Call[PageText]:
    """Read the text of an image with a model for OCR.

    Args:
        inference_id: An endpoint of task `chat_completion`.
        load: Returns the image. It may read files.
        stream: Whether the response is a stream; Elasticsearch before 9.6 has no other.
        timeout: Seconds that the service may take.
        position: Position of the page in the document, for errors.
    """

    def body() -> dict[str, Any]:
        content = [{"type": "image_url", "image_url": {"url": load().data_uri()}}]
        return {"messages": [{"role": "user", "content": content}]}

    return Call(
        "POST",
        f"/_inference/chat_completion/{quote(inference_id, safe='')}{'/_stream' if stream else ''}",
        _read_completion,
        params={"timeout": duration(timeout)},
        # A proxy that compresses a stream may keep its end back.
        headers={"accept-encoding": "identity"} if stream else {},
        load_body=body,
        endpoint=inference_id,
        bucket=inference_id,
        invalidates=f"/_inference/{quote(inference_id, safe='')}",
        inputs=(position,),
        new_inputs=1,
        completed=position,
    )


def extract_text(inference_id: str, load: Callable[[], Medium], *, timeout: float, position: int) -> Call[PageText]:
    """Read the text of an image or of a PDF of one page.

    Args:
        inference_id: An endpoint of task `document_extraction`.
        load: Returns the image or PDF. It may read files.
        timeout: Seconds that the service may take.
        position: Position of the page in the document, for errors.
    """
    return Call(
        "POST",
        f"/_inference/document_extraction/{quote(inference_id, safe='')}",
        _read_extraction,
        params={"timeout": duration(timeout)},
        load_body=lambda: {"input": [{"content": as_item(load())}], "task_settings": {"output_format": "markdown"}},
        endpoint=inference_id,
        bucket=inference_id,
        invalidates=f"/_inference/{quote(inference_id, safe='')}",
        inputs=(position,),
        new_inputs=1,
        completed=position,
    )


def _read_completion(body: Any) -> PageText:
    """Read a stream, which arrives as text, or one JSON object."""
    if not isinstance(body, str):
        return _text_of([_unwrapped(body)], "message")
    parts: list[Mapping[str, Any]] = []
    for event in _events(body):
        if event == END_OF_STREAM:
            return _text_of(parts, "delta")
        try:
            part = _unwrapped(json.loads(event))
        except ValueError:
            raise InvalidAnswerError("The stream has an event that is not JSON.") from None
        if "error" in part:
            raise _error_of(part)
        parts.append(part)
    raise ConnectionFailedError(f"The stream ended before {END_OF_STREAM}. {ConnectionFailedError.remedy}")


def _events(stream: str) -> Iterator[str]:
    """Yield the data of each event (HTML standard, 9.2.6). An event that is cut off, without an empty line after it, is none."""
    data: list[str] = []
    for line in _LINE_END.split(stream.removeprefix("\ufeff"))[:-1]:  # what follows the last line end is cut off
        name, _, value = line.partition(":")
        if name == "data":
            data.append(value.removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []


def _unwrapped(part: Any) -> Mapping[str, Any]:
    """Return a part of a completion. Sources differ on whether it is the value of `chat_completion`."""
    inner = part.get("chat_completion", part) if isinstance(part, dict) else None
    return inner if isinstance(inner, dict) else {}


def _error_of(part: Mapping[str, Any]) -> JinaEISError:
    """Return the error in a stream. Its status is beside it, or the `code` in it."""
    error = part["error"]
    code = str(part.get("status") or (error.get("code") if isinstance(error, dict) else None))
    return error_from_answer(int(code) if re.fullmatch("[45][0-9][0-9]", code) else 500, {}, part)


def _text_of(parts: list[Mapping[str, Any]], key: str) -> PageText:
    """Join the texts of a completion: the `delta` or `message` of the first choice of each part."""
    texts: list[str] = []
    reasons: list[Any] = []
    for part in parts:
        choices = part.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict):
            continue  # some parts of a stream hold only the usage
        message = choice.get(key)
        text = message.get("content") if isinstance(message, dict) else None
        reasons.append(choice.get("finish_reason"))
        if isinstance(text, str):
            texts.append(text)
    if not texts:
        raise InvalidAnswerError("The response to an image has no text.")
    return PageText("".join(texts), cut_off="length" in reasons)


def _read_extraction(body: Any) -> PageText:
    items = list_of(body, "document_extraction")
    if len(items) != 1:
        raise InvalidAnswerError(f"One page was sent, and the response has the text of {len(items)}.")
    item = items[0] if isinstance(items[0], dict) else {}
    text, metadata = item.get("content"), item.get("metadata")
    if not isinstance(text, str):
        raise InvalidAnswerError("The response to a page has no text.")
    return PageText(text, metadata=metadata if isinstance(metadata, dict) else {})
