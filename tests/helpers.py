"""Inputs and helpers that several integration tests share."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from jina_eis.local import LocalEIS

TEXT = ".jina-embeddings-v5-text-small"
OMNI = ".jina-embeddings-v5-omni-small"
RERANKER = ".jina-reranker-v3"

FAULTS = [
    "rate_limit",
    "timeout",
    "timeout_408",
    "timeout_504",
    "eis_5xx",
    "unavailable",
    "bad_gateway",
    "no_upstream",
    "drop",
    "cut",
]
MANY_RETRIES = 20  # seven failures of one call in a row are rare, but not in thousands of calls

FACTS = [
    "A glacier is ice that flows slowly downhill under its own weight.",
    "Bread rises because yeast makes gas.",
    "Cats sleep for most of the day.",
    "Yeast is a fungus; bakers and brewers keep it.",
]

QUERY = "glacier ice"


class Caller:
    """Calls methods of an adapter in their sync or async variant, so that one test body covers both."""

    def __init__(self, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def __call__(self, target: Any, name: str, *arguments: Any, **options: Any) -> Any:
        """Call a method by its sync name. The items of a generator are returned as a list."""
        if not self.asynchronous:
            result = getattr(target, name)(*arguments, **options)
            return list(result) if inspect.isgenerator(result) else result
        return asyncio.run(_result(getattr(target, _async_name(name))(*arguments, **options)))


def _async_name(name: str) -> str:
    if name == "__call__":
        return "acall"
    return f"_a{name[1:]}" if name.startswith("_") else f"a{name}"


async def _result(answer: Any) -> Any:
    return [item async for item in answer] if inspect.isasyncgen(answer) else await answer


def texts(number: int) -> list[str]:
    """Numbered texts."""
    return [f"text {n}" for n in range(number)]


def passages(number: int) -> list[str]:
    """Texts to rerank. Number 2 answers `QUERY`."""
    known = ["bread rises", "a train departs", "glacier ice flows", "wool and knitting", "ice cream"]
    return [known[n] if n < len(known) else f"filler {n}" for n in range(number)]


def posts(eis: LocalEIS) -> list[Any]:
    """The recorded POST requests."""
    return [exchange for exchange in eis.requests if exchange.method == "POST"]


def run_in_threads(targets: Iterable[Callable[[], Any]]) -> None:
    """Run each target in its own thread, all at once, and wait for them."""
    threads = [threading.Thread(target=target) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def worker_threads() -> list[threading.Thread]:
    """The running threads of the driver."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("jina-eis_")]


def _describes_the_deployment(method: str, path: str) -> bool:
    return method == "GET" and (path == "/" or path.startswith("/_inference"))


@contextmanager
def restricted(
    eis: LocalEIS,
    recorded: list[tuple[str, str, Any]] | None = None,
    refused: Callable[[str, str], bool] = _describes_the_deployment,
) -> Iterator[str]:
    """The address of a front whose key may not do everything: by default, it may not see the version or endpoints.

    Args:
        eis: Answers all other requests.
        recorded: Receives the method, path and headers of each request.
        refused: Whether a method and path are refused, with 403.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a body after its headers would wait 40 ms for an acknowledgement

        def handle_any(self) -> None:
            if recorded is not None:
                recorded.append((self.command, self.path, self.headers))
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if refused(self.command, self.path):
                reason = '{"type": "security_exception", "reason": "action is unauthorized"}'
                self.reply(403, f'{{"error": {reason}, "status": 403}}'.encode())
                return
            connection = HTTPConnection(eis.url.removeprefix("http://"), timeout=60)
            headers = {name: self.headers[name] for name in ("accept", "content-type", "user-agent") if self.headers[name]}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            self.reply(answer.status, answer.read(), answer.headers["content-type"])
            connection.close()

        def reply(self, status: int, body: bytes, kind: str = "application/json") -> None:
            self.send_response(status)
            for name, value in (("x-elastic-product", "Elasticsearch"), ("content-type", kind)):
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """It prints nothing."""

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any  # noqa: N815 - names that http.server calls

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
