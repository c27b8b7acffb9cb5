"""The front of the real node: which server answers what, and that the rest is forwarded unchanged."""

from __future__ import annotations

import gzip
import http.client
import json
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from elasticsearch import BadRequestError, ConflictError, Elasticsearch, NotFoundError
from made import png
from real.deletion import PAGE
from real.front import Front
from real.node import RealNode

from jina_eis.local import LocalEIS

TEXT_SMALL = ".jina-embeddings-v5-text-small"
OMNI = ".jina-embeddings-v5-omni-small"
VERSIONED = "application/vnd.elasticsearch+json; compatible-with=9"
JSON = {"content-type": "application/json"}
VERSIONED_JSON = {"accept": VERSIONED, "content-type": VERSIONED}


class Answer:
    """What a server answered, in full."""

    def __init__(
        self, url: str, method: str, target: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        connection.request(method, target, body, headers or {})
        answer = connection.getresponse()
        self.status = answer.status
        self.headers = sorted((name.lower(), value) for name, value in answer.getheaders())
        self.body = answer.read()
        connection.close()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", "/", None),
        ("HEAD", "/", None),
        ("GET", "/_license", None),
        ("POST", "/_security/user/_has_privileges", b'{"cluster": ["monitor_inference"]}'),
        ("GET", "/_inference/_all", None),
        ("GET", f"/_inference/{TEXT_SMALL}", None),
        ("POST", f"/_inference/text_embedding/{TEXT_SMALL}?timeout=30s", b'{"input": ["a text"], "input_type": "search"}'),
        ("POST", "/_inference/text_embedding/none", b'{"input": ["a text"]}'),
    ],
)
def test_the_embedded_eis_answers(front: Front, eis: LocalEIS, method: str, target: str, body: bytes | None) -> None:
    answer = Answer(front.url, method, target, body, JSON)
    assert (answer.status, answer.body) == ((own := Answer(eis.url, method, target, body, JSON)).status, own.body)
    assert answer.header("x-elastic-product") == "Elasticsearch"
    assert [exchange.path for exchange in eis.requests] == [target.partition("?")[0]] * 2


@pytest.mark.parametrize(
    ("method", "target", "body", "headers"),
    [
        ("GET", "/_nodes?filter_path=nodes.*.version", None, {}),
        ("GET", "/a%2Fb/_doc/%C3%A9%20%2B1?pretty", None, {"accept": VERSIONED}),
        ("GET", "/texts/_doc/1?format=yaml", None, {}),
        ("GET", "/texts/_doc/1", None, {"accept": "application/cbor"}),
        ("GET", "/texts/_doc/1", None, {"accept-encoding": "gzip"}),
        ("HEAD", "/texts/_doc/1", None, {}),
        ("HEAD", "/texts/_doc/2", None, {}),
        ("POST", "/texts/_count", b'{"query": {"match": {"text": "glacier"}}}', JSON),
        ("POST", "/texts/_count", gzip.compress(b'{"query": {"match_all": {}}}'), {**JSON, "content-encoding": "gzip"}),
        ("POST", "/texts/_count", b"{}", {"accept": VERSIONED, "content-type": "application/json"}),
        ("POST", "/texts/_count", b"{}", {"content-type": "text/html"}),
        ("POST", "/texts/_count", b'{"query": ', JSON),
        ("GET", "/texts/_count", b'{"query": {"none": {}}}', JSON),
        ("POST", "/texts/_search", b'{"query": {"knn": {"field": "text", "query_vector_builder": {"lookup": {}}}}}', JSON),
        ("POST", "/texts/_search", b'{"query": ', JSON),
        ("POST", "/texts/_refresh", None, {}),
        ("PUT", "/texts", b"", {}),
        ("DELETE", "/none", None, {}),
        ("OPTIONS", "/texts", None, {}),
    ],
)
def test_the_node_answers_as_if_it_were_asked_itself(
    front: Front, node: RealNode, eis: LocalEIS, method: str, target: str, body: bytes | None, headers: dict[str, str]
) -> None:
    Answer(node.url, "PUT", "/texts/_doc/1?refresh=true", b'{"text": "A glacier is ice that flows."}', JSON)
    through = Answer(front.url, method, target, body, headers)
    direct = Answer(node.url, method, target, body, headers)
    assert (through.status, through.headers, through.body) == (direct.status, direct.headers, direct.body)
    assert not eis.requests


