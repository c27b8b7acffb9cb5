"""Caches of vectors and equal inputs, in both frameworks, over real HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from helpers import Caller
from langchain_core.stores import InMemoryByteStore
from llama_index.core.storage.kvstore import SimpleKVStore

from jina_eis import errors
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISEmbeddings
from llama_index_jina_eis import JinaEISEmbedding

FRAMEWORKS = {
    "langchain": (JinaEISEmbeddings, InMemoryByteStore, "embed_documents", "embed_query"),
    "llama_index": (JinaEISEmbedding, SimpleKVStore, "get_text_embedding_batch", "get_query_embedding"),
}
FILE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,120}")


class Framework:
    """The embeddings of one framework with a cache of its own."""

    def __init__(self, name: str, call: Caller) -> None:
        self.create, new_store, self._texts, self._query = FRAMEWORKS[name]
        self.store = new_store()
        self._call = call

    def embeddings(self, url: str, **arguments: Any) -> Any:
        return self.create(**{"es_url": url, "embeddings_cache": self.store, "max_retries": 0, **arguments})

    def texts(self, embeddings: Any, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._call(embeddings, self._texts, texts)
        return vectors

    def query(self, embeddings: Any, text: str) -> list[float]:
        vector: list[float] = self._call(embeddings, self._query, text)
        return vector


@pytest.fixture(params=FRAMEWORKS)
def framework(request: pytest.FixtureRequest, call: Caller) -> Framework:
    return Framework(request.param, call)


@pytest.fixture
def other() -> Iterator[LocalEIS]:
    with LocalEIS(model="hash", record=True) as eis:
        yield eis


def inputs(eis: LocalEIS) -> list[int]:
    """The number of inputs of each request."""
    return [len(request.body["input"]) for request in eis.requests if request.method == "POST"]


def test_a_cached_text_is_not_requested(framework: Framework, eis: LocalEIS) -> None:
    embeddings = framework.embeddings(eis.url)
    first = framework.texts(embeddings, ["salt", "owls"])
    assert framework.texts(embeddings, ["owls", "rye", "salt"])[0::2] == first[::-1]
    assert framework.query(embeddings, "salt") == framework.query(embeddings, "salt") != first[0]  # the role is another
    assert inputs(eis) == [2, 1, 1]


def test_embedded_servers_share_a_cache_and_deployments_do_not(framework: Framework, eis: LocalEIS, other: LocalEIS) -> None:
    first = framework.texts(framework.embeddings(eis.url), ["salt"])
    assert framework.texts(framework.embeddings(other.url), ["salt"]) == first
    assert inputs(other) == []
    with pytest.raises(errors.ConnectionFailedError):
        framework.texts(framework.embeddings("http://127.0.0.1:9"), ["salt"])


def test_what_arrived_before_an_error_is_cached(framework: Framework, eis: LocalEIS) -> None:
    embeddings = framework.embeddings(eis.url)
    eis.faults.poison("text 199", "eis_5xx")
    with pytest.raises(errors.JinaEISError):
        framework.texts(embeddings, [f"text {n}" for n in range(200)])
    eis.faults.clear()
    eis.clear()
    framework.texts(embeddings, [f"text {n}" for n in range(200)])
    assert sum(inputs(eis)) <= 8  # the batch of the failure, less what its halves returned


def test_equal_texts_are_sent_once(framework: Framework, eis: LocalEIS) -> None:
    embeddings = framework.embeddings(eis.url, embeddings_cache=None)
    vectors = framework.texts(embeddings, ["salt", "owls", "salt", "salt"])
    assert vectors[0] == vectors[2] == vectors[3] != vectors[1]
    vectors[0][0] = 9.0
    assert vectors[2][0] != 9.0
    assert inputs(eis) == [2]


def test_the_error_of_a_text_names_its_first_place(framework: Framework, eis: LocalEIS) -> None:
    eis.faults.poison("rye", "unavailable")
    with pytest.raises(errors.ServiceUnavailableError) as caught:
        framework.texts(framework.embeddings(eis.url), [*["salt", "owls"] * 20, *(f"text {n}" for n in range(30)), "rye", "rye"])
    assert [*(caught.value.inputs or ())] == [70]


@pytest.mark.parametrize("store", [{}, "salt"])
def test_a_cache_of_another_kind_is_refused(framework: Framework, eis: LocalEIS, store: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="embeddings_cache needs"):
        framework.embeddings(eis.url, embeddings_cache=store)


# LangChain's namespace


def test_a_namespace_is_a_file_name_and_distinguishes_what_shapes_a_vector(call: Caller, eis: LocalEIS, other: LocalEIS) -> None:
    with Elasticsearch(eis.url) as client:
        for inference_id, model in (("mine", "jina-embeddings-v3"), ("mine-2", "jina-embeddings-v5-text-small")):
            settings = {"service": "elastic", "service_settings": {"model_id": model}}
            client.inference.put(task_type="text_embedding", inference_id=inference_id, inference_config=settings)
    try:
        names = [
            namespace(call, JinaEISEmbeddings(es_url=eis.url, **arguments))
            for arguments in (
                {},
                {"dimensions": 64},
                {"dimensions": 1024},
                {"inference_id": "mine"},
                {"inference_id": "mine-2"},
                {"document_input_type": "search"},
            )
        ]
    finally:
        with Elasticsearch(eis.url) as client:
            for inference_id in ("mine", "mine-2"):
                client.inference.delete(inference_id=inference_id)
    assert names[0] == names[2] == namespace(call, JinaEISEmbeddings(es_url=other.url))
    assert len({*names}) == 5
    assert all(FILE_NAME.fullmatch(name) for name in names)


def test_a_namespace_is_requested_once(call: Caller, eis: LocalEIS) -> None:
    embeddings = JinaEISEmbeddings(es_url=eis.url)
    assert namespace(call, embeddings) == namespace(call, embeddings)
    assert [request.path for request in eis.requests] == ["/"]


def test_the_cache_of_langchain_works_with_files(eis: LocalEIS, tmp_path: Path) -> None:
    from langchain_classic.embeddings import CacheBackedEmbeddings
    from langchain_classic.storage import LocalFileStore

    embeddings, store = JinaEISEmbeddings(es_url=eis.url), LocalFileStore(tmp_path)
    cached = CacheBackedEmbeddings.from_bytes_store(embeddings, store, namespace=embeddings.cache_namespace, key_encoder="sha256")
    assert cached.embed_documents(["salt"]) == embeddings.embed_documents(["salt"])
    own = JinaEISEmbeddings(es_url=eis.url, embeddings_cache=store)
    assert own.embed_documents(["salt"]) == own.embed_documents(["salt"])
    assert len([*store.yield_keys()]) == 2
    assert all(not name.name.startswith(".") for name in tmp_path.iterdir())


@pytest.mark.parametrize("value", [b"", b"[0.1", b"{}", b"[]", b'["x"]', b"[NaN]"])
def test_a_cached_vector_that_cannot_be_read_is_requested_again(eis: LocalEIS, value: bytes) -> None:
    store = InMemoryByteStore()
    embeddings = JinaEISEmbeddings(es_url=eis.url, embeddings_cache=store)
    first = embeddings.embed_documents(["salt"])
    store.mset([(key, value) for key in store.yield_keys()])
    assert embeddings.embed_documents(["salt"]) == first
    assert inputs(eis) == [1, 1]


def test_several_queries_are_one_request(call: Caller, eis: LocalEIS) -> None:
    queries = ["why is salt put on roads", "ice on roads", "frost"]
    embeddings = JinaEISEmbedding(es_url=eis.url)
    mean = call(embeddings, "get_agg_embedding_from_queries", queries)
    assert inputs(eis) == [3]
    first = call(embeddings, "get_agg_embedding_from_queries", queries, lambda vectors: vectors[0])
    assert first == call(embeddings, "get_query_embedding", queries[0])
    assert mean != first


# Streams


def test_a_stream_folds_the_texts_of_a_batch(call: Caller, eis: LocalEIS) -> None:
    vectors = call(JinaEISEmbeddings(es_url=eis.url, batch_size=4), "stream_documents", iter(["a", "b", "a", "c", "a", "d"]))
    assert vectors[0] == vectors[2] == vectors[4]
    assert len(vectors) == 6
    assert sorted(inputs(eis)) == [2, 3]


def test_a_stream_returns_what_it_read_before_an_error_of_its_source(call: Caller, eis: LocalEIS) -> None:
    def source() -> Iterator[str]:
        yield from (f"line {n}" for n in range(40))
        raise OSError("the drive is gone")

    received: list[Any] = []
    with pytest.raises(OSError, match="drive"):
        collect(call, JinaEISEmbeddings(es_url=eis.url), source(), received.append)
    assert len(received) == 40


def namespace(call: Caller, embeddings: JinaEISEmbeddings) -> str:
    name: str = call(embeddings, "cache_namespace") if call.asynchronous else embeddings.cache_namespace
    return name


def collect(call: Caller, embeddings: JinaEISEmbeddings, source: Iterator[str], take: Callable[[Any], object]) -> None:
    if not call.asynchronous:
        for vector in embeddings.stream_documents(source):
            take(vector)
        return
    import asyncio

    async def read() -> None:
        async for vector in embeddings.astream_documents(source):
            take(vector)

    asyncio.run(read())
