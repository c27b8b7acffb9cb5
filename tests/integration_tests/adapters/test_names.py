"""Names of models, the default reranker, and versions, over HTTP in both frameworks. One test body for sync and async."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from helpers import OMNI, QUERY, Caller, passages, posts, restricted, run_in_threads
from llama_index.core.schema import NodeWithScore, TextNode

from jina_eis import Endpoints, doctor
from jina_eis.errors import ConfigurationError, EndpointNotFoundError, RequestRejectedError
from jina_eis.local import LocalEIS
from jina_eis.models import DEFAULT_RERANKERS, MODELS, EmbeddingModel
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRerank, JinaEISRetriever
from llama_index_jina_eis import (
    JinaEISEmbedding,
    JinaEISMultiModalEmbedding,
)
from llama_index_jina_eis import (
    JinaEISRerank as LlamaIndexRerank,
)
from llama_index_jina_eis import (
    JinaEISRetriever as LlamaIndexRetriever,
)

V35, V3 = DEFAULT_RERANKERS
PDF = b"%PDF-1.4\n1 0 obj << /Type /Page >> endobj\ntrailer\n%%EOF\n"
EMBEDDING_MODELS = [model for model in MODELS if isinstance(model, EmbeddingModel)]
RERANKERS = [model for model in MODELS if model.task == "rerank"]


@pytest.fixture(scope="module")
def _older() -> Iterator[LocalEIS]:
    with LocalEIS(model="hash", record=True, version="9.4") as eis:
        yield eis


@pytest.fixture
def older(_older: LocalEIS) -> LocalEIS:
    """A deployment of 9.4, without v3.5 and without fused inputs."""
    _older.clear()
    return _older


@pytest.fixture(params=[JinaEISRerank, LlamaIndexRerank], ids=["langchain", "llama_index"])
def reranker_class(request: pytest.FixtureRequest) -> Any:
    return request.param


def of_the_client(record: logging.LogRecord) -> bool:
    return record.name.startswith("jina_eis") and record.name != "jina_eis.local"


def rank(call: Caller, reranker: Any, number: int = 5) -> int:
    """Rerank, and return the position of the best document."""
    if isinstance(reranker, JinaEISRerank):
        return int(call(reranker, "rerank", passages(number), QUERY)[0]["index"])
    nodes = [NodeWithScore(node=TextNode(text=text, metadata={"n": n})) for n, text in enumerate(passages(number))]
    return int(call(reranker, "postprocess_nodes", nodes, query_str=QUERY)[0].metadata["n"])


def sent(eis: LocalEIS) -> list[str]:
    return [f"{exchange.method} {exchange.path}" for exchange in eis.requests]


# Names


@pytest.mark.parametrize("name", ["jinaai/{}", "{}", ".{}"])
@pytest.mark.parametrize("model", EMBEDDING_MODELS, ids=lambda model: model.name)
def test_every_name_of_an_embedding_model_works(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, model: EmbeddingModel, name: str
) -> None:
    name = name.format(model.name)
    first = call(connect(JinaEISEmbeddings, model=name), "embed_query", "x")
    second = call(connect(JinaEISEmbedding, model=name), "get_text_embedding", "x")
    assert len(first) == len(second) == model.dimensions
    assert {post.path.rpartition("/")[2] for post in posts(eis)} == {model.endpoint}
    assert len(posts(eis)) == 2
    assert len(eis.requests) == (4 if name == model.name else 2), "a bare name is looked up once for each object"


@pytest.mark.parametrize("name", ["jinaai/{}", "{}", ".{}"])
@pytest.mark.parametrize("model", RERANKERS, ids=lambda model: model.name)
def test_every_name_of_a_reranker_works(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, reranker_class: Any, model: Any, name: str
) -> None:
    reranker = connect(reranker_class, model=name.format(model.name))
    assert rank(call, reranker) == rank(call, reranker) == 2
    assert [post.path for post in posts(eis)] == [f"/_inference/rerank/{model.endpoint}"] * 2
    assert reranker.inference_id == reranker.model == name.format(model.name)


@pytest.mark.parametrize("name", ["jina-reranker-v2", ".jina-reranker-v2", "jinaai/jina-reranker-v2-base-multilingual"])
def test_the_old_names_of_v2_lead_to_the_id_of_the_deployment(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, reranker_class: Any, name: str
) -> None:
    assert rank(call, connect(reranker_class, model=name)) == 2
    assert [post.path for post in posts(eis)] == ["/_inference/rerank/.jina-reranker-v2-base-multilingual"]


def test_an_endpoint_with_exactly_this_name_comes_first(call: Caller, eis: LocalEIS) -> None:
    with Endpoints(es_url=eis.url) as endpoints, JinaEISEmbeddings(es_url=eis.url, model="jina-embeddings-v3") as embeddings:
        endpoints.ensure("jina-embeddings-v3", model="jinaai/jina-embeddings-v5-text-small", dimensions=64)
        try:
            assert endpoints.describe("jina-embeddings-v3").model_id == "jina-embeddings-v5-text-small"
            assert len(call(embeddings, "embed_query", "x")) == 64
        finally:
            endpoints.delete("jina-embeddings-v3")


@pytest.mark.parametrize("name", ["jinaai/jina-reranker-v3", "jina-reranker-v3", ".jina-reranker-v3"])
def test_an_endpoint_is_described_by_each_name(call: Caller, connect: Callable[..., Any], name: str) -> None:
    assert call(connect(Endpoints), "describe", name).inference_id == ".jina-reranker-v3"


def test_retrievers_understand_names(call: Caller, connect: Callable[..., Any], eis: LocalEIS, index_name: str) -> None:
    names = {"inference_id": "jinaai/jina-embeddings-v3", "rerank_inference_id": "jina-reranker-v3"}
    retriever = connect(JinaEISRetriever, index_name=index_name, **names)
    call(retriever, "add_texts", passages(5))
    assert call(retriever, "invoke", QUERY)[0].page_content == passages(5)[2]
    mapping = next(exchange.body for exchange in eis.requests if exchange.method == "PUT")
    assert mapping["mappings"]["properties"]["embedding"]["inference_id"] == ".jina-embeddings-v3"
    search = next(exchange.body for exchange in eis.requests if exchange.path.endswith("_search"))
    assert search["retriever"]["text_similarity_reranker"]["inference_id"] == ".jina-reranker-v3"
    other = connect(LlamaIndexRetriever, index_name=index_name, **{**names, "inference_id": "jina-embeddings-v3"})
    assert call(other, "retrieve", QUERY)[0].text == passages(5)[2]


def test_an_unknown_name_gets_the_nearest_and_the_list(call: Caller, connect: Callable[..., Any], reranker_class: Any) -> None:
    with pytest.raises(
        EndpointNotFoundError, match=r"Did you mean '\.jina-reranker-v3\.5'\? The Jina endpoints .*\.jina-clip-v2"
    ):
        rank(call, connect(reranker_class, model=".jina-reranker-v35"))
    with pytest.raises(EndpointNotFoundError, match=r"jina-embeddings-v4 is not on EIS\. The Jina endpoints"):
        call(connect(JinaEISEmbeddings, model="jina-embeddings-v4"), "embed_query", "x")
    with pytest.raises(EndpointNotFoundError) as caught:
        call(connect(JinaEISEmbedding, model="jina-embeddings-v2"), "get_text_embedding", "x")
    assert "Did you mean" not in str(caught.value)


# The default reranker


def test_the_default_reranker_is_found_with_the_first_documents(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, reranker_class: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "jina_eis")
    reranker = connect(reranker_class)
    assert (reranker.inference_id, reranker.model) == (None, None)
    assert rank(call, reranker) == rank(call, reranker) == 2
    assert sent(eis) == [f"GET /_inference/{V35}", *[f"POST /_inference/rerank/{V35}"] * 2]
    assert (reranker.inference_id, reranker.model) == (V35, V35)
    assert [record.getMessage() for record in caplog.records if of_the_client(record)] == [
        f"The default reranker of this deployment is {V35}."
    ]


@pytest.mark.parametrize(("model", "since"), [(V35, r" Elastic Stack 9\.5 and newer have it\."), ("mine", "")])
def test_the_error_for_an_endpoint_of_newer_versions_names_the_first(
    call: Caller, older: LocalEIS, reranker_class: Any, model: str, since: str
) -> None:
    message = rf"There is no inference endpoint '{model}'\.{since} The Jina endpoints of this deployment"
    with reranker_class(es_url=older.url, model=model) as reranker, pytest.raises(EndpointNotFoundError, match=message):
        rank(call, reranker)


def test_an_older_deployment_uses_v3(call: Caller, older: LocalEIS, reranker_class: Any) -> None:
    with reranker_class(es_url=older.url) as reranker:
        assert rank(call, reranker) == rank(call, reranker) == 2
        assert sent(older) == [f"GET /_inference/{V35}", *[f"POST /_inference/rerank/{V3}"] * 2]
        assert reranker.inference_id == V3


def test_threads_and_loops_find_the_default_once(eis: LocalEIS, reranker_class: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "jina_eis")
    eis.faults.latency = 0.05
    with reranker_class(es_url=eis.url) as reranker:
        run_in_threads([lambda asynchronous=n % 2: rank(Caller(bool(asynchronous)), reranker) for n in range(8)])
        assert sent(eis).count(f"GET /_inference/{V35}") == 1
        assert len(posts(eis)) == 8
    assert len([record for record in caplog.records if of_the_client(record)]) == 1


@pytest.mark.parametrize("version", ["9.4", "9.6"])
def test_a_key_that_may_not_see_endpoints_reranks(
    call: Caller, eis: LocalEIS, older: LocalEIS, reranker_class: Any, version: str
) -> None:
    deployment, expected = (older, V3) if version == "9.4" else (eis, V35)
    with restricted(deployment) as url, reranker_class(es_url=url) as reranker:
        assert rank(call, reranker) == rank(call, reranker) == 2
        assert reranker.inference_id == expected
    tried = [post.path.rpartition("/")[2] for post in posts(deployment)]
    assert tried == [V35, expected, expected], "the refusal is remembered"


def test_what_was_found_is_in_no_pickle_copy_or_dictionary(call: Caller, eis: LocalEIS, reranker_class: Any) -> None:
    with reranker_class(es_url=eis.url) as reranker:
        rank(call, reranker)
        assert reranker.inference_id == V35
        copies = [pickle.loads(pickle.dumps(reranker)), copy.copy(reranker), copy.deepcopy(reranker), reranker.model_copy()]
        assert [copied.inference_id for copied in copies] == [None] * 4
        assert reranker.model_dump()["inference_id"] is None
        assert V35 not in reranker.model_dump_json()
        if isinstance(reranker, LlamaIndexRerank):
            assert reranker.to_dict()["inference_id"] is None
            assert LlamaIndexRerank.from_dict(reranker.to_dict()).inference_id is None
        assert rank(call, copies[0]) == 2
        assert copies[0].inference_id == V35


def test_an_endpoint_that_is_named_later_is_stored(call: Caller, eis: LocalEIS, reranker_class: Any) -> None:
    with reranker_class(es_url=eis.url) as reranker:
        rank(call, reranker)
        reranker.top_n = 1
        assert (reranker.inference_id, reranker.model_dump()["inference_id"]) == (V35, None)
        reranker.inference_id = V3
        eis.clear()
        rank(call, reranker)
        assert sent(eis) == [f"POST /_inference/rerank/{V3}"]
        assert pickle.loads(pickle.dumps(reranker)).inference_id == V3


def test_the_default_is_found_for_a_retriever(call: Caller, eis: LocalEIS, older: LocalEIS) -> None:
    for deployment, expected in ((eis, V35), (older, V3)):
        with Endpoints(es_url=deployment.url) as endpoints:
            assert call(endpoints, "default_reranker") == expected


def test_doctor_calls_the_default_first(eis: LocalEIS, older: LocalEIS) -> None:
    for deployment, expected in ((eis, V35), (older, V3)):
        assert f"{expected}: 2 documents" in str(doctor(es_url=deployment.url))


# Fused inputs


@pytest.fixture(params=[JinaEISEmbeddings, JinaEISMultiModalEmbedding], ids=["langchain", "llama_index"])
def embeddings_class(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_fused_inputs_that_are_embedded_do_not_ask_for_the_version(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, embeddings_class: Any
) -> None:
    embeddings = connect(embeddings_class, model=OMNI)
    assert len(call(embeddings, "embed_content", ["one", "two"])) == 1024
    call(embeddings, "embed_contents", [["three", "four"], "five"])
    assert len(eis.requests) == len(posts(eis)) == 2


def test_an_older_deployment_refuses_fused_inputs_with_its_version(call: Caller, older: LocalEIS, embeddings_class: Any) -> None:
    with embeddings_class(es_url=older.url, model=OMNI) as embeddings:
        for _ in range(2):
            with pytest.raises(
                ConfigurationError, match=r"several parts .* needs Elasticsearch 9\.5; this deployment has 9\.4\."
            ):
                call(embeddings, "embed_content", ["one", "two"])
        assert [request for request in sent(older) if request.startswith("GET")] == ["GET /"]


def test_a_refusal_of_fused_inputs_is_explained_where_the_version_is_hidden(
    call: Caller, eis: LocalEIS, older: LocalEIS, embeddings_class: Any
) -> None:
    with restricted(older) as url, embeddings_class(es_url=url, model=OMNI) as embeddings:
        with pytest.raises(ConfigurationError, match=r"needs Elasticsearch 9\.5, and this key may not see the version") as caught:
            call(embeddings, "embed_content", ["one", "two"])
        assert caught.value.status == 400
        with pytest.raises(RequestRejectedError):
            call(embeddings, "embed_content", PDF)
    with restricted(eis) as url, embeddings_class(es_url=url, model=OMNI) as embeddings:
        assert len(call(embeddings, "embed_content", ["one", "two"])) == 1024


def test_a_fused_query_is_refused_with_the_version(call: Caller, eis: LocalEIS, older: LocalEIS, index_name: str) -> None:
    arguments = {"index_name": index_name, "search_type": "knn", "inference_id": OMNI}
    with JinaEISRetriever(es_url=older.url, **arguments) as retriever:
        call(retriever, "add_texts", passages(3))
        with pytest.raises(ConfigurationError, match=r"needs Elasticsearch 9\.5; this deployment has 9\.4\."):
            call(retriever, "invoke", ["one", "two"])
        with pytest.raises(ConfigurationError, match=r"needs Elasticsearch 9\.5; this deployment has 9\.4\."):
            call(retriever, "add_contents", [["one", "two"]])
        call(retriever, "delete_index")


# The header of the use case


def test_the_use_case_is_sent_once_in_every_request(call: Caller, eis: LocalEIS) -> None:
    recorded: list[tuple[str, str, Any]] = []
    eis.faults.queue("unavailable")
    with restricted(eis, recorded) as url, JinaEISRerank(es_url=url) as reranker:
        assert rank(call, reranker) == 2
    assert len(recorded) == 4, "the request that was refused with 503 is retried"
    assert [headers.get_all("x-elastic-product-use-case") for *_, headers in recorded] == [["jina-eis"]] * 4


async def test_a_use_case_of_the_user_wins(eis: LocalEIS) -> None:
    from elasticsearch import AsyncElasticsearch, Elasticsearch

    headers = {"X-Elastic-Product-Use-Case": "mine"}
    with Elasticsearch(eis.url, headers=headers) as client, Elasticsearch(eis.url) as plain:
        async with AsyncElasticsearch(eis.url).options(headers=headers) as async_client:
            await asyncio.to_thread(JinaEISEmbeddings(client=client).embed_query, "x")
            await JinaEISEmbeddings(async_client=async_client).aembed_query("x")
            await asyncio.to_thread(JinaEISEmbeddings(client=plain, use_case="search in the wiki").embed_query, "x")
            await asyncio.to_thread(JinaEISEmbedding(client=client, use_case="ours").get_text_embedding, "x")
            await asyncio.to_thread(plain.info)
    values = [exchange.headers.get("x-elastic-product-use-case") for exchange in eis.requests]
    assert values == ["mine", "mine", "search in the wiki", "ours", None]


@pytest.mark.parametrize("value", ["", " ", "a,b", "a\nb", "ä", " a"])
def test_a_use_case_that_is_no_header_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError, match="use_case"):
        JinaEISEmbeddings(es_url="http://localhost:9", use_case=value)
