"""A store that eight threads and two event loops fill, empty and search, while a fifth of all requests fail."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest
from helpers import FAULTS, MANY_RETRIES, run_in_threads
from langchain_core.documents import Document

from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISVectorStore

THREADS, LOOPS, TASKS, OPERATIONS, IDS = 8, 2, 4, 12, 10
KINDS: dict[str, dict[str, Any]] = {"semantic_text": {}, "dense_vector": {"field_type": "dense_vector", "dimensions": 32}}
Operation = tuple[str, list[Document]]


@pytest.fixture(scope="module")
def server() -> Iterator[LocalEIS]:
    with LocalEIS(model="hash") as eis:
        yield eis


def plan(worker: int) -> list[Operation]:
    """What a worker does, to ids of its own."""
    dice = random.Random(worker)
    operations: list[Operation] = []
    for step in range(OPERATIONS):
        chosen = dice.sample(range(IDS), dice.randint(1, 5))
        documents = [
            Document(id=f"{worker}-{n}", page_content=f"text {worker} {n} {step}", metadata={"worker": worker, "step": step})
            for n in chosen
        ]
        operations.append((dice.choice(["add", "add", "delete", "search"]), documents))
    return operations


def end_state(workers: int) -> dict[str, Document]:
    state: dict[str, Document] = {}
    for worker in range(workers):
        for kind, documents in plan(worker):
            for document in documents:
                if kind == "add":
                    state[str(document.id)] = document
                elif kind == "delete":
                    state.pop(str(document.id), None)
    return state


def check(found: list[Document], worker: int) -> None:
    assert all(document.metadata["worker"] == worker for document in found)
    assert all(document.page_content.startswith(f"text {worker} ") for document in found)


def work(store: JinaEISVectorStore, worker: int) -> None:
    for kind, documents in plan(worker):
        if kind == "add":
            assert store.add_documents(documents, refresh=False) == [document.id for document in documents]
        elif kind == "delete":
            store.delete([str(document.id) for document in documents], refresh=False)
        else:
            check(store.similarity_search(documents[0].page_content, filter={"worker": worker}), worker)


async def awork(store: JinaEISVectorStore, worker: int) -> None:
    for kind, documents in plan(worker):
        if kind == "add":
            assert await store.aadd_documents(documents, refresh=False) == [document.id for document in documents]
        elif kind == "delete":
            await store.adelete([str(document.id) for document in documents], refresh=False)
        else:
            check(await store.asimilarity_search(documents[0].page_content, filter={"worker": worker}), worker)


async def gather(store: JinaEISVectorStore, workers: range) -> None:
    await asyncio.gather(*(awork(store, worker) for worker in workers))


@pytest.mark.parametrize("kind", KINDS)
def test_the_end_state_is_that_without_faults(server: LocalEIS, kind: str) -> None:
    errors: list[Exception] = []
    with JinaEISVectorStore(index_name=kind, es_url=server.url, max_retries=MANY_RETRIES, k=100, **KINDS[kind]) as store:

        def guarded(job: Any) -> Any:
            def run() -> None:
                try:
                    job()
                except Exception as error:  # noqa: BLE001 - any, for the assertion in the main thread
                    errors.append(error)

            return run

        def loop(first: int) -> Any:
            return lambda: asyncio.run(gather(store, range(first, first + TASKS)))

        threads = [guarded(lambda worker=worker: work(store, worker)) for worker in range(THREADS)]
        loops = [guarded(loop(THREADS + number * TASKS)) for number in range(LOOPS)]
        server.faults.some(0.2, FAULTS)
        try:
            run_in_threads([*threads, *loops])
        finally:
            server.faults.clear()
        assert not errors, errors
        expected = end_state(THREADS + LOOPS * TASKS)
        every_id = [f"{worker}-{n}" for worker in range(THREADS + LOOPS * TASKS) for n in range(IDS)]
        assert {document.id: document for document in store.get_by_ids(every_id)} == expected
        store.add_texts(["last"], [{"worker": -1}], ids=["last"], refresh=True)
        found = store.similarity_search("text", k=10_000)
        assert {document.id: document for document in found if document.id != "last"} == expected
