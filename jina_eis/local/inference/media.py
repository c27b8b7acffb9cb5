"""The vectors that stand in for media, and the media that the service would not read.

The vectors are hashes of the bytes: equal files have equal vectors, and nothing else about them means anything. Knows data
URIs and file formats; must not know requests, endpoints or HTTP.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from io import BytesIO

import imagesize
import numpy as np

from .standin import DIMENSIONS, Array, unit

__all__ = ["UnreadableError", "medium_vectors"]

LEAST_PIXELS = 28  # on each side; Elastic documents it for the omni models


class UnreadableError(ValueError):
    """A medium that the service would refuse, and why."""


def medium_vectors(kind: str, uri: str) -> list[Array]:
    """The unit vectors of a medium: one, or one for each page of a PDF. The MIME type makes no difference.

    Args:
        kind: "image", "audio", "video" or "pdf".
        uri: The medium as a data URI with base64.

    Raises:
        UnreadableError: The service would refuse it.
    """
    data = payload(uri)
    if kind == "pdf":
        document = hashlib.sha256(data).digest()
        return [hashed(document + page.to_bytes(4, "big")) for page in range(1, count_pages(data) + 1)]
    if kind == "image":
        check_pixels(data)
    return [hashed(data)]


def hashed(data: bytes) -> Array:
    # Straight from the hash: numpy's own random numbers may change from one version to the next.
    numbers = np.frombuffer(hashlib.shake_256(data).digest(4 * DIMENSIONS), dtype="<i4")
    return unit(numbers.astype(np.float32))


def payload(uri: str) -> bytes:
    try:
        data = b64decode(uri.partition(",")[2], validate=True)
    except ValueError as error:
        raise UnreadableError("the data is not base64") from error
    if not data:
        raise UnreadableError("the data is empty")
    return data


def check_pixels(data: bytes) -> None:
    width, height = imagesize.get(BytesIO(data))
    if (width, height) == (-1, -1):  # a format that is not known here may still be known to the service
        return
    if min(abs(width), abs(height)) < LEAST_PIXELS:  # a negative height is that of a bitmap stored top down
        raise UnreadableError(
            f"the image must have at least {LEAST_PIXELS}x{LEAST_PIXELS} pixels, got {abs(width)}x{abs(height)}"
        )


def count_pages(data: bytes) -> int:
    from pypdf import PdfReader  # takes long to import, and few requests need it

    try:
        pages = len(PdfReader(BytesIO(data)).pages)
    except Exception as error:  # besides its own errors, a broken file causes TypeErrors and others
        raise UnreadableError("the PDF cannot be read") from error
    if not pages:
        raise UnreadableError("the PDF has no pages")
    return pages
