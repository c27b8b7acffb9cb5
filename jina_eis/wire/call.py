"""A request with the reader of its response, and the rounds of requests that steps consist of."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from ..errors import JinaEISError

if TYPE_CHECKING:
    from .watch import Watch

__all__ = ["Call", "Counted", "Rest", "Steps", "ask"]

A = TypeVar("A")
T = TypeVar("T")

_NONE: Mapping[str, str] = MappingProxyType({})  # one for all calls; a dataclass takes it only from a factory, as it has no hash


class Rest(NamedTuple):
    """What remains of a job from one of its calls on."""

    calls: int
    """Maximum number of its calls, this one included."""
    total: int
    """Maximum number of all of them."""


@dataclass(frozen=True, slots=True)
class Call(Generic[A]):
    """A request, and the function that checks and reads its response.

    Attributes:
        method: HTTP method.
        path: Quoted path below the address of Elasticsearch.
        read: Converts the parsed body into the result; raises a typed error if the body is not as expected.
        params: Query parameters.
        headers: Request headers, in addition to those of every request.
        body: JSON body, as a value or in bytes; None for none.
        rescue: Steps to take after a permanent failure, given this call, its error, and whether other calls of the stream
            succeeded; None for those of the stream.
        explain: Steps that return the error to raise for an error of this call; None to raise it unchanged.
        invalidates: Path of a result that the driver must drop from its cache when this call has failed, or has changed
            something (PUT, DELETE).
        ndjson: The body is one JSON document per line, in bytes.
        load_body: Returns the body, in place of `body`. It may read files, so a driver calls it once, off the event loop, just
            before the call is sent.
        endpoint: The inference endpoint that is called, for errors; "" for none.
        bucket: Calls of one bucket share a rate limit of the service: EIS counts per endpoint and input type.
        weight: Rough number of tokens, by which the service may count too; 0 if not known. Only the ratios of calls matter.
        new_inputs: Number of its inputs that no earlier call of the operation had, for counts.
        watch: Follows the operation that the call belongs to; None if nothing does.
        inputs: Positions of its inputs in the caller's list, for errors.
        completed: Number of the caller's inputs whose results were returned before this one, for errors.
        vectors: The response holds vectors, which are much smaller in CBOR than in JSON.
        with_headers: `read` receives a pair: the body and the response headers.
        cache: The result describes the deployment. The driver sends the call once and keeps the result, also for callers that
            need it at the same time.
        cache_refusal: A refusal (403, 404) of a cached call is kept too.
        retries: Maximum number of retries; None for the driver's own.
        patience: Seconds from the first attempt in which transient errors are retried, however often; None for the driver's
            own limits.
        urgent: The call goes before others that wait for their turn. A driver sets it for a call that is alone in its stream, as
            an interactive one is.
        rest: What remains of its stream; None if not known. A driver sets it.
        halves: Returns two calls with half of the inputs each, to find the inputs that cause a failure; None for a call that
            cannot be divided.
    """

    method: str
    path: str
    read: Callable[[Any], A]
    params: Mapping[str, str] = field(default_factory=lambda: _NONE)
    headers: Mapping[str, str] = field(default_factory=lambda: _NONE)
    body: Any = None
    endpoint: str = ""
    bucket: str = ""
    weight: float = 0.0
    new_inputs: int = 0
    watch: Watch | None = None
    inputs: Sequence[int] | None = None
    completed: int | None = None
    vectors: bool = False
    with_headers: bool = False
    cache: bool = False
    cache_refusal: bool = False
    retries: int | None = None
    patience: float | None = None
    urgent: bool = False
    rest: Rest | None = None
    halves: Callable[[], list[Call[A]]] | None = None
    load_body: Callable[[], Any] | None = None
    ndjson: bool = False
    invalidates: str = ""
    rescue: Callable[..., Generator[Iterable[Call[Any]], list[Any], A]] | None = None
    explain: Callable[[JinaEISError], Generator[Iterable[Call[Any]], list[Any], JinaEISError]] | None = None

    def with_body(self) -> Call[A]:
        """Return the same call with its body loaded."""
        return replace(self, body=self.load_body(), load_body=None) if self.load_body else self


# Steps yield calls, receive their results in order, and return a result. The results of one round share a type, those of
# two rounds may not. A generator type cannot express that, so `ask` types each round.
Steps = Generator[Iterable[Call[Any]], list[Any], T]


def ask(calls: Iterable[Call[A]]) -> Generator[Iterable[Call[Any]], list[Any], list[A]]:
    """Send one round of calls: `answers = yield from ask(calls)`."""
    return (yield calls)


class Counted(Iterator[Call[A]]):
    """Calls, the greatest number of which is known before they are made: `operator.length_hint` returns it.

    Args:
        calls: The calls.
        number: Their greatest number; 0 if it is not known.
    """

    def __init__(self, calls: Iterable[Call[A]], number: int) -> None:
        self._calls = iter(calls)
        self._number = number

    def __next__(self) -> Call[A]:
        return next(self._calls)

    def __length_hint__(self) -> int:
        return self._number
