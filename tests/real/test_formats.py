"""The formats of requests and responses, on the real node and on the embedded EIS: CBOR, its media types, base64 vectors."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any

import cbor2
import pytest
from real.node import RealNode

from jina_eis.local import LocalEIS

VERSIONED_JSON = "application/vnd.elasticsearch+json; compatible-with=9"
VERSIONED_CBOR = "application/vnd.elasticsearch+cbor; compatible-with=9"
CBOR_ANSWER = "application/vnd.elasticsearch+cbor;compatible-with=9"
JSON_ANSWER = "application/vnd.elasticsearch+json;compatible-with=9"
VECTOR = [0.5, -0.5, 0.5, 0.5]  # of length 1, also with two bytes a number
Send = Callable[..., tuple[int, str, bytes]]


@pytest.fixture(params=["real", "embedded"])
def send(request: pytest.FixtureRequest, node: RealNode, eis: LocalEIS) -> Iterator[Send]:
    """Send a request with exactly these headers; returns the status, the content type and the body."""
    url = node.url if request.param == "real" else eis.url
    connection = HTTPConnection(url.removeprefix("http://"), timeout=30)

    def send_to(method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str, bytes]:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        if data is not None:
            connection.putheader("content-length", str(len(data)))
        connection.endheaders(data)
        answer = connection.getresponse()
        return answer.status, answer.getheader("content-type") or "", answer.read()

    yield send_to
    send_to("DELETE", "/v")
    connection.close()


def create(send: Send, settings: dict[str, Any] | None = None, **field: Any) -> None:
    mapping = {"properties": {"v": {"type": "dense_vector", "dims": 4, "similarity": "dot_product", **field}}}
    body = {"mappings": mapping, "settings": settings or {}}
    status, _, answer = send("PUT", "/v", body, content_type="application/json")
    assert status == 200, answer


def put(send: Send, vector: Any) -> tuple[int, Any]:
    status, _, body = send("PUT", "/v/_doc/1?refresh=true", {"v": vector}, content_type="application/json")
    return status, json.loads(body)


def packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f">{len(vector)}f", *vector)).decode()


def packed_as_bfloat16(vector: list[float]) -> str:
    return base64.b64encode(b"".join(struct.pack(">f", number)[:2] for number in vector)).decode()


@pytest.mark.parametrize(
    ("accept", "content_type", "status", "answered"),
    [
        (VERSIONED_CBOR, VERSIONED_JSON, 200, CBOR_ANSWER),
        (VERSIONED_JSON, VERSIONED_JSON, 200, JSON_ANSWER),
        (VERSIONED_CBOR.replace("9", "8"), VERSIONED_JSON.replace("9", "8"), 200, CBOR_ANSWER.replace("9", "8")),
        ("application/cbor", "application/json", 200, "application/cbor"),
        ("application/cbor, application/json;q=0.5", "application/json", 200, "application/json"),
        ("*/*", "application/json", 200, "application/json"),
        ("application/cbor", VERSIONED_JSON, 400, ""),
        ("application/json", VERSIONED_JSON, 400, ""),
        (f"{VERSIONED_CBOR}, {VERSIONED_JSON}", VERSIONED_JSON, 400, ""),
        ("*/*", VERSIONED_JSON, 400, ""),
        ("image/png", VERSIONED_JSON, 400, ""),
        (VERSIONED_CBOR, "application/json", 400, ""),
        (VERSIONED_CBOR.replace("9", "8"), VERSIONED_JSON, 400, ""),
    ],
)
def test_media_types_of_a_search(send: Send, accept: str, content_type: str, status: int, answered: str) -> None:
    create(send)
    got, kind, body = send("POST", "/v/_search", {"size": 0}, accept=accept, content_type=content_type)
    assert got == status, body
    if status == 200:
        assert kind.replace(" ", "") == answered
        read: Any = cbor2.loads if "cbor" in answered else json.loads
        assert read(body)["hits"]["total"]["value"] == 0
    else:
        assert b"media_type_header_exception" in body


def test_an_error_has_the_format_that_was_asked_for(send: Send) -> None:
    status, kind, body = send("POST", "/nowhere/_search", {}, accept=VERSIONED_CBOR, content_type=VERSIONED_JSON)
    assert status == 404
    assert kind.replace(" ", "") == CBOR_ANSWER
    assert cbor2.loads(body)["error"]["type"] == "index_not_found_exception"


def test_a_request_without_body_needs_no_content_type(send: Send) -> None:
    create(send)
    status, kind, body = send("GET", "/v/_mapping", accept=VERSIONED_CBOR)
    assert (status, kind.replace(" ", "")) == (200, CBOR_ANSWER)
    assert cbor2.loads(body)["v"]["mappings"]["properties"]["v"]["dims"] == 4


def test_vectors_are_single_in_fields_and_double_in_the_source(send: Send) -> None:
    create(send)
    assert put(send, [0.1, 0.2, 0.3, 0.9273618])[0] == 201
    search = {"fields": ["v"], "_source": {"includes": ["v"]}}
    headers = {"accept": VERSIONED_CBOR, "content_type": VERSIONED_JSON}
    status, _, body = send("POST", "/v/_search", search, **headers)
    assert status == 200, body
    hit = cbor2.loads(body)["hits"]["hits"][0]
    single = struct.unpack(">4f", struct.pack(">4f", *hit["fields"]["v"]))
    assert hit["fields"]["v"] == list(single)
    assert b"\xfa" + struct.pack(">f", single[0]) in body
    assert b"\xfb" + struct.pack(">d", hit["_source"]["v"][0]) in body
    read = json.loads(send("POST", "/v/_search", search, accept=VERSIONED_JSON, content_type=VERSIONED_JSON)[2])
    assert struct.pack(">4f", *read["hits"]["hits"][0]["fields"]["v"]) == struct.pack(">4f", *single)


@pytest.mark.parametrize("kept", [False, True], ids=["vectors left out of _source", "vectors in _source"])
def test_a_vector_in_base64(send: Send, kept: bool) -> None:
    create(send, {"index.mapping.exclude_source_vectors": not kept})
    sent = packed(VECTOR)
    assert put(send, sent)[0] == 201
    hit = json.loads(send("POST", "/v/_search", {"_source": {"exclude_vectors": False}}, content_type="application/json")[2])
    assert hit["hits"]["hits"][0]["_source"]["v"] == (sent if kept else VECTOR)
    found = send("POST", "/v/_search", {"knn": {"field": "v", "query_vector": sent}}, content_type="application/json")
    assert json.loads(found[2])["hits"]["hits"][0]["_score"] == pytest.approx(1.0, abs=1e-3)


def test_base64_with_two_bytes_a_number(send: Send) -> None:
    create(send)
    status, answer = put(send, packed_as_bfloat16(VECTOR))
    assert status == 201, answer
    answer = json.loads(send("GET", "/v/_doc/1?_source_includes=v")[2])
    assert answer["_source"]["v"] == VECTOR


@pytest.mark.parametrize("sent", [packed(VECTOR[:3]), packed([*VECTOR, 0.0]), "###"])
def test_base64_of_another_length_is_refused(send: Send, sent: str) -> None:
    create(send)
    status, answer = put(send, sent)
    assert status == 400
    assert answer["error"]["type"] == "document_parsing_exception"
    query = {"knn": {"field": "v", "query_vector": sent}}
    assert send("POST", "/v/_search", query, content_type="application/json")[0] == 400
