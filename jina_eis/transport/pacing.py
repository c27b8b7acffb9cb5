"""Pacing: when to send. The clock and the random numbers are arguments, and nothing here sends, sleeps or blocks.

`Pacer.attempts` yields the actions of one call: wait for a slot, wait for a pause to end, send, and retry after a transient
error. Both drivers carry out the same actions, one with threads and one with tasks.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from ..errors import ConnectionFailedError, JinaEISError, RateLimitError, ServiceTimeoutError

__all__ = ["LONGEST_PAUSE", "SEND", "Attempts", "Pace", "Pacer", "Send", "Sleep", "Slots", "Wait", "no_waits"]

FIRST_BACKOFF = 0.5  # seconds; elastic-transport's default base, and half of what Elasticsearch's own retries start with
LONGEST_BACKOFF = 30.0  # seconds; EIS counts by the minute, so a longer single wait gains nothing
FIRST_PAUSE = 2.0  # seconds; doubled for each consecutive refusal, six retries outlast the minute by which EIS counts
FIRST_LIMIT = 16  # calls; half of what a service for 32 in flight takes, and few enough for one that takes 8
BETWEEN_PROBES = 20  # minimum results before one call more than the service has carried is sent
DECREASE = 0.9  # factor of the limit after a new refusal, which is immediate and costs little
DECREASE_BY_TIMEOUT = 0.75  # factor after a timeout, which costs the full time of a request
FORGOTTEN = 120.0  # seconds after which an earlier failure is ignored
RETRIES_TO_REACH = 2  # of an address that never responded: it is more likely wrong than busy
LONGEST_PAUSE = 120.0  # seconds; if the service asks for a longer pause, the error is raised

_waiting = True


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

# A future is a slot: wait for it.
Attempts = Generator["Future[None] | Sleep | Send", None, None]


class Pacer:
    """Decides when calls may be sent. There is one per adapter, shared by all its threads, loops and calls.

    Each bucket has its own limit of calls in flight, between 1 and `max_concurrency`. The limit starts at 16, or at
    `max_concurrency` if that is lower. While calls wait, it grows by one with each success, so it doubles in the time of one
    response; after a refusal, by one in the time of one response. A refusal sets the limit to a tenth below the number of
    calls that the service carried. While no call succeeds, one call at a time is sent, after longer and longer pauses.

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

    def attempts(
        self,
        bucket: str,
        loop: object = None,
        retries: int | None = None,
        patience: float | None = None,
        *,
        report: Callable[[Wait], None] | None = None,
        urgent: bool = False,
    ) -> Attempts:
        """Yield the actions of one call, until the call has succeeded.

        If a `Send` fails, throw its error into the generator. A permanent error, or one after the last retry, is raised again.

        Args:
            bucket: Calls of one bucket share its pace and the pauses that the service asks for.
            loop: The event loop of the call; None for a thread. Threads share their slots, and so do the tasks of a loop.
                Threads and loops do not share slots, because a blocked loop would hold slots that threads wait for.
            retries: Maximum retries of this call, if less than the pacer's own.
            patience: Seconds from the first attempt in which this call is retried, however often; None for the pacer's own
                deadline and number of retries.
            report: Called with each wait before a retry.
            urgent: The call goes before others that wait for a slot.
        """
        max_retries = self._max_retries if patience is None else math.inf
        deadline = self._deadline if patience is None else patience
        pace = self._paces.get(bucket) or self._paces.setdefault(bucket, Pace(self._max_concurrency, self._clock))
        slots = pace.slots(loop)
        started = math.inf
        last_error: JinaEISError | None = None

        skipped = 0.0  # seconds that `no_waits` has skipped
        retry = 0
        while True:
            pause = pace.pause()
            if last_error and (self._overdue(started + deadline, skipped + pause) or pace.failures > max_retries):
                raise last_error  # the deadline has passed, or the service is down
            if pause:
                yield Sleep(pause)
                continue
            slot = slots.acquire(urgent)
            try:
                yield slot
                if pace.pause() or (last_error and (self._overdue(started + deadline, skipped) or pace.failures > max_retries)):
                    continue  # the state may have changed while this call waited for a slot
                started = min(started, self._clock())
                number = pace.next_number()
                yield SEND
                self._reached = True
                pace.record_success(slots)
                return
            except JinaEISError as error:
                error.retries = retry
                self._reached = self._reached or not isinstance(error, ConnectionFailedError)
                if not error.transient or (error.retry_after or 0.0) > LONGEST_PAUSE:
                    pace.reset_failures()
                    raise
                tries = max_retries if self._reached else min(self._max_retries, RETRIES_TO_REACH)
                down = pace.record_failure(error, number, slots, tries)
                tries = min(tries, tries if retries is None else retries)
                if down or retry >= tries:
                    raise
                backoff = self._jitter() * exponential_backoff(FIRST_BACKOFF, retry)
                wait = max(backoff, pace.requested_pause() + self._jitter() * FIRST_BACKOFF)  # calls that already wait go first
                if self._overdue(started + deadline, skipped + wait):
                    raise
                last_error = error
                if report:
                    first = pace.newest_failure == number
                    report(Wait(error, wait, retry + 1, tries, first, not _waiting, pace.limit(), slots.queued))
            finally:
                slots.release(slot)
            if _waiting:
                yield Sleep(wait)
            else:
                skipped += wait
            retry += 1

    def _overdue(self, deadline: float, wait: float) -> bool:
        """Whether an attempt after this wait might end after the deadline."""
        return self._clock() + wait + self._attempt_timeout > deadline


