"""When to send. Pure: the clock and the dice are handed in, and nothing here sends, sleeps or blocks.

`Pacer.attempts` tells the life of one call as steps: wait for a place, wait for a pause to end, send, and again if the
error passes. Both drivers obey the same steps, one with threads and one with tasks.
"""

from __future__ import annotations

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

from .errors import JinaEISError

__all__ = ["LONGEST_PAUSE", "SEND", "Attempts", "Pacer", "Send", "Sleep", "no_waits"]

FIRST_BACKOFF = 0.5  # seconds; elastic-transport's default base, and half of what Elasticsearch's own retries start with
LONGEST_BACKOFF = 30.0  # seconds; EIS counts by the minute, so a longer single wait gains nothing
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

    Args:
        max_concurrency: Most calls in flight at any time, of all threads together and of each event loop.
        max_retries: How often one call is sent again after an error that passes.
        clock: Seconds that never run backwards.
        dice: A number from 0 to 1, for jitter.
    """

    def __init__(
        self,
        max_concurrency: int,
        max_retries: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self._max_concurrency = max_concurrency
        self._places = Places(max_concurrency)
        self._loop_places: WeakKeyDictionary[object, Places] = WeakKeyDictionary()
        self._max_retries = max_retries
        self._clock = clock
        self._dice = dice
        self._paused_until: dict[str, float] = {}

    def attempts(self, bucket: str, loop: object = None) -> Attempts:
        """The life of one call: obey what is yielded until it ends, which is when the call was answered.

        Throw the error in where a `Send` failed. An error that will not pass, or that came once too often, is raised again.

        Args:
            bucket: Calls of one bucket share the pauses that the service asks for.
            loop: The event loop of the call; None for a thread's. Threads share their places, and so do the tasks of a
                loop; they do not share with each other, or a loop that is blocked would hold what a thread waits for.
        """
        places = self._places if loop is None else self._loop_places.setdefault(loop, Places(self._max_concurrency))
        retry = 0
        while True:
            if pause := self._pause(bucket):
                yield Sleep(pause)
                continue
            place = places.ask()
            try:
                yield place
                if self._pause(bucket):  # it began while this call was in the queue: others can use the place
                    continue
                yield SEND
                return
            except JinaEISError as error:
                error.retries = retry
                asked_for = error.retry_after or 0.0
                if not error.transient or asked_for > LONGEST_PAUSE:
                    raise
                self._paused_until[bucket] = max(self._paused_until.get(bucket, 0.0), self._clock() + asked_for)
                if retry == self._max_retries:
                    raise
            finally:
                places.give_back(place)
            if _waiting:
                yield Sleep(self._dice() * min(LONGEST_BACKOFF, FIRST_BACKOFF * 2**retry))
            retry += 1

    def _pause(self, bucket: str) -> float:
        """Seconds until the service wants to be asked again."""
        return max(0.0, self._paused_until.get(bucket, 0.0) - self._clock()) if _waiting else 0.0


class Places:
    """A fixed number of places, handed out in the order of asking, to threads and tasks of any loop alike.

    A place is a `concurrent.futures.Future`, which a thread can wait for and a task of any loop can await.
    """

    def __init__(self, number: int) -> None:
        self._free = number
        self._queue: deque[Future[None]] = deque()
        self._lock = threading.RLock()  # the garbage collector may close an abandoned call inside any of these lines

    def ask(self) -> Future[None]:
        """A place: done at once if one is free, else when its turn comes."""
        place: Future[None] = Future()
        with self._lock:
            if self._free:
                self._free -= 1
                self._grant(place)
            else:
                self._queue.append(place)
        return place

    def give_back(self, place: Future[None]) -> None:
        """Hand the place to the next in the queue. One that was never granted is withdrawn."""
        if place.cancel():
            return
        with self._lock:
            while self._queue:
                if self._grant(self._queue.popleft()):
                    return
            self._free += 1

    @staticmethod
    def _grant(place: Future[None]) -> bool:
        """Whether somebody still wants it."""
        if not place.set_running_or_notify_cancel():
            return False
        place.set_result(None)
        return True
