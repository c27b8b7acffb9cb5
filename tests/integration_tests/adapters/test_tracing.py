"""Spans and metrics, as OpenTelemetry's SDK exports them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from helpers import QUERY, RERANKER, TEXT, Caller, passages, posts, texts
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from jina_eis.errors import AuthenticationError, JinaEISError, RateLimitError
from jina_eis.local import LocalEIS
from langchain_jina_eis import JinaEISEmbeddings, JinaEISRerank, JinaEISRetriever, JinaEISVectorStore
from llama_index_jina_eis import JinaEISEmbedding
from llama_index_jina_eis import JinaEISRerank as NodeRerank
from llama_index_jina_eis import JinaEISRetriever as NodeRetriever


class Spans:
    """The spans that started since, and were exported. Abandoned requests of the test before may end later."""

    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter
        self._since = time.time_ns()

    def all(self) -> list[ReadableSpan]:
        return [span for span in self._exporter.get_finished_spans() if (span.start_time or 0) >= self._since]

    def ours(self) -> list[ReadableSpan]:
        return [span for span in self.all() if span.instrumentation_scope and span.instrumentation_scope.name == "jina_eis"]

    def client(self) -> list[ReadableSpan]:
        return [
            span for span in self.all() if span.instrumentation_scope and span.instrumentation_scope.name == "elasticsearch-api"
        ]

    def names(self) -> list[str]:
        return [span.name for span in self.ours()]

    def only(self) -> ReadableSpan:
        (span,) = self.ours()
        return span


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[Spans]:
    yield Spans(exporter)
    assert trace.get_current_span() is trace.INVALID_SPAN, "a span stayed current"


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def assert_children(parents: ReadableSpan, children: list[ReadableSpan], names: set[str]) -> None:
    assert {child.name for child in children} == names
    assert {parent(child) for child in children} == {parents.context.span_id}


# One operation, one span, directly above those of the client


@pytest.mark.parametrize("framework", ["langchain", "llama_index"])
def test_a_list_is_one_span(call: Caller, connect: Callable[..., Any], eis: LocalEIS, spans: Spans, framework: str) -> None:
    cls, name = {
        "langchain": (JinaEISEmbeddings, "embed_documents"),
        "llama_index": (JinaEISEmbedding, "get_text_embedding_batch"),
    }[framework]
    embeddings = connect(cls, dimensions=256)
    eis.faults.queue("rate_limit")
    call(embeddings, name, [*texts(40), "text 0"])
    span = spans.only()
    assert (span.name, span.kind, span.status.status_code) == (f"embeddings {TEXT}", SpanKind.CLIENT, StatusCode.UNSET)
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "embeddings",
        "gen_ai.provider.name": "elastic",
        "gen_ai.request.model": TEXT,
        "gen_ai.embeddings.dimension.count": 256,
        "jina_eis.input_type": "ingest",
        "jina_eis.inputs": 40,
        "jina_eis.requests": 4,
        "jina_eis.retries": 1,
        "server.address": "127.0.0.1",
        "server.port": int(eis.url.rpartition(":")[2]),
    }
    assert [event.name for event in span.events] == ["jina_eis.pause"]
    assert_children(span, spans.client(), {"inference.text_embedding"})
    assert len(spans.client()) == 4


@pytest.mark.parametrize(("cls", "name"), [(JinaEISEmbeddings, "embed_query"), (JinaEISEmbedding, "get_query_embedding")])
def test_a_query_is_one_span(call: Caller, connect: Callable[..., Any], spans: Spans, cls: Any, name: str) -> None:
    call(connect(cls), name, "salt")
    span = spans.only()
    assert span.name == f"embeddings {TEXT}"
    assert span.attributes and span.attributes["jina_eis.input_type"] == "search"
    assert_children(span, spans.client(), {"inference.text_embedding"})


@pytest.mark.parametrize("model", [RERANKER, None])
def test_a_rerank_is_one_span(call: Caller, connect: Callable[..., Any], spans: Spans, model: str | None) -> None:
    call(connect(JinaEISRerank, inference_id=model, top_n=2), "rerank", passages(150), QUERY)
    span = spans.only()
    found = model or ".jina-reranker-v3.5"
    assert span.name == f"rerank {found}"
    assert span.attributes
    assert (span.attributes["gen_ai.request.model"], span.attributes["jina_eis.inputs"]) == (found, 150)
    assert span.attributes["jina_eis.rerank.top_n"] == 2
    assert_children(span, spans.client(), {"inference.rerank"} | ({"inference.get"} if model is None else set()))


def test_a_rerank_of_nodes_is_one_span(call: Caller, connect: Callable[..., Any], spans: Spans) -> None:
    nodes = [NodeWithScore(node=TextNode(text=text)) for text in passages(5)]
    call(connect(NodeRerank, inference_id=RERANKER), "postprocess_nodes", nodes, QueryBundle(QUERY))
    assert spans.names() == [f"rerank {RERANKER}"]


@pytest.mark.parametrize("framework", ["langchain", "llama_index", "store"])
def test_ingest_and_retrieval_are_one_span_each(
    call: Caller, connect: Callable[..., Any], index_name: str, spans: Spans, framework: str
) -> None:
    if framework == "llama_index":
        retriever = connect(NodeRetriever, index_name=index_name, k=3)
        call(retriever, "add_nodes", [TextNode(text="Salt.")])
        call(retriever, "retrieve", "salt")
    elif framework == "store":
        store = connect(JinaEISVectorStore, index_name=index_name)
        call(store, "add_texts", ["Salt."])
        call(store, "similarity_search", "salt", k=3)
    else:
        retriever = connect(JinaEISRetriever, index_name=index_name, k=3)
        call(retriever, "add_texts", ["Salt."])
        call(retriever, "invoke", "salt")
    ingest, retrieval = [span for span in spans.ours() if "embeddings" not in span.name]
    assert (ingest.name, retrieval.name) == (f"ingest {index_name}", f"retrieval {index_name}")
    assert retrieval.attributes
    assert retrieval.attributes["gen_ai.data_source.id"] == index_name
    assert retrieval.attributes["gen_ai.retrieval.top_k"] == 3
    below = [span for span in spans.client() if parent(span) == retrieval.context.span_id]
    assert "search" in {span.name for span in below}
    assert "bulk" in {span.name for span in spans.client() if parent(span) == ingest.context.span_id}
    assert all(parent(span) for span in spans.client())


# What is current, in generators, threads and tasks


def test_the_span_of_a_stream_is_never_current_in_its_consumer(connect: Callable[..., Any], spans: Spans) -> None:
    tracer = trace.get_tracer("application")
    stream = connect(JinaEISEmbeddings, batch_size=1).stream_documents(texts(9))
    with tracer.start_as_current_span("request") as request:
        next(stream)
        assert trace.get_current_span() is request
        next(stream)
        assert trace.get_current_span() is request
    stream.close()
    assert trace.get_current_span() is trace.INVALID_SPAN
    span = spans.only()
    assert parent(span) == request.get_span_context().span_id
    assert span.status.status_code is StatusCode.UNSET
    assert "error.type" not in (span.attributes or {})
    assert_children(span, spans.client(), {"inference.text_embedding"})


def test_a_stream_that_is_closed_in_another_thread(
    connect: Callable[..., Any], spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    stream = connect(JinaEISEmbeddings, batch_size=1).stream_documents(texts(9))
    next(stream)
    thread = threading.Thread(target=stream.close)
    thread.start()
    thread.join()
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert spans.names() == [f"embeddings {TEXT}"]
    assert not [record for record in caplog.records if "detach" in record.getMessage()]


async def test_an_async_stream_that_is_closed_in_another_task(
    eis: LocalEIS, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    async with JinaEISEmbeddings(es_url=eis.url, batch_size=1) as embeddings:
        stream: AsyncIterator[Any] = embeddings.astream_documents(texts(9))
        await anext(stream)
        assert trace.get_current_span() is trace.INVALID_SPAN
        await asyncio.create_task(stream.aclose())  # type: ignore[attr-defined]
    assert spans.names() == [f"embeddings {TEXT}"]
    assert {parent(span) for span in spans.client()} == {spans.only().context.span_id}
    assert not [record for record in caplog.records if "detach" in record.getMessage()]


def test_requests_of_threads_belong_to_the_span_of_their_own_operation(connect: Callable[..., Any], spans: Spans) -> None:
    embeddings = connect(JinaEISEmbeddings, batch_size=1)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: embeddings.embed_documents(texts(5)), range(4)))
    ours = {span.context.span_id for span in spans.ours()}
    assert len(ours) == 4
    assert sorted([parent(span) for span in spans.client()].count(own) for own in ours) == [5] * 4


async def test_requests_of_tasks_belong_to_the_span_of_their_own_operation(eis: LocalEIS, spans: Spans) -> None:
    async with JinaEISEmbeddings(es_url=eis.url, batch_size=1) as embeddings:
        await asyncio.gather(*(embeddings.aembed_documents(texts(5)) for _ in range(4)))
    ours = {span.context.span_id for span in spans.ours()}
    assert sorted([parent(span) for span in spans.client()].count(own) for own in ours) == [5] * 4


def test_with_a_client_of_your_own(call: Caller, eis: LocalEIS, spans: Spans) -> None:
    with Elasticsearch(eis.url) as client:
        call(JinaEISEmbeddings(client=client), "embed_documents", texts(20))
    assert_children(spans.only(), spans.client(), {"inference.text_embedding"})


# Errors and cancellation


def test_an_error_has_its_type_and_not_the_words_of_the_server(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, spans: Spans
) -> None:
    eis.faults.always("rate_limit")
    with pytest.raises(RateLimitError):
        call(connect(JinaEISEmbeddings, max_retries=2), "embed_documents", texts(3))
    span = spans.only()
    assert span.attributes
    assert (span.attributes["error.type"], span.attributes["jina_eis.retries"]) == ("RateLimitError", 2)
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert {event.name for event in span.events} == {"jina_eis.pause"}


def test_a_batch_that_is_taken_apart_stays_in_its_span(
    call: Caller, connect: Callable[..., Any], eis: LocalEIS, spans: Spans
) -> None:
    eis.faults.poison("text 2", "eis_422")
    with pytest.raises(JinaEISError):
        call(connect(JinaEISEmbeddings), "embed_documents", texts(8))
    assert_children(spans.only(), spans.client(), {"inference.text_embedding"})
    assert len(spans.client()) == len(posts(eis)) > 1
    assert (spans.only().attributes or {})["jina_eis.inputs"] == 8


async def test_a_cancelled_task_ends_its_span(eis: LocalEIS, spans: Spans) -> None:
    eis.faults.latency = 5
    async with JinaEISEmbeddings(es_url=eis.url) as embeddings:
        task = asyncio.create_task(embeddings.aembed_documents(texts(40)))
        while not eis.most_in_flight:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (spans.only().attributes or {})["error.type"] == "CancelledError"
    eis.faults.clear()


def test_an_error_before_the_first_request(call: Caller, eis: LocalEIS, spans: Spans) -> None:
    embeddings = JinaEISEmbeddings(es_url="http://127.0.0.1:1", max_retries=0)
    with pytest.raises(JinaEISError):
        call(embeddings, "embed_query", "salt")
    assert (spans.only().attributes or {})["error.type"] == "ConnectionFailedError"


# Switches


@pytest.mark.parametrize("value", ["false", "0", "OFF"])
def test_spans_can_be_switched_off(
    call: Caller, connect: Callable[..., Any], spans: Spans, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("JINA_EIS_OTEL_SPANS", value)
    call(connect(JinaEISEmbeddings), "embed_documents", texts(3))
    assert spans.ours() == []
    assert len(spans.client()) == 1


@pytest.mark.parametrize(("value", "expected"), [("", 0), ("true", 1)])
def test_spans_are_off_while_llama_index_is_instrumented_unless_they_are_switched_on(
    connect: Callable[..., Any], spans: Spans, monkeypatch: pytest.MonkeyPatch, value: str, expected: int
) -> None:
    module = ModuleType("openinference.instrumentation.llama_index")
    module.LlamaIndexInstrumentor = type("LlamaIndexInstrumentor", (), {"is_instrumented_by_opentelemetry": True})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setenv("JINA_EIS_OTEL_SPANS", value)
    connect(JinaEISEmbeddings).embed_query("salt")
    assert len(spans.ours()) == expected
    module.LlamaIndexInstrumentor.is_instrumented_by_opentelemetry = False
    connect(JinaEISEmbeddings).embed_query("salt")
    assert len(spans.ours()) == expected + 1


def test_a_client_that_was_silenced_stays_silent(eis: LocalEIS, spans: Spans) -> None:
    with Elasticsearch(eis.url) as client:
        client._otel.enabled = False
        JinaEISEmbeddings(client=client).embed_query("salt")
    assert spans.client() == []
    assert len(spans.ours()) == 1


def test_an_invalid_setting_of_the_client_is_named(eis: LocalEIS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_INSTRUMENTATION_ELASTICSEARCH_CAPTURE_SEARCH_QUERY", "sanitize")
    with pytest.raises(JinaEISError, match="CAPTURE_SEARCH_QUERY must be omit or raw"):
        JinaEISEmbeddings(es_url=eis.url).embed_query("salt")


# Metrics


@pytest.fixture(scope="module")
def reader() -> InMemoryMetricReader:
    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    return reader


def points(reader: InMemoryMetricReader, model: str) -> dict[str, Any]:
    """The points of one model by the name of their metric, and ` error` for those with an error."""
    data = reader.get_metrics_data()
    return {
        metric.name + (" error" if "error.type" in point.attributes else ""): point
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        if scope.scope.name == "jina_eis"
        for metric in scope.metrics
        for point in metric.data.data_points
        if point.attributes["gen_ai.request.model"] == model
    }


def test_metrics(call: Caller, connect: Callable[..., Any], eis: LocalEIS, reader: InMemoryMetricReader) -> None:
    model = ".jina-embeddings-v3" if call.asynchronous else ".jina-embeddings-v5-text-nano"
    embeddings = connect(JinaEISEmbeddings, model=model, max_retries=1)
    eis.faults.queue("rate_limit")
    call(embeddings, "embed_documents", texts(20))
    eis.faults.queue("rate_limit", "rate_limit")
    with pytest.raises(RateLimitError):
        call(embeddings, "embed_documents", texts(2))
    found = points(reader, model)
    assert found["gen_ai.client.operation.duration"].count == 1
    assert found["gen_ai.client.operation.duration"].explicit_bounds[:3] == (0.01, 0.02, 0.04)
    assert found["gen_ai.client.operation.duration error"].attributes["error.type"] == "RateLimitError"
    assert (found["jina_eis.inputs"].value, found["jina_eis.requests"].value, found["jina_eis.retries"].value) == (20, 3, 1)
    assert "gen_ai.client.token.usage" not in found


def test_metrics_can_be_switched_off(
    connect: Callable[..., Any], reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JINA_EIS_OTEL_METRICS", "false")
    connect(JinaEISEmbeddings, model=".jina-clip-v2").embed_query("salt")
    assert points(reader, ".jina-clip-v2") == {}


# Without a provider


def test_nothing_is_imported_and_no_operation_is_made_without_a_provider(eis: LocalEIS) -> None:
    code = f"""
import sys
from jina_eis.adapters import tracing
from langchain_jina_eis import JinaEISEmbeddings
embeddings = JinaEISEmbeddings(es_url={eis.url!r})
before = {{name for name in sys.modules if name.startswith("opentelemetry")}}
assert embeddings._operation("search") is None
assert {{name for name in sys.modules if name.startswith("opentelemetry")}} == before
embeddings.embed_documents(["salt"])  # the client imports it
assert embeddings._operation("search") is None
assert not tracing._tracer.cache_info().currsize
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_wrong_key_is_an_error_of_the_operation(spans: Spans) -> None:
    with LocalEIS(model="hash", api_key="right") as eis, pytest.raises(AuthenticationError):
        JinaEISEmbeddings(es_url=eis.url, es_api_key="wrong").embed_query("salt")
    assert (spans.only().attributes or {})["error.type"] == "AuthenticationError"
