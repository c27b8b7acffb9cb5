"""Stand-ins for models of media: their vectors, text out of pages, and checks for what the service would refuse.

A page of a PDF has the vector of its text. Any other vector is a hash of the bytes, or of the address: equal files have equal
vectors, which have no other meaning. Knows data URIs and file formats. Must not know endpoints or HTTP.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Callable, Sequence
from io import BytesIO

import numpy as np
import orjson

from ...contents.media import LEAST_PIXELS, Medium, pixel_size
from ..refusals import Json, gateway_refusal
from .bodies import Item
from .fields import DIMENSIONS, PIECE
from .standin import Array, unit


class UnreadableError(ValueError):
    """A medium that the service would refuse; the message states why."""


def medium_vectors(kind: str, uri: str, embed: Callable[[list[str]], list[Array]]) -> list[Array]:
    """Return the unit vector of a medium, or one for each page of a PDF; a page with text has that of its text, by `embed`.

    The medium is a data URI with base64, whose MIME type is ignored, or an address, which is not fetched. Raises
    UnreadableError if the service would refuse it.
    """
    if not uri.startswith("data:"):
        if not uri.startswith(("http://", "https://")):
            raise UnreadableError("the address does not begin with http:// or https://")
        return [hash_vector(uri.encode())]
    data = decode_payload(uri)
    if kind == "pdf":
        document, texts = hashlib.sha256(data).digest(), page_texts(data)
        vectors = iter(embed([text for text in texts if text]))
        return [next(vectors) if text else hash_vector(document + page.to_bytes(4, "big")) for page, text in enumerate(texts, 1)]
    if kind == "image":
        check_pixels(data)
    return [hash_vector(data)]


def type_problem(uri: str) -> str:
    """Return why the bytes of a data URI are not of its MIME type; "" if they are."""
    declared = uri[5:].partition(";")[0]
    try:
        mime = Medium.from_data_uri(uri).mime
    except ValueError as error:
        return str(error)
    return "" if mime == declared.lower() else f"it is declared as {declared}, but its bytes are {mime}"


def hash_vector(data: bytes) -> Array:
    # The digest is used directly, because numpy's random numbers may differ between versions.
    numbers = np.frombuffer(hashlib.shake_256(data).digest(4 * DIMENSIONS), dtype="<i4")
    return unit(numbers.astype(np.float32))


def decode_payload(uri: str) -> bytes:
    try:
        data = b64decode(uri.partition(",")[2], validate=True)
    except ValueError as error:
        raise UnreadableError("the data is not base64") from error
    if not data:
        raise UnreadableError("the data is empty")
    return data


def check_pixels(data: bytes) -> None:
    """Refuse an image that is too small. One of an unknown size may be readable by the service."""
    try:
        pixels = pixel_size(BytesIO(data))
    except ValueError:
        return
    if pixels and min(pixels) < LEAST_PIXELS:
        least = f"{LEAST_PIXELS}x{LEAST_PIXELS}"
        raise UnreadableError(f"the image must have at least {least} pixels, got {pixels[0]}x{pixels[1]}")


def page_texts(data: bytes) -> list[str]:
    """Return the text of each page of a PDF, without white space around it; "" for a page without text."""
    from pypdf import PdfReader  # slow to import, and rarely needed

    try:
        reader = PdfReader(BytesIO(data))
        locked = reader.is_encrypted and not reader.decrypt("")
        texts = [] if locked else [page.extract_text().strip() for page in reader.pages]
    except Exception as error:  # a broken file also causes TypeError and others, beyond pypdf's own errors
        raise UnreadableError("the local EIS cannot read the PDF; the service may") from error
    if locked:
        raise UnreadableError("the PDF needs a password")
    if not texts:
        raise UnreadableError("the PDF has no pages")
    return texts


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
