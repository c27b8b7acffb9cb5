"""Where Elasticsearch is: an address or the user's own clients in, requests out.

One sync client, and one async client per event loop, because an async client dies with the loop of its first request.
The client's own retries are off: they fire at once and ignore Retry-After. This module sends one request once; it knows
no task, no batch and no retry. The Elasticsearch client is imported when the first request needs it.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import weakref
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import (
    ConfigurationError,
    ConnectionFailedError,
    InvalidAnswerError,
    ServiceTimeoutError,
    TLSError,
    error_from_answer,
    sentence,
)
from ..wire import Call
from .address import Address

if TYPE_CHECKING:
    from elastic_transport import ApiResponse
    from elasticsearch import AsyncElasticsearch, Elasticsearch
    from urllib3 import HTTPConnectionPool
    from urllib3.connection import HTTPConnection

__all__ = ["CLIENT_MARGIN", "Connection"]

CLIENT_MARGIN = 5.0  # seconds that the client waits longer than the server, so that the server's own error arrives

_ONE_LOOP = (
    "This `async_client` belongs to another event loop, and an async client can serve only one. "
    "Pass es_url or es_cloud_id instead, and every loop gets a client of its own."
)

AnyClient = TypeVar("AnyClient", "Elasticsearch", "AsyncElasticsearch")


class Connection:
    """Sends requests by one sync client and one async client per event loop, each made when it is first needed.

    Args:
        address: Where the deployment is; None if clients are given.
        client: The user's own sync client. It is never closed here.
        async_client: The user's own async client. It is never closed here and works in one loop only.
        timeout: Seconds that the service may take; the client waits `CLIENT_MARGIN` longer.
        connections: Connections to keep open in each client that is made here.
        product: What is put before the client's own user agent, `name/version`.
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
    ) -> None:
        self._address = address
        self._given = client
        self._given_async = async_client
        self._timeout = timeout
        self._connections = connections
        self._product = product
        self._client: Elasticsearch | None = None
        self._loops: dict[asyncio.AbstractEventLoop, _LoopClient] = {}
        self._lock = threading.Lock()
        self._ending = threading.Lock()  # held to end what a thread waits for, and to make it wait for nothing any more
        self._busy: dict[int, HTTPConnection] = {}  # what each thread waits for
        self._waiting = threading.local()  # for each thread: the event that says that nobody waits for its answer any more
        if not async_client:
            weakref.finalize(self, _abandon_all, self._loops)

    def send(self, call: Call[Any], abandoned: threading.Event | None = None) -> Any:
        """The parsed body of the answer. Raises a typed error for anything but success.

        Args:
            call: What to send.
            abandoned: Set before `interrupt` is called. A request that has not been sent by then is not sent.
        """
        client = self._sync_client()
        self._waiting.abandoned = abandoned
        try:
            with self._typed_errors(client):
                return _answer(call, client.perform_request(call.method, call.path, **_request(call)))
        finally:
            self._waiting.abandoned = None
            self._busy.pop(threading.get_ident(), None)

    def interrupt(self, threads: Iterable[int]) -> None:
        """End the requests that these threads wait for, unless the client is the user's. Takes thread identifiers."""
        with self._ending:
            for thread in threads:
                connection = self._busy.get(thread)
                if connection and connection.sock:
                    with suppress(OSError):
                        connection.sock.shutdown(socket.SHUT_RDWR)

    async def asend(self, call: Call[Any]) -> Any:
        """As `send`, without blocking the loop. With nothing but a sync client at hand, it is used in a thread."""
        if self._given and not self._given_async:
            return await asyncio.to_thread(self.send, call)
        client = await self._async_client()
        try:
            with self._typed_errors(client):
                return _answer(call, await client.perform_request(call.method, call.path, **_request(call)))
        except RuntimeError as failed:
            if not self._given_async:
                raise
            raise ConfigurationError(_ONE_LOOP) from failed  # it had served another loop before it was given

    def close(self) -> None:
        """Close the sync client, unless it is the user's. The next request opens a new one."""
        with self._lock:
            client, self._client = self._client, None
        if client and not self._given:
            client.close()

    async def aclose(self) -> None:
        """Close the sync client and the async client of the running loop, unless they are the user's."""
        self.close()
        with self._lock:
            held = self._loops.pop(asyncio.get_running_loop(), None)
        if held and not self._given_async:
            await held.lifetime.aclose()

    def _sync_client(self) -> Elasticsearch:
        if client := self._client:
            return client
        if not self._given and not self._address:
            raise ConfigurationError("Sync calls need `client`, or es_url or es_cloud_id, beside or in place of `async_client`.")
        from elasticsearch import Elasticsearch

        with self._lock:
            if self._client is None:
                client = self._given or self._made(Elasticsearch)
                if not self._given:
                    self._track(_first_node(client).pool)
                self._client = self._tuned(client)
            return self._client

    def _track(self, pool: HTTPConnectionPool) -> None:
        """Let the pool's connections say which thread they serve: nothing else can end a request that is under way."""
        busy, waiting = self._busy, self._waiting

        def check() -> None:
            abandoned = getattr(waiting, "abandoned", None)
            if abandoned and abandoned.is_set():
                raise ConnectionAbortedError("nobody waits for the answer")

        class Tracked(pool.ConnectionCls):  # type: ignore[name-defined, misc]
            def connect(self) -> None:
                super().connect()
                check()  # while there was no socket, none could be shut down

            def request(self, *arguments: Any, **options: Any) -> None:
                busy[threading.get_ident()] = self
                check()
                super().request(*arguments, **options)

        pool.ConnectionCls = Tracked
        put = pool._put_conn

        def put_back(connection: Any) -> None:
            with self._ending:  # from here on it may serve another thread
                busy.pop(threading.get_ident(), None)
            put(connection)

        pool._put_conn = put_back  # type: ignore[assignment, method-assign]

    async def _async_client(self) -> AsyncElasticsearch:
        loop = asyncio.get_running_loop()
        held = self._loops.get(loop)
        if held:
            return held.client
        if not self._given_async and __package__ + ".nodes" not in sys.modules:
            await asyncio.to_thread(import_module, ".nodes", __package__)  # which takes a second, with the client
            return await self._async_client()
        # From here to the entry in the table nothing is awaited, so no other task of this loop comes between.
        if self._given_async:
            if self._loops:
                raise ConfigurationError(_ONE_LOOP)
            client = self._given_async
        else:
            from .nodes import AsyncElasticsearch, AsyncNode

            client = self._made(AsyncElasticsearch, node_class=AsyncNode)
        held = _LoopClient(self._tuned(client), closes=client is not self._given_async)
        with self._lock:
            dead = [] if self._given_async else [self._loops.pop(known) for known in list(self._loops) if known.is_closed()]
            self._loops[loop] = held
        for ended in dead:
            ended.abandon()
        await held.lifetime.__anext__()
        return held.client

    def _made(self, kind: Callable[..., AnyClient], **more: Any) -> AnyClient:
        from elasticsearch.serializer import OrjsonSerializer

        assert self._address
        where = self._address.client_arguments()
        try:
            return kind(**where, serializer=OrjsonSerializer(), connections_per_node=self._connections, **more)
        except ValueError as failed:  # it knows more of what an address must not be
            raise ConfigurationError(self._address.refused(failed)) from failed

    def _tuned(self, client: AnyClient) -> AnyClient:
        """The same client and connections, with our time limit and name, without retries of its own."""
        theirs = _first_node(client).config.headers.get("user-agent", "")
        theirs = client._headers.get("user-agent", theirs)  # options() of the user's own lie there, and nowhere public
        return client.options(
            max_retries=0,
            request_timeout=self._timeout + CLIENT_MARGIN,
            headers={"user-agent": f"{self._product} {theirs}".strip()},
        )

    @contextmanager
    def _typed_errors(self, client: Elasticsearch | AsyncElasticsearch) -> Iterator[None]:
        import elasticsearch

        try:
            yield
        except elasticsearch.UnsupportedProductError as failed:
            raise InvalidAnswerError(f"{_where(client)} answers, but it is not Elasticsearch. Check es_url (ES_URL).") from failed
        except elasticsearch.ApiError as failed:
            raise error_from_answer(failed.status_code, failed.meta.headers, failed.body) from failed
        except elasticsearch.SerializationError as failed:
            told = f"{_where(client)} sent an answer that is not JSON. Is a proxy answering in its place?"
            raise InvalidAnswerError(told) from failed
        except elasticsearch.ConnectionTimeout as failed:
            told = f"{_where(client)} did not answer within {self._timeout + CLIENT_MARGIN:g} s."
            raise ServiceTimeoutError(f"{told} {ServiceTimeoutError.remedy}") from failed
        except elasticsearch.TransportError as failed:
            kind = TLSError if isinstance(failed, elasticsearch.SSLError) else ConnectionFailedError
            raise kind(f"{_where(client)} cannot be reached: {sentence(_cause(failed))} {kind.remedy}") from failed


