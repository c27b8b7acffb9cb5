"""Pacing: when to send. The clock and the random numbers are arguments, and nothing here sends, sleeps or blocks.

`Pacer.attempts` yields the actions of one call: wait for a slot, wait for a pause to end, send, and retry after a transient
error. Both drivers carry out the same actions, one with threads and one with tasks.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING, Final

from ..errors import ConnectionFailedError, JinaEISError, RateLimitError
from .pace import FIRST_BACKOFF, Pace, exponential_backoff
from .slots import Slots

if TYPE_CHECKING:
    from ..wire import Rest

__all__ = ["LONGEST_PAUSE", "SEND", "Attempts", "Pacer", "Queued", "Send", "Sleep", "Wait", "no_waits"]

MANY = 3  # times the maximum retries; a call that is refused so often while others succeed is more likely too large than late
RETRIES_TO_REACH = 2  # of an address that never responded: it is more likely wrong than busy
LONGEST_PAUSE = 120.0  # seconds; if the service asks for a longer pause, the error is raised

_waiting = True


def _takes_time() -> bool:
    return _waiting


@contextmanager
def no_waits() -> Iterator[None]:
    """Retry without waiting, for tests: in this context, back-off and Retry-After pauses take no time.

    It applies to the whole process. The number of retries and the errors do not change.
    """
    global _waiting
    _waiting = False
    try:
        yield
    finally:
        _waiting = True


@dataclass(frozen=True, slots=True)
class Queued:
    """Wait for a slot, at most until the call would be too late.

    Attributes:
        slot: Done when the call has the slot.
        seconds: Maximum time; None for any.
    """

    slot: Future[None]
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait this many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait before a retry, for those who follow the call.

    Attributes:
        error: Its cause.
        seconds: Its length.
        retry: The number of the retry, from 1.
        retries: Maximum number of retries; infinite if only the time is limited.
        first: Whether no other call that waits for the same cause has reported it.
        skipped: Whether it takes no time, because of `no_waits`.
        limit: Maximum number of calls in flight from now on.
        queued: Number of calls that wait for a place among them.
    """

    error: JinaEISError
    seconds: float
    retry: int
    retries: float
    first: bool
    skipped: bool
    limit: int
    queued: int


class Send:
    """Send the request now. If it fails, throw its error into the generator."""


SEND: Final = Send()

Attempts = Generator[Queued | Sleep | Send, None, None]


