"""The lines about requests and waits, in the loggers `jina_eis.requests` and `jina_eis.pace`.

A line names methods, paths, endpoints, indices, numbers and types of errors: never a text, a vector, a query, the query part of a
URL, a credential, or the words of a response.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from typing import TYPE_CHECKING, Any

from ..errors import JinaEISError, RateLimitError

if TYPE_CHECKING:
    from ..wire import Call
    from .observation import Attempt
    from .pacing import Wait

__all__ = ["LONG_PAUSE", "Lines", "format_seconds"]

REQUESTS = logging.getLogger("jina_eis.requests")
PACE = logging.getLogger("jina_eis.pace")

LONG_PAUSE = 5.0  # seconds from which a wait is a warning: long enough for a person to wonder
MINUTE = 60.0  # seconds; EIS counts by the minute, so refusals in it have one cause
TOLERANCE = 1.0  # seconds by which the waits of one cause may end at different times; they are jittered by half as much

# A library is silent until the application configures logging; Python would otherwise print warnings.
logging.getLogger("jina_eis").addHandler(logging.NullHandler())


def format_seconds(seconds: float) -> str:
    """Return seconds with at most one decimal place."""
    return f"{seconds:.1f}".removesuffix(".0")


class Lines:
    """Writes the lines of one driver. Waits of many calls for one cause make one line. Thread safe."""

    def __init__(self) -> None:
        self._announced: dict[str, tuple[str, int, float]] = {}  # by bucket: cause, retry and end of the last line
        self._refused: dict[str, tuple[float, float]] = {}  # by bucket: times of the last refusal, and of the line about the pace
        self._lock = threading.RLock()  # reentrant, because the garbage collector may close an abandoned call at any line

    def request(self, attempt: Attempt) -> None:
        """DEBUG: a request and its outcome."""
        if not REQUESTS.isEnabledFor(logging.DEBUG):
            return
        call, error = attempt.call, attempt.error
        outcome = [] if attempt.status is None else [str(attempt.status)]
        outcome += [type(error).__name__] if error else []
        number = call.new_inputs if call.inputs is None else len(call.inputs)
        details = [
            *([f"endpoint {call.endpoint}"] if call.endpoint else []),
            *([f"{number} {'input' if number == 1 else 'inputs'}"] if number else []),
            f"{attempt.bytes_sent} bytes out",
            f"{attempt.bytes_received} bytes in",
            f"attempt {attempt.number}",
        ]
        REQUESTS.debug(
            "%s %s: %s in %.0f ms (%s)",
            *(call.method, call.path, " ".join(outcome), attempt.seconds * 1000, ", ".join(details)),
        )

    def pause(self, call: Call[Any], cause: str, wait: Wait) -> str:
        """WARNING from 5 s, INFO below: a wait before a retry. Returns the line, also if it is not written."""
        of = f" of {int(wait.retries)}" if wait.retry <= wait.retries < math.inf else ""  # some refusals do not count
        line = (
            f"{_reason(cause, wait.error)} from {_where(call)}: pausing {format_seconds(wait.seconds)} s (retry {wait.retry}{of})"
        )
        level = logging.WARNING if wait.seconds >= LONG_PAUSE else logging.INFO
        if PACE.isEnabledFor(level) and self._is_news(call.bucket, cause, wait):
            PACE.log(level, "%s", line)
        if isinstance(wait.error, RateLimitError) and wait.first and self._is_held(call.bucket, wait):
            PACE.warning(
                "The rate limit of %s holds the pace at %d %s at a time; %d wait",
                *(_where(call), wait.limit, "request" if wait.limit == 1 else "requests", wait.queued),
            )
        return line

    def limited(self, seconds: float) -> None:
        """WARNING from 5 s: a request has waited for the rate limiter."""
        if seconds >= LONG_PAUSE and PACE.isEnabledFor(logging.WARNING):
            PACE.warning("The rate limiter held a request for %s s", format_seconds(seconds))

    def _is_held(self, bucket: str, wait: Wait) -> bool:
        """Whether calls wait because of repeated refusals, and no line has stated it in the last minute."""
        now = time.monotonic()
        with self._lock:
            refused, stated = self._refused.get(bucket, (-math.inf, -math.inf))
            held = wait.queued > 0 and now < refused + MINUTE and now >= stated + MINUTE
            self._refused[bucket] = (now, now if held else stated)
            return held

    def _is_news(self, bucket: str, cause: str, wait: Wait) -> bool:
        """Whether no line has announced this wait: neither for another call, nor an end that is about as late."""
        now = time.monotonic()
        end = now + wait.seconds
        with self._lock:
            known_cause, retry, until = self._announced.get(bucket, ("", 0, now))
            if known_cause == cause and now < until:
                announced = wait.retry <= retry if wait.skipped else end <= until + TOLERANCE
            else:
                announced = not wait.first and known_cause == cause
            if not announced:
                self._announced[bucket] = (cause, wait.retry, end)
            return not announced


def _reason(cause: str, error: JinaEISError) -> str:
    if isinstance(error, RateLimitError) and error.status:
        return str(error.status)
    return f"{cause} ({error.status})" if error.status else cause


def _where(call: Call[Any]) -> str:
    return call.endpoint or (f"Elasticsearch ({call.bucket})" if call.bucket else "Elasticsearch")
