"""Stand-ins that turn pages into text: what pypdf finds in a PDF, and one line about an image, whose pixels are not read.

Knows parsed bodies and file formats. Must not know HTTP.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import orjson

from ...contents.media import Medium
from ..refusals import Json, gateway_refusal
from .bodies import Item
from .media import UnreadableError, decode_payload, page_texts

__all__ = ["complete", "extract"]

PIECE = 40  # characters in an event of a stream


def complete(endpoint: str, inputs: Sequence[Sequence[Item]], *, stream: bool) -> Json | str:
    """Return the chat completion about one image: an object, or a stream of events."""
    images = [item for items in inputs for item in items if item.kind == "image"]
    if len(images) != 1:
        raise gateway_refusal(endpoint, 400, f"the model takes one image, got {len(images)}")
    (text,) = extract(endpoint, images)
    if not stream:
        return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
    deltas = [{"content": text[start : start + PIECE]} for start in range(0, len(text), PIECE)]
    events = [orjson.dumps({"choices": [{"index": 0, "delta": delta}]}).decode() for delta in deltas]
    return "".join(f"data: {event}\n\n" for event in (*events, "[DONE]"))


def extract(endpoint: str, items: Sequence[Item]) -> list[str]:
    """Return the text of each PDF or image."""
    texts = []
    for position, item in enumerate(items):
        try:
            data = decode_payload(item.value)
            texts.append("\n\n".join(page_texts(data)) if item.kind == "pdf" else describe_image(data))
        except UnreadableError as error:
            raise gateway_refusal(endpoint, 400, f"input {position}: {error}") from error
    return texts


def describe_image(data: bytes) -> str:
    try:
        image = Medium.from_bytes(data, "image/*")
    except ValueError as error:
        raise UnreadableError(str(error)) from error
    size = "{}x{} pixels".format(*image.pixels) if image.pixels else "unknown size"
    return f"An image of {size} ({hashlib.sha256(data).hexdigest()[:8]}). The local EIS does not read text in images."