class Pacer:
    """Decides when calls may be sent. There is one per adapter, shared by all its threads, loops and calls.

    Each bucket has its own limit of calls in flight, between 1 and `max_concurrency`. The limit starts at 16, or at
    `max_concurrency` if that is lower; for a first job of few calls (`expect`) lower still. While calls wait, it grows by one
    with each success, so it doubles in the time of one response; after a refusal, by one in the time of one response. A
    refusal sets the limit to a tenth below the number of calls that the service carried, unless a quota is known. While no
    call succeeds, one call at a time is sent, after longer and longer pauses. If these were refusals, what was granted before
    is the share of a quota, and calls keep to it (`Pace`, `Rate`).

    Args:
        max_concurrency: Maximum calls of a bucket in flight, for all threads together and for each event loop.
        max_retries: Maximum retries of a call after a transient error. It is also the number of consecutive failures, of any
            calls, after which the service counts as down.
        deadline: Seconds from the first attempt to the response. A retry that might exceed them is not sent.
        attempt_timeout: Maximum duration of one attempt in seconds.
        clock: Monotonic seconds.
        jitter: Returns a random number from 0 to 1.
    """

    def __init__(
        self,
        max_concurrency: int,
        max_retries: int,
        *,
        deadline: float = math.inf,
        attempt_timeout: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._max_concurrency = max_concurrency
        self._max_retries = max_retries
        self._deadline = deadline
        self._attempt_timeout = attempt_timeout
        self._clock = clock
        self._jitter = jitter
        self._paces: dict[str, Pace] = {}
        self._reached = False  # whether the address has ever responded

    def expect(self, bucket: str, calls: int) -> None:
        """Announce that at most so many calls of a bucket follow: without knowledge of the service, a small job starts slowly."""
        self._pace(bucket).expect(calls)

    def attempts(
        self,
        bucket: str,
        loop: object = None,
        retries: int | None = None,
        patience: float | None = None,
        *,
        report: Callable[[Wait], None] | None = None,
        urgent: bool = False,
        tokens: float = 0.0,
        rest: Rest | None = None,
    ) -> Attempts:
        """Yield the actions of one call, until the call has succeeded.

        If a `Send` fails, throw its error into the generator. A permanent error, or one after the last retry, is raised again.

        Args:
            bucket: Calls of one bucket share its pace and the pauses that the service asks for.
            loop: The event loop of the call; None for a thread. Threads share their slots, and so do the tasks of a loop.
                Threads and loops do not share slots, because a blocked loop would hold slots that threads wait for.
            retries: Maximum retries of this call, if less than the pacer's own. A refusal for the rate does not count if other
                calls of the bucket have succeeded since this call's last attempt: the service grants calls, and will this one.
                Unless a quota is known, this ends after three times as many retries.
            patience: Seconds from the first attempt in which this call is retried, however often; None for the pacer's own
                deadline and number of retries.
            report: Called with each wait before a retry.
            urgent: The call goes before others that wait for a slot, and waits for pauses only.
            tokens: Estimated tokens of the call, by which the service may count.
            rest: What remains of its job, so that the last calls need not wait for the next period of a quota; None if not known.
        """
        pace = self._pace(bucket)
        slots = pace.slots(loop)
        call = _Retries(
            most=self._max_retries if patience is None else math.inf,
            own=retries,
            seconds=self._deadline if patience is None else patience,
            urgent=urgent,
        )
        while True:
            slot = slots.acquire(urgent=urgent, repeated=call.done > 0)
            number = 0
            try:
                if not slot.done():
                    yield Queued(slot, max(0.0, min(self._seconds_left(call), TIMEOUT_MAX)) if call.last_error else None)
                    if call.last_error and not slot.done():
                        raise call.last_error
                self._check(call, pace, 0.0)
                while not (number := pace.next_number(slots, tokens, urgent=urgent, rest=rest)):
                    wait = pace.wait(urgent=urgent, rest=rest)
                    self._check(call, pace, wait)
                    yield Sleep(wait)
                sent = self._clock()
                call.started = min(call.started, sent)
                try:
                    yield SEND
                except JinaEISError as error:
                    backoff, wait, tries = self._wait_after(error, call, pace, number, slots)
                    if report:
                        first = pace.newest_failure == number
                        report(Wait(error, wait, call.done + 1, tries, first, not _waiting, pace.limit(), slots.queued))
                else:
                    self._reached = True
                    pace.record_success(number, sent, tokens, slots)
                    return
            finally:
                slots.release(slot, urgent=urgent, sent=number > 0)
            if _waiting:
                yield Sleep(backoff)
            else:
                call.skipped += wait
            call.done += 1

    def _pace(self, bucket: str) -> Pace:
        return self._paces.get(bucket) or self._paces.setdefault(bucket, Pace(self._max_concurrency, self._clock, _takes_time))

    def _check(self, call: _Retries, pace: Pace, wait: float) -> None:
        """Raise the last error of a call if an attempt after this wait might be too late, or if the service is down."""
        if call.last_error and (self._is_overdue(call, wait) or pace.is_down(call.most, urgent=call.urgent)):
            raise call.last_error

    def _wait_after(
        self, error: JinaEISError, call: _Retries, pace: Pace, number: int, slots: Slots
    ) -> tuple[float, float, float]:
        """Return the seconds until the call waits for a slot again, at least until it is sent, and its maximum of retries.

        Raises the last error.
        """
        error.retries = call.done
        self._reached = self._reached or not isinstance(error, ConnectionFailedError)
        if not error.transient or (error.retry_after or 0.0) > LONGEST_PAUSE:
            pace.reset_failures()
            raise error
        tries = call.most if self._reached else min(self._max_retries, RETRIES_TO_REACH)
        is_down = pace.record_failure(error, number, slots, tries, urgent=call.urgent)
        is_refused = isinstance(error, RateLimitError)
        if not is_refused:
            call.failed += 1
        elif call.seen == pace.successes or (call.done > MANY * call.limit(tries) and not pace.keeps_to_a_quota):
            call.refused += 1
        else:
            call.refused = 1
        tries = call.limit(tries)
        if is_refused:
            tries = pace.most_failures(tries, urgent=call.urgent)
        call.seen = pace.successes
        if is_down or call.failed + call.refused > tries:
            raise error
        # A refused call waits for the end of the pause in the queue, before others.
        backoff = self._jitter() * (FIRST_BACKOFF if is_refused else exponential_backoff(FIRST_BACKOFF, call.done))
        wait = max(backoff, pace.requested_pause())
        if self._is_overdue(call, wait):
            raise error
        call.last_error = error
        return backoff, wait, tries

    def _is_overdue(self, call: _Retries, wait: float) -> bool:
        """Whether an attempt after this wait might end after the deadline."""
        return wait > self._seconds_left(call)

    def _seconds_left(self, call: _Retries) -> float:
        """Return the seconds until the last moment at which an attempt ends before the deadline."""
        return call.started + call.seconds - call.skipped - self._attempt_timeout - self._clock()


@dataclass(slots=True)
class _Retries:
    """The retries of one call."""

    most: float
    """Maximum number of retries, which is also that of consecutive failures of all calls."""
    own: int | None
    """Maximum number of retries of this call; None for the same."""
    seconds: float
    """Seconds from the first attempt to the response."""
    urgent: bool
    """Whether somebody may wait for it."""
    started: float = math.inf
    """When it was first sent."""
    skipped: float = 0.0
    """Seconds that `no_waits` has skipped."""
    done: int = 0
    """Number of retries."""
    failed: int = 0
    """Failed attempts, apart from refusals."""
    refused: int = 0
    """Refused attempts since any call of the bucket succeeded."""
    seen: int = 0
    """Number of successes in the bucket at the last failure."""
    last_error: JinaEISError | None = None

    def limit(self, tries: float) -> float:
        """Return the maximum number of retries, given that of the pacer."""
        return tries if self.own is None else min(tries, self.own)
