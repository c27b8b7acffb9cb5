"""Pacing: when to send. The clock and the random numbers are arguments, and nothing here sends, sleeps or blocks.

`Pacer.attempts` yields the actions of one call: wait for a slot, wait for a pause to end, send, and retry after a transient
error. Both drivers carry out the same actions, one with threads and one with tasks.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from ..errors import ConnectionFailedError, JinaEISError, RateLimitError, ServiceTimeoutError
from .rate import FIRST_BURST, Rate, Sent
from .slots import Slots

__all__ = ["LONGEST_PAUSE", "SEND", "Attempts", "Pace", "Pacer", "Send", "Sleep", "Wait", "no_waits"]

FIRST_BACKOFF = 0.5  # seconds; elastic-transport's default base, and half of what Elasticsearch's own retries start with
LONGEST_BACKOFF = 30.0  # seconds; EIS counts by the minute, so a longer single wait gains nothing
FIRST_PAUSE = 2.0  # seconds; doubled for each consecutive refusal, six retries outlast the minute by which EIS counts
LONE_PAUSES = (0.0, 0.3, 1.0, 10.0, 20.0, 30.0)  # seconds between the refusals of a lone call; six outlast a minute
TOGETHER = 0.5  # seconds in which the threads of the first calls start
FIRST_LIMIT = 24  # calls; most of what a service for 32 in flight takes, and the first of them do not leave at once
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

    Each bucket has its own limit of calls in flight, between 1 and `max_concurrency`. The limit starts at 24, or at
    `max_concurrency` if that is lower; the first calls leave one by one. While calls wait, it grows by one with each success,
    so it doubles in the time of one response; after a refusal, by one in the time of one response. A refusal sets the limit to
    a tenth below the number of calls that the service carried. While no call succeeds, one call at a time is sent, after
    longer and longer pauses. If the service counts over time, `Rate` learns its quota, and refusals no longer change the limit.

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
        self.max_retries = max_retries
        self.deadline = deadline
        self.attempt_timeout = attempt_timeout
        self._clock = clock
        self.jitter = jitter
        self._paces: dict[str, Pace] = {}
        self.reached = False  # whether the address has ever responded

    def attempts(
        self,
        bucket: str,
        loop: object = None,
        retries: int | None = None,
        patience: float | None = None,
        *,
        report: Callable[[Wait], None] | None = None,
        weight: float = 0.0,
        urgent: bool = False,
        since: float | None = None,
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
            weight: Estimated tokens of the call; 0 if not known.
            urgent: The call goes before others that wait.
            since: When the stream of the call began. Its first calls are sent together, even if one of them has been refused
                in the meantime: tasks send them before any response arrives, and threads start one after the other.
        """
        pace = self._paces.get(bucket) or self._paces.setdefault(bucket, Pace(self._max_concurrency, self._clock, self.jitter))
        call = _Call(self, pace, pace.slots(loop), retries, patience, report)
        with pace.counting():
            yield from call.attempts(weight, urgent, since)

    def now(self) -> float:
        """Return the time, for `since`."""
        return self._clock()


