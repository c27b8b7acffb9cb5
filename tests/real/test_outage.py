"""An ingest during which the node is killed and started again: every document is there, and none is reported wrongly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from real.front import Front
from real.node import RealNode

import jina_eis.transport.pacing as pacing
from jina_eis.errors import DocumentsFailedError, JinaEISError
from langchain_jina_eis import JinaEISRetriever

DOCUMENTS = 8000
BLOCK = 1024


class Source:
    """Texts that wait after each block until the test lets them go on, so that the node is killed between first and last."""

    def __init__(self) -> None:
        self.read = 0
        self.asked = 0  # blocks; the third is asked for when the first has been written
        self.allowed = threading.Semaphore(0)

    def __iter__(self) -> Iterator[str]:
        for number in range(DOCUMENTS):
            if number % BLOCK == 0:
                self.asked += 1
                self.allowed.acquire()
            self.read += 1
            yield f"Text {number} of a corpus about rivers."


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_waiting", True)


@pytest.fixture
def ingest(front: Front) -> Iterator[Callable[..., tuple[threading.Thread, Source, list[Any]]]]:
    """Start an ingest in a thread. Returns the thread, the source, and the list that receives the ids or the error."""
    threads: list[threading.Thread] = []
    sources: list[Source] = []

    def start(**settings: Any) -> tuple[threading.Thread, Source, list[Any]]:
        source, results = Source(), []
        sources.append(source)

        def run() -> None:
            with JinaEISRetriever(es_url=front.url, search_type="knn", **settings) as retriever:
                try:
                    results.append(retriever.add_texts(source, ids=[str(n) for n in range(DOCUMENTS)]))
                except JinaEISError as error:
                    results.append(error)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return threads[-1], source, results

    yield start
    for source in sources:  # a test that failed may not have let it go on
        source.allowed.release(DOCUMENTS)
    for thread in threads:
        thread.join()


def until_written(source: Source) -> None:
    """Wait for the response to the first block. What comes before it, such as reading the mapping, is retried for seconds."""
    while source.asked < 3:
        time.sleep(0.01)


def until_recovered(client: Elasticsearch, index: str) -> None:
    """Wait for the index of a node that was started again."""
    client.options(request_timeout=60).cluster.health(index=index, wait_for_status="yellow", timeout="60s")


def count(node: RealNode) -> int:
    with Elasticsearch(node.url) as client:
        until_recovered(client, "kills")
        client.indices.refresh(index="kills")
        return int(client.count(index="kills")["count"])


def test_three_kills(ingest: Callable[..., Any], node: RealNode) -> None:
    thread, source, results = ingest(index_name="kills")
    source.allowed.release()
    source.allowed.release()
    until_written(source)
    for _ in range(3):
        source.allowed.release()
        source.allowed.release()
        time.sleep(0.5)  # requests of these blocks are on their way
        node.kill()
        node.start()
    source.allowed.release()
    thread.join(120)
    assert results == [[str(n) for n in range(DOCUMENTS)]]
    assert count(node) == DOCUMENTS


def test_the_retries_that_a_user_sets_end_an_ingest(ingest: Callable[..., Any], node: RealNode) -> None:
    thread, source, results = ingest(index_name="outage", max_retries=1)
    source.allowed.release()
    source.allowed.release()
    until_written(source)
    node.kill()
    for _ in range(4):
        source.allowed.release()
    thread.join(60)
    node.start()
    (error,) = results
    assert isinstance(error, DocumentsFailedError)
    named = [*error.indexed, *error.failed, *error.untried]
    assert sorted(named, key=int) == [str(n) for n in range(source.read)]
    with Elasticsearch(node.url) as client:
        until_recovered(client, "outage")
        client.indices.refresh(index="outage")
        present = {hit["_id"] for hit in client.search(index="outage", size=10_000, source=False)["hits"]["hits"]}
    assert set(error.indexed) <= present
    assert not present & set(error.untried)