class _LoopClient:
    """An async client and its end: the loop closes it when it shuts down, as it does with every async generator."""

    def __init__(self, client: AsyncElasticsearch, *, closes: bool) -> None:
        self.client = client
        self.thread = threading.current_thread()
        self.lifetime = self._live(closes)

    async def _live(self, closes: bool) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            if closes:
                await self.client.close()

    def close_soon(self) -> None:
        """Close by a task of the loop, which is the one that calls this."""
        self._closing = asyncio.get_running_loop().create_task(self.client.close())  # a loop holds its tasks weakly

    def abandon(self) -> None:
        """Close without the loop, which was closed without shutting its generators down."""
        for transport in _transports(self.client):
            with suppress(RuntimeError):
                transport.close()  # marks it as closed; the loop that would do the rest is gone
            inner = getattr(getattr(transport, "_ssl_protocol", None), "_transport", transport)
            with suppress(RuntimeError, AttributeError):
                inner._call_connection_lost(None)  # the rest; it has no public name
        ending = self.client.close()
        with suppress(StopIteration, RuntimeError):
            ending.send(None)  # all of it but the farewell that would need the loop
        ending.close()


def _abandon_all(loops: dict[asyncio.AbstractEventLoop, _LoopClient]) -> None:
    """Close what no loop will close any more, when the connection goes or the program ends."""
    for loop, held in loops.items():
        if loop.is_closed():
            held.abandon()
        elif held.thread is not threading.current_thread() and held.thread.is_alive():
            with suppress(RuntimeError):  # it is closed in this moment
                loop.call_soon_threadsafe(held.close_soon)  # its thread may run it again at any time
        elif not loop.is_running() and asyncio._get_running_loop() is None:
            loop.run_until_complete(held.lifetime.aclose())


