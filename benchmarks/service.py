"""A service with minimal cost, so that benchmarks measure the client. Runs in a separate process.

    python benchmarks/service.py --latency 0.1 --capacity 12

Prints its address, and serves until the process ends. `POST /_inference/...` responds as Elasticsearch does, and
`POST /v1/embeddings` as OpenAI and Jina do, with one vector for each input. The vectors are generated at the start and do not
depend on the texts. Requests beyond the capacity are refused immediately, as EIS does. `GET /stats` returns the counts,
`DELETE /stats` resets them.

`PUT /<index>` keeps a mapping, which `GET` returns, and `POST /<index>/_bulk` accepts every document and stores none. Only
inference and `_bulk` take the latency.

The format is that of `Accept` and `Accept-Encoding`: JSON, JSON with gzip (level 3, as in Elasticsearch), or CBOR. `--mbit` gives
both directions of the line, which all connections share, a bandwidth.

HTTP support is limited to these clients: bodies have a Content-Length, and requests are not pipelined.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import gzip
import json
import random
import re
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

DIMENSIONS = 1024
DIFFERENT = 64  # distinct vectors
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
VERSION = {"version": {"number": "9.6.0", "build_flavor": "default"}, "tagline": "You Know, for Search"}
SETTINGS = {"index": {"mapping": {"exclude_source_vectors": "true"}}}
REFUSAL = (
    "Received a rate limit status code for request from inference entity id [.jina-embeddings-v5-text-small] status [429]. "
    "Error message: [rate limit exceeded]"
)


def main() -> None:
    """Serve on a free port of the loopback interface."""
    parser = argparse.ArgumentParser(description="Respond to embedding requests with precomputed vectors.")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds until a response (default: %(default)s)")
    parser.add_argument("--capacity", type=int, help="accepted requests in flight (default: any number)")
    parser.add_argument("--mbit", type=float, help="bandwidth of the line in Mbit/s (default: no limit)")
    arguments = parser.parse_args()
    asyncio.run(serve(Service(arguments.latency, arguments.capacity, arguments.mbit)))


async def serve(service: Service) -> None:
    """Serve until the process ends."""
    server = await asyncio.get_running_loop().create_server(partial(Connection, service), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


class Service:
    """Responses, and their timing.

    Args:
        latency: Seconds from a request to its response. Refusals are immediate.
        capacity: Accepted requests in flight; None for any number.
        mbit: Bandwidth of each direction in Mbit/s; None for no limit.
    """

    def __init__(self, latency: float, capacity: int | None, mbit: float | None = None) -> None:
        self._latency = latency
        self._seconds_per_byte = 8e-6 / mbit if mbit else 0.0
        self._free = [0.0, 0.0]  # when each direction has carried its bytes: to the service, from it
        self._capacity = capacity
        self._in_flight = 0
        self._answers: dict[tuple[str, bool, int], bytes] = {}
        self._written_items: dict[int, bytes] = {}
        self._mappings: dict[str, dict[str, object]] = {}
        error = {"type": "status_exception", "reason": REFUSAL}
        refusal = json.dumps({"error": {"root_cause": [error], **error}, "status": 429})
        self._refusal = response(refusal.encode(), "429 Too Many Requests")
        dice = random.Random(0)
        vectors = [[dice.gauss(0, DIMENSIONS**-0.5) for _ in range(DIMENSIONS)] for _ in range(DIFFERENT)]
        # Eight digits, the precision of float32, as the service writes.
        self._written = ["[" + ",".join(f"{number:.8g}" for number in vector) + "]" for vector in vectors]
        self._singles = [b"".join(b"\xfa" + struct.pack(">f", number) for number in vector) for vector in vectors]
        self._packed = [f'"{base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode()}"' for vector in vectors]
        self.reset()

    def reset(self) -> None:
        """Reset the counts."""
        self._requests = self._refused = self._most = self._sent = self._received = 0

    def stats(self) -> dict[str, int]:
        """Return the counts since the last reset."""
        counts = {"requests": self._requests, "refused": self._refused, "most_in_flight": self._most}
        return {**counts, "sent": self._received, "received": self._sent}  # as the client sees it

    def receive(self, method: bytes, path: bytes, head: bytes, body: bytes, transport: asyncio.Transport) -> None:
        """Respond to a request, immediately or after the latency, and as soon as the line has carried it."""
        if path == b"/stats":
            if method == b"DELETE":
                self.reset()
            transport.write(response(json.dumps(self.stats()).encode()))
            return
        self._requests += 1
        size = len(head) + len(body)
        self._received += size
        if b"content-encoding: gzip" in head.lower():
            body = gzip.decompress(body)
        if self._in_flight == self._capacity:
            self._refused += 1
            transport.write(self._refusal)
            return
        self._in_flight += 1
        self._most = max(self._most, self._in_flight)
        path, _, _ = path.partition(b"?")
        costly = path.startswith((b"/_inference/", b"/v1/"))
        if costly:
            answer = self._answer(path, head, body)
        else:
            answer = self._bulk(body) if path.endswith(b"/_bulk") else self._index(method, path, body)
        latency = self._latency if costly or path.endswith(b"/_bulk") else 0.0
        self._later(self._carry(0, size) + latency, self._respond, answer, transport)

    def _respond(self, answer: bytes, transport: asyncio.Transport) -> None:
        self._sent += len(answer)
        self._later(self._carry(1, len(answer)), self._send, answer, transport)

    def _carry(self, direction: int, size: int) -> float:
        """Return the seconds until a direction of the line has carried some more bytes."""
        now = asyncio.get_running_loop().time()
        self._free[direction] = max(self._free[direction], now) + size * self._seconds_per_byte
        return self._free[direction] - now

    @staticmethod
    def _later(seconds: float, run: Callable[..., None], *arguments: Any) -> None:
        if seconds:
            asyncio.get_running_loop().call_later(seconds, run, *arguments)
        else:
            run(*arguments)

    def _send(self, answer: bytes, transport: asyncio.Transport) -> None:
        self._in_flight -= 1
        if not transport.is_closing():
            transport.write(answer)

    def _answer(self, path: bytes, head: bytes, body: bytes) -> bytes:
        # The texts of the benchmark contain no quotes, so the only list of the body has two quotes for each text.
        inputs = body[body.index(b"[") : body.rindex(b"]")].count(b'"') // 2
        head = head.lower()
        kind = "v1" if path.startswith(b"/v1") else "cbor" if b"+cbor" in head or b"application/cbor" in head else "json"
        if kind == "json" and re.search(rb"accept-encoding:[^\r]*gzip", head):
            kind = "gzip"
        key = (kind, b"base64" in body, inputs)
        if key not in self._answers:
            self._answers[key] = self._render(*key)
        return self._answers[key]

    def _bulk(self, body: bytes) -> bytes:
        count = body.count(b"\n") // 2
        if count not in self._written_items:
            items = ",".join(['{"index":{"_index":"i","_id":"1","result":"created","status":201}}'] * count)
            self._written_items[count] = response(f'{{"took":1,"errors":false,"items":[{items}]}}'.encode())
        return self._written_items[count]

    def _index(self, method: bytes, path: bytes, body: bytes) -> bytes:
        name = path.decode().split("/")[1]
        if method in (b"PUT", b"DELETE", b"POST"):
            if method == b"PUT":
                self._mappings[name] = json.loads(body).get("mappings", {})
            elif method == b"DELETE":
                self._mappings.pop(name, None)
            return response(b'{"acknowledged":true,"_shards":{"total":1,"successful":1,"failed":0}}')
        if name and name not in self._mappings:
            error = {"type": "index_not_found_exception", "reason": f"no such index [{name}]"}
            found, status = {"error": {"root_cause": [error], **error}, "status": 404}, "404 Not Found"
        else:
            found, status = ({name: {"mappings": self._mappings[name], "settings": SETTINGS}} if name else VERSION), "200 OK"
        return response(b"" if method == b"HEAD" else json.dumps(found).encode(), status)

    def _render(self, kind: str, packed: bool, count: int) -> bytes:
        if kind == "cbor":
            vectors = [self._singles[index % DIFFERENT] for index in range(count)]
            items = b"".join(b"\xbf\x69embedding\x9f" + vector + b"\xff\xff" for vector in vectors)
            body = b"\xbf\x6etext_embedding\x9f" + items + b"\xff\xff"
            return response(body, kind="application/vnd.elasticsearch+cbor;compatible-with=9")
        written = [(self._packed if packed else self._written)[index % DIFFERENT] for index in range(count)]
        if kind == "v1":
            data = (f'{{"object":"embedding","index":{index},"embedding":{vector}}}' for index, vector in enumerate(written))
            usage = '"usage":{"prompt_tokens":1,"total_tokens":1}'
            text = '{"object":"list","model":"benchmark",' + usage + ',"data":[' + ",".join(data) + "]}"
            return response(text.encode())
        text = '{"text_embedding":[' + ",".join(f'{{"embedding":{vector}}}' for vector in written) + "]}"
        if kind == "gzip":
            return response(gzip.compress(text.encode(), 3), extra="Content-Encoding: gzip\r\n")
        return response(text.encode())


class Connection(asyncio.Protocol):
    """A connection, which splits its data into requests."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Handle a request when it is complete."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head)
        if not end or len(body) < (int(length[1]) if length else 0):
            return
        self._received = b""
        method, path, _ = head.split(b" ", 2)
        self._service.receive(method, path, head, body, self._transport)


def response(body: bytes, status: str = "200 OK", kind: str = "application/json", extra: str = "") -> bytes:
    """Return a complete HTTP response of Elasticsearch."""
    head = f"HTTP/1.1 {status}\r\nX-Elastic-Product: Elasticsearch\r\nContent-Type: {kind}\r\n{extra}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


if __name__ == "__main__":
    main()
