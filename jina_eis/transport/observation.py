"""What happens to requests: attempts and waits, as they are counted, logged and reported to the operation they belong to.

A driver has one `Observer`. The operation, if anything follows it, is the `watch` of its calls. Nothing here decides anything.
"""

from __future__ import annotations

import time
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import ConnectionFailedError, RateLimitError, ServiceTimeoutError, ServiceUnavailableError
from ..wire import Call
from .logs import Lines
from .usage import Counts, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from .pacing import Wait

__all__ = ["Attempt", "Observer", "Pause", "current_attempt"]

RATE_LIMITER = "rate limiter"

_CAUSES = (
    (RateLimitError, "rate limit"),
    (ServiceTimeoutError, "timeout"),
    (ServiceUnavailableError, "service unavailable"),
    (ConnectionFailedError, "connection failed"),
)

_current: ContextVar[Attempt | None] = ContextVar("jina_eis_attempt", default=None)


def current_attempt() -> Attempt | None:
    """Return the attempt that this thread or task makes. The connection records in it what it sends and receives."""
    return _current.get()


class Attempt:
    """One request and its outcome, as a context that is entered in the thread or task that sends it.

    Attributes:
        call: The call.
        number: 1 for the first attempt of the call, 2 for its first retry.
        seconds: Duration, including the reading of the response.
        status: HTTP status; None without a response.
        bytes_sent: Size of the request body before compression.
        bytes_received: Content-Length of the response; 0 if it has none.
        error: What it ended with; None for a success. A task that is cancelled ends with a CancelledError.
    """

    __slots__ = (
        "_began",
        "_observer",
        "_token",
        "_watched",
        *("bytes_received", "bytes_sent", "call"),
        *("error", "number", "seconds", "status"),
    )

    def __init__(self, call: Call[Any], number: int, observer: Observer) -> None:
        self.call = call
        self.number = number
        self.seconds = 0.0
        self.status: int | None = None
        self.bytes_sent = 0
        self.bytes_received = 0
        self.error: BaseException | None = None
        self._observer = observer

    def __enter__(self) -> None:
        self._token: Token[Attempt | None] = _current.set(self)
        watch = self.call.watch
        self._watched = watch.enter() if watch else None
        self._began = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.seconds = time.perf_counter() - self._began
        self.error = error
        if watch := self.call.watch:
            watch.leave(self._watched)
        _current.reset(self._token)
        self._observer.finished(self)

    def received(self, status: int, headers: Mapping[str, str]) -> None:
        """Record a response."""
        self.status = status
        length = headers.get("content-length", "")
        self.bytes_received = int(length) if length.isascii() and length.isdigit() else 0


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait that an operation notices.

    Attributes:
        cause: What is waited for: "rate limit", "timeout", "service unavailable", "connection failed" or "rate limiter".
        seconds: Its planned length.
        text: One line about it, without a secret or an input.
    """

    cause: str
    seconds: float
    text: str


class Observer:
    """Follows all requests of a driver. Thread safe."""

    def __init__(self) -> None:
        self._counts = Counts()
        self._lines = Lines()

    def usage(self) -> Usage:
        """Return a snapshot of the counts."""
        return self._counts.usage()

    def attempt(self, call: Call[Any], number: int) -> Attempt:
        """Return the context in which a request is sent."""
        return Attempt(call, number, self)

    def finished(self, attempt: Attempt) -> None:
        """Count and log a request."""
        call, error = attempt.call, attempt.error
        self._counts.add(
            requests=1,
            inputs=call.new_inputs if attempt.number == 1 else 0,
            retries=int(attempt.number > 1),
            refusals=int(isinstance(error, RateLimitError)),
            bytes_sent=attempt.bytes_sent,
            bytes_received=attempt.bytes_received,
            tokens=0 if error else round(call.weight),
        )
        self._lines.request(attempt)
        if call.watch:
            call.watch.finished(attempt)

    def waits(self, call: Call[Any], wait: Wait) -> None:
        """Count and log a wait before a retry."""
        cause = next((cause for kind, cause in _CAUSES if isinstance(wait.error, kind)), "other")
        if not wait.skipped:
            self._counts.wait(cause, call.bucket, time.monotonic(), wait.seconds)
        elif wait.first:
            self._counts.skip(cause, wait.seconds)
        text = self._lines.pause(call, cause, wait)
        if call.watch:
            call.watch.paused(Pause(cause, wait.seconds, text))

    def limited(self, call: Call[Any], began: float) -> None:
        """Count and log a wait for a rate limiter that has ended, from its start in monotonic seconds."""
        seconds = time.monotonic() - began
        self._counts.wait(RATE_LIMITER, "", began, seconds)
        self._lines.limited(seconds)
