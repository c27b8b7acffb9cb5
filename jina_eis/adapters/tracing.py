"""Spans and metrics of OpenTelemetry: one span for an operation, directly above those of the Elasticsearch client.

Nothing here imports OpenTelemetry: without a provider, which the application sets up, there is nothing to report to. The names of
attributes and metrics are those of OpenTelemetry's conventions for generative AI, as dashboards have them today. They are written
out here, because the package with the constants is bound to a version of the SDK and calls them obsolete.

A span is current only while a request is sent, never across a `yield` of a generator, whose consumer has spans of its own.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from ..transport import Attempt, Pause
from ..wire import Steps, watched

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Operation", "new_operation", "observed"]

T = TypeVar("T")

SPANS = "JINA_EIS_OTEL_SPANS"
METRICS = "JINA_EIS_OTEL_METRICS"

SCOPE = "jina_eis"
PROVIDER = "elastic"

OPERATION_NAME = "gen_ai.operation.name"
PROVIDER_NAME = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
DIMENSIONS = "gen_ai.embeddings.dimension.count"
DATA_SOURCE = "gen_ai.data_source.id"
TOP_K = "gen_ai.retrieval.top_k"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
ERROR_TYPE = "error.type"
INPUT_TYPE = "jina_eis.input_type"
TOP_N = "jina_eis.rerank.top_n"
INPUTS = "jina_eis.inputs"
REQUESTS = "jina_eis.requests"
RETRIES = "jina_eis.retries"

DURATION = "gen_ai.client.operation.duration"
BUCKETS = [0.01 * 2**power for power in range(14)]  # seconds, as the conventions advise

_INSTRUMENTORS = ("openinference.instrumentation.llama_index", "opentelemetry.instrumentation.llamaindex")


def observed(steps: Steps[T], operation: Operation | None) -> Steps[T]:
    """Return the same steps, as an operation that starts with the first of them."""
    return steps if operation is None else _observed(steps, operation)


def _observed(steps: Steps[T], operation: Operation) -> Steps[T]:
    with operation:
        return (yield from watched(steps, operation))


def new_operation(
    name: str, subject: str | None, location: Callable[[], str], **attributes: str | int | None
) -> Operation | None:
    """Return an operation to report; None if there is nothing to report to.

    Args:
        name: "embeddings", "rerank", "retrieval" or "ingest".
        subject: The endpoint, or the index; None if it is not known before the first request.
        location: Returns host, port and path of the deployment.
        attributes: Of the span: `model`, `index`, `dimensions`, `top_k`, `top_n` and `input_type`; None is left out.
    """
    trace, metrics = _tracing(), _metering()
    if trace is None and metrics is None:
        return None
    return Operation(name, subject, _described(name, location(), attributes), trace, metrics)


class Operation:
    """A running operation: the context in which it runs, and the watch of its calls."""

    def __init__(self, name: str, subject: str | None, attributes: dict[str, Any], trace: Any, metrics: Any) -> None:
        self._name = name
        self._subject = subject
        self._attributes = attributes
        self._trace = trace
        self._metrics = metrics
        self._span: Any = None
        self._context: Any = None
        self._counts = dict.fromkeys((INPUTS, REQUESTS, RETRIES), 0)
        self._lock = threading.RLock()  # reentrant, because the garbage collector may close an abandoned call at any line

    def __enter__(self) -> None:
        self._began = time.perf_counter()
        if self._trace:
            self._span = _tracer(self._trace.get_tracer_provider()).start_span(
                f"{self._name} {self._subject}" if self._subject else self._name,
                kind=self._trace.SpanKind.CLIENT,
                attributes=self._attributes,
            )
            self._context = self._trace.set_span_in_context(self._span)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        seconds = time.perf_counter() - self._began
        if kind and not issubclass(kind, GeneratorExit):  # a stream that is closed early did not fail
            self._attributes[ERROR_TYPE] = kind.__name__
        if self._span:
            self._span.set_attributes({**self._attributes, **self._counts})
            if ERROR_TYPE in self._attributes:
                self._span.set_status(self._trace.Status(self._trace.StatusCode.ERROR))
            self._span.end()
        if self._metrics:
            _record(self._metrics, seconds, self._attributes, self._counts)

    def enter(self) -> object:
        """Make the span current in the thread or task that sends a request."""
        return _context().attach(self._context) if self._span else None

    def leave(self, entered: Any) -> None:
        """Restore what was current before."""
        if entered is not None:
            _context().detach(entered)

    def finished(self, attempt: Attempt) -> None:
        """Count a request."""
        call = attempt.call
        with self._lock:
            self._counts[REQUESTS] += 1
            self._counts[RETRIES] += attempt.number > 1
            self._counts[INPUTS] += call.new_inputs if attempt.number == 1 else 0
        if self._subject is None and call.endpoint and call.inputs is not None and attempt.error is None:
            self._attributes[REQUEST_MODEL] = call.endpoint  # the last is the one that was found
            if self._span:
                self._span.update_name(f"{self._name} {call.endpoint}")

    def paused(self, pause: Pause) -> None:
        """Add an event to the span."""
        if self._span:
            self._span.add_event("jina_eis.pause", {"jina_eis.cause": pause.cause, "jina_eis.seconds": pause.seconds})


def _described(name: str, location: str, attributes: dict[str, str | int | None]) -> dict[str, Any]:
    names = {
        "model": REQUEST_MODEL,
        "index": DATA_SOURCE,
        "dimensions": DIMENSIONS,
        "top_k": TOP_K,
        "top_n": TOP_N,
        "input_type": INPUT_TYPE,
    }
    described: dict[str, Any] = {OPERATION_NAME: name, PROVIDER_NAME: PROVIDER}
    described |= {names[key]: value for key, value in attributes.items() if value is not None}
    host, _, port = location.partition("/")[0].rpartition(":")
    if "," not in location and port.isdigit():  # a client of the user may have several nodes
        described |= {SERVER_ADDRESS: host, SERVER_PORT: int(port)}
    return described


def _record(metrics: Any, seconds: float, attributes: dict[str, Any], counts: dict[str, int]) -> None:
    """Record the duration and the counts, by the attributes that have few values."""
    kept = (OPERATION_NAME, PROVIDER_NAME, REQUEST_MODEL, SERVER_ADDRESS, SERVER_PORT, ERROR_TYPE)
    labels = {name: attributes[name] for name in kept if name in attributes}
    duration, counters = _instruments(metrics.get_meter_provider())
    duration.record(seconds, labels)
    for name, counter in counters.items():
        if counts[name]:
            counter.add(counts[name], labels)


def _tracing() -> Any:
    """Return `opentelemetry.trace` if the application has set up tracing, and spans are wanted."""
    trace = _loaded("opentelemetry.trace")
    if trace is None or not _wanted(SPANS, unless=_is_llama_index_traced):
        return None
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider) or _context().get_value("suppress_instrumentation"):
        return None
    return trace


def _metering() -> Any:
    """Return `opentelemetry.metrics` if the application has set up metrics, and they are wanted."""
    metrics = _loaded("opentelemetry.metrics")
    if metrics is None or not _wanted(METRICS):
        return None
    return None if type(metrics.get_meter_provider()).__name__ == "_ProxyMeterProvider" else metrics


def _loaded(name: str) -> Any:
    """Return a module that the application has imported; None while it is still being imported, by another thread."""
    module = sys.modules.get(name)
    return None if getattr(getattr(module, "__spec__", None), "_initializing", False) else module


def _wanted(variable: str, unless: Callable[[], bool] = lambda: False) -> bool:
    value = os.environ.get(variable, "").strip().lower()
    if not value:
        return not unless()
    return value not in ("0", "false", "no", "off")


def _is_llama_index_traced() -> bool:
    """Whether OpenInference or Traceloop makes spans of the operations of LlamaIndex."""
    modules = [module for name in _INSTRUMENTORS if (module := sys.modules.get(name))]
    return any(
        getattr(module.LlamaIndexInstrumentor(), "is_instrumented_by_opentelemetry", False)
        for module in modules
        if hasattr(module, "LlamaIndexInstrumentor")
    )


def _context() -> Any:
    return sys.modules["opentelemetry.context"]


@lru_cache(maxsize=4)
def _tracer(provider: Any) -> Any:
    return provider.get_tracer(SCOPE, version("jina-eis"))


@lru_cache(maxsize=4)
def _instruments(provider: Any) -> tuple[Any, dict[str, Any]]:
    meter = provider.get_meter(SCOPE, version("jina-eis"))
    duration = meter.create_histogram(
        DURATION,
        unit="s",
        description="Duration of an operation, with all requests, retries and pauses.",
        explicit_bucket_boundaries_advisory=BUCKETS,
    )
    counters = {
        INPUTS: meter.create_counter(INPUTS, unit="{input}", description="Inputs that were sent, each once."),
        REQUESTS: meter.create_counter(REQUESTS, unit="{request}", description="Requests, with retries."),
        RETRIES: meter.create_counter(RETRIES, unit="{request}", description="Requests that repeat an earlier one."),
    }
    return duration, counters
