"""`Endpoints` over HTTP to the embedded EIS. One test body for sync and async."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from helpers import Caller, run_in_threads

from jina_eis import Endpoints, doctor
from jina_eis.errors import (
    ConfigurationError,
    EndpointExistsError,
    EndpointNotFoundError,
    InvalidAnswerError,
    RequestRejectedError,
)
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISEmbeddings

SMALL = "jina-embeddings-v5-text-small"
CHUNKS = {"strategy": "sentence", "max_chunk_size": 120, "sentence_overlap": 0}


@pytest.fixture
def endpoints(eis: LocalEIS) -> Iterator[Endpoints]:
    with Endpoints(es_url=eis.url, max_retries=2) as connected:
        before = {endpoint.inference_id for endpoint in connected.list(all=True)}
        eis.clear()
        yield connected
        eis.faults.clear()
        for endpoint in connected.list(all=True):
            if endpoint.inference_id not in before:
                connected.delete(endpoint.inference_id)


@pytest.fixture
def do(call: Caller, endpoints: Endpoints) -> Callable[..., Any]:
    """Calls a method of `endpoints` by its sync name."""
    return partial(call, endpoints)


def requests_sent(eis: LocalEIS) -> list[str]:
    return [f"{exchange.method} {exchange.path}" for exchange in eis.requests]


def test_an_endpoint_is_created_listed_described_used_and_deleted(do: Callable[..., Any], eis: LocalEIS) -> None:
    created = do("ensure", "facts-256", model=SMALL, dimensions=256, similarity="dot_product", chunking_settings=CHUNKS)

    assert (created.inference_id, created.task, created.service, created.model_id) == (
        "facts-256",
        "text_embedding",
        "elastic",
        SMALL,
    )
    assert (created.dimensions, created.similarity, created.chunking_settings) == (256, "dot_product", CHUNKS)
    assert do("describe", "facts-256") == created
    assert created in do("list")
    with JinaEISEmbeddings(es_url=eis.url, inference_id="facts-256") as embeddings:
        assert len(embeddings.embed_query("How do glaciers move?")) == 256
    assert do("delete", "facts-256") is None
    assert "facts-256" not in {endpoint.inference_id for endpoint in do("list")}
    with pytest.raises(
        EndpointNotFoundError, match=r"no inference endpoint 'facts-256'.*endpoints of this deployment are \.jina-clip-v2"
    ):
        do("describe", "facts-256")


def test_the_list_is_sorted_and_contains_status_regions_and_policy(do: Callable[..., Any]) -> None:
    listed = do("list")
    assert [endpoint.inference_id for endpoint in listed] == sorted(endpoint.inference_id for endpoint in listed)
    small = next(endpoint for endpoint in listed if endpoint.inference_id == f".{SMALL}")
    assert (small.status, small.regions, small.denied) == ("ga", ("local loopback",), False)


def test_a_preconfigured_endpoint_is_requested_and_not_read_from_the_model_table(do: Callable[..., Any], eis: LocalEIS) -> None:
    assert do("describe", f".{SMALL}").similarity == "cosine"
    assert requests_sent(eis) == [f"GET /_inference/.{SMALL}"]


def test_ensure_creates_one_endpoint_if_called_twice(do: Callable[..., Any], eis: LocalEIS) -> None:
    settings: dict[str, Any] = {"model": f".{SMALL}", "dimensions": 64, "chunking_settings": CHUNKS}
    assert do("ensure", "mine", **settings) == do("ensure", "mine", **settings)
    assert requests_sent(eis) == ["GET /_inference/mine", "PUT /_inference/text_embedding/mine", "GET /_inference/mine"]


def test_ensure_returns_an_existing_endpoint_if_no_passed_setting_differs(do: Callable[..., Any]) -> None:
    created = do("ensure", "mine", model=SMALL, similarity="l2_norm", chunking_settings=CHUNKS)
    assert do("ensure", "mine", model=SMALL) == created
    assert do("ensure", "mine", model=SMALL, chunking_settings={"max_chunk_size": 120}) == created


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"model": "jina-embeddings-v3", "dimensions": 256},
            "model 'jina-embeddings-v5-text-small' instead of 'jina-embeddings-v3'",
        ),
        ({"model": SMALL, "dimensions": 128}, "dimensions 256 instead of 128"),
        ({"model": SMALL}, "dimensions 256 instead of 1024"),
        ({"model": SMALL, "dimensions": 256, "similarity": "l2_norm"}, "similarity 'cosine' instead of 'l2_norm'"),
        (
            {"model": SMALL, "dimensions": 256, "chunking_settings": {"max_chunk_size": 50}},
            "max_chunk_size 250 instead of 50",
        ),
        ({"model": "jina-reranker-v3"}, "task 'text_embedding' instead of 'rerank'"),
        ({"model": "jina-embeddings-v5-omni-small", "dimensions": 256}, "task 'text_embedding' instead of 'embedding'"),
    ],
)
def test_an_endpoint_with_other_settings_is_an_error_and_is_not_changed(
    do: Callable[..., Any], other: dict[str, Any], message: str
) -> None:
    created = do("ensure", "mine", model=SMALL, dimensions=256)
    with pytest.raises(EndpointExistsError, match="or delete the endpoint and embed again") as failed:
        do("ensure", "mine", **other)
    assert message in str(failed.value)
    assert do("describe", "mine") == created


@pytest.mark.parametrize(
    ("inference_id", "settings", "message"),
    [
        ("Mine", {"model": SMALL}, "a-z, 0-9"),
        (".mine", {"model": SMALL}, "begins and ends with a letter"),
        ("mine_", {"model": SMALL}, "begins and ends with a letter"),
        ("mine", {"model": "jina-embedings-v5-text-small"}, f"Did you mean '{SMALL}'"),
        ("mine", {"model": "brand-new"}, "pass task: 'text_embedding', 'embedding' or 'rerank'"),
        (
            "mine",
            {"model": "brand-new", "task": "chat"},
            "task='chat': for brand-new pass 'text_embedding', 'embedding' or 'rerank'",
        ),
        ("mine", {"model": SMALL, "task": "embedding"}, f"for {SMALL} pass 'text_embedding'"),
        ("mine", {"model": SMALL, "dimensions": 300}, "was trained for 32, 64, 128"),
        ("mine", {"model": SMALL, "similarity": "euclid"}, "'cosine', 'dot_product' or 'l2_norm'"),
        ("mine", {"model": "jina-reranker-v3", "dimensions": 64}, "dimensions: jina-reranker-v3 is a reranker"),
        ("mine", {"model": "jina-reranker-v3", "chunking_settings": CHUNKS}, "chunking_settings: jina-reranker-v3 is a reranker"),
    ],
)
def test_invalid_settings_send_no_request(
    do: Callable[..., Any], eis: LocalEIS, inference_id: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError) as failed:
        do("ensure", inference_id, **settings)
    assert message in str(failed.value)
    assert eis.requests == []


@pytest.mark.parametrize(
    "settings",
    [
        *({"model": model} for model in (None, 5, ["x"], b"jina-embeddings-v3", "a\ud800")),
        *({"model": SMALL, "dimensions": dimensions} for dimensions in (True, 0, -1, "256", 256.0, 256.5)),
        *({"model": "brand-new", "task": "embedding", "dimensions": dimensions} for dimensions in (True, 0, "256")),
        *({"model": SMALL, "chunking_settings": value} for value in (["a"], "x", 5, True, [("strategy", "none")], {1: 2})),
        *({"model": SMALL, "chunking_settings": {"a": value}} for value in (float("nan"), "\ud800", {1})),
        {"model": SMALL, "task": 5},
    ],
    ids=ascii,
)
def test_settings_of_another_type_send_no_request(do: Callable[..., Any], eis: LocalEIS, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        do("ensure", "mine", **settings)
    assert eis.requests == []


@pytest.mark.parametrize("inference_id", [None, 5, b"mine", "", "_all", "\udcff"], ids=ascii)
@pytest.mark.parametrize("method", ["ensure", "describe", "delete"])
def test_an_invalid_id_sends_no_request(do: Callable[..., Any], eis: LocalEIS, method: str, inference_id: Any) -> None:
    with pytest.raises(ConfigurationError, match="inference_id="):
        do(method, inference_id, **({"model": SMALL} if method == "ensure" else {}))
    assert eis.requests == []


def test_an_endpoint_created_again_with_another_length_works_after_one_error(do: Callable[..., Any], eis: LocalEIS) -> None:
    do("ensure", "mine", model=SMALL, dimensions=64)
    with JinaEISEmbeddings(es_url=eis.url, inference_id="mine") as embeddings:
        assert len(embeddings.embed_query("glacier")) == 64
        do("delete", "mine")
        do("ensure", "mine", model=SMALL, dimensions=128)
        with pytest.raises(InvalidAnswerError):
            embeddings.embed_query("glacier")
        assert len(embeddings.embed_query("glacier")) == 128


def test_a_preconfigured_endpoint_is_deleted_only_with_force(do: Callable[..., Any], eis: LocalEIS) -> None:
    with pytest.raises(ConfigurationError, match="force=True"):
        do("delete", ".jina-clip-v2")
    assert eis.requests == []


def test_force_deletes_a_preconfigured_endpoint() -> None:
    with LocalEIS(model="hash") as eis, Endpoints(es_url=eis.url) as endpoints:
        endpoints.delete(".jina-clip-v2", force=True)
        assert ".jina-clip-v2" not in {endpoint.inference_id for endpoint in endpoints.list()}


def test_the_error_contains_the_reason_of_the_service(do: Callable[..., Any]) -> None:
    with pytest.raises(RequestRejectedError, match="no model"):
        do("ensure", "mine", model="brand-new", task="embedding")


def test_concurrent_calls_return_the_same_endpoint(endpoints: Endpoints, eis: LocalEIS) -> None:
    results: list[Any] = []
    run_in_threads([lambda: results.append(endpoints.ensure("mine", model=SMALL, dimensions=64))] * 8)
    assert len(results) == 8
    assert all(result == results[0] for result in results)


def test_the_errors_of_a_cluster_without_eis() -> None:
    with LocalEIS(model="hash", eis=False) as eis, Endpoints(es_url=eis.url) as endpoints:
        assert endpoints.list() == []
        with pytest.raises(EndpointNotFoundError, match="no Jina endpoints: is EIS available"):
            endpoints.describe(f".{SMALL}")
        with pytest.raises(Exception, match="refuses the deployment"):
            endpoints.ensure("mine", model=SMALL)


def test_settings_are_those_of_every_adapter() -> None:
    with pytest.raises(ConfigurationError, match="No address of Elasticsearch"):
        Endpoints()
    with pytest.raises(ConfigurationError, match="Did you mean es_url"):
        Endpoints(es_ulr="http://localhost:9200")
    assert "secret" not in repr(Endpoints(es_url="http://localhost:9200", es_api_key="secret"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"es_url": "http://localhost"}, "http://localhost:9200"),
        ({"es_url": "http://[::1]"}, r"http://[::1]:9200"),
        ({"es_url": "http://a b:9200/"}, "Write it like https://"),
        ({"client": object()}, "pass client=Elasticsearch"),
        ({"async_client": "x"}, "pass async_client=AsyncElasticsearch"),
    ],
    ids=["no port", "no port behind IPv6", "no host", "no client", "no async client"],
)
def test_an_invalid_address_is_an_error_and_a_failed_check_of_the_doctor(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        Endpoints(**settings).list()
    report = doctor(**settings)
    assert not report.ok
    assert message in str(report).replace("\n" + " " * 26, " ")
