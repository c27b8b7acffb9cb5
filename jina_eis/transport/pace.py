"""The pace of one bucket: how many calls in flight, in which order, at what rate, and when none."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from ..errors import JinaEISError, RateLimitError, ServiceTimeoutError
from .rate import Rate
from .slots import Slots

if TYPE_CHECKING:
    from ..wire import Rest

__all__ = ["FIRST_BACKOFF", "Pace", "exponential_backoff"]

FIRST_BACKOFF = 0.5  # seconds; elastic-transport's default base, and half of what Elasticsearch's own retries start with
LONGEST_BACKOFF = 30.0  # seconds; EIS counts by the minute, so a longer single wait gains nothing
# Seconds between refused probes, which so meet the ends of 1, 10 and 60 seconds; and then, as others may send at the same
# time of each minute, other times of it.
PAUSES = (1.0, 2.0, 7.0, 10.0, 20.0, 20.0, 17.0)
DOUBT = 1.5  # latencies; after two refusals in a row, an earlier call may still tell that the service grants others
FIRST_LIMIT = 16  # calls; half of what a service for 32 in flight takes, and few enough for one that takes 8
SMALLEST_FIRST_LIMIT = 4  # calls
FIRST_SHARE = 0.1  # of the calls of a job that is so small that its first limit is below 16
BETWEEN_PROBES = 20  # minimum results before one call more than the service has carried is sent
DECREASE = 0.9  # factor of the limit after a new refusal, which is immediate and costs little
DECREASE_BY_TIMEOUT = 0.75  # factor after a timeout, which costs the full time of a request
STARVING = 3  # times the maximum retries; 18 last 264 seconds, in which others leave something of a quota
FORGOTTEN = 120.0  # seconds after which an earlier failure is ignored


def exponential_backoff(first: float, doublings: int) -> float:
    """Seconds of a pause that doubles each time, up to a limit."""
    return min(LONGEST_BACKOFF, first * 2.0 ** min(doublings, 32))


class Pace:
    """The pace of one bucket. All threads and loops share it, but count their calls in flight separately.

    A single refusal lowers the limit of calls in flight, unless the quota is known. Two in a row are in doubt for a moment: if
    a call that was sent after the first of them succeeds, the service refuses some calls and not all. Otherwise calls pause,
    and one probe follows each pause. The very first refusal is followed by a pause at once, since most services that refuse
    count by time. Only refusals after a pause, or a service that asks for a pause, are taken for a quota (`Rate`).

    Args:
        ceiling: Maximum calls in flight.
        clock: Monotonic seconds.
        waits: Returns whether pauses and gaps take time.
    """

    def __init__(self, ceiling: int, clock: Callable[[], float], waits: Callable[[], bool]) -> None:
        self._ceiling = ceiling
        self._clock = clock
        self._waits = waits
        self._limit = float(min(ceiling, FIRST_LIMIT))
        self._first_growth = 1.0  # growth of the limit with each success, while the first calls are sent
        self._threshold = math.inf  # below it, the limit grows by one with each success
        self._rate = Rate()
        self._lock = threading.RLock()  # reentrant, because the garbage collector may close an abandoned call at any line
        self._slots = self._new_slots()
        self._loop_slots: WeakKeyDictionary[object, Slots] = WeakKeyDictionary()
        self._sent = 0
        self._expected = 0  # calls that were announced
        self.successes = 0
        """Number of successes."""
        self.failures = 0
        """Consecutive failures, each of a call that was sent after the failure before."""
        self.newest_failure = 0
        """Number of the call whose failure was the last that was new."""
        self._failed_at = -math.inf
        self._sent_at_failure = 0  # number of the last call sent before the last failure; failures of earlier calls are not new
        self._sent_at_first_failure = 0  # the same, of the first of the consecutive failures
        self._paused_until = -math.inf
        self._in_doubt = False
        self._pauses = 0  # number of pauses since the first of consecutive refusals
        self._has_been_refused = False
        self._limits_before: tuple[float, float] | None = None  # limit and threshold before the first of consecutive refusals
        self._carried = 0.0  # calls that the service carried at the first of them

    def expect(self, calls: int) -> None:
        """Announce that at most so many calls follow. If nothing was sent yet, few calls start with a lower limit."""
        with self._lock:
            if not self._sent and calls > self._expected:
                self._expected = calls
                first = FIRST_LIMIT if calls <= FIRST_LIMIT else min(FIRST_LIMIT, max(SMALLEST_FIRST_LIMIT, FIRST_SHARE * calls))
                self._limit = min(self._ceiling, first)
                self._first_growth = first / FIRST_LIMIT

    @property
    def keeps_to_a_quota(self) -> bool:
        """Whether refusals are to be expected, since a quota is known, or used up."""
        return self._rate.is_known or self._rate.is_used_up

    def limit(self) -> int:
        """Return the current maximum of calls in flight."""
        return int(self._limit)

    def slots(self, loop: object) -> Slots:
        """Return the slots of the threads, or of an event loop."""
        with self._lock:
            return self._slots if loop is None else self._loop_slots.setdefault(loop, self._new_slots())

    def requested_pause(self) -> float:
        """Return the seconds until the end of the pause, even if no pause takes time."""
        return max(0.0, self._paused_until - self._clock())

    def wait(self, *, urgent: bool, rest: Rest | None = None) -> float:
        """Return the seconds until the next call may be sent.

        Args:
            urgent: Whether it waits for pauses only.
            rest: What remains of its job; None if not known.
        """
        with self._lock:
            if not self._waits():
                return 0.0
            if self._in_doubt and not self.requested_pause():
                self._in_doubt = False
                self._paused_until += self._next_pause()
            return max(self.requested_pause(), 0.0 if urgent else self._rate.wait(self._clock(), rest))

    def next_number(self, slots: Slots, tokens: float, *, urgent: bool, rest: Rest | None = None) -> int:
        """Return a number for the call that is sent now, or 0 if it must wait.

        Args:
            slots: The slots that the call uses.
            tokens: Its estimated tokens.
            urgent: Whether it waits for pauses only.
            rest: What remains of its job; None if not known.
        """
        with self._lock:
            if self.wait(urgent=urgent, rest=rest) > 0:
                return 0
            self._sent += 1
            self._rate.note_sent(self._clock(), tokens, self._limit)
            slots.note_sent(urgent=urgent)
            return self._sent

    def most_failures(self, tries: float, *, urgent: bool) -> float:
        """Return the maximum of consecutive failures: three times the retries if a quota is known, or used up.

        An urgent call, for which somebody may wait, is kept waiting so long only if the service has granted calls before.
        """
        return tries * STARVING if self.keeps_to_a_quota and (self.successes or not urgent) else tries

    def is_down(self, tries: float, *, urgent: bool) -> bool:
        """Whether there are so many consecutive failures that the service counts as down.

        Args:
            tries: Maximum retries.
            urgent: Whether an urgent call asks.
        """
        return self.failures > self.most_failures(tries, urgent=urgent)

    def reset_failures(self) -> None:
        """Record that the service responds."""
        self.failures = 0

    def record_success(self, number: int, sent: float, tokens: float, slots: Slots) -> None:
        """Record a success. If all slots are in use, raise the limit.

        Args:
            number: The number of the call, from `next_number`.
            sent: When it was sent.
            tokens: Its estimated tokens.
            slots: The slots that it uses.
        """
        with self._lock:
            now = self._clock()
            self.successes += 1
            earlier = number <= self._sent_at_first_failure  # it tells nothing of the time after that
            self._rate.note_granted(now, sent, tokens, earlier=earlier)
            if earlier:
                return
            if self.failures:
                self._recover(now, sent)
            # While a quota is known, no probe exceeds what the service has carried: its refusal would be taken for the quota's.
            if slots.full and (self._limit < self._threshold or not self._rate.is_known):
                fast = self._first_growth if self._rate.is_starting else 1.0
                growth = fast if self._limit < self._threshold else 1.0 / max(self._limit, BETWEEN_PROBES)
                self._limit = min(float(self._ceiling), self._limit + growth)

    def record_failure(self, error: JinaEISError, number: int, slots: Slots, tries: float, *, urgent: bool) -> bool:
        """Record a transient failure. Returns whether there are so many consecutive failures that the service counts as down.

        Args:
            error: The error.
            number: The number of the call, from `next_number`.
            slots: The slots that it uses.
            tries: Maximum retries.
            urgent: Whether the call is urgent.
        """
        with self._lock:
            now = self._clock()
            if is_new := number > self._sent_at_failure:
                self._sent_at_failure = self._sent
                self.newest_failure = number
                self.failures = 1 if now > self._failed_at + FORGOTTEN else self.failures + 1
                self._failed_at = now
                if self.failures == 1:
                    self._sent_at_first_failure = self._sent
                elif isinstance(error, RateLimitError) and self._limits_before is None:
                    self.failures = 1  # the service responds now
            pause = error.retry_after or 0.0
            is_last = self.is_down(tries, urgent=urgent)
            if isinstance(error, RateLimitError):
                pause = max(pause, self._pause_after_refusal(is_new, pause, slots.in_flight - 1, is_last))
            elif is_new:
                if isinstance(error, ServiceTimeoutError):
                    self._reduce_limit(DECREASE_BY_TIMEOUT * self._limit)
                if self.failures > 1 and not is_last:
                    self._limit = 1.0
                    pause = max(pause, exponential_backoff(FIRST_BACKOFF, self.failures - 2))
                    if self._limits_before is not None:
                        pause = max(pause, self._next_pause())
            self._paused_until = max(self._paused_until, now + pause)
            return is_last

    def _pause_after_refusal(self, is_new: bool, requested: float, carried: int, is_last: bool) -> float:
        """Return the seconds of the pause, apart from those that the service requests."""
        if not is_new:
            if not self._rate.is_known or self._rate.is_doubted:
                self._reduce_limit(carried)
            return 0.0
        pause = 0.0
        if self._limits_before is None:
            self._limits_before = self._limit, self._threshold
            self._carried = max(1.0, min(DECREASE * self._limit, carried + 0.5))
            self._rate.is_doubted = False
            pause = self._rate.note_refused(self._clock(), 1, requested=requested > 0)
        elif self._rate.is_doubted:
            pause = self._rate.note_refused(self._clock(), self.failures, requested=requested > 0)
            if not self._rate.is_doubted:
                self.failures = 1  # those in doubt do not count
        if not self._rate.is_known or self._rate.is_doubted:
            # The service carried the others; from that and a half, the limit grows to one more later.
            self._reduce_limit(min(DECREASE * self._limit, carried + 0.5))
        if requested and (requested > 1.0 or self.failures > 1):
            self._rate.use_up(self._clock())
        if requested and self.failures > 1 and not is_last:  # the service may ask for too little, and others may come first
            return PAUSES[min(self.failures, len(PAUSES)) - 1]
        if requested or pause or is_last:
            return pause
        if self._pauses > 1 or (self._rate.is_known and self.failures > 1):
            self._rate.use_up(self._clock())
        elif not self._pauses and self._has_been_refused:
            if self.failures > 1:
                self._in_doubt = True
                self._limit = 1.0
                return DOUBT * self._rate.latency
            return 0.0
        return self._next_pause()

    def _next_pause(self) -> float:
        """Return the seconds of the next pause without Retry-After. One call at a time follows it."""
        self._has_been_refused = True
        self._limit = 1.0
        self._pauses += 1
        return PAUSES[min(self._pauses, len(PAUSES)) - 1]

    def _recover(self, now: float, sent: float) -> None:
        """A call succeeded that was sent after the failures."""
        self.failures = self._pauses = 0
        if self._in_doubt:
            self._in_doubt = False
            self._paused_until = now
        if self._limits_before is not None:
            is_expected = self._rate.is_known and not self._rate.is_doubted
            if self._rate.is_used_up or is_expected:  # the limit of calls in flight was not the cause
                self._limit, self._threshold = self._limits_before
            else:
                self._limit = self._threshold = max(self._limit, self._carried)
            self._rate.recover(now, sent)
            self._limits_before = None

    def _reduce_limit(self, limit: float) -> None:
        self._limit = self._threshold = max(1.0, min(self._limit, limit))

    def _new_slots(self) -> Slots:
        return Slots(self.limit, self._is_spaced, self._lock)

    def _is_spaced(self) -> bool:
        return self._waits() and (self._rate.is_spaced or self._pauses > 0 or self.requested_pause() > 0)
