"""Slots for calls in flight, and who waits for them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

__all__ = ["Slots"]

_FREE: Final[Future[None]] = Future()  # shared by all slots that are free at once, because a future is ten objects
_FREE.set_result(None)


class Slots:
    """Slots for calls in flight, as many as the current limit. Threads and tasks receive them in the order of request.

    A slot is a `concurrent.futures.Future`, which a thread can wait for and a task of any loop can await.
    """

    def __init__(self, limit: Callable[[], int], limits_rate: Callable[[], bool] = lambda: False) -> None:
        self._limit = limit
        self._limits_rate = limits_rate
        self.in_use = 0
        """Number of slots in use."""
        self._unsent = 0  # number of those whose calls are not sent yet
        self._queue: deque[Future[None]] = deque()
        self._urgent: deque[Future[None]] = deque()
        self._lock = threading.RLock()  # reentrant, because the garbage collector may close an abandoned call at any line

    @property
    def full(self) -> bool:
        """Whether calls wait, or the limit is reached."""
        return bool(self._queue) or self.in_use >= self._limit()

    @property
    def queued(self) -> int:
        """Number of calls that wait for a slot."""
        return len(self._queue) + len(self._urgent)

    def over(self, urgent: bool) -> bool:
        """Whether the limit has fallen below the slots in use while a call waited."""
        return not urgent and self.in_use > self._limit()

    @property
    def in_flight(self) -> int:
        """Number of slots whose calls are in flight."""
        return self.in_use - self._unsent

    def acquire(self, urgent: bool = False) -> Future[None]:
        """Return a slot: a future that is done at once if a slot is free, else when it is this call's turn.

        Urgent calls go first. Others also wait while one of them waits for the rate.
        """
        with self._lock:
            if not self._urgent and self._is_free(urgent) and (urgent or not self._queue):
                self.in_use += 1
                self._unsent += 1
                return _FREE
            slot: Future[None] = Future()
            (self._urgent if urgent else self._queue).append(slot)
            self._grant()
        return slot

    def record_send(self) -> None:
        """Record that the call of a slot is sent. The next one may wait for the rate."""
        with self._lock:
            self._unsent -= 1
            self._grant()

    def release(self, slot: Future[None], sent: bool = False) -> None:
        """Release a slot to the next call in the queue. A slot that was not granted yet is withdrawn."""
        with self._lock:
            if not slot.cancel():
                self.in_use -= 1
                self._unsent -= not sent
            self._grant()

    def _is_free(self, urgent: bool) -> bool:
        if urgent:
            return self.in_flight < self._limit()
        return self.in_use < self._limit() and not (self._unsent and self._limits_rate())

    def _grant(self) -> None:
        for urgent, queue in ((True, self._urgent), (False, self._queue)):
            while queue and self._is_free(urgent):
                slot = queue.popleft()
                if slot.set_running_or_notify_cancel():  # the call still waits
                    self.in_use += 1
                    self._unsent += 1
                    slot.set_result(None)
