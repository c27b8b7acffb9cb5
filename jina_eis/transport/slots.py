"""Slots for calls in flight: how many at once, and in which order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import RLock
from typing import Final

__all__ = ["Slots"]

_FREE: Final[Future[None]] = Future()  # shared by all slots that are free at once, because a future is ten objects
_FREE.set_result(None)


class Slots:
    """Slots for calls in flight, as many as the current limit. Threads and tasks receive them in the order of request: urgent
    calls first, then repeated ones, then the others.

    A slot is a `concurrent.futures.Future`, which a thread can wait for and a task of any loop can await. Its call announces
    with `sent` that it is sent. While calls are spaced in time, the next slot is granted only then, so that a later urgent call
    need not wait for calls that wait for their time.

    Args:
        limit: Returns the current maximum of calls in flight.
        spaced: Returns whether calls are spaced in time.
        lock: Protects the state. Reentrant, because the garbage collector may close an abandoned call at any line.
    """

    def __init__(self, limit: Callable[[], int], spaced: Callable[[], bool], lock: RLock) -> None:
        self._limit = limit
        self._spaced = spaced
        self._lock = lock
        self.in_use = 0
        """Number of slots in use."""
        self._unsent = [0, 0]  # granted slots whose calls are not sent yet, of calls that are not urgent, and that are
        self._urgent: deque[Future[None]] = deque()
        self._repeated: deque[Future[None]] = deque()
        self._others: deque[Future[None]] = deque()

    @property
    def full(self) -> bool:
        """Whether the limit is reached."""
        return self.in_use >= self._limit()

    @property
    def in_flight(self) -> int:
        """Number of calls in flight."""
        return self.in_use - sum(self._unsent)

    @property
    def queued(self) -> int:
        """Number of calls that wait for a slot."""
        return len(self._urgent) + len(self._repeated) + len(self._others)

    def acquire(self, *, urgent: bool = False, repeated: bool = False) -> Future[None]:
        """Return a slot: a future that is done at once if a slot is free, else when it is this call's turn."""
        with self._lock:
            if not self.queued and self._is_free(urgent):
                self._take(urgent)
                return _FREE
            slot: Future[None] = Future()
            (self._urgent if urgent else self._repeated if repeated else self._others).append(slot)
            self._grant()
        return slot

    def note_sent(self, *, urgent: bool = False) -> None:
        """The call of a granted slot is sent."""
        with self._lock:
            self._unsent[urgent] -= 1
            self._grant()

    def release(self, slot: Future[None], *, urgent: bool = False, sent: bool) -> None:
        """Release a slot to the next call in the queue. A slot that was not granted yet is withdrawn.

        Args:
            slot: The slot.
            urgent: Whether its call is urgent.
            sent: Whether its call was sent.
        """
        with self._lock:
            if not slot.cancel():
                self.in_use -= 1
                self._unsent[urgent] -= not sent
            self._grant()

    def _is_free(self, urgent: bool) -> bool:
        if not self._spaced():
            return not self.full
        waiting = self._unsent[False]  # for their time
        return self.in_use - waiting < self._limit() if urgent else not self.full and not waiting

    def _take(self, urgent: bool) -> None:
        self.in_use += 1
        self._unsent[urgent] += 1

    def _grant(self) -> None:
        while self.queued:
            urgent = bool(self._urgent)
            if not self._is_free(urgent):
                return
            # The garbage collector may have closed calls since, and so granted slots.
            if queue := self._urgent if urgent else self._repeated or self._others:
                slot = queue.popleft()
                if slot.set_running_or_notify_cancel():  # the call still waits
                    self._take(urgent)
                    slot.set_result(None)
