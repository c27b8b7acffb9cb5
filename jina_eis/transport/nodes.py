"""The node class of the async clients that this library creates. A node sends the HTTP requests of a client.

Imported in a thread when the first async client is created, because it imports aiohttp and the client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import TOO_LARGE_BYTES_BODY, BytesPayload, Payload
from elastic_transport import AiohttpHttpNode
from elastic_transport.client_utils import DEFAULT
from elasticsearch import AsyncElasticsearch

from .options import ClientOptions

__all__ = ["AsyncElasticsearch", "async_node"]

PART = 2**18  # bytes


class AsyncNode(AiohttpHttpNode):
    """The client's node without aiohttp's ResourceWarning for a body of more than 1 MB."""

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


def async_node(options: ClientOptions) -> type[AsyncNode]:
    """Return the class of the nodes of an async client."""
    if not options.proxy:
        return AsyncNode
    from .proxy import SessionThroughProxy

    class AsyncProxyNode(AsyncNode):
        """A node that sends its requests through the proxy."""

        def _create_aiohttp_session(self) -> None:
            super()._create_aiohttp_session()
            self.session = SessionThroughProxy(self.session, options)  # type: ignore[assignment]

    return AsyncProxyNode


class _LargeBody(BytesPayload):
    """A body of any size. It is written in parts: aiohttp and asyncio (before Python 3.12) both copy what they are given."""

    def __init__(self, body: bytes) -> None:
        Payload.__init__(self, body, content_type="application/json")  # that of BytesPayload warns
        self._size = len(body)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        view = memoryview(self._value)[:content_length]
        for start in range(0, len(view), PART):
            await writer.write(view[start : start + PART])

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # for the client's log
        return self._value.decode(encoding, errors)
