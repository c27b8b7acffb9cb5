"""Base64 and data URIs, as browsers read and write them. Knows nothing about formats but how media begin."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import a2b_base64
from io import BytesIO
from urllib.parse import unquote

from ..errors import InputError
from .signatures import has_signature

__all__ = ["decode_base64", "looks_like_base64_of_medium", "looks_like_data_uri", "split_data_uri"]

CHUNK = 4 * 2**20  # characters that are decoded at a time
LONGEST_HEADER = 4096  # characters of a data URI before its data

_HEADER = re.compile(r"\s*data:\s*(?P<mime>[\w.+-]+/[\w.+-]+)\s*;", re.IGNORECASE | re.ASCII)
_DATA = re.compile(r";\s*base64\s*,", re.IGNORECASE)
_MEDIUM = re.compile(r"\s*data:\s*(?:image|audio|video|application)/[\w.+-]+\s*[;,]", re.IGNORECASE | re.ASCII)
# As some browsers write a file of unknown type. Without `;` there is no space, which stands in "Data: base64, or bytes".
_WITHOUT_TYPE = re.compile(r"\s*data:(?:\s*;\s*)?base64\s*,", re.IGNORECASE)
_BASE64 = re.compile(r"\s*(?P<start>[A-Za-z0-9+/]{64})")


def looks_like_data_uri(text: str) -> bool:
    """Whether a string starts like the data URI of a medium, valid or not."""
    return (_MEDIUM.match(text) or _WITHOUT_TYPE.match(text)) is not None


def looks_like_base64_of_medium(text: str) -> bool:
    """Whether a string is the base64 of a medium without a prefix."""
    match = _BASE64.match(text)
    return match is not None and has_signature(b64decode(match["start"]))


def split_data_uri(uri: str) -> tuple[str, int]:
    """Return the MIME type of a data URI, "" if it has none, and the offset of its data.

    The type ends at the first `;`, and the data begin after the first `;base64,`: what is between them is ignored.
    """
    if bare := _WITHOUT_TYPE.match(uri):
        return "", bare.end()
    header = _HEADER.match(uri)
    data = _DATA.search(uri, header.end() - 1, header.end() + LONGEST_HEADER) if header else None
    if not header or not data:
        hint = ". Convert SVG to PNG." if "image/svg" in uri[:40] else ""
        raise InputError(f"the data URI is invalid: it begins with {uri[:40]!r} instead of data:<MIME type>;base64,{hint}")
    return header["mime"], data.end()


def decode_base64(text: str, start: int, largest: int) -> bytes:
    """Return the bytes of base64, in which white space is ignored and the padding may be missing.

    Args:
        text: A string that ends with the base64. It is decoded in parts, to save memory.
        start: Offset of the base64.
        largest: Number of bytes after which decoding ends, because the result is too large for any use.

    Raises:
        InputError: it is not base64.
    """
    if text.find("%", start) >= 0:  # a data URI may be quoted as a URL is
        text, start = unquote(text[start:]), 0
    decoded = BytesIO()
    rest = ""
    try:
        for position in range(start, len(text), CHUNK):
            if decoded.tell() > largest:
                break
            piece = rest + "".join(text[position : position + CHUNK].split())
            whole = len(piece) // 4 * 4
            if piece[whole - 1 : whole] == "=":  # the end, unless more follows
                whole -= 4
            decoded.write(a2b_base64(piece[:whole], strict_mode=True))
            rest = piece[whole:]
        decoded.write(a2b_base64(rest + "=" * (-len(rest) % 4), strict_mode=True))
    except ValueError:
        raise InputError("it is not base64, or a part of it is missing.") from None
    return decoded.getvalue()