class _Call:
    """One call, whose arguments are those of `Pacer.attempts`."""

    def __init__(
        self,
        pacer: Pacer,
        pace: Pace,
        slots: Slots,
        retries: int | None,
        patience: float | None,
        report: Callable[[Wait], None] | None,
    ) -> None:
        self._pacer = pacer
        self._pace = pace
        self._slots = slots
        self._retries = math.inf if retries is None else retries
        self._max_retries = pacer.max_retries if patience is None else math.inf
        self._deadline = pacer.deadline if patience is None else patience
        self._report = report
        self._started = math.inf
        self._last_error: JinaEISError | None = None
        self._skipped = 0.0  # seconds that `no_waits` has skipped
        self._retry = 0

    def attempts(self, weight: float, urgent: bool, since: float | None) -> Attempts:
        """Yield the actions."""
        pace, slots = self._pace, self._slots
        while True:
            pause = pace.pause()
            if self._last_error and self._ends(pause):
                raise self._last_error
            if pause and not pace.is_first(since, self._retry):
                yield Sleep(pause)
                continue
            slot = slots.acquire(urgent)
            call = None
            try:
                yield slot
                while wait := 0.0 if urgent else pace.wait(weight):
                    yield Sleep(wait)
                paused = pace.pause() and not pace.is_first(since, self._retry)
                if paused or slots.over(urgent) or (self._last_error and self._ends(0.0)):
                    continue  # the state may have changed while this call waited
                self._started = min(self._started, self._pacer.now())
                call = pace.send(weight)
                slots.record_send()
                yield SEND
                self._pacer.reached = True
                pace.record_success(slots, call)
                return
            except JinaEISError as error:
                if call is None:
                    raise  # not an error of the request
                wait = self._wait_after(error, call)
            finally:
                if call:
                    pace.end(call)
                slots.release(slot, sent=call is not None)
            if _waiting:
                yield Sleep(wait)
            else:
                self._skipped += wait
            self._retry += 1

    def _wait_after(self, error: JinaEISError, call: Sent) -> float:
        """Return the seconds until the next attempt. If there is none, raise the error."""
        pacer, pace = self._pacer, self._pace
        error.retries = self._retry
        pacer.reached = pacer.reached or not isinstance(error, ConnectionFailedError)
        if not error.transient or (error.retry_after or 0.0) > LONGEST_PAUSE:
            pace.reset_failures()
            raise error
        tries = self._max_retries if pacer.reached else min(pacer.max_retries, RETRIES_TO_REACH)
        down = pace.record_failure(error, call, self._slots, tries)
        tries = min(tries, self._retries)
        if pace.has_quota:
            tries *= 2  # calls are refused from time to time, whatever their number
        if down or self._retry >= tries:
            raise error
        backoff = pacer.jitter() * exponential_backoff(FIRST_BACKOFF, self._retry)
        if isinstance(error, RateLimitError) and pace.is_lone:  # no other call probes the service for it
            backoff = max(backoff, LONE_PAUSES[min(self._retry, len(LONE_PAUSES) - 1)])
        wait = max(backoff, pace.requested_pause() + pacer.jitter() * FIRST_BACKOFF)  # calls that already wait go first
        if self._overdue(wait):
            raise error
        self._last_error = error
        if self._report:
            first = pace.newest_failure == call.number
            self._report(Wait(error, wait, self._retry + 1, tries, first, not _waiting, pace.limit(), self._slots.queued))
        return wait

    def _ends(self, wait: float) -> bool:
        """Whether there is no further attempt after this wait: the deadline has passed, or the service is down."""
        return self._overdue(wait) or self._pace.failures > self._max_retries

    def _overdue(self, wait: float) -> bool:
        """Whether an attempt after this wait might end after the deadline."""
        return self._pacer.now() + self._skipped + wait + self._pacer.attempt_timeout > self._started + self._deadline


def exponential_backoff(first: float, doublings: int) -> float:
    """Seconds of a pause that doubles each time, up to a limit."""
    return min(LONGEST_BACKOFF, first * 2.0 ** min(doublings, 32))


