"""Nodes, as Elasticsearch's client calls what speaks HTTP: those of the async clients that are made here.

Imported when the first async client is made, in a thread: it imports aiohttp and that client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from aiohttp.payload import TOO_LARGE_BYTES_BODY, BytesPayload, Payload
from elastic_transport import AiohttpHttpNode
from elastic_transport.client_utils import DEFAULT
from elasticsearch import AsyncElasticsearch

__all__ = ["AsyncElasticsearch", "AsyncNode"]


class AsyncNode(AiohttpHttpNode):
    """The client's own, but that a body of more than 1 MB is no reason for a ResourceWarning of aiohttp's."""

    async def perform_request(  # type: ignore[override]
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        request_timeout: Any = DEFAULT,
    ) -> Any:
        """Send one request."""
        if body and len(body) > TOO_LARGE_BYTES_BODY and not self._http_compress:
            body = cast(bytes, _LargeBody(body))
        return await super().perform_request(method, target, body, headers, request_timeout)  # type: ignore[arg-type]


class _LargeBody(BytesPayload):
    """Bytes, whatever their number."""

    def __init__(self, body: bytes) -> None:
        Payload.__init__(self, body, content_type="application/json")  # BytesPayload's own warns
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # for the client's log
        return self._value.decode(encoding, errors)
