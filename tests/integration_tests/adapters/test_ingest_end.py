"""An ingest that ends early, in both frameworks: by its source, a cancelled task or Ctrl-C. Every document is in one list."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from helpers import Caller
from llama_index.core.schema import TextNode

import langchain_jina_eis
import llama_index_jina_eis
from jina_eis.errors import DocumentsFailedError
from jina_eis.local import LocalEIS

BLOCK = 1024
DOCUMENTS = 3 * BLOCK + 100


class DamagedFileError(Exception):
    """An error of the source of the documents."""


@pytest.fixture(params=["langchain", "llama_index"])
def target(request: pytest.FixtureRequest, connect: Callable[..., Any], index_name: str) -> Any:
    """A retriever of one framework."""
    module = langchain_jina_eis if request.param == "langchain" else llama_index_jina_eis
    return connect(module.JinaEISRetriever, index_name=index_name, search_type="knn")


def add(call: Caller, target: Any, error: BaseException | None) -> Any:
    """Add documents from a generator that raises this error at its end."""

    def source(make: Callable[[str], Any]) -> Iterator[Any]:
        yield from (make(str(number)) for number in range(DOCUMENTS))
        if error is not None:
            raise error

    if isinstance(target, langchain_jina_eis.JinaEISRetriever):
        ids = (str(number) for number in range(DOCUMENTS))
        return call(target, "add_texts", source(lambda number: f"text {number}"), ids=ids)
    return call(target, "add_nodes", source(lambda number: TextNode(text=f"text {number}", id_=number)))


def check(error: Any, eis: LocalEIS, index_name: str) -> DocumentsFailedError:
    """Every document read is in one of the lists, and the index holds what `indexed` names, and nothing of `untried`."""
    assert isinstance(error, DocumentsFailedError)
    named = [*error.indexed, *error.failed, *error.untried]
    assert sorted(named, key=int) == [str(number) for number in range(len(named))]
    with Elasticsearch(eis.url) as client:
        client.indices.refresh(index=index_name)
        response = client.search(index=index_name, size=10_000, source=False)
    present = {hit["_id"] for hit in response["hits"]["hits"]}
    assert set(error.indexed) <= present <= {*error.indexed, *error.failed}
    return error


def test_a_source_that_raises(call: Caller, target: Any, eis: LocalEIS, index_name: str) -> None:
    with pytest.raises(DocumentsFailedError, match="never sent before this error: the disk is full") as caught:
        add(call, target, DamagedFileError("the disk is full"))
    assert isinstance(caught.value.__cause__, DamagedFileError)
    error = check(caught.value, eis, index_name)
    assert len(error.indexed) + len(error.untried) == DOCUMENTS
    assert len(error.indexed) >= BLOCK
    assert not error.failed


@pytest.mark.parametrize("kind", [KeyboardInterrupt, asyncio.CancelledError])
def test_an_interruption_is_raised_itself(
    call: Caller, target: Any, eis: LocalEIS, index_name: str, kind: type[BaseException]
) -> None:
    with pytest.raises(kind) as caught:
        add(call, target, kind())
    assert len(check(caught.value.__context__, eis, index_name).indexed) >= BLOCK


async def test_a_cancelled_task(target: Any, eis: LocalEIS, index_name: str) -> None:
    numbers = [str(number) for number in range(DOCUMENTS)]
    if isinstance(target, langchain_jina_eis.JinaEISRetriever):
        ingest = target.aadd_texts([f"text {number}" for number in numbers], ids=numbers)
    else:
        ingest = target.aadd_nodes([TextNode(text=f"text {number}", id_=number) for number in numbers])
    eis.faults.latency = 0.3
    task = asyncio.create_task(ingest)
    while not any(exchange.path.endswith("_bulk") for exchange in eis.requests):
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    eis.faults.latency = 0.0
    await asyncio.sleep(0.5)  # requests that were under way end
    error = check(caught.value.__context__, eis, index_name)
    assert error.failed
    assert set(error.failed.values()) == {"it was sent, and no response reported whether it was written"}


def test_ctrl_c(eis: LocalEIS, index_name: str) -> None:
    program = f"""
import json, os, signal, threading
from langchain_jina_eis import JinaEISRetriever
retriever = JinaEISRetriever(es_url={eis.url!r}, index_name={index_name!r}, search_type="knn")
def texts():
    for number in range({DOCUMENTS}):
        if number == {2 * BLOCK}:
            threading.Timer(0.4, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        yield f"text {{number}}"
try:
    retriever.add_texts(texts(), ids=[str(number) for number in range({DOCUMENTS})])
except KeyboardInterrupt as interrupt:
    error = interrupt.__context__
    print(json.dumps([list(error.indexed), dict(error.failed), list(error.untried)]))
"""
    eis.faults.latency = 0.3
    try:
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    finally:
        eis.faults.latency = 0.0
    indexed, failed, untried = json.loads(ran.stdout)
    check(DocumentsFailedError("", failed, indexed, untried), eis, index_name)
