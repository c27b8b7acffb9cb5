"""One address for a real node and the embedded EIS, as a deployment of Elastic has one.

The embedded EIS answers what needs a model or a licence: inference, `/`, the licence and privileges. The node answers
everything else; requests and answers pass through as they are, with two exceptions, of which the published jars have no part:
`_delete_by_query`, and the `query_vector_builder` in the JSON of a search, which is replaced by its vector.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import quote

import aiohttp
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from yarl import URL

from jina_eis.local import LocalEIS

from .deletion import delete_by_query

__all__ = ["Front"]

HOST = "127.0.0.1"
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
OF_THE_EMBEDDED_EIS = ("", "_inference", "_license", "_security")
OF_A_CONNECTION = ("connection", "keep-alive", "transfer-encoding", "content-length")  # not of the request or the answer
NOT_ADDED = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")  # which aiohttp would otherwise add to a request
IDLE_SECONDS = 300

Headers = list[tuple[str, str]]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of one of the two servers."""

    status: int
    headers: Headers
    body: bytes


class RefusedError(Exception):
    """One of the servers refused a request of the front's own; `reply` is for the client."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status}: {reply.body[:300]!r}")
        self.reply = reply


class Front:
    """Answers on a free port of loopback, in a thread, as a context manager.

    Args:
        node: The address of the node. While the node is away, the answer is 503, as plain text.
        eis: The embedded EIS, started.
    """

    def __init__(self, node: str, eis: LocalEIS) -> None:
        self._node = node
        self._eis = eis.url
        self._session: aiohttp.ClientSession
        # With the number of the protocol: only then asyncio sets TCP_NODELAY, without which answers take 40 ms longer.
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._listener.bind((HOST, 0))
        self._listener.listen(1024)
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}"
        config = uvicorn.Config(
            Starlette(routes=[Route("/{path:path}", self._answer, methods=METHODS)], lifespan=self._open_session),
            ws="none",
            lifespan="on",
            loop="asyncio",
            log_level="critical",
            server_header=False,
            date_header=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],), name="front", daemon=True)

    def __enter__(self) -> Front:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()

    @asynccontextmanager
    async def _open_session(self, app: Starlette) -> AsyncIterator[None]:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
            skip_auto_headers=NOT_ADDED,
        ) as self._session:
            yield

    async def _answer(self, request: Request) -> Response:
        path, query = (request.scope[part].decode("ascii") for part in ("raw_path", "query_string"))
        target = f"{path}?{query}" if query else path
        names = path.strip("/").split("/")
        headers = without(request.headers.items(), *OF_A_CONNECTION)
        body = await request.body()
        try:
            if names[0] in OF_THE_EMBEDDED_EIS:
                reply = await self._send(self._eis, request.method, target, headers, body)
            elif names[1:] == ["_delete_by_query"]:
                reply = await self._delete_by_query(names[0], request, target, headers, body)
            else:
                if names[-1] == "_search":
                    headers, body = await self._with_vectors(headers, body)
                reply = await self._send(self._node, request.method, target, headers, body)
        except RefusedError as refused:
            reply = refused.reply
        except aiohttp.ClientError:  # nothing listens, or the connection ended before the answer did
            return PlainTextResponse("The node is not available.", 503)
        return respond(reply, is_head=request.method == "HEAD")

    async def _send(self, server: str, method: str, target: str, headers: Headers, body: bytes) -> Reply:
        url = URL(server + target, encoded=True)
        async with self._session.request(method, url, headers=headers, data=body or None, allow_redirects=False) as answer:
            received = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.raw_headers]
            return Reply(answer.status, received, await answer.read())

    async def _ask(self, server: str, method: str, target: str, headers: Headers, body: Json | list[Json] | None) -> Reply:
        """Send a request of the front's own, with the credentials and media types of the client; a list line by line."""
        lines = body if isinstance(body, list) else [] if body is None else [body]
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        reply = await self._send(server, method, target, without(headers, "content-encoding"), text.encode())
        if reply.status >= 400:
            raise RefusedError(reply)
        return reply

    async def _with_vectors(self, headers: Headers, body: bytes) -> tuple[Headers, bytes]:
        """The same search with a vector in the place of each builder. What cannot be read is left to the node to refuse."""
        search = read_json(headers, body)
        holders = [found for found in objects(search) if read_builder(found.get("query_vector_builder"))]
        if not holders:
            return headers, body
        vectors = await asyncio.gather(*(self._vector(headers, holder["query_vector_builder"]) for holder in holders))
        for holder, vector in zip(holders, vectors, strict=True):
            del holder["query_vector_builder"]
            holder["query_vector"] = vector
        return without(headers, "content-encoding"), json.dumps(search).encode()

    async def _vector(self, headers: Headers, builder: Json) -> list[float]:
        task, endpoint, content = read_builder(builder)
        target = f"/_inference/{task}/{quote(endpoint, safe='')}"
        reply = await self._ask(self._eis, "POST", target, headers, {"input": content, "input_type": "search"})
        ((result,),) = json.loads(reply.body).values()
        return result["embedding"]

    async def _delete_by_query(self, index: str, request: Request, target: str, headers: Headers, body: bytes) -> Reply:
        given = read_json(headers, body)
        if request.method != "POST" or not isinstance(given, dict) or "query" not in given:
            return await self._send(self._eis, request.method, target, headers, body)  # which refuses it as Elasticsearch does
        reply: Reply | None = None

        async def ask(method: str, target: str, body: Json | list[Json] | None) -> Json:
            nonlocal reply
            reply = await self._ask(self._node, method, target, headers, body)
            return json.loads(reply.body)

        status, answer = await delete_by_query(ask, index, request.query_params, given)
        assert reply is not None
        return Reply(status, reply.headers, json.dumps(answer).encode())


def respond(reply: Reply, *, is_head: bool) -> Response:
    """The answer for the client. That of a HEAD request keeps the length of the body that it does not have."""
    response = Response(reply.body, reply.status)
    lengths = [(name, value) for name, value in reply.headers if name.lower() == "content-length"] if is_head else []
    headers = [*without(reply.headers, *OF_A_CONNECTION), *(lengths or [("content-length", str(len(reply.body)))])]
    response.raw_headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return response


def without(headers: Headers, *names: str) -> Headers:
    return [(name, value) for name, value in headers if name.lower() not in names]


def read_json(headers: Headers, body: bytes) -> Any:
    """The value of a body, which a client with http_compress has compressed; None if it is no JSON."""
    try:
        # Not by orjson, which refuses lone surrogates: they are the node's to judge.
        return json.loads(gzip.decompress(body) if ("content-encoding", "gzip") in headers else body)
    except (OSError, ValueError):
        return None


def objects(value: Any) -> Iterator[Json]:
    """All objects in a JSON value, at any depth."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from objects(inner)


def read_builder(builder: Any) -> tuple[str, str, Any] | None:
    """The task, the endpoint and the input for inference of a complete builder; None for all else."""
    match builder:
        case {"text_embedding": {"model_id": str(endpoint), "model_text": str(text)}}:
            return "text_embedding", endpoint, text
        case {"embedding": {"inference_id": str(endpoint), "input": str(text)}}:
            return "embedding", endpoint, text
        case {"embedding": {"inference_id": str(endpoint), "input": content}}:
            return "embedding", endpoint, [{"content": content}]  # a list makes one vector here, and several in inference
    return None
