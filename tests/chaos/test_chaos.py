"""A fifth of all answers go wrong, in every way that passes; the results are those of a good day."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from llama_index.core.schema import NodeWithScore, TextNode

from jina_eis import errors
from jina_eis.local import LocalEIS
from jina_eis.transport import pacing
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRerank, JinaEISRetriever
from llama_index_jina_eis import JinaEISEmbedding
from llama_index_jina_eis import JinaEISRerank as LlamaIndexRerank

FAULTS = ["rate_limit", "timeout", "timeout_408", "eis_5xx", "unavailable", "bad_gateway", "drop", "cut"]
MANY_RETRIES = 20  # seven failures of one call in a row are rare, but not in thousands of calls
TEXTS = [f"text {n}" for n in range(3000)]
QUERY = "text 77"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEIS]:
    with LocalEIS(model="hash", record=True) as eis:
        yield eis


@pytest.fixture
def eis(server: LocalEIS) -> LocalEIS:
    """One of its own: the stand-in has to be quick here, and what is sent is checked against OpenAPI elsewhere."""
    server.faults.clear()
    server.clear()
    return server


@pytest.fixture(params=[None, 0, 1], ids=["no Retry-After", "Retry-After 0", "Retry-After 1"])
def bad_day(request: pytest.FixtureRequest, eis: LocalEIS) -> Callable[[], None]:
    """Call it when the good day is over."""

    def begin() -> None:
        eis.clear()
        eis.faults.some(0.2, FAULTS, retry_after=request.param)

    return begin


Job = tuple[Callable[..., Any], Callable[[Any], Any], Callable[[Any], Any]]
JOBS: dict[str, Job] = {
    "langchain embeddings": (
        JinaEISEmbeddings,
        lambda it: it.embed_documents(TEXTS),
        lambda it: it.aembed_documents(TEXTS),
    ),
    "llama-index embeddings": (
        JinaEISEmbedding,
        lambda it: it.get_text_embedding_batch(TEXTS),
        lambda it: it.aget_text_embedding_batch(TEXTS),
    ),
    "langchain rerank": (
        lambda **how: JinaEISRerank(top_n=None, **how),
        lambda it: [it.rerank(TEXTS[:number], QUERY) for number in (64, 500, 1000)],
        lambda it: asyncio.gather(*(it.arerank(TEXTS[:number], QUERY) for number in (64, 500, 1000))),
    ),
    "llama-index rerank": (
        lambda **how: LlamaIndexRerank(top_n=None, **how),
        lambda it: [scores(it.postprocess_nodes(NODES, query_str=QUERY)) for _ in range(5)],
        lambda it: asyncio.gather(*(ascores(it.apostprocess_nodes(NODES, query_str=QUERY)) for _ in range(5))),
    ),
}
NODES = [NodeWithScore(node=TextNode(id_=text, text=text)) for text in TEXTS[:500]]


def scores(nodes: list[NodeWithScore]) -> list[tuple[str, float | None]]:
    return [(node.node_id, node.score) for node in nodes]


async def ascores(nodes: Any) -> list[Any]:
    return scores(await nodes)


@pytest.mark.parametrize("job", JOBS)
def test_every_result_is_that_of_a_good_day(eis: LocalEIS, bad_day: Callable[[], None], job: str) -> None:
    build, sync, asynchronous = JOBS[job]

    async def run(it: Any) -> Any:
        return await asynchronous(it)

    with build(es_url=eis.url, max_retries=MANY_RETRIES) as it:
        expected = sync(it)
        requests = len(eis.requests)
        bad_day()
        assert sync(it) == expected
        assert len(eis.requests) > requests  # it was a bad day
        assert asyncio.run(run(it)) == expected


@pytest.mark.parametrize("search_type", ["semantic", "knn"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_an_index_holds_what_it_holds_on_a_good_day(eis: LocalEIS, search_type: str, asynchronous: bool) -> None:
    texts = TEXTS[:1000]
    ids = [str(n) for n in range(len(texts))]

    def ingested(name: str) -> tuple[Any, Any]:
        """What an index holds to which the texts were added, and the scores of what searches find in it."""
        settings = {"es_url": eis.url, "index_name": name, "search_type": search_type, "max_retries": MANY_RETRIES, "k": 20}
        with JinaEISRetriever(**settings) as retriever, Elasticsearch(eis.url) as client:
            added = asyncio.run(retriever.aadd_texts(texts, ids=ids)) if asynchronous else retriever.add_texts(texts, ids=ids)
            assert added == ids
            found = [[round(each.metadata["_score"], 5) for each in retriever.invoke(text)] for text in texts[:10]]
            eis.faults.clear()
            assert client.count(index=name)["count"] == len(texts)
            held = [document["_source"] for document in client.mget(index=name, ids=ids)["docs"]]
            client.indices.delete(index=name)
            return held, found

    expected = ingested("good-day")
    eis.faults.some(0.2, FAULTS)
    assert ingested("bad-day") == expected


def test_twenty_threads_and_three_loops_on_one_object(eis: LocalEIS, bad_day: Callable[[], None]) -> None:
    texts = TEXTS[:200]
    with JinaEISEmbeddings(es_url=eis.url, max_retries=MANY_RETRIES) as embeddings:
        expected = embeddings.embed_documents(texts)
        bad_day()
        results: list[Any] = []
        jobs: list[Callable[[], None]] = [lambda: results.append(embeddings.embed_documents(texts))] * 20
        jobs += [lambda: results.append(asyncio.run(embeddings.aembed_documents(texts)))] * 3
        threads = [threading.Thread(target=job) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [expected] * 23


def test_an_error_names_its_text_on_a_bad_day_too(eis: LocalEIS) -> None:
    eis.faults.some(0.2, FAULTS)
    eis.faults.poison("text 1234", "eis_5xx")
    with JinaEISEmbeddings(es_url=eis.url) as embeddings:
        outcomes = list(embeddings.stream_documents(TEXTS, on_error="skip"))
    failed = [n for n, outcome in enumerate(outcomes) if isinstance(outcome, errors.JinaEISError)]
    assert 1234 in failed
    assert len(outcomes) == len(TEXTS)
    assert len(failed) <= 3  # by chance, a text of the same batch may fail four times in a row


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_dead_service_costs_few_requests(eis: LocalEIS, asynchronous: bool) -> None:
    eis.faults.always("eis_5xx")
    with (
        JinaEISEmbeddings(es_url=eis.url) as embeddings,
        pytest.raises(errors.ServiceUnavailableError, match=r"Inputs 0 to 15 failed\."),
    ):
        asyncio.run(embeddings.aembed_documents(TEXTS)) if asynchronous else embeddings.embed_documents(TEXTS)
    assert len(eis.requests) <= 32 + 16 + 6  # one for each call of the window, a retry of those in flight, six tries of one


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_service_that_never_answers_is_given_up_by_the_deadline(
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
    assert time.monotonic() - began < 3.0  # the deadline of the first call, and what it takes to stop
