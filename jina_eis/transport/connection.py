"""Connection to Elasticsearch: sends requests with clients from an address, or with the user's own clients.

It has one sync client, and one async client per event loop, because an async client is bound to the loop of its first
request. The client's own retries are off: they have no delay and ignore Retry-After. This module sends each request once, or
twice if the server refuses the format that it asks for; it knows no task, batch or retry. The Elasticsearch client is imported
with the first request.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ConfigurationError, JinaEISError
from ..wire import Call, api_of
from .address import Address
from .client_errors import client_errors, typed_error
from .observation import current_attempt
from .options import ClientOptions
from .response_format import JSON, ResponseFormat, WireFormat, read_response

if TYPE_CHECKING:
    from elastic_transport import ApiResponse, ApiResponseMeta
    from elasticsearch import AsyncElasticsearch, Elasticsearch
    from urllib3 import HTTPConnectionPool
    from urllib3.connection import HTTPConnection

__all__ = ["CLIENT_MARGIN", "Connection"]

CLIENT_MARGIN = 5.0  # seconds that the client waits longer than the server, to receive the server's own timeout error

USE_CASE_HEADER = "x-elastic-product-use-case"  # Elasticsearch passes its first value on to the service
USE_CASE = "jina-eis"

_ONE_LOOP = (
    "This `async_client` belongs to another event loop; an async client serves only one. "
    "Pass es_url or es_cloud_id instead, and each loop gets its own client."
)

AnyClient = TypeVar("AnyClient", "Elasticsearch", "AsyncElasticsearch")

# The client's packages import each other. Of two threads that import them in different orders, Python lets one see a package that
# is only half imported.
_importing = threading.Lock()


class Connection:
    """Sends requests with one sync client and one async client per event loop, each created when it is first needed.

    Args:
        address: Address of the deployment; None if clients are passed.
        client: The user's own sync client. It is never closed here.
        async_client: The user's own async client. It is never closed here and works in one loop only.
        timeout: Seconds that the service may take; the client waits `CLIENT_MARGIN` longer.
        connections: Connections to keep open in each client that is created here.
        product: Prefix of the client's user agent, `name/version`.
        use_case: Value of the header `X-elastic-product-use-case`; None for the client's own, or `jina-eis` if it has none.
        options: Options of the clients that are created here.
        wire_format: The format of responses with vectors. "auto" asks for CBOR, of the user's client if it can read it, and for
            JSON after the server has refused CBOR; "cbor" asks for nothing else.
    """

    def __init__(
        self,
        address: Address | None,
        *,
        client: Elasticsearch | None = None,
        async_client: AsyncElasticsearch | None = None,
        timeout: float,
        connections: int,
        product: str,
        use_case: str | None = None,
        options: ClientOptions | None = None,
        wire_format: WireFormat = "auto",
    ) -> None:
        self._address = address
        self._options = options or ClientOptions()
        self._user_client = client
        self._user_async_client = async_client
        self._timeout = timeout
        self._connections = connections
        self._product = product
        self._use_case = use_case
        self._format = ResponseFormat(wire_format)
        self._client: Elasticsearch | None = None
        self._loops: dict[asyncio.AbstractEventLoop, _LoopClient] = {}
        self._lock = threading.Lock()
        self._interrupting = threading.Lock()  # while requests are interrupted, a connection must not change its thread
        self._busy: dict[int, HTTPConnection] = {}  # the connection that each thread waits for
        self._thread_state = threading.local()  # for each thread: the event that is set when no caller waits any longer
        if not async_client:
            weakref.finalize(self, _close_all, self._loops)

    @property
    def location(self) -> str:
        """Host, port and path of the deployment, without credentials; of all nodes of a user's client, sorted."""
        if self._address:
            return self._address.location
        client = self._user_client or self._user_async_client
        assert client is not None
        nodes = (node.config for node in client.transport.node_pool.all())
        return ",".join(sorted(f"{node.host.lower()}:{node.port}{node.path_prefix.rstrip('/')}" for node in nodes))

    def send(self, call: Call[Any], abandoned: threading.Event | None = None) -> Any:
        """Send a call and return the parsed body of the response. Raises a typed error unless it succeeds.

        Args:
            call: The call.
            abandoned: An event that is set before `interrupt` is called. A request that has not started by then is not sent.
        """
        client = self._sync_client()
        self._thread_state.abandoned = abandoned
        accept = self._format.accept(client, call)
        try:
            try:
                return _result(call, client.perform_request(call.method, call.path, **_request(client, call, accept)))
            except client_errors() as error:
                self._format.note_refusal(self._typed_error(client, error), accept, self.location)
            try:
                return _result(call, client.perform_request(call.method, call.path, **_request(client, call, JSON)))
            except client_errors() as error:
                raise self._typed_error(client, error) from error
        finally:
            self._thread_state.abandoned = None
            self._busy.pop(threading.get_ident(), None)

    def interrupt(self, threads: Iterable[int]) -> None:
        """Abort the requests of these threads, given by identifier, unless the client is the user's."""
        with self._interrupting:
            for thread in threads:
                connection = self._busy.get(thread)
                if connection and connection.sock:
                    with suppress(OSError):
                        connection.sock.shutdown(socket.SHUT_RDWR)

    async def asend(self, call: Call[Any]) -> Any:
        """As `send`, without blocking the loop. If only a sync client was passed, it is used in a thread."""
        if self._user_client and not self._user_async_client:
            return await asyncio.to_thread(self.send, call)
        client = self._client_of_loop() or await self._new_async_client()
        accept = self._format.accept(client, call)
        try:
            try:
                return _result(call, await client.perform_request(call.method, call.path, **_request(client, call, accept)))
            except client_errors() as error:
                self._format.note_refusal(self._typed_error(client, error), accept, self.location)
            try:
                return _result(call, await client.perform_request(call.method, call.path, **_request(client, call, JSON)))
            except client_errors() as error:
                raise self._typed_error(client, error) from error
        except RuntimeError as error:
            if not self._user_async_client:
                raise
            raise ConfigurationError(_ONE_LOOP) from error  # the client had served another loop before

    def close(self) -> None:
        """Close the sync client, unless it is the user's. The next request opens a new one."""
        with self._lock:
            client, self._client = self._client, None
        if client and not self._user_client:
            client.close()

    async def aclose(self) -> None:
        """Close the sync client and the async client of the running loop, unless they are the user's."""
        self.close()
        with self._lock:
            loop_client = self._loops.pop(asyncio.get_running_loop(), None)
        if loop_client and not self._user_async_client:
            await loop_client.lifetime.aclose()

    def _sync_client(self) -> Elasticsearch:
        if client := self._client:
            return client
        if not self._user_client and not self._address:
            raise ConfigurationError("Sync calls need `client`, es_url or es_cloud_id; `async_client` serves only async calls.")
        with _importing:
            from elasticsearch import Elasticsearch

        with self._lock:
            if self._client is None:
                client = self._user_client or self._create_client(Elasticsearch, **self._sync_node())
                if not self._user_client:
                    self._track(_first_node(client).pool)
                self._client = self._with_options(client)
            return self._client

    def _track(self, pool: HTTPConnectionPool) -> None:
        """Record which thread each connection of the pool serves, so that `interrupt` can abort its request."""
        busy, thread_state = self._busy, self._thread_state

        def check() -> None:
            abandoned = getattr(thread_state, "abandoned", None)
            if abandoned and abandoned.is_set():
                raise ConnectionAbortedError("no caller waits for the response")

        class Tracked(pool.ConnectionCls):  # type: ignore[name-defined, misc]
            def connect(self) -> None:
                super().connect()
                check()  # before it had a socket, `interrupt` could not shut it down

            def request(self, *arguments: Any, **options: Any) -> None:
                busy[threading.get_ident()] = self
                check()
                super().request(*arguments, **options)

        pool.ConnectionCls = Tracked
        put = pool._put_conn

        def put_back(connection: Any) -> None:
            with self._interrupting:  # afterwards the connection may serve another thread
                busy.pop(threading.get_ident(), None)
            put(connection)

        pool._put_conn = put_back  # type: ignore[assignment, method-assign]

    def _client_of_loop(self) -> AsyncElasticsearch | None:
        loop_client = self._loops.get(asyncio.get_running_loop())
        return loop_client.client if loop_client else None

    async def _new_async_client(self) -> AsyncElasticsearch:
        loop = asyncio.get_running_loop()
        if not self._user_async_client and not _import_nodes.cache_info().currsize:
            await asyncio.to_thread(_import_nodes)  # it takes a second, with the client
            return self._client_of_loop() or await self._new_async_client()
        # Nothing is awaited until the client is in the table, so no other task of this loop creates one.
        if self._user_async_client:
            if self._loops:
                raise ConfigurationError(_ONE_LOOP)
            client = self._user_async_client
        else:
            nodes = _import_nodes()
            client = self._create_client(nodes.AsyncElasticsearch, node_class=nodes.async_node(self._options))
        loop_client = _LoopClient(self._with_options(client), closes=client is not self._user_async_client)
        with self._lock:
            dead = [] if self._user_async_client else [self._loops.pop(known) for known in list(self._loops) if known.is_closed()]
            self._loops[loop] = loop_client
        for ended in dead:
            ended.close_without_loop()
        await loop_client.lifetime.__anext__()
        return loop_client.client

    def _sync_node(self) -> dict[str, Any]:
        if not self._options.proxy:
            return {}
        from .proxy import sync_node

        return {"node_class": sync_node(self._options)}

    def _create_client(self, kind: Callable[..., AnyClient], **more: Any) -> AnyClient:
        from .node_pool import OneNode
        from .serializer import Formats

        assert self._address
        address = {**self._address.client_arguments(), **self._options.client_arguments()}
        try:
            client = kind(**address, node_pool_class=OneNode, connections_per_node=self._connections, **more)
        except ValueError as error:  # the client checks more
            raise ConfigurationError(self._address.error_message(error)) from error
        except AssertionError as error:  # without a message; the only one in the constructor
            raise ConfigurationError(
                "OTEL_PYTHON_INSTRUMENTATION_ELASTICSEARCH_CAPTURE_SEARCH_QUERY must be omit or raw."
            ) from error
        client.transport.serializers = Formats()  # as an argument, the client takes only a table of known content types
        return client

    def _with_options(self, client: AnyClient) -> AnyClient:
        """Return a client over the same connections, with our timeout and headers, without retries of its own."""
        headers = {**_first_node(client).config.headers, **client._headers}  # the user's own options() are not public
        own = {name.lower(): value for name, value in headers.items()}
        tuned = client.options(
            max_retries=0,
            request_timeout=self._timeout + CLIENT_MARGIN,
            headers={
                "user-agent": f"{self._product} {own.get('user-agent', '')}".strip(),
                USE_CASE_HEADER: self._use_case or own.get(USE_CASE_HEADER) or USE_CASE,
            },
        )
        tuned._otel = client._otel  # options() forgets whether the user has switched its spans off
        return tuned

    def _typed_error(self, client: Elasticsearch | AsyncElasticsearch, error: Exception) -> JinaEISError:
        """Return the error of this library for one of the client, and record the response if there was one."""
        if meta := getattr(error, "meta", None):
            _note_response(meta)
        return typed_error(error, _location(client), self._timeout + CLIENT_MARGIN)


