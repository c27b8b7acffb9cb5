"""Fixtures that the tests of both frameworks share."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from elasticsearch import Elasticsearch
from helpers import Caller

from jina_eis.local import LocalEIS


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Caller:
    """Calls methods in their sync or async variant."""
    return Caller(request.param)


@pytest.fixture
def connect(eis: LocalEIS) -> Iterator[Callable[..., Any]]:
    """Create adapters that are connected to the embedded EIS, and close them after the test."""
    adapters: list[Any] = []

    def create(adapter: Callable[..., Any], **arguments: Any) -> Any:
        adapters.append(adapter(**{"es_url": eis.url, **arguments}))
        return adapters[-1]

    yield create
    for adapter in adapters:
        getattr(adapter, "settings", adapter).close()  # LlamaIndex's retriever keeps its connections in `settings`


@pytest.fixture
def index_name(eis: LocalEIS) -> Iterator[str]:
    """The name of an index of one test. The index is deleted after the test."""
    name = f"test-{uuid.uuid4().hex}"
    yield name
    with Elasticsearch(eis.url) as client:
        client.options(ignore_status=404).indices.delete(index=name)


@pytest.fixture
def custom_endpoint(eis: LocalEIS) -> Iterator[str]:
    """The id of a user's endpoint of task embedding, with vectors of length 256."""
    settings = {"model_id": "jina-embeddings-v5-omni-small", "dimensions": 256}
    with Elasticsearch(eis.url) as client:
        client.inference.put(
            task_type="embedding", inference_id="mine", inference_config={"service": "elastic", "service_settings": settings}
        )
        eis.clear()
        yield "mine"
        client.inference.delete(inference_id="mine", force=True)  # an index of the test may use it


@pytest.fixture
def events() -> Iterator[list[tuple[Any, str]]]:
    """The events that LlamaIndex's dispatcher receives, as (event, name of the span)."""
    from llama_index.core.instrumentation import get_dispatcher
    from llama_index.core.instrumentation.event_handlers import BaseEventHandler

    recorded: list[tuple[Any, str]] = []

    class Recorder(BaseEventHandler):
        def handle(self, event: Any, **_: Any) -> None:
            recorded.append((event, str(event.span_id).partition("-")[0]))

    recorder, dispatcher = Recorder(), get_dispatcher()
    dispatcher.add_event_handler(recorder)
    yield recorded
    dispatcher.event_handlers.remove(recorder)


@pytest.fixture(scope="session")
def _exporter() -> Any:
    """The exporter of this process, whose tracer provider can be set only once."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


@pytest.fixture
def exporter(_exporter: Any) -> Iterator[Any]:
    """OpenTelemetry's exporter in memory, with the spans of one test."""
    _exporter.clear()
    _exporter._stopped = False
    yield _exporter
    _exporter.shutdown()  # the tests after this one make spans too
    _exporter.clear()
