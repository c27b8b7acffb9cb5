"""The format of responses: what is asked for, what own clients can read, and what servers and gateways answer instead."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cbor2
import pytest
from elasticsearch import AsyncElasticsearch, Elasticsearch, JsonSerializer, OrjsonSerializer
from helpers import FACTS, TEXT, Caller, posts, texts

from jina_eis.errors import (
    AuthenticationError,
    AuthorizationError,
    ConfigurationError,
    InvalidAnswerError,
    JinaEISError,
    RateLimitError,
    RequestRejectedError,
    ServiceError,
    ServiceUnavailableError,
)
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRetriever
from llama_index_jina_eis import JinaEISEmbedding

CBOR = "application/vnd.elasticsearch+cbor; compatible-with="
Connect = Callable[..., Any]


class OwnCbor:
    """A serializer of a user, for one of the two names."""

    mimetype = "application/cbor"

    def loads(self, data: bytes) -> Any:
        return cbor2.loads(data)

    def dumps(self, data: Any) -> bytes:
        return cbor2.dumps(data)


BOTH = {"application/cbor": OwnCbor(), "application/vnd.elasticsearch+cbor": OwnCbor()}


def singles(vectors: list[list[float]]) -> list[array[float]]:
    return [array("f", vector) for vector in vectors]


def accepted(eis: LocalEIS) -> list[bool]:
    """Whether each POST has asked for CBOR."""
    return [post.headers["accept"].startswith(CBOR) for post in posts(eis)]


@pytest.mark.parametrize(
    ("adapter", "method"), [(JinaEISEmbeddings, "embed_documents"), (JinaEISEmbedding, "get_text_embedding_batch")]
)
def test_vectors_are_asked_for_in_cbor(call: Caller, connect: Connect, eis: LocalEIS, adapter: Any, method: str) -> None:
    in_cbor = call(connect(adapter), method, FACTS)
    in_json = call(connect(adapter, wire_format="json"), method, FACTS)
    assert singles(in_cbor) == singles(in_json)
    assert accepted(eis) == [True, False]
    assert all(type(number) is float for vector in in_cbor for number in vector)


def embed_with_own_client(call: Caller, url: str, options: dict[str, Any], **settings: Any) -> Any:
    if not call.asynchronous:
        with Elasticsearch(url, **options) as client:
            return JinaEISEmbeddings(client=client, **settings).embed_documents(FACTS)

    async def embed() -> Any:
        async with AsyncElasticsearch(url, **options) as client:
            return await JinaEISEmbeddings(async_client=client, **settings).aembed_documents(FACTS)

    return asyncio.run(embed())


@pytest.mark.parametrize("wire_format", ["auto", "cbor"])
@pytest.mark.parametrize("serializer", [None, JsonSerializer, OrjsonSerializer])
@pytest.mark.parametrize("names", [(), ("application/cbor",), tuple(BOTH)])
def test_own_clients_are_asked_for_what_they_can_read(
    call: Caller, connect: Connect, eis: LocalEIS, wire_format: str, serializer: Any, names: tuple[str, ...]
) -> None:
    serializers: dict[str, Any] = {name: BOTH[name] for name in names}
    if serializer:
        serializers["application/json"] = serializer()
    options = {"serializers": serializers} if serializers else {}
    expected = singles(connect(JinaEISEmbeddings).embed_documents(FACTS))
    eis.clear()

    def embed() -> Any:
        return embed_with_own_client(call, eis.url, options, wire_format=wire_format)

    if wire_format == "cbor" and len(names) < 2:
        with pytest.raises(ConfigurationError, match=r"your client cannot read CBOR\. Create it with serializers"):
            embed()
    else:
        assert singles(embed()) == expected
        assert accepted(eis) == [len(names) == 2]


@pytest.mark.parametrize("refusal", [406, 415, 400])
def test_a_server_that_refuses_cbor_is_asked_for_json(
    call: Caller, connect: Connect, caplog: pytest.LogCaptureFixture, refusal: int
) -> None:
    caplog.set_level(logging.INFO, "jina_eis.transport")

    def answer(accept: str) -> tuple[int, str, bytes]:
        if "cbor" not in accept:
            return 200, "application/json", b'{"text_embedding":[{"embedding":[1.5,0.0]}]}'
        kind = b'{"type":"media_type_header_exception","reason":"no"}' if refusal == 400 else b'"not supported"'
        return refusal, "application/json", b'{"error":%b,"status":%d}' % (kind, refusal)

    with gateway(answer) as (url, seen):
        embeddings = connect(JinaEISEmbeddings, es_url=url, inference_id="m", max_concurrency=1)
        for _ in range(2):
            assert call(embeddings, "embed_query", "x") == [1.5, 0.0]
        assert ["cbor" in accept for accept in seen] == [True, False, False]
        assert [record.name for record in caplog.records if record.name.startswith("jina_eis.transport")] == [
            "jina_eis.transport"
        ]
        with pytest.raises(RequestRejectedError, match=f"HTTP {refusal}"):
            call(connect(JinaEISEmbeddings, es_url=url, inference_id="m", wire_format="cbor"), "embed_query", "x")


def test_many_requests_in_flight_are_refused_at_once(call: Caller, connect: Connect, eis: LocalEIS) -> None:
    expected = call(connect(JinaEISEmbeddings, wire_format="json"), "embed_documents", texts(640))
    eis.clear()
    eis.faults.always("not_acceptable")
    eis.faults.latency = 0.05
    assert call(connect(JinaEISEmbeddings), "embed_documents", texts(640)) == expected
    assert 1 <= sum(accepted(eis)) <= 16
    assert accepted(eis).count(False) == 40


def test_an_answer_in_json_is_read_where_cbor_was_asked_for(call: Caller, connect: Connect) -> None:
    with gateway(lambda accept: (200, "application/json", b'{"text_embedding":[{"embedding":[1.5]}]}')) as (url, seen):
        assert call(connect(JinaEISEmbeddings, es_url=url, inference_id="m", wire_format="cbor"), "embed_query", "x") == [1.5]
        assert seen[0].startswith(CBOR)


def test_an_error_in_cbor_is_read(call: Caller, connect: Connect) -> None:
    error = {"error": {"type": "status_exception", "reason": "too small", "root_cause": []}, "status": 400}
    with (
        gateway(lambda accept: (400, "application/vnd.elasticsearch+cbor;compatible-with=9", cbor2.dumps(error))) as (url, _),
        pytest.raises(RequestRejectedError, match=r"status_exception: too small\."),
    ):
        call(connect(JinaEISEmbeddings, es_url=url, inference_id="m"), "embed_query", "x")


def test_the_format_of_a_wrong_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="wire_format: Input should be 'auto', 'json' or 'cbor'"):
        JinaEISEmbeddings(es_url="http://localhost:9", wire_format="smile")


# ---- Gateways ----


@contextmanager
def gateway(answer: Callable[[str], tuple[int, str, bytes]]) -> Iterator[tuple[str, list[str]]]:
    """A server that answers each POST and PUT by its Accept header; yields its address, and the headers it has seen."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # a body after its headers would wait 40 ms for an acknowledgement

        def reply(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            for name, value in (("content-type", kind), ("x-elastic-product", "Elasticsearch")):
                if value:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            if self.path.startswith("/_inference"):
                endpoint = b'{"inference_id":"m","task_type":"text_embedding","service":"elastic","service_settings":{}}'
                self.reply(200, "application/json", b'{"endpoints":[%b]}' % endpoint)
            elif self.path == "/":
                self.reply(200, "application/json", b'{"version":{"number":"9.4.0"}}')
            else:
                properties = b'{"text":{"type":"text"},"v":{"type":"semantic_text","inference_id":"m"}}'
                self.reply(200, "application/json", b'{"kb":{"mappings":{"properties":%b}}}' % properties)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"] or 0))
            seen.append(self.headers["accept"])
            self.reply(*answer(self.headers["accept"]))

        def log_message(self, *_: Any) -> None:
            """It prints nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()


STATUSES: dict[int, type[JinaEISError]] = {
    401: AuthenticationError,
    403: AuthorizationError,
    404: RequestRejectedError,
    429: RateLimitError,
    500: ServiceError,
    501: ServiceError,
    502: ServiceUnavailableError,
    503: ServiceUnavailableError,
    504: ServiceUnavailableError,
}
BODIES = {
    "plain words as JSON": ("application/json", b"no healthy upstream"),
    "plain words as CBOR": ("application/vnd.elasticsearch+cbor;compatible-with=9", b"no healthy upstream"),
    "broken JSON": ("application/json", b'{"error": "no healthy upstream'),
    "an unknown charset": ("application/json; charset=klingon", b"no healthy upstream \xff"),
    "problem": ("application/problem+json", b'{"title": "no healthy upstream"}'),
    "XML": ("application/xml", b"<e>no healthy upstream</e>"),
    "bytes": ("application/octet-stream", b"no healthy upstream"),
    "no content type": ("", b"no healthy upstream"),
    "a page": ("text/html", b"<html><style>p {}</style><h1>no healthy upstream</h1></html>"),
    "no type at all": ("gateway", b"no healthy upstream"),
}
PATHS: dict[str, Callable[[Caller, Connect, str], Any]] = {
    "inference": lambda call, connect, url: call(connect(JinaEISEmbeddings, es_url=url, inference_id="m"), "embed_query", "x"),
    "search": lambda call, connect, url: call(connect(JinaEISRetriever, es_url=url, index_name="kb"), "invoke", "x"),
    "bulk": lambda call, connect, url: call(connect(JinaEISRetriever, es_url=url, index_name="kb"), "add_texts", ["x"]),
}


@pytest.mark.parametrize(
    ("status", "body", "path"),
    [
        (status, body, path)
        for status in STATUSES
        for body in BODIES
        for path in PATHS
        if path == "inference" or status in (403, 503) or body == "plain words as JSON"
    ],
)
def test_the_status_of_a_body_that_cannot_be_read(call: Caller, connect: Connect, status: int, body: str, path: str) -> None:
    with gateway(lambda accept: (status, *BODIES[body])) as (url, seen), pytest.raises(JinaEISError) as raised:
        PATHS[path](call, connect, url)
    message = str(raised.value)
    if path != "bulk":  # a document that alone fails is reported by its id
        assert type(raised.value) is STATUSES[status]
        assert raised.value.status == status
    assert f"HTTP {status}" in message
    assert ("a page of HTML" if body == "a page" else "no healthy upstream") in message
    assert "proxy" in message
    assert "<h1>" not in message
    assert (len(seen) > 5) == STATUSES[status].transient


@pytest.mark.parametrize("body", BODIES)
def test_a_gateway_that_recovers(call: Caller, connect: Connect, body: str) -> None:
    answers = [(503, *BODIES[body]), (429, *BODIES[body]), (502, "application/json", b"")]

    def answer(accept: str) -> tuple[int, str, bytes]:
        return answers.pop(0) if answers else (200, "application/json", b'{"text_embedding":[{"embedding":[1.0,0.0]}]}')

    with gateway(answer) as (url, seen):
        assert PATHS["inference"](call, connect, url) == [1.0, 0.0]
        assert len(seen) == 4


@pytest.mark.parametrize("body", BODIES)
def test_a_success_that_cannot_be_read(call: Caller, connect: Connect, body: str) -> None:
    refused = pytest.raises(InvalidAnswerError, match=r"neither JSON nor CBOR\. Is a proxy")
    with gateway(lambda accept: (200, *BODIES[body])) as (url, seen), refused:
        PATHS["inference"](call, connect, url)
    assert len(seen) == 1


def test_own_clients_report_what_they_cannot_read(call: Caller) -> None:
    with (
        gateway(lambda accept: (503, "application/problem+json", b"{}")) as (url, _),
        pytest.raises(InvalidAnswerError, match=r"your client cannot read.*the client lacks a serializer"),
    ):
        embed_with_own_client(call, url, {}, inference_id="m")


@pytest.mark.parametrize("value", [{"a"}, 1j], ids=repr)
def test_a_filter_that_cannot_be_written_is_no_bad_answer(call: Caller, connect: Connect, index_name: str, value: Any) -> None:
    retriever = connect(JinaEISRetriever, index_name=index_name, inference_id=TEXT)
    call(retriever, "add_texts", FACTS)
    with pytest.raises(ConfigurationError, match=r"filter: 'term\.metadata\.x' is of type \w+, which JSON does not have"):
        call(retriever, "invoke", "salt", filter={"term": {"metadata.x": value}})


@pytest.mark.parametrize("kind", ["garbage", "wrong_content_type", "not_finite", "ragged", "empty", "too_few", "too_many"])
@pytest.mark.parametrize("wire_format", ["json", "cbor"])
def test_wrong_answers_in_both_formats(call: Caller, connect: Connect, eis: LocalEIS, kind: Any, wire_format: str) -> None:
    eis.faults.queue(kind)
    with pytest.raises(InvalidAnswerError):
        call(connect(JinaEISEmbeddings, wire_format=wire_format), "embed_documents", FACTS)


# ---- The line ----


def test_a_line_of_given_bandwidth(call: Caller) -> None:
    with LocalEIS(model="hash", mbit=4) as eis, JinaEISEmbeddings(es_url=eis.url) as embeddings:
        embeddings.embed_query("x")
        began = time.monotonic()
        call(embeddings, "embed_documents", texts(96))  # 5,131 bytes a vector: 3.9 Mbit
        assert time.monotonic() - began > 0.9


@pytest.mark.parametrize("mbit", [0, -1, float("nan")])
def test_a_line_needs_a_bandwidth(mbit: float) -> None:
    with pytest.raises(ValueError, match="pass a number above 0"):
        LocalEIS(mbit=mbit)