def test_a_missing_content_type_is_not_filled_in(front: Front) -> None:
    connection = http.client.HTTPConnection(urlsplit(front.url).netloc)
    connection.putrequest("POST", "/_search", skip_accept_encoding=True)
    connection.putheader("content-length", "2")
    connection.endheaders(b"{}")
    answer = connection.getresponse()
    assert answer.status == 406
    assert "Content-Type header [] is not supported" in answer.read().decode()
    connection.close()


def vectors(eis: LocalEIS, task: str, endpoint: str, *inputs: Any) -> list[list[float]]:
    body = {"input": list(inputs), "input_type": "ingest"}
    answer = Answer(eis.url, "POST", f"/_inference/{task}/{endpoint}", json.dumps(body).encode(), JSON).json
    return [result["embedding"] for result in next(iter(answer.values()))]


def fill(client: Elasticsearch, found: list[list[float]]) -> None:
    client.indices.create(index="vectors", mappings={"properties": {"v": {"type": "dense_vector", "dims": len(found[0])}}})
    lines = [line for n, vector in enumerate(found) for line in ({"index": {"_id": str(n)}}, {"v": vector})]
    assert not client.bulk(index="vectors", operations=lines, refresh=True)["errors"]


TEXTS = ("A glacier is ice that flows.", "Bread rises because yeast makes gas.", "Cats sleep for most of the day.")
BUILDER = {"text_embedding": {"model_id": TEXT_SMALL, "model_text": TEXTS[1]}}
KNN = {"field": "v", "k": 1, "num_candidates": 10, "query_vector_builder": BUILDER}


@pytest.mark.parametrize(
    "search",
    [
        {"knn": KNN},
        {"knn": [KNN, {**KNN, "boost": 2}], "size": 1},
        {"query": {"bool": {"must": [{"knn": KNN}]}}},
        {"retriever": {"knn": KNN}},
        {"retriever": {"standard": {"query": {"knn": KNN}}}},
    ],
    ids=["top level", "two", "query", "retriever", "inside a retriever"],
)
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_a_builder_becomes_the_vector_of_its_endpoint(front: Front, eis: LocalEIS, search: Any, compressed: bool) -> None:
    with Elasticsearch(front.url, http_compress=compressed) as client:
        fill(client, vectors(eis, "text_embedding", TEXT_SMALL, *TEXTS))
        (hit,) = client.search(index="vectors", **search)["hits"]["hits"]
        assert hit["_id"] == "1"


def test_the_parts_of_a_builder_make_one_vector(front: Front, eis: LocalEIS) -> None:
    picture = {"type": "image", "format": "base64", "value": f"data:image/png;base64,{b64encode(png()).decode()}"}
    both = [{"type": "text", "value": TEXTS[0]}, picture]
    with Elasticsearch(front.url) as client:
        fill(client, vectors(eis, "embedding", OMNI, *({"content": content} for content in (both[0], both[1], both))))
        for n, content in enumerate((TEXTS[0], picture, both)):
            builder = {"embedding": {"inference_id": OMNI, "input": content, "timeout": "30s"}}
            (hit,) = client.search(index="vectors", knn={**KNN, "query_vector_builder": builder})["hits"]["hits"]
            assert hit["_id"] == str(n)


