"""Endpoints are listed, made and deleted over real HTTP. One body for sync and async."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

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
    with Endpoints(es_url=eis.url, max_retries=2) as opened:
        before = {endpoint.inference_id for endpoint in opened.list(all=True)}
        eis.clear()
        yield opened
        eis.faults.clear()
        for endpoint in opened.list(all=True):
            if endpoint.inference_id not in before:
                opened.delete(endpoint.inference_id)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def do(request: pytest.FixtureRequest, endpoints: Endpoints) -> Callable[..., Any]:
    """A method by its name."""

    def call(name: str, *arguments: Any, **options: Any) -> Any:
        if request.param:
            return asyncio.run(getattr(endpoints, f"a{name}")(*arguments, **options))
        return getattr(endpoints, name)(*arguments, **options)

    return call


def sent(eis: LocalEIS) -> list[str]:
    return [f"{exchange.method} {exchange.path}" for exchange in eis.requests]


def test_what_is_made_is_listed_described_used_and_deleted(do: Callable[..., Any], eis: LocalEIS) -> None:
    made = do("ensure", "facts-256", model=SMALL, dimensions=256, similarity="dot_product", chunking_settings=CHUNKS)

    assert (made.inference_id, made.task, made.service, made.model_id) == ("facts-256", "text_embedding", "elastic", SMALL)
    assert (made.dimensions, made.similarity, made.chunking_settings) == (256, "dot_product", CHUNKS)
    assert do("describe", "facts-256") == made
    assert made in do("list")
    with JinaEISEmbeddings(es_url=eis.url, inference_id="facts-256") as embeddings:
        assert len(embeddings.embed_query("How do glaciers move?")) == 256
    assert do("delete", "facts-256") is None
    assert "facts-256" not in {endpoint.inference_id for endpoint in do("list")}
    with pytest.raises(EndpointNotFoundError, match=r"no inference endpoint 'facts-256'.*has for Jina: \.jina-clip-v2"):
        do("describe", "facts-256")


def test_the_list_is_sorted_and_tells_status_regions_and_policy(do: Callable[..., Any]) -> None:
    listed = do("list")
    assert [endpoint.inference_id for endpoint in listed] == sorted(endpoint.inference_id for endpoint in listed)
    small = next(endpoint for endpoint in listed if endpoint.inference_id == f".{SMALL}")
    assert (small.status, small.regions, small.denied) == ("ga", ("local loopback",), False)


def test_a_preconfigured_endpoint_is_asked_for_and_not_read_from_the_table(do: Callable[..., Any], eis: LocalEIS) -> None:
    assert do("describe", f".{SMALL}").similarity == "cosine"
    assert sent(eis) == [f"GET /_inference/.{SMALL}"]


def test_ensure_said_twice_makes_one(do: Callable[..., Any], eis: LocalEIS) -> None:
    wanted: dict[str, Any] = {"model": f".{SMALL}", "dimensions": 64, "chunking_settings": CHUNKS}
    assert do("ensure", "mine", **wanted) == do("ensure", "mine", **wanted)
    assert sent(eis) == ["GET /_inference/mine", "PUT /_inference/text_embedding/mine", "GET /_inference/mine"]


def test_ensure_takes_what_is_there_if_nothing_that_is_said_differs(do: Callable[..., Any]) -> None:
    made = do("ensure", "mine", model=SMALL, similarity="l2_norm", chunking_settings=CHUNKS)
    assert do("ensure", "mine", model=SMALL) == made
    assert do("ensure", "mine", model=SMALL, chunking_settings={"max_chunk_size": 120}) == made


@pytest.mark.parametrize(
    ("other", "told"),
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
def test_one_with_other_settings_is_an_error_and_stays_as_it_is(do: Callable[..., Any], other: dict[str, Any], told: str) -> None:
    made = do("ensure", "mine", model=SMALL, dimensions=256)
    with pytest.raises(EndpointExistsError, match="or delete it") as failed:
        do("ensure", "mine", **other)
    assert told in str(failed.value)
    assert do("describe", "mine") == made


@pytest.mark.parametrize(
    ("inference_id", "wanted", "told"),
    [
        ("Mine", {"model": SMALL}, "a-z, 0-9"),
        (".mine", {"model": SMALL}, "begins and ends with a letter"),
        ("mine_", {"model": SMALL}, "begins and ends with a letter"),
        ("mine", {"model": "jina-embedings-v5-text-small"}, f"Did you mean '{SMALL}'"),
        ("mine", {"model": "brand-new"}, "pass task: 'text_embedding', 'embedding' or 'rerank'"),
        ("mine", {"model": "brand-new", "task": "chat"}, "task='chat': for brand-new it is"),
        ("mine", {"model": SMALL, "task": "embedding"}, "it is 'text_embedding'"),
        ("mine", {"model": SMALL, "dimensions": 300}, "was trained for 32, 64, 128"),
        ("mine", {"model": SMALL, "similarity": "euclid"}, "'cosine', 'dot_product' or 'l2_norm'"),
        ("mine", {"model": "jina-reranker-v3", "dimensions": 64}, "is a reranker, and has no dimensions"),
        ("mine", {"model": "jina-reranker-v3", "chunking_settings": CHUNKS}, "is a reranker, and has no chunking_settings"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    do: Callable[..., Any], eis: LocalEIS, inference_id: str, wanted: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigurationError) as failed:
        do("ensure", inference_id, **wanted)
    assert told in str(failed.value)
    assert eis.requests == []


@pytest.mark.parametrize(
    "wanted",
    [
        *({"model": model} for model in (None, 5, ["x"], b"jina-embeddings-v3", "a\ud800")),
        *({"model": SMALL, "dimensions": dimensions} for dimensions in (True, 0, -1, "256", 256.0, 256.5)),
        *({"model": "brand-new", "task": "embedding", "dimensions": dimensions} for dimensions in (True, 0, "256")),
        *({"model": SMALL, "chunking_settings": given} for given in (["a"], "x", 5, True, [("strategy", "none")], {1: 2})),
        *({"model": SMALL, "chunking_settings": {"a": given}} for given in (float("nan"), "\ud800", {1})),
        {"model": SMALL, "task": 5},
    ],
    ids=ascii,
)
def test_what_is_of_another_type_is_refused_before_anything_is_sent(
    do: Callable[..., Any], eis: LocalEIS, wanted: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError):
        do("ensure", "mine", **wanted)
    assert eis.requests == []


@pytest.mark.parametrize("inference_id", [None, 5, b"mine", "", "_all", "\udcff"], ids=ascii)
@pytest.mark.parametrize("method", ["ensure", "describe", "delete"])
def test_what_is_no_id_is_refused_before_anything_is_sent(
    do: Callable[..., Any], eis: LocalEIS, method: str, inference_id: Any
) -> None:
    with pytest.raises(ConfigurationError, match="inference_id="):
        do(method, inference_id, **({"model": SMALL} if method == "ensure" else {}))
    assert eis.requests == []


def test_one_that_is_made_again_with_another_length_is_used_after_one_error(do: Callable[..., Any], eis: LocalEIS) -> None:
    do("ensure", "mine", model=SMALL, dimensions=64)
    with JinaEISEmbeddings(es_url=eis.url, inference_id="mine") as embeddings:
        assert len(embeddings.embed_query("glacier")) == 64
        do("delete", "mine")
        do("ensure", "mine", model=SMALL, dimensions=128)
        with pytest.raises(InvalidAnswerError):
            embeddings.embed_query("glacier")
        assert len(embeddings.embed_query("glacier")) == 128


def test_a_preconfigured_endpoint_is_deleted_by_force_only(do: Callable[..., Any], eis: LocalEIS) -> None:
    with pytest.raises(ConfigurationError, match="force=True"):
        do("delete", ".jina-clip-v2")
    assert eis.requests == []


def test_by_force_it_is_deleted() -> None:
    with LocalEIS(model="hash") as eis, Endpoints(es_url=eis.url) as endpoints:
        endpoints.delete(".jina-clip-v2", force=True)
        assert ".jina-clip-v2" not in {endpoint.inference_id for endpoint in endpoints.list()}


def test_what_the_service_refuses_is_told(do: Callable[..., Any]) -> None:
    with pytest.raises(RequestRejectedError, match="no model"):
        do("ensure", "mine", model="brand-new", task="embedding")


def test_two_who_make_the_same_at_once_both_have_it(endpoints: Endpoints, eis: LocalEIS) -> None:
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda: results.append(endpoints.ensure("mine", model=SMALL, dimensions=64))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(result == results[0] for result in results)


def test_a_cluster_without_eis_says_so() -> None:
    with LocalEIS(model="hash", eis=False) as eis, Endpoints(es_url=eis.url) as endpoints:
        assert endpoints.list() == []
        with pytest.raises(EndpointNotFoundError, match="none for Jina: is EIS available"):
            endpoints.describe(f".{SMALL}")
        with pytest.raises(Exception, match="refuses the deployment"):
            endpoints.ensure("mine", model=SMALL)


def test_settings_are_those_of_every_adapter() -> None:
    with pytest.raises(ConfigurationError, match="Where is Elasticsearch"):
        Endpoints()
    with pytest.raises(ConfigurationError, match="Did you mean es_url"):
        Endpoints(es_ulr="http://localhost:9200")
    assert "secret" not in repr(Endpoints(es_url="http://localhost:9200", es_api_key="secret"))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"es_url": "http://localhost"}, "http://localhost:9200"),
        ({"es_url": "http://[::1]"}, r"http://[::1]:9200"),
        ({"es_url": "http://a b:9200/"}, "Write it like https://"),
        ({"client": object()}, "pass client=Elasticsearch"),
        ({"async_client": "x"}, "pass async_client=AsyncElasticsearch"),
    ],
    ids=["no port", "no port behind IPv6", "no host", "no client", "no async client"],
)
def test_an_address_that_is_none_is_told_and_is_a_line_of_the_doctor(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        Endpoints(**settings).list()
    report = doctor(**settings)
    assert not report.ok
    assert told in str(report).replace("\n" + " " * 26, " ")
