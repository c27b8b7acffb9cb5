"""Nodes, as Elasticsearch's client calls what speaks HTTP: those of the clients that are made here.

Imported when the first async client is made, because it imports aiohttp.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any, cast

from aiohttp.payload import TOO_LARGE_BYTES_BODY, BytesIOPayload
from elastic_transport import AiohttpHttpNode
from elastic_transport.client_utils import DEFAULT

__all__ = ["AsyncNode"]


class AsyncNode(AiohttpHttpNode):
    """The client's own, but that large bodies do not hold up the loop, of which aiohttp warns."""

    async def perform_request(  # type: ignore[override]
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        request_timeout: Any = DEFAULT,
    ) -> Any:
        """Send one request."""
        if body and len(body) > TOO_LARGE_BYTES_BODY:
            body = cast(bytes, _LargeBody(body))
        return await super().perform_request(method, target, body, headers, request_timeout)  # type: ignore[arg-type]


class _LargeBody(BytesIOPayload):
    """Bytes that are sent piece by piece. The client's log still wants to decode them when they are sent and closed."""

    def __init__(self, body: bytes) -> None:
        super().__init__(BytesIO(body), content_type="application/json")
        self._body = body

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self._body.decode(encoding, errors)