def test_an_endpoint_that_does_not_exist(front: Front) -> None:
    with Elasticsearch(front.url) as client:
        builder = {"text_embedding": {"model_id": "none", "model_text": "a text"}}
        with pytest.raises(NotFoundError, match="none"):
            client.search(index="vectors", knn={**KNN, "query_vector_builder": builder})


def test_delete_by_query(front: Front, node: RealNode) -> None:
    with Elasticsearch(front.url) as client:
        count = 2 * PAGE + 1
        lines = [line for n in range(count + 10) for line in ({"index": {"_id": str(n)}}, {"old": n < count})]
        client.bulk(index="numbers", operations=lines, refresh=True)
        old = {"term": {"old": True}}
        some = client.delete_by_query(index="numbers", query=old, max_docs=5, refresh=True)
        assert (some["total"], some["deleted"], some["batches"]) == (5, 5, 1)
        rest = client.delete_by_query(index="numbers", query=old, refresh=True)
        assert (rest["deleted"], rest["batches"], rest["version_conflicts"], rest["failures"]) == (count - 5, 2, 0, [])
        assert client.count(index="numbers")["count"] == 10
        assert client.delete_by_query(index="numbers", query=old)["total"] == 0
        with pytest.raises(NotFoundError):
            client.delete_by_query(index="none", query=old)
        assert client.delete_by_query(index="none", query=old, ignore_unavailable=True)["total"] == 0
        with pytest.raises(BadRequestError, match="query is missing"):
            client.perform_request("POST", "/numbers/_delete_by_query", body={}, headers=VERSIONED_JSON)
        assert client.count(index="numbers")["count"] == 10


@pytest.mark.parametrize("proceed", [False, True])
def test_a_document_that_changes_before_it_is_deleted_stays(front: Front, proceed: bool) -> None:
    with Elasticsearch(front.url) as client:
        for n in range(3):
            client.index(index="changing", id=str(n), document={"n": n})
        client.indices.refresh(index="changing")
        client.index(index="changing", id="1", document={"n": 7})  # searches still find the old one
        delete = {"index": "changing", "query": {"match_all": {}}, "refresh": True}
        if proceed:
            answer = client.delete_by_query(**delete, conflicts="proceed")
            assert (answer["total"], answer["deleted"], answer["version_conflicts"], answer["failures"]) == (3, 2, 1, [])
        else:
            with pytest.raises(ConflictError) as caught:
                client.delete_by_query(**delete)
            ((failure,), deleted) = (caught.value.body["failures"], caught.value.body["deleted"])
            assert (failure["id"], failure["status"], deleted) == ("1", 409, 2)
        assert client.search(index="changing")["hits"]["hits"][0]["_source"] == {"n": 7}


def test_while_the_node_is_away(front: Front, node: RealNode) -> None:
    node.kill()
    for target in ("/texts/_doc/1", "/texts/_delete_by_query", "/_cluster/health"):
        answer = Answer(front.url, "POST", target, b'{"query": {"match_all": {}}}', JSON)
        assert (answer.status, answer.header("content-type")) == (503, "text/plain; charset=utf-8")
        assert answer.header("x-elastic-product") is None
    assert Answer(front.url, "GET", "/").status == 200
    node.start()
    assert Answer(front.url, "GET", "/_cluster/health").status == 200


def test_one_connection_and_many_at_once(front: Front) -> None:
    connection = http.client.HTTPConnection(urlsplit(front.url).netloc)
    connection.connect()
    own = connection.sock.getsockname()
    for n in range(20):
        connection.request("PUT", f"/many/_doc/{n}", json.dumps({"n": n}), JSON)
        assert json.load(connection.getresponse())["_id"] == str(n)
        assert connection.sock.getsockname() == own
    connection.close()

    def read(n: int) -> Any:
        return Answer(front.url, "GET", f"/many/_doc/{n % 20}").json["_source"]["n"]

    with ThreadPoolExecutor(40) as pool:
        assert list(pool.map(read, range(400))) == [n % 20 for n in range(400)]
