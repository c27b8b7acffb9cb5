"""The HTTP application of the embedded EIS: authentication, routes, headers, recording, faults."""

from __future__ import annotations

import asyncio
import gzip
import hmac
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..faults import INDEX_KINDS, Faults, Kind, index_refusal, refusal, spoil
from ..indices import Clock, Storage
from ..inference import InnerInference, Registry, StandIn, answer, check_types, parse_task, plan, read_body
from ..quota import Quota
from ..refusals import RefusedError, not_implemented, timed_out
from ..versions import BUILD, CLUSTER, LICENCE
from .cluster import Cluster
from .formats import CBOR, Line, choose_format, to_cbor
from .parameters import AUTHENTICATE, FAULTY, REPLACED, THREADS, UNKNOWN_FORMAT
from .routes import find_operation

LOG = logging.getLogger("jina_eis.local")
T = TypeVar("T")

JSON_TYPE = re.compile(r"application/(vnd\.elasticsearch\+)?(json|x-ndjson)\s*(;|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A received request and its response; status 0 means that no response was sent.

    The body of a bulk request is the list of its lines.
    """

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: Any
    status: int
    answer: Any
    fault: Kind | None


@dataclass(frozen=True, slots=True)
class Reply:
    """A response before it is serialised."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    fault: Kind | None = None


def error_reply(refused: RefusedError, fault: Kind | None = None) -> Reply:
    return Reply(refused.envelope(), refused.status, refused.headers, fault)


class BrokenResponse(Response):
    """A response that ends early: nothing is sent, or half of the body.

    ASGI cannot close a connection. The server's protocol therefore stores its transport in the state of the request.
    """

    def __init__(self, content: bytes, *, sent: int, headers: dict[str, str]) -> None:
        super().__init__(content, headers=headers)
        self._sent = sent

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the beginning, then close the connection."""
        transport = scope["state"]["transport"]
        if self._sent:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": bytes(self.body[: self._sent]), "more_body": True})
            transport.close()  # unlike abort(), this sends the buffered half first
        else:
            transport.abort()
        # If this returned before the server noticed the disconnect, the server would log an application error.
        while (await receive())["type"] != "http.disconnect":
            pass


@dataclass(eq=False, kw_only=True)
class Emulator:
    """The state of the emulated cluster; `asgi` is its application."""

    standin: StandIn
    faults: Faults
    registry: Registry
    api_key: str | None
    record: bool
    data: Path | None
    clock: Clock
    quota: Quota
    mbit: float | None
    ending: bool = False
    most_in_flight: int = 0
    requests: list[Exchange] = field(default_factory=list)
    _in_flight: int = 0
    _storage: Storage | None = None

    def __post_init__(self) -> None:
        self.label = f"{self.standin.label} for text, hashes of the bytes for media"
        self.notice = f"{self.standin.notice}\nEqual media files get equal vectors; otherwise the vectors of media mean nothing."
        self._up, self._down = Line(self.mbit), Line(self.mbit)
        self._threads = ThreadPoolExecutor(THREADS, "jina-eis-local")

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the server sends nothing but HTTP."""
        start = time.monotonic()
        response = await self._handle(Request(scope, receive))
        await self._down.carry(len(response.body))
        await response(scope, receive, send)
        LOG.info("%s %s %d, %.0f ms", scope["method"], scope["path"], response.status_code, 1000 * (time.monotonic() - start))

    def open(self) -> None:
        """Open the storage and restore its endpoints; raises BlockingIOError if another process uses the folder."""
        self._storage = Storage(self.data, self.clock)
        self.registry.restore(self._storage.endpoints(), self._storage.keep_endpoint)

    def close(self) -> None:
        """Close the storage and release its folder. Without a folder, indices and documents are lost."""
        if self._storage is not None:
            self.registry.restore((), lambda endpoint, definition: None)
            self._storage.close()
            self._storage = None

    def clear(self) -> None:
        """Delete the recorded exchanges and reset the count; endpoints stay."""
        self.requests.clear()
        self.most_in_flight = self._in_flight

    async def _handle(self, request: Request) -> Response:
        raw = await request.body()
        await self._up.carry(len(raw))
        if request.headers.get("content-encoding") == "gzip":  # a client with http_compress
            raw = gzip.decompress(raw)
        kind = UNKNOWN_FORMAT
        try:
            kind = choose_format(request.headers.get("accept", ""), request.headers.get("content-type", "") if raw else "")
            self._authenticate(request)
            if raw and not JSON_TYPE.match(sent := request.headers.get("content-type", "")):
                raise not_implemented(f"Content-Type [{sent}]")
            reply = await self._route(request, raw)
        except RefusedError as refused:
            reply = error_reply(refused)
            if request.method == "HEAD" and refused.status == 501:  # the answer has no body
                reply.headers["x-jina-eis-reason"] = refused.reason.encode("ascii", "replace").decode()
                LOG.warning("HEAD %s: %s", request.scope["path"], refused.reason)
            elif refused.status == 501:
                LOG.info("%s %s: %s", request.method, request.scope["path"], refused.reason)
        if reply.fault == "not_acceptable" and kind[0] == CBOR:
            reply, kind = Reply({"error": "CBOR is not supported", "status": 406}, 406, fault=reply.fault), UNKNOWN_FORMAT
        if self.record:
            self.requests.append(new_exchange(request, raw, reply))
        return to_response(reply, *kind)

    def _authenticate(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        known = scheme.lower() == "apikey" and hmac.compare_digest(key.strip().encode(), (self.api_key or "").encode())
        if self.api_key is None or known:
            return
        problem = "unable to authenticate with provided" if scheme else "missing authentication"
        refused = RefusedError(401, "security_exception", f"{problem} credentials for REST request [{request.url.path}]")
        refused.details["header"] = {"WWW-Authenticate": AUTHENTICATE}
        refused.headers["www-authenticate"] = ", ".join(AUTHENTICATE)
        raise refused

    async def _route(self, request: Request, raw: bytes) -> Reply:
        method, names = request.method, request.scope["path"].strip("/").split("/")
        match method, names:
            case "GET" | "HEAD", [""]:
                return Reply(self._info())
            case "GET", ["_license"]:
                return Reply(LICENCE)
            case "POST", ["_security", "user", "_has_privileges"]:
                return Reply(has_privileges(raw))
            case "GET", ["_inference"]:
                return Reply(self.registry.show(None, "_all"))
            case _, [root, *_] if root != "_inference":
                return await self._run_operation(request, raw)
        stream = method == "POST" and len(names) == 4 and names[-1] == "_stream"
        *_, endpoint = names = names[:3] if stream else names
        if method not in ("POST", "GET", "PUT", "DELETE") or not 2 <= len(names) <= 3 or endpoint == "_region_policy":
            raise not_implemented(f"{method} {request.url.path}")
        task = parse_task(names[1], self.registry.version) if len(names) == 3 else None
        if method == "POST":
            return await self._infer(task, endpoint, raw, request.query_params.get("timeout"), stream)
        if method == "GET":
            return Reply(self.registry.show(task, endpoint))
        if method == "PUT":
            return Reply(self.registry.put(task, endpoint, raw))
        flags = {name: request.query_params.get(name) in ("true", "") for name in ("force", "dry_run")}
        assert self._storage is not None
        return Reply(self.registry.delete(task, endpoint, self._storage.users_of(endpoint), **flags))

    async def _run_operation(self, request: Request, raw: bytes) -> Reply:
        names = [unquote(name) for name in request.scope["raw_path"].decode("ascii").strip("/").split("/")]
        name, run = find_operation(request.method, names, request.query_params, raw)
        assert self._storage is not None
        cluster = Cluster(self._storage, InnerInference(self.registry, self.standin, self.faults))
        if name not in FAULTY:
            status, body = await self._in_thread(run, cluster)
            return Reply(body, status)
        with self._counted():
            await self._wait(self.faults.latency)
            # A read runs first: a refused request consumes no fault. A write runs last: a fault stores nothing.
            result = await self._in_thread(run, cluster) if name != "bulk" else None
            fault = self.faults.take(kinds=INDEX_KINDS)
            if fault is not None and (refused := index_refusal(fault)) is not None:
                return error_reply(refused, fault.kind)
            status, body = await self._in_thread(run, cluster) if result is None else result
            return Reply(body, status, fault=None if fault is None else fault.kind)

    async def _infer(self, task: str | None, endpoint: str, raw: bytes, timeout: str | None, stream: bool) -> Reply:
        with self._counted():
            job = plan(self.registry, task, endpoint, raw, timeout, stream)
            self.quota.take(job.endpoint.id, job.role, 1.0, job.tokens)
            fault = self.faults.take(job.values)
            latency = self.faults.latency
            await self._wait(min(latency, job.limit.seconds))
            if latency > job.limit.seconds:
                raise timed_out(job.endpoint.id, job.limit, self.registry.version)
            if fault is not None and fault.kind == "wrong_type":
                await self._in_thread(check_types, job)
                fault = None
            refused = None if fault is None else refusal(fault, job.endpoint.id, job.limit, self.registry.version)
            if fault is not None and refused is not None:
                return error_reply(refused, fault.kind)
            # In a thread, so that the model of one request does not block the others.
            body = await self._in_thread(answer, job, self.standin)
            return Reply(body) if fault is None else Reply(spoil(body, fault.kind), fault=fault.kind)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count a request as in flight."""
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1

    async def _in_thread(self, run: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, run, *arguments)

    async def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        # Short sleeps, so that a long latency does not delay the shutdown.
        while not self.ending and (remaining := until - time.monotonic()) > 0:
            await asyncio.sleep(min(remaining, 0.1))

    def _info(self) -> dict[str, Any]:
        tagline = f"Local stand-in for the Elastic Inference Service: {self.label}. {' '.join(self.notice.split())}"
        return CLUSTER | {"version": {"number": self.registry.version.number, **BUILD}, "tagline": tagline}


def has_privileges(raw: bytes) -> dict[str, Any]:
    """Grant every cluster privilege: an authenticated caller may do everything here."""
    body = read_body(raw)
    if not set(body) <= {"cluster"}:
        raise not_implemented("POST /_security/user/_has_privileges with privileges other than cluster")
    granted = dict.fromkeys(body.get("cluster", ()), True)
    return {"username": "jina-eis-local", "has_all_requested": True, "cluster": granted, "index": {}, "application": {}}


def new_exchange(request: Request, raw: bytes, reply: Reply) -> Exchange:
    try:
        if request.url.path.endswith("/_bulk"):
            body = [orjson.loads(line) for line in raw.split(b"\n") if line.strip()]
        else:
            body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        body = None
    headers = {name: value for name, value in request.headers.items() if name != "authorization"}
    body_lost = reply.fault in (*REPLACED, "drop", "cut")
    status = 0 if reply.fault == "drop" else REPLACED.get(reply.fault or "", (reply.status,))[0]
    path, params = request.url.path, dict(request.query_params)
    return Exchange(request.method, path, params, headers, body, status, None if body_lost else reply.body, reply.fault)


def to_response(reply: Reply, kind: str, content_type: str) -> Response:
    headers = {"x-elastic-product": "Elasticsearch", "content-type": content_type, **reply.headers}
    if isinstance(reply.body, str):
        content, headers["content-type"] = reply.body.encode(), "text/event-stream"
    elif kind == CBOR:
        content = to_cbor(reply.body)
    else:  # orjson would write null for NaN
        content = json.dumps(reply.body).encode() if reply.fault == "not_finite" else orjson.dumps(reply.body)
    match reply.fault:
        case "drop":
            return BrokenResponse(b"", sent=0, headers=headers)
        case "cut":
            return BrokenResponse(content, sent=len(content) // 2, headers=headers)
        case "bad_gateway" | "no_upstream" | "garbage":
            status, page, types = REPLACED[reply.fault]
            return Response(page, status, headers | types)
        case "wrong_content_type":
            headers["content-type"] = "application/octet-stream"
    return Response(content, reply.status, headers)
