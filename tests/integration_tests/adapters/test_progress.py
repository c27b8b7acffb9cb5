"""Progress bars: they count requests as these finish, show pauses, and are quiet where no person sees them."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Callable
from contextlib import redirect_stderr
from itertools import count
from typing import Any, Self

import pytest
from helpers import TEXT, Caller, texts
from langchain_core.rate_limiters import BaseRateLimiter
from llama_index.core.schema import Document, TextNode

from jina_eis.adapters.progress import _Bar
from jina_eis.errors import RequestRejectedError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISEmbeddings
from llama_index_jina_eis import JinaEISEmbedding, JinaEISMultiModalEmbedding
from llama_index_jina_eis import JinaEISRetriever as NodeRetriever


class Terminal(io.StringIO):
    """A terminal in place of stderr, in its context."""

    def isatty(self) -> bool:
        return True

    def __enter__(self) -> Self:
        self._redirected = redirect_stderr(self)
        self._redirected.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._redirected.__exit__(*error)


def embed(call: Caller, connect: Callable[..., Any], framework: str, inputs: list[str], **settings: Any) -> list[Any]:
    """Embed with a bar, by the flag of a framework."""
    if framework == "langchain":
        return call(connect(JinaEISEmbeddings, show_progress_bar=True, **settings), "embed_documents", inputs)
    return call(connect(JinaEISEmbedding, **settings), "get_text_embedding_batch", inputs, show_progress=True)


@pytest.mark.parametrize("framework", ["langchain", "llama_index"])
def test_the_bar_counts_every_input_and_shows_the_rate(call: Caller, connect: Callable[..., Any], framework: str) -> None:
    with Terminal() as terminal:
        assert len(embed(call, connect, framework, [*texts(20), "text 0"])) == 21
    assert "Embedding: 100%" in terminal.getvalue()
    assert "21/21" in terminal.getvalue()
    assert "input/s" in terminal.getvalue()


@pytest.mark.parametrize("framework", ["langchain", "llama_index"])
def test_there_is_no_bar_in_a_pipe(
    call: Caller, connect: Callable[..., Any], framework: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert len(embed(call, connect, framework, texts(20))) == 20
    assert capfd.readouterr() == ("", "")


def test_a_pause_and_its_reason_are_shown_until_it_is_over(call: Caller, connect: Callable[..., Any], eis: LocalEIS) -> None:
    eis.faults.queue("rate_limit", retry_after=9)
    with Terminal() as terminal:
        embed(call, connect, "langchain", texts(3))
    last = terminal.getvalue().split("\r")[-1]
    assert any(f"429 from {TEXT}: pausing 9" in state for state in terminal.getvalue().split("\r"))
    assert "retry 1 of 6" in terminal.getvalue()
    assert "pausing" not in last


def test_batches_are_counted_as_they_finish_even_if_an_earlier_one_is_slow(
    connect: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    answered = threading.Event()
    others_were_counted: list[bool] = []
    real = _Bar._advance

    def advance(bar: Any, inputs: int) -> None:
        real(bar, inputs)
        counted.append(bar._bar.n)
        answered.set()

    class Slow(BaseRateLimiter):
        """Holds the first request until another is answered."""

        def __init__(self) -> None:
            self.requests = count()

        def acquire(self, *, blocking: bool = True) -> bool:
            return True

        async def aacquire(self, *, blocking: bool = True) -> bool:
            if next(self.requests) == 0:
                others_were_counted.append(await asyncio.to_thread(answered.wait, 10))
            return True

    monkeypatch.setattr(_Bar, "_advance", advance)
    embeddings = connect(JinaEISEmbeddings, show_progress_bar=True, batch_size=4, rate_limiter=Slow())
    with Terminal():
        Caller(True)(embeddings, "embed_documents", texts(20))
    assert counted[:5] == [4, 8, 12, 16, 20]
    assert others_were_counted == [True]


def test_an_error_leaves_the_bar_where_it_is(call: Caller, connect: Callable[..., Any], eis: LocalEIS) -> None:
    eis.faults.poison("text 30", "eis_422")
    with Terminal() as terminal, pytest.raises(RequestRejectedError, match="Input 30"):
        embed(call, connect, "langchain", texts(40))
    assert "40/40" not in terminal.getvalue()


def test_media_have_a_bar_too(call: Caller, connect: Callable[..., Any]) -> None:
    embeddings = connect(JinaEISEmbeddings, show_progress_bar=True, model=".jina-embeddings-v5-omni-small")
    with Terminal() as terminal:
        call(embeddings, "embed_contents", ["a", "b"])
    assert "2/2" in terminal.getvalue()


@pytest.mark.parametrize("search_type", ["semantic", "knn"])
def test_the_bars_of_an_ingest(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, index_name: str, search_type: str
) -> None:
    documents = [Document(text=text) for text in texts(20)]
    method = NodeRetriever.afrom_documents if call.asynchronous else NodeRetriever.from_documents
    with Terminal() as terminal:
        retriever = method(
            documents, transformations=[], show_progress=True, es_url=eis.url, index_name=index_name, search_type=search_type
        )
        retriever = asyncio.run(retriever) if call.asynchronous else retriever
    assert "Indexing: 100%" in terminal.getvalue()
    assert "20/20" in terminal.getvalue()
    retriever.settings.close()


def test_the_bar_of_llama_index_for_nodes(call: Caller, connect: Callable[..., Any]) -> None:
    with Terminal() as terminal:
        call(connect(JinaEISMultiModalEmbedding), "__call__", [TextNode(text="a"), TextNode(text="b")], show_progress=True)
    assert "2/2" in terminal.getvalue()