def _request(call: Call[Any]) -> dict[str, Any]:
    headers = {"accept": "application/json"}
    if call.body is not None:
        headers["content-type"] = "application/x-ndjson" if call.ndjson else "application/json"
    return {"params": call.params, "headers": headers, "body": call.body}


def _answer(call: Call[Any], response: ApiResponse[Any]) -> Any:
    return (response.body, response.meta.headers) if call.with_headers else response.body


def _first_node(client: Elasticsearch | AsyncElasticsearch) -> Any:
    return client.transport.node_pool.all()[0]


def _transports(client: AsyncElasticsearch) -> list[Any]:
    """The open connections that are idle; all of them, once the loop is closed."""
    sessions = [getattr(node, "session", None) for node in client.transport.node_pool.all()]
    pools = [getattr(session.connector, "_conns", {}) for session in sessions if session]
    idle = [connection for pool in pools for connections in pool.values() for connection, *_ in connections]
    return [connection.transport for connection in idle if connection.transport]


def _where(client: Elasticsearch | AsyncElasticsearch) -> str:
    return f"Elasticsearch at {_first_node(client).base_url}"


def _cause(failed: Exception) -> str:
    """What the operating system said, if it said anything: the client wraps it two or three times."""
    cause: BaseException | None = failed
    told = ""
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            told = cause.strerror
        cause = cause.__cause__ or cause.__context__ or next(iter(getattr(cause, "errors", ())), None)
    return told or str(getattr(failed, "message", failed))