class _LoopClient:
    """An async client that its loop closes at shutdown, because `lifetime` is an async generator."""

    def __init__(self, client: AsyncElasticsearch, *, closes: bool) -> None:
        self.client = client
        self.thread = threading.current_thread()
        self.lifetime = self._close_at_end(closes)

    async def _close_at_end(self, closes: bool) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            if closes:
                await self.client.close()

    def close_soon(self) -> None:
        """Close the client in a task of the running loop."""
        self._closing = asyncio.get_running_loop().create_task(self.client.close())  # a loop has only weak references to tasks

    def close_without_loop(self) -> None:
        """Close the client if the loop was closed without shutting down its generators."""
        for transport in _transports(self.client):
            with suppress(RuntimeError):
                transport.close()  # only marks it as closed, because the loop is closed
            inner = getattr(getattr(transport, "_ssl_protocol", None), "_transport", transport)
            with suppress(RuntimeError, AttributeError):
                inner._call_connection_lost(None)  # closes the socket; no public method does
        closing = self.client.close()
        with suppress(StopIteration, RuntimeError):
            closing.send(None)  # all but the last step, which would need the loop
        closing.close()


def _close_all(loops: dict[asyncio.AbstractEventLoop, _LoopClient]) -> None:
    """Close the async clients when the connection is deleted or the program ends."""
    for loop, loop_client in loops.items():
        if loop.is_closed():
            loop_client.close_without_loop()
        elif loop_client.thread is not threading.current_thread() and loop_client.thread.is_alive():
            with suppress(RuntimeError):  # the loop may have just been closed
                loop.call_soon_threadsafe(loop_client.close_soon)  # its thread may run it again at any time
        elif not loop.is_running() and asyncio._get_running_loop() is None:
            loop.run_until_complete(loop_client.lifetime.aclose())


