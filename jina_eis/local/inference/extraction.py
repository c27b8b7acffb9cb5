"""Stand-ins that turn pages into text: what pypdf finds in a PDF, and one line about an image, whose pixels are not read.

Knows parsed bodies and file formats. Must not know HTTP.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from io import BytesIO

import orjson

from ...contents.media import pixel_size
from ..refusals import Json, gateway_refusal
from .bodies import Item
from .media import UnreadableError, check_pixels, decode_payload, page_texts

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
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    deltas: list[Json] = [{"delta": {"content": piece}, "index": 0} for piece in pieces]
    return sse([{"choices": [delta]} for delta in (*deltas, {"delta": {}, "finish_reason": "stop", "index": 0})])


def sse(events: Sequence[Json]) -> str:
    return "".join(f"data: {orjson.dumps(event).decode()}\n\n" for event in events) + "data: [DONE]\n\n"


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
    check_pixels(data)
    try:
        pixels = pixel_size(BytesIO(data))
    except ValueError as error:
        raise UnreadableError("the image cannot be read") from error
    size = f"{pixels[0]}x{pixels[1]} pixels" if pixels else "unknown size"
    return f"An image of {size} ({hashlib.sha256(data).hexdigest()[:8]}). The local EIS does not read text in images."