class Pace:
    """The pace of one bucket. All threads and loops share its limit, but count their calls in flight separately.

    Args:
        ceiling: Maximum calls in flight.
        clock: Monotonic seconds.
        jitter: Returns a random number from 0 to 1.
    """

    def __init__(self, ceiling: int, clock: Callable[[], float], jitter: Callable[[], float]) -> None:
        self._ceiling = ceiling
        self._clock = clock
        self._limit = float(min(ceiling, FIRST_LIMIT))
        self._threshold = math.inf  # below it, the limit grows by one with each success
        self._paused_until = -math.inf
        self.newest_failure = 0
        """Number of the call whose failure was the last that was new."""
        self._rate = Rate(clock, jitter)
        self._carried = 0.0  # most calls in flight at a success
        self._sent_at_failure = 0  # number of the last call sent before the last failure; failures of earlier calls are not new
        self._lock = threading.RLock()  # reentrant, because the garbage collector may close an abandoned call at any line
        self._slots = Slots(self.limit, self._limits_rate)
        self._loop_slots: WeakKeyDictionary[object, Slots] = WeakKeyDictionary()
        self.failures = 0
        """Consecutive failures, each of a call that was sent after the failure before."""
        self._failed_at = -math.inf
        self.calls = 0
        """Number of calls in flight or waiting."""

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count a call among those that are in flight or wait."""
        with self._lock:
            self.calls += 1
        try:
            yield
        finally:
            with self._lock:
                self.calls -= 1

    @property
    def is_lone(self) -> bool:
        """Whether only one call is left of several."""
        return self.calls == 1 and self._rate.paces_probes

    @property
    def has_quota(self) -> bool:
        """Whether the service has a quota, as far as known."""
        return self._rate.known

    def limit(self) -> int:
        """Return the current maximum of calls in flight."""
        return 1 if self._rate.blocked else int(self._limit)

    def slots(self, loop: object) -> Slots:
        """Return the slots of the threads, or of an event loop."""
        return self._slots if loop is None else self._loop_slots.setdefault(loop, Slots(self.limit, self._limits_rate))

    def _limits_rate(self) -> bool:
        return self._rate.limits

    def pause(self) -> float:
        """Return the seconds for which no call may be sent."""
        return self.requested_pause() if _waiting else 0.0

    def requested_pause(self) -> float:
        """Return the seconds until the end of the pause, even if `no_waits` skips it."""
        return max(0.0, self._paused_until - self._clock())

    def wait(self, weight: float) -> float:
        """Return the seconds until the rate permits a call."""
        with self._lock:
            return self._rate.wait(weight) if _waiting else 0.0

    def is_first(self, since: float | None, retry: int) -> bool:
        """Whether a call belongs to the first ones, which are sent together."""
        soon = since is not None and since <= self._failed_at and self._clock() < self._failed_at + TOGETHER
        return soon and not retry and self._rate.sent < FIRST_BURST

    def send(self, weight: float) -> Sent:
        """Record that a call is sent now."""
        with self._lock:
            call = self._rate.send(weight)
            return call._replace(number=0) if self.pause() else call  # one of the first; its failure is not new

    def end(self, call: Sent) -> None:
        """Record that a call is no longer in flight."""
        with self._lock:
            self._rate.end(call)

    def reset_failures(self) -> None:
        """Record that the service responds."""
        self.failures = 0

    def record_success(self, slots: Slots, call: Sent) -> None:
        """Record a success. If all slots are in use, raise the limit."""
        self.reset_failures()
        with self._lock:
            self._carried = max(self._carried, slots.in_flight)
            known, blocked = self._rate.known, self._rate.blocked
            self._rate.grant(call)
            if blocked and not self._rate.blocked and self._rate.known:
                self._limit = 1.0
            if self._rate.known and not known:
                self._threshold = self._carried  # the refusals were not about the calls in flight
            if slots.full:
                growth = 1.0 if self._limit < self._threshold else 1.0 / max(self._limit, BETWEEN_PROBES)
                self._limit = min(float(self._ceiling), self._limit + growth)

    def record_failure(self, error: JinaEISError, call: Sent, slots: Slots, tries: float) -> bool:
        """Record a transient failure. Returns whether there are so many consecutive failures that the service counts as down.

        Args:
            error: The error.
            call: The call.
            slots: The slots that the call uses.
            tries: Maximum consecutive failures.
        """
        with self._lock:
            now = self._clock()
            refused = isinstance(error, RateLimitError)
            pause = self._rate.refuse(call, error.retry_after) if refused else error.retry_after or 0.0
            is_new = call.number > self._sent_at_failure
            if is_new:
                self._sent_at_failure = self._rate.sent
                self.newest_failure = call.number
                if not (refused and self._is_probe(now)):
                    self.failures = 1 if now > self._failed_at + FORGOTTEN else self.failures + 1
                    self._failed_at = now
            narrows = refused and not self._rate.known and not self._rate.probes
            if narrows or (is_new and isinstance(error, ServiceTimeoutError)):
                self._reduce_limit(refused, is_new, slots.in_flight - 1)
            if is_new and 1 < self.failures <= tries:
                self._limit = 1.0
                if not (refused and self._rate.paces_probes):
                    pause = max(pause, exponential_backoff(FIRST_PAUSE if refused else FIRST_BACKOFF, self.failures - 2))
            self._paused_until = max(self._paused_until, now + pause)
            return self.failures > tries

    def _is_probe(self, now: float) -> bool:
        """Whether a refusal does not count as a failure: a quota is known, or the last one was too short ago."""
        due = exponential_backoff(FIRST_PAUSE, self.failures - 1) if self.failures > 1 else 0.0
        return self._rate.known or (_waiting and self._rate.paces_probes and now < self._failed_at + due)

    def _reduce_limit(self, refused: bool, is_new: bool, carried: int) -> None:
        limit = self._limit
        if is_new:
            limit *= DECREASE if refused else DECREASE_BY_TIMEOUT
        if refused:  # the service carried the other calls in flight; from that and a half, the limit grows to one more later
            limit = min(limit, carried + 0.5 if is_new else carried)
        self._limit = max(1.0, limit)
        if self._carried:  # else the first calls have not all left, and the limit soon doubles again
            self._threshold = self._limit
