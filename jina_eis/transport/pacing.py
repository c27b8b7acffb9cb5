"""When to send. Pure: the clock and the dice are handed in, and nothing here sends, sleeps or blocks.

`Pacer.attempts` tells the life of one call as steps: wait for a place, wait for a pause to end, send, and again if the
error passes. Both drivers obey the same steps, one with threads and one with tasks.
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

__all__ = ["LONGEST_PAUSE", "SEND", "Attempts", "Pace", "Pacer", "Places", "Send", "Sleep", "no_waits"]

FIRST_BACKOFF = 0.5  # seconds; elastic-transport's default base, and half of what Elasticsearch's own retries start with
LONGEST_BACKOFF = 30.0  # seconds; EIS counts by the minute, so a longer single wait gains nothing
FIRST_REST = 2.0  # seconds; doubled for each refusal in a row, six retries outlast the minute by which EIS counts
FIRST_LIMIT = 16  # calls; what a service that takes 32 in flight is asked first, and few enough for one that takes 8
BETWEEN_PROBES = 20  # answers, at least, before one call more than the service carried is tried
DECREASE = 0.9  # of the calls in flight, by a refusal that is news; it came at once, and cost little
DECREASE_BY_TIMEOUT = 0.75  # it cost as long as a request may take
FORGOTTEN = 120.0  # seconds after which an earlier failure says nothing any more
RETRIES_TO_REACH = 2  # of an address that never answered: it is more likely wrong than busy
LONGEST_PAUSE = 120.0  # seconds; a service that asks for a longer pause is an error to show, not a program to hang

_waiting = True


@contextmanager
def no_waits() -> Iterator[None]:
    """Retry without waiting, for tests: back-off and Retry-After pauses take no time while this is open.

    It holds for the whole process. Nothing else changes: what is retried, how often, and what is raised.
    """
    global _waiting
    _waiting = False
    try:
        yield
    finally:
        _waiting = True


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let this many seconds pass."""

    seconds: float


class Send:
    """Send the request now; throw the error in if it fails."""


SEND: Final = Send()

# A future is a place in the queue: wait for it.
Attempts = Generator["Future[None] | Sleep | Send", None, None]


class Pacer:
    """Decides when calls may be sent. One per adapter, shared by all its threads, loops and calls.

    Each bucket finds its own pace, between one call in flight and `max_concurrency`. It starts with 16, or fewer if fewer are
    allowed, and grows by one with every answer while more calls wait (so it doubles in the time of one answer); once the
    service refused a call, by one in the time of one answer. A refusal takes the pace back to a tenth below what the
    service carried. When nothing succeeds any more, one call at a time tries, after longer and longer pauses of all.

    Args:
        max_concurrency: Most calls of a bucket in flight, of all threads together and of each event loop.
        max_retries: How often one call is sent again after an error that passes, and how many failures in a row, of any
            calls without a success between them, stand for a service that is down.
        patience: Seconds after its first sending in which a call may be answered; it is not sent again if it might not be.
        longest: Seconds that one attempt may take.
        clock: Seconds that never run backwards.
        dice: A number from 0 to 1, for jitter.
    """

    def __init__(
        self,
        max_concurrency: int,
        max_retries: int,
        *,
        patience: float = math.inf,
        longest: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._max_concurrency = max_concurrency
        self._max_retries = max_retries
        self._patience = patience
        self._longest = longest
        self._clock = clock
        self._dice = dice
        self._paces: dict[str, Pace] = {}
        self._reached = False  # whether the address ever answered anything

    def attempts(self, bucket: str, loop: object = None, retries: int | None = None) -> Attempts:
        """The life of one call: obey what is yielded until it ends, which is when the call was answered.

        Throw the error in where a `Send` failed. An error that will not pass, or that came once too often, is raised again.

        Args:
            bucket: Calls of one bucket share its pace, and the pauses that the service asks for.
            loop: The event loop of the call; None for a thread's. Threads share their places, and so do the tasks of a
                loop; they do not share with each other, or a loop that is blocked would hold what a thread waits for.
            retries: How often this call may be sent again, if that is less than the pacer's own.
        """
        pace = self._paces.get(bucket) or self._paces.setdefault(bucket, Pace(self._max_concurrency, self._clock))
        places = pace.places(loop)
        began = math.inf
        last: JinaEISError | None = None

        skipped = 0.0  # seconds of waiting that `no_waits` did not wait
        retry = 0
        while True:
            pause = pace.pause()
            if last and (self._overdue(began, skipped + pause) or pace.failures > self._max_retries):
                raise last  # without another request: the time is up, or the service is down
            if pause:
                yield Sleep(pause)
                continue
            place = places.ask()
            try:
                yield place
                if pace.pause() or (last and (self._overdue(began, skipped) or pace.failures > self._max_retries)):
                    continue  # much may have happened while this call was in the queue
                began = min(began, self._clock())
                number = pace.sending()
                yield SEND
                self._reached = True
                pace.succeeded(places)
                return
            except JinaEISError as error:
                error.retries = retry
                self._reached = self._reached or not isinstance(error, ConnectionFailedError)
                if not error.transient or (error.retry_after or 0.0) > LONGEST_PAUSE:
                    pace.answered()
                    raise
                tries = self._max_retries if self._reached else min(self._max_retries, RETRIES_TO_REACH)
                if pace.failed(error, number, places, tries) or retry >= min(tries, tries if retries is None else retries):
                    raise
                backoff = self._dice() * min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**retry)
                wait = max(backoff, pace.resting() + self._dice() * FIRST_BACKOFF)  # whoever waits already goes first
                if self._overdue(began, skipped + wait):
                    raise
                last = error
            finally:
                places.give_back(place)
            if _waiting:
                yield Sleep(wait)
            else:
                skipped += wait
            retry += 1

    def _overdue(self, began: float, wait: float) -> bool:
        return self._clock() + wait + self._longest > began + self._patience