def _request(client: Elasticsearch | AsyncElasticsearch, call: Call[Any], accept: str) -> dict[str, Any]:
    headers = {"accept": accept, **call.headers}
    endpoint_id, path_parts = api_of(call.method, call.path)
    request: dict[str, Any] = {
        "params": call.params,
        "headers": headers,
        "body": None,
        "endpoint_id": endpoint_id,
        "path_parts": path_parts,
    }
    if call.body is not None:
        headers["content-type"] = "application/x-ndjson" if call.ndjson else JSON
        request["body"] = _encoded(client, call.body, headers["content-type"])
    return request


def _encoded(client: Elasticsearch | AsyncElasticsearch, body: Any, content_type: str) -> bytes:
    """Return the body as the client's serializer writes it, and record its size. The client sends bytes as they are."""
    encoded = body if isinstance(body, bytes) else _serialized(client, body, content_type)
    if attempt := current_attempt():
        attempt.bytes_sent = len(encoded)
    return encoded


def _serialized(client: Elasticsearch | AsyncElasticsearch, body: Any, content_type: str) -> bytes:
    serializers = client.transport.serializers
    versioned = content_type.replace("/", "/vnd.elasticsearch+")  # the type that the client makes of it
    return serializers.dumps(body, versioned if versioned in serializers.serializers else content_type)


def _result(call: Call[Any], response: ApiResponse[Any]) -> Any:
    _note_response(response.meta)
    return read_response(call, response)


def _note_response(meta: ApiResponseMeta) -> None:
    if attempt := current_attempt():
        attempt.received(meta.status, meta.headers)


@cache
def _import_nodes() -> Any:
    """Return the module of the async clients."""
    with _importing:
        return import_module(".nodes", __package__)


def _first_node(client: Elasticsearch | AsyncElasticsearch) -> Any:
    return client.transport.node_pool.all()[0]


def _transports(client: AsyncElasticsearch) -> list[Any]:
    """Return the idle open connections; if the loop is closed, all open connections."""
    sessions = [getattr(node, "session", None) for node in client.transport.node_pool.all()]
    pools = [getattr(session.connector, "_conns", {}) for session in sessions if session]
    idle = [connection for pool in pools for connections in pool.values() for connection, *_ in connections]
    return [connection.transport for connection in idle if connection.transport]


def _location(client: Elasticsearch | AsyncElasticsearch) -> str:
    return f"Elasticsearch at {_first_node(client).base_url}"
