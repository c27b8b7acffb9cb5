"""Nothing secret is seen: credentials, texts, vectors, queries and the words of a server stay out of whatever is observed."""

from __future__ import annotations

import io
import json
import logging
import math
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from typing import Any

import pytest
from helpers import RERANKER, Caller
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from jina_eis.errors import JinaEISError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRerank, JinaEISRetriever
from llama_index_jina_eis import JinaEISEmbedding
from llama_index_jina_eis import JinaEISRetriever as NodeRetriever

KEY = "SECRETKEYc2VjcmV0"
PASSWORD = "SECRETPASSWORD"
HEADER = "SECRETHEADER"
DOCUMENT = "SECRETDOCUMENT about salt"
QUESTION = "SECRETQUESTION about owls"
METADATA = "SECRETMETADATA"
FILTERED = "SECRETFILTER"
SECRETS = ("SECRET", "api_key", "ApiKey ", "Basic ", "timeout=")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def observed(exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """All that was logged by this package, exported and outputs in bars until now."""
    caplog.set_level(logging.DEBUG, "jina_eis")
    terminal = Terminal()

    def everything() -> str:
        ours = [record for record in caplog.records if record.name.startswith("jina_eis")]
        logged = [
            record.getMessage() for record in ours if record.name != "jina_eis.local"
        ]  # the server, which names what it refuses
        spans = [span.to_json() for span in exporter.get_finished_spans() if _is_ours(span)]
        assert logged
        assert spans
        return "\n".join([*logged, *spans, terminal.getvalue()])

    with redirect_stderr(terminal):
        yield everything


def _is_ours(span: Any) -> bool:
    return span.instrumentation_scope.name == "jina_eis"


def attempt(call: Caller, target: Any, name: str, *arguments: Any, **options: Any) -> str:
    """Call a method. Returns what is seen of its error, without the causes of others."""
    try:
        call(target, name, *arguments, **options)
    except JinaEISError as error:
        return "\n".join([str(error), repr(error), *traceback.format_exception_only(error)])
    return ""


def no_secret(text: str, secrets: tuple[str, ...] = SECRETS) -> None:
    for secret in secrets:
        assert secret not in text, text[max(0, text.index(secret) - 200) : text.index(secret) + 100]


@pytest.mark.parametrize("credentials", [{"es_api_key": KEY}, {"es_user": "elastic", "es_password": PASSWORD}])
def test_no_secret_is_seen(call: Caller, eis: LocalEIS, observed: Callable[[], str], credentials: dict[str, str]) -> None:
    settings = {"es_url": eis.url, "headers": {"x-team": HEADER}, "max_retries": 1, **credentials}
    index_name = f"observed-{call.asynchronous}-{len(credentials)}".lower()
    outputs: list[str] = []
    used: list[Any] = []
    adapters: list[Any] = [
        JinaEISEmbeddings(show_progress_bar=True, **settings),
        JinaEISEmbedding(**settings),
        JinaEISRerank(inference_id=RERANKER, **settings),
        JinaEISRetriever(index_name=index_name, **settings),
    ]
    embeddings, nodes, reranker, retriever = adapters
    for fault in (None, "rate_limit", "eis_5xx", "drop", "garbage", "too_few", "not_finite", "eis_422"):
        for target, name, arguments in (
            (embeddings, "embed_documents", ([DOCUMENT, "other"],)),
            (embeddings, "embed_query", (QUESTION,)),
            (nodes, "get_text_embedding_batch", ([DOCUMENT], True)),
            (reranker, "rerank", ([DOCUMENT, "other"], QUESTION)),
        ):
            if fault:
                eis.faults.queue(fault, fault)
            outputs.append(attempt(call, target, name, *arguments))
            eis.faults.clear()
    outputs.append(attempt(call, retriever, "add_texts", [DOCUMENT], [{"x": METADATA}], ids=["1"]))
    outputs.append(attempt(call, retriever, "invoke", QUESTION, filter={"term": {"metadata.x.keyword": FILTERED}}))
    call(retriever, "delete_index")
    for adapter in adapters:
        used.append(adapter.usage)
        outputs += [repr(adapter), str(adapter), repr(adapter.usage), json.dumps(adapter.usage.as_dict())]
        outputs.append(repr(pickle.loads(pickle.dumps(adapter))))
        adapter.close()
    assert all(usage.requests for usage in used)
    no_secret(observed())
    no_secret("\n".join(outputs), ("SECRET",))


def test_numbers_of_vectors_are_not_seen(call: Caller, eis: LocalEIS, observed: Callable[[], str]) -> None:
    with JinaEISEmbeddings(es_url=eis.url, dimensions=32) as embeddings:
        vector = call(embeddings, "embed_query", QUESTION)
    seen = observed()
    assert not [number for number in vector if not math.isclose(number, round(number, 3)) and repr(number)[:8] in seen]


def test_the_words_of_a_server_are_not_seen(call: Caller, observed: Callable[[], str]) -> None:
    """An error quotes the request: it is raised, and neither logged nor exported."""
    with LocalEIS(model="hash") as eis:
        retriever = JinaEISRetriever(es_url=eis.url, index_name="kb")
        call(retriever, "add_texts", [DOCUMENT])
        error = attempt(call, retriever, "invoke", "salt", filter={"range": {"metadata.x": {FILTERED: 1}}})
        node_retriever = NodeRetriever(es_url=eis.url, index_name="kb", filter={"range": {"metadata.x": {FILTERED: 1}}})
        attempt(call, node_retriever, "retrieve", "salt")
        retriever.close()
        node_retriever.settings.close()
    assert FILTERED in error
    assert FILTERED not in observed()
