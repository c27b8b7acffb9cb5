"""The format of a response, CBOR as Elasticsearch writes it, and a line of given bandwidth."""

from __future__ import annotations

import asyncio
import re
import time
from struct import pack
from typing import Any

import cbor2
import numpy as np

from ..refusals import RefusedError

__all__ = ["CBOR", "Line", "choose_format", "to_cbor"]

JSON, CBOR = "json", "cbor"
VERSIONED = re.compile(r"application/vnd\.elasticsearch\+(json|x-ndjson|cbor);\s*compatible-with=([89])", re.IGNORECASE)
PLAIN = re.compile(r"application/(json|x-ndjson|cbor|\*)\s*(;|$)", re.IGNORECASE)
# A float32 in Elasticsearch, and so in CBOR. Any other fraction is a double there, also those of a vector in `_source`.
SINGLES = ("embedding", "fields", "_score", "max_score", "relevance_score")


class Line:
    """One direction of a line of `mbit` Mbit/s, or None, for all connections: bytes wait until those before have passed."""

    def __init__(self, mbit: float | None) -> None:
        self._seconds_per_byte = 8e-6 / mbit if mbit else 0.0
        self._free = 0.0

    async def carry(self, size: int) -> None:
        """Return when this number of bytes has passed."""
        now = time.monotonic()
        self._free = max(self._free, now) + size * self._seconds_per_byte
        if self._seconds_per_byte:
            await asyncio.sleep(self._free - now)


def choose_format(accept: str, content_type: str) -> tuple[str, str]:
    """Return the format of the response, json or cbor, and its content type.

    An `Accept` that names no single known type counts as none. Beside a `Content-Type` with a version it is refused, as any is
    that lacks this version.
    """
    asked, sent = VERSIONED.fullmatch(accept.strip()), VERSIONED.fullmatch(content_type.strip())
    if content_type and (asked and asked[2]) != (sent and sent[2]):
        cause = RefusedError(
            400,
            "status_exception",
            "A compatible version is required on both Content-Type and Accept headers if either one has requested a compatible "
            f"version. Accept={accept or 'null'}, Content-Type={content_type}",
        )
        reason = "Invalid media-type value on headers [Content-Type, Accept]"
        raise RefusedError(400, "media_type_header_exception", reason, cause=cause)
    plain = PLAIN.match(accept.strip()) if "," not in accept else None
    kind = CBOR if (asked or plain) and (asked or plain)[1].lower() == CBOR else JSON  # type: ignore[index]
    return kind, f"application/vnd.elasticsearch+{kind};compatible-with={asked[2]}" if asked else f"application/{kind}"


def to_cbor(value: Any, single: bool = False) -> bytes:
    """Write a JSON value; containers have no length, and a fraction has four bytes if it is a `single`, else eight."""
    if isinstance(value, dict):
        items = [to_cbor(str(key)) + to_cbor(item, single or key in SINGLES) for key, item in value.items()]
        return b"\xbf" + b"".join(items) + b"\xff"
    if isinstance(value, list):
        if single and value and set(map(type, value)) == {float}:
            rows = np.empty((len(value), 5), dtype=np.uint8)
            rows[:, 0], rows[:, 1:] = 0xFA, np.array(value, dtype=">f4").view(np.uint8).reshape(-1, 4)
            return b"\x9f" + rows.tobytes() + b"\xff"
        return b"\x9f" + b"".join(to_cbor(item, single) for item in value) + b"\xff"
    if isinstance(value, str):  # UTF-8 has no lone surrogates
        value = value.encode("utf-8", "replace").decode()
    return pack(">Bf", 0xFA, value) if single and isinstance(value, float) else cbor2.dumps(value)
