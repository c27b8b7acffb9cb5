"""Results that describe the deployment: requested once, however many threads and event loops need them at the same time.

The first caller leads and sends the request; the others follow and wait for its outcome. Nothing is sent here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from copy import copy
from typing import Any, TypeVar

from ..errors import ConfigurationError, JinaEISError

__all__ = ["Flight", "Flights"]

T = TypeVar("T")

BLOCKED = 1.0  # seconds without a turn after which an event loop counts as blocked, perhaps by the caller that waits for it
REFUSED = (403, 404)  # statuses that stay until someone changes the deployment


class Flight:
    """One request and its outcome.

    Args:
        loop: The event loop of the leader; None for a thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._loop = loop
        self._outcome: Future[Callable[[], Any] | None] = Future()
        self._outcome.set_running_or_notify_cancel()  # a follower that is cancelled must not cancel it

    def follow(self) -> None:
        """Wait until the flight has ended, or its leader cannot end it."""
        while not self._outcome.done():
            turn = self._next_turn()
            wait((self._outcome,), BLOCKED)
            if not turn.is_set():
                return

    async def afollow(self) -> None:
        """As `follow`, without blocking the event loop."""
        while not self._outcome.done():
            turn = self._next_turn()
            outcome = asyncio.wrap_future(self._outcome)
            try:
                await asyncio.wait({outcome}, timeout=BLOCKED)
            finally:
                outcome.cancel()
            if not turn.is_set():
                return

    def outcome(self) -> Callable[[], Any] | None:
        """Return a function that returns the result or raises the error; None if there is neither."""
        return self._outcome.result() if self._outcome.done() else None

    def succeed(self, result: T) -> T:
        """Give the result to the followers."""
        self._outcome.set_result(lambda: result)
        return result

    def fail(self, error: JinaEISError) -> None:
        """Give the error to the followers."""
        given = copy(error)  # without the traceback, whose frames would be kept

        def raise_error() -> None:
            raise copy(given)  # each caller may add its own details

        self._outcome.set_result(raise_error)

    def abandon(self) -> None:
        """End without an outcome, because the leader was cancelled. One of the followers leads then."""
        self._outcome.set_result(None)

    def _next_turn(self) -> threading.Event:
        """Return an event that is set when the leader's event loop runs. A thread always proceeds."""
        turn = threading.Event()
        with suppress(RuntimeError):  # the loop is closed, and its tasks never end
            self._loop.call_soon_threadsafe(turn.set) if self._loop else turn.set()
        return turn


class Flights:
    """The flights of one driver, by path. The outcome of each is kept: a result, and a refusal where the call asks for it."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}
        self._lock = threading.RLock()  # reentrant, because the garbage collector may close an abandoned call at any line

    def join(self, path: str, loop: asyncio.AbstractEventLoop | None, instead_of: Flight | None) -> tuple[Flight, bool]:
        """Return the flight of this path, and whether the caller leads it.

        Args:
            path: Path of the request.
            loop: The event loop of the caller; None for a thread.
            instead_of: A flight that the caller followed in vain.
        """
        with self._lock:
            flight = self._flights.get(path)
            if flight and flight is not instead_of:
                return flight, False
            self._flights[path] = flight = Flight(loop)
            return flight, True

    @contextmanager
    def leading(self, path: str, flight: Flight, *, keep_refusal: bool) -> Iterator[None]:
        """End the flight with the error of this context, if there is one. A refusal is kept on request; others are not.

        A leader without a client of its own, or that is cancelled, does not fail the others.
        """
        try:
            yield
        except BaseException as error:
            shared = error if isinstance(error, JinaEISError) and not isinstance(error, ConfigurationError) else None
            if not (shared and keep_refusal and shared.status in REFUSED):
                self.drop(path, flight)
            flight.fail(shared) if shared else flight.abandon()
            raise

    def drop(self, path: str, flight: Flight | None = None) -> None:
        """Forget the outcome of a path, or only that of this flight. The next caller requests it again."""
        with self._lock:
            if flight is None or self._flights.get(path) is flight:
                self._flights.pop(path, None)