def exponential_backoff(first: float, doublings: int) -> float:
    """Seconds of a pause that doubles each time, up to a limit."""
    return min(LONGEST_BACKOFF, first * 2.0 ** min(doublings, 32))


class Pace:
    """The pace of one bucket. All threads and loops share its limit, but count their calls in flight separately.

    Args:
        ceiling: Maximum calls in flight.
        clock: Monotonic seconds.
    """

    def __init__(self, ceiling: int, clock: Callable[[], float]) -> None:
        self._ceiling = ceiling
        self._clock = clock
        self._limit = float(min(ceiling, FIRST_LIMIT))
        self._threshold = math.inf  # below it, the limit grows by one with each success
        self._paused_until = -math.inf
        self._sent = 0
        self.newest_failure = 0
        """Number of the call whose failure was the last that was new."""
        self._sent_at_failure = 0  # number of the last call sent before the last failure; failures of earlier calls are not new
        self._lock = threading.RLock()  # reentrant, because the garbage collector may close an abandoned call at any line
        self._slots = Slots(self.limit)
        self._loop_slots: WeakKeyDictionary[object, Slots] = WeakKeyDictionary()
        self.failures = 0
        """Consecutive failures, each of a call that was sent after the failure before."""
        self._failed_at = -math.inf

    def limit(self) -> int:
        """Return the current maximum of calls in flight."""
        return int(self._limit)

    def slots(self, loop: object) -> Slots:
        """Return the slots of the threads, or of an event loop."""
        return self._slots if loop is None else self._loop_slots.setdefault(loop, Slots(self.limit))

    def pause(self) -> float:
        """Return the seconds for which no call may be sent."""
        return self.requested_pause() if _waiting else 0.0

    def requested_pause(self) -> float:
        """Return the seconds until the end of the pause, even if `no_waits` skips it."""
        return max(0.0, self._paused_until - self._clock())

    def next_number(self) -> int:
        """Return a number for the call that is sent now."""
        with self._lock:
            self._sent += 1
            return self._sent

    def reset_failures(self) -> None:
        """Record that the service responds."""
        self.failures = 0

    def record_success(self, slots: Slots) -> None:
        """Record a success. If all slots are in use, raise the limit."""
        self.reset_failures()
        with self._lock:
            if slots.full:
                growth = 1.0 if self._limit < self._threshold else 1.0 / max(self._limit, BETWEEN_PROBES)
                self._limit = min(float(self._ceiling), self._limit + growth)

    def record_failure(self, error: JinaEISError, number: int, slots: Slots, tries: float) -> bool:
        """Record a transient failure. Returns whether there are so many consecutive failures that the service counts as down.

        Args:
            error: The error.
            number: The number of the call, from `next_number`.
            slots: The slots that the call uses.
            tries: Maximum consecutive failures.
        """
        with self._lock:
            now = self._clock()
            if is_new := number > self._sent_at_failure:
                self._sent_at_failure = self._sent
                self.newest_failure = number
                self.failures = 1 if now > self._failed_at + FORGOTTEN else self.failures + 1
                self._failed_at = now
            refused = isinstance(error, RateLimitError)
            if refused or (is_new and isinstance(error, ServiceTimeoutError)):
                self._reduce_limit(refused, is_new, slots.in_use - 1)
            pause = error.retry_after or 0.0
            if is_new and 1 < self.failures <= tries:
                self._limit = 1.0
                pause = max(pause, exponential_backoff(FIRST_PAUSE if refused else FIRST_BACKOFF, self.failures - 2))
            self._paused_until = max(self._paused_until, now + pause)
            return self.failures > tries

    def _reduce_limit(self, refused: bool, is_new: bool, carried: int) -> None:
        limit = self._limit
        if is_new:
            limit *= DECREASE if refused else DECREASE_BY_TIMEOUT
        if refused:  # the service carried the other calls in flight; from that and a half, the limit grows to one more later
            limit = min(limit, carried + 0.5 if is_new else carried)
        self._limit = self._threshold = max(1.0, limit)


_FREE: Final[Future[None]] = Future()  # shared by all slots that are free at once, because a future is ten objects
_FREE.set_result(None)


class Slots:
    """Slots for calls in flight, as many as the current limit. Threads and tasks receive them in the order of request, urgent
    calls before others.

    A slot is a `concurrent.futures.Future`, which a thread can wait for and a task of any loop can await.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self.in_use = 0
        """Number of slots in use."""
        self._queue: deque[Future[None]] = deque()
        self._urgent: deque[Future[None]] = deque()
        self._lock = threading.RLock()  # reentrant, because the garbage collector may close an abandoned call at any line

    @property
    def full(self) -> bool:
        """Whether the limit is reached."""
        return self.in_use >= self._limit()

    @property
    def queued(self) -> int:
        """Number of calls that wait for a slot."""
        return len(self._queue) + len(self._urgent)

    def acquire(self, urgent: bool = False) -> Future[None]:
        """Return a slot: a future that is done at once if a slot is free, else when it is this call's turn."""
        with self._lock:
            if not self.queued and self.in_use < self._limit():
                self.in_use += 1
                return _FREE
            slot: Future[None] = Future()
            (self._urgent if urgent else self._queue).append(slot)
            self._grant()
        return slot

    def release(self, slot: Future[None]) -> None:
        """Release a slot to the next call in the queue. A slot that was not granted yet is withdrawn."""
        with self._lock:
            if not slot.cancel():
                self.in_use -= 1
            self._grant()

    def _grant(self) -> None:
        while (queue := self._urgent or self._queue) and self.in_use < self._limit():
            slot = queue.popleft()
            if slot.set_running_or_notify_cancel():  # the call still waits
                self.in_use += 1
                slot.set_result(None)
