"""A fifth of all requests get a transient fault of any kind. The results equal those without faults."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from helpers import FAULTS, MANY_RETRIES, posts
from llama_index.core.schema import NodeWithScore, TextNode

from jina_eis import errors
from jina_eis.local import LocalEIS
from jina_eis.transport import pacing
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRerank, JinaEISRetriever
from llama_index_jina_eis import JinaEISEmbedding
from llama_index_jina_eis import JinaEISRerank as LlamaIndexRerank

TEXTS = [f"text {n}" for n in range(3000)]
QUERY = "text 77"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEIS]:
    with LocalEIS(model="hash", record=True) as eis:
        yield eis


@pytest.fixture
def eis(server: LocalEIS) -> LocalEIS:
    """Return a server with the fast stand-in. Its traffic is not checked against the OpenAPI; other tests do that."""
    server.faults.clear()
    server.clear()
    return server


@pytest.fixture(params=[None, 0, 1], ids=["no Retry-After", "Retry-After 0", "Retry-After 1"])
def inject_faults(request: pytest.FixtureRequest, eis: LocalEIS) -> Callable[[], None]:
    """Return a function that starts the faults."""

    def begin() -> None:
        eis.clear()
        eis.faults.some(0.2, FAULTS, seed=1, retry_after=request.param)  # with seed 0, the first 25 requests succeed

    return begin


Job = tuple[Callable[..., Any], Callable[[Any], Any], Callable[[Any], Any]]  # constructor, sync call, async call
JOBS: dict[str, Job] = {
    "langchain embeddings": (
        JinaEISEmbeddings,
        lambda adapter: adapter.embed_documents(TEXTS),
        lambda adapter: adapter.aembed_documents(TEXTS),
    ),
    "llama-index embeddings": (
        JinaEISEmbedding,
        lambda adapter: adapter.get_text_embedding_batch(TEXTS),
        lambda adapter: adapter.aget_text_embedding_batch(TEXTS),
    ),
    "langchain rerank": (
        lambda **settings: JinaEISRerank(top_n=None, **settings),
        lambda adapter: [adapter.rerank(TEXTS[:number], QUERY) for number in (64, 500, 1000)],
        lambda adapter: asyncio.gather(*(adapter.arerank(TEXTS[:number], QUERY) for number in (64, 500, 1000))),
    ),
    "llama-index rerank": (
        lambda **settings: LlamaIndexRerank(top_n=None, **settings),
        lambda adapter: [scores(adapter.postprocess_nodes(NODES, query_str=QUERY)) for _ in range(5)],
        lambda adapter: asyncio.gather(*(ascores(adapter.apostprocess_nodes(NODES, query_str=QUERY)) for _ in range(5))),
    ),
}
NODES = [NodeWithScore(node=TextNode(id_=text, text=text)) for text in TEXTS[:500]]


def scores(nodes: list[NodeWithScore]) -> list[tuple[str, float | None]]:
    return [(node.node_id, node.score) for node in nodes]


async def ascores(nodes: Any) -> list[Any]:
    return scores(await nodes)


@pytest.mark.parametrize("wire_format", ["json", "cbor"])
@pytest.mark.parametrize("job", JOBS)
def test_results_with_and_without_faults_are_equal(
    eis: LocalEIS, inject_faults: Callable[[], None], job: str, wire_format: str
) -> None:
    build, sync, asynchronous = JOBS[job]

    async def run(adapter: Any) -> Any:
        return await asynchronous(adapter)

    with build(es_url=eis.url, max_retries=MANY_RETRIES, wire_format=wire_format) as adapter:
        expected = sync(adapter)
        requests = len(posts(eis))  # without the one that finds the default reranker
        inject_faults()
        assert sync(adapter) == expected
        assert len(posts(eis)) > requests  # some requests failed
        assert asyncio.run(run(adapter)) == expected


@pytest.mark.parametrize("search_type", ["semantic", "knn"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_an_index_filled_with_and_without_faults_is_equal(eis: LocalEIS, search_type: str, asynchronous: bool) -> None:
    texts = TEXTS[:1000]
    ids = [str(n) for n in range(len(texts))]

    def ingest_and_search(name: str) -> tuple[Any, Any]:
        """Add the texts to an index. Return its documents, and the scores of search results."""
        settings = {"es_url": eis.url, "index_name": name, "search_type": search_type, "max_retries": MANY_RETRIES, "k": 20}
        with JinaEISRetriever(**settings, include_scores=True) as retriever, Elasticsearch(eis.url) as client:
            added = asyncio.run(retriever.aadd_texts(texts, ids=ids)) if asynchronous else retriever.add_texts(texts, ids=ids)
            assert added == ids
            scores = [[round(hit.metadata["_score"], 5) for hit in retriever.invoke(text)] for text in texts[:10]]
            eis.faults.clear()
            assert client.count(index=name)["count"] == len(texts)
            documents = [document["_source"] for document in client.mget(index=name, ids=ids)["docs"]]
            client.indices.delete(index=name)
            return documents, scores

    expected = ingest_and_search("without-faults")
    eis.faults.some(0.2, FAULTS)
    assert ingest_and_search("with-faults") == expected


def test_twenty_threads_and_three_loops_share_one_object(eis: LocalEIS, inject_faults: Callable[[], None]) -> None:
    texts = TEXTS[:200]
    with JinaEISEmbeddings(es_url=eis.url, max_retries=MANY_RETRIES) as embeddings:
        expected = embeddings.embed_documents(texts)
        inject_faults()
        results: list[Any] = []
        jobs: list[Callable[[], None]] = [lambda: results.append(embeddings.embed_documents(texts))] * 20
        jobs += [lambda: results.append(asyncio.run(embeddings.aembed_documents(texts)))] * 3
        threads = [threading.Thread(target=job) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [expected] * 23


def test_a_poisoned_text_fails_alone_among_random_faults(eis: LocalEIS) -> None:
    eis.faults.some(0.2, FAULTS)
    eis.faults.poison("text 1234", "eis_5xx")
    with JinaEISEmbeddings(es_url=eis.url) as embeddings:
        outcomes = list(embeddings.stream_documents(TEXTS, on_error="skip"))
    failed = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, errors.JinaEISError)]
    assert 1234 in failed
    assert len(outcomes) == len(TEXTS)
    assert len(failed) <= 3  # by chance, another text of its batch may fail four times in a row


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_an_unavailable_service_gets_few_requests(eis: LocalEIS, asynchronous: bool) -> None:
    eis.faults.always("eis_5xx")
    with (
        JinaEISEmbeddings(es_url=eis.url) as embeddings,
        pytest.raises(errors.ServiceUnavailableError, match=r"Inputs 0 to 15 failed\."),
    ):
        asyncio.run(embeddings.aembed_documents(TEXTS)) if asynchronous else embeddings.embed_documents(TEXTS)
    # At most each call that is taken ahead, a retry of those in flight, and six tries of one; there are 188 calls.
    assert len(eis.requests) <= 2 * 32 + 16 + 6


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_the_deadline_ends_calls_of_a_service_that_never_responds(
    eis: LocalEIS, asynchronous: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jina_eis.adapters.settings.CLIENT_MARGIN", 0.1)
    monkeypatch.setattr("jina_eis.transport.connection.CLIENT_MARGIN", 0.1)
    monkeypatch.setattr(pacing, "_waiting", True)
    eis.faults.latency = 60.0
    began = time.monotonic()
    with (
        JinaEISEmbeddings(es_url=eis.url, timeout=0.2, deadline=1.5, max_retries=99) as embeddings,
        pytest.raises(errors.ServiceTimeoutError),
    ):
        asyncio.run(embeddings.aembed_documents(TEXTS)) if asynchronous else embeddings.embed_documents(TEXTS)
    assert time.monotonic() - began < 30.0  # with 99 retries it would take many minutes