class Pace:
    """How fast one bucket may go. Known to all threads and loops; they count their calls apart.

    Args:
        ceiling: Most calls in flight.
        clock: Seconds that never run backwards.
    """

    def __init__(self, ceiling: int, clock: Callable[[], float]) -> None:
        self._ceiling = ceiling
        self._clock = clock
        self._limit = float(min(ceiling, FIRST_LIMIT))
        self._threshold = math.inf  # below it, the limit grows with every answer
        self._paused_until = -math.inf
        self._sent = 0
        self._turned = 0  # calls sent when the last failure was counted: theirs tell nothing new
        self._lock = threading.RLock()  # the garbage collector may close an abandoned call inside any of these lines
        self._places = Places(self.limit)
        self._loop_places: WeakKeyDictionary[object, Places] = WeakKeyDictionary()
        self.failures = 0
        """In a row, each of a call that was sent after the one before was known."""
        self._failed_at = -math.inf

    def limit(self) -> int:
        """Calls that may be in flight now."""
        return int(self._limit)

    def places(self, loop: object) -> Places:
        """Those of the threads, or of an event loop."""
        return self._places if loop is None else self._loop_places.setdefault(loop, Places(self.limit))

    def pause(self) -> float:
        """Seconds for which no call may be sent."""
        return self.resting() if _waiting else 0.0

    def resting(self) -> float:
        """Seconds until the service wants to be asked again."""
        return max(0.0, self._paused_until - self._clock())

    def sending(self) -> int:
        """A number for the call that is sent now."""
        with self._lock:
            self._sent += 1
            return self._sent

    def answered(self) -> None:
        """The service is there."""
        self.failures = 0

    def succeeded(self, places: Places) -> None:
        """A call was answered; if others wait, more may be in flight."""
        self.answered()
        with self._lock:
            if places.full:
                growth = 1.0 if self._limit < self._threshold else 1.0 / max(self._limit, BETWEEN_PROBES)
                self._limit = min(float(self._ceiling), self._limit + growth)

    def failed(self, error: JinaEISError, number: int, places: Places, tries: int) -> bool:
        """A call failed in a way that passes. Returns whether so many did in a row that the service counts as down.

        Args:
            error: How it failed.
            number: Its number, from `sending`.
            places: Where it has its place.
            tries: Failures in a row that are not too many.
        """
        with self._lock:
            now = self._clock()
            if news := number > self._turned:
                self._turned = self._sent
                self.failures = 1 if now > self._failed_at + FORGOTTEN else self.failures + 1
                self._failed_at = now
            refused = isinstance(error, RateLimitError)
            if refused or (news and isinstance(error, ServiceTimeoutError)):
                self._slow_down(refused, news, places.taken - 1)
            pause = error.retry_after or 0.0
            if news and 1 < self.failures <= tries:
                self._limit = 1.0
                pause = max(pause, min(LONGEST_BACKOFF, (FIRST_REST if refused else FIRST_BACKOFF) * 2 ** (self.failures - 2)))
            self._paused_until = max(self._paused_until, now + pause)
            return self.failures > tries

    def _slow_down(self, refused: bool, news: bool, carried: int) -> None:
        limit = self._limit
        if news:
            limit *= DECREASE if refused else DECREASE_BY_TIMEOUT
        if refused:  # what is still in flight is what the service carries; half of one more is what it takes to try again
            limit = min(limit, carried + 0.5 if news else carried)
        self._limit = self._threshold = max(1.0, limit)


_FREE: Final[Future[None]] = Future()  # every place that is free at once: a future is ten objects
_FREE.set_result(None)


class Places:
    """As many places as the limit allows at the time, handed out in the order of asking, to threads and tasks alike.

    A place is a `concurrent.futures.Future`, which a thread can wait for and a task of any loop can await.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self.taken = 0
        """Places that are handed out."""
        self._queue: deque[Future[None]] = deque()
        self._lock = threading.RLock()  # the garbage collector may close an abandoned call inside any of these lines

    @property
    def full(self) -> bool:
        """Whether the limit is reached."""
        return self.taken >= self._limit()

    def ask(self) -> Future[None]:
        """A place: done at once if one is free, else when its turn comes."""
        with self._lock:
            if not self._queue and self.taken < self._limit():
                self.taken += 1
                return _FREE
            place: Future[None] = Future()
            self._queue.append(place)
            self._grant()
        return place

    def give_back(self, place: Future[None]) -> None:
        """Hand the place to the next in the queue. One that was never granted is withdrawn."""
        with self._lock:
            if not place.cancel():
                self.taken -= 1
            self._grant()

    def _grant(self) -> None:
        while self._queue and self.taken < self._limit():
            place = self._queue.popleft()
            if place.set_running_or_notify_cancel():  # somebody still wants it
                self.taken += 1
                place.set_result(None)
