"""The pace, against models of the service: a clock that jumps from event to event, no server, no waiting."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from jina_eis.errors import ConnectionFailedError, JinaEISError, RateLimitError, ServiceTimeoutError, ServiceUnavailableError
from jina_eis.transport import pacing
from jina_eis.transport.pacing import Pacer, Sleep

LATENCY = 0.1  # seconds
Service = Callable[["Simulation"], tuple[float, JinaEISError | None]]


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_waiting", True)


class Simulation:
    """Calls that as many workers as are allowed make one after the other. A service tells how long each takes, and how it fails.

    Args:
        calls: How many there are.
        allowed: Most in flight.
        service: Asked once for every request.
        retries: Of each call.
    """

    def __init__(self, calls: int, allowed: int, service: Service, retries: int = 6) -> None:
        self.now = 0.0
        self.chance = random.Random(1)
        self.sent = self.failed = self.flying = self.done = 0
        self.errors: list[JinaEISError] = []
        self._service, self._left = service, calls
        self._pacer = Pacer(allowed, retries, clock=lambda: self.now, dice=self.chance.random)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        for _ in range(allowed):
            self.after(0.0, self._next_call)
        while self._events:
            self.now, _, event = heapq.heappop(self._events)
            event()

    def after(self, seconds: float, event: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, event))

    def _next_call(self) -> None:
        if self._left:
            self._left -= 1
            attempts = self._pacer.attempts("b")
            self._step(attempts, lambda: next(attempts))

    def _step(self, attempts: Any, resume: Callable[[], Any]) -> None:
        try:
            order = resume()
        except StopIteration:
            self.done += 1
            return self._next_call()
        except JinaEISError as error:
            self.errors.append(error)
            return self._next_call()
        go_on = lambda *_: self.after(0.0, lambda: self._step(attempts, lambda: next(attempts)))  # noqa: E731
        if isinstance(order, Sleep):
            return self.after(order.seconds, go_on)
        if isinstance(order, Future):
            return order.add_done_callback(go_on)
        self.sent += 1
        self.flying += 1
        seconds, error = self._service(self)
        return self.after(seconds, lambda: self._answered(attempts, error))

    def _answered(self, attempts: Any, error: JinaEISError | None) -> None:
        self.flying -= 1
        self.failed += error is not None
        self._step(attempts, (lambda: next(attempts)) if error is None else (lambda: attempts.throw(error)))


def carries(capacity: int) -> Service:
    """It refuses what is more than it carries, at once."""
    accepted: list[int] = [0]

    def serve(simulation: Simulation) -> tuple[float, JinaEISError | None]:
        if accepted[0] == capacity:
            return 0.005, RateLimitError("busy")
        accepted[0] += 1
        seconds = LATENCY * simulation.chance.uniform(0.9, 1.1)
        simulation.after(seconds, lambda: accepted.__setitem__(0, accepted[0] - 1))
        return seconds, None

    return serve


def counts_by_the_minute(limit: int, retry_after: float | None = None) -> Service:
    """It takes so many requests in any 60 seconds."""
    times: deque[float] = deque()

    def serve(simulation: Simulation) -> tuple[float, JinaEISError | None]:
        while times and times[0] <= simulation.now - 60.0:
            times.popleft()
        if len(times) == limit:
            return 0.005, RateLimitError("too many", retry_after=retry_after)
        times.append(simulation.now)
        return LATENCY, None

    return serve


def slows_down(comfortable: int, patience: float) -> Service:
    """Its latency grows with what it has to do, until answers come too late."""

    def serve(simulation: Simulation) -> tuple[float, JinaEISError | None]:
        seconds = LATENCY * max(1.0, simulation.flying / comfortable)
        return (seconds, None) if seconds <= patience else (patience, ServiceTimeoutError("late"))

    return serve


def is_away(start: float, end: float, error: type[JinaEISError] = ServiceUnavailableError) -> Service:
    return lambda simulation: (0.01, error("away")) if start <= simulation.now < end else (LATENCY, None)


@pytest.mark.parametrize("capacity", [1, 3, 8, 12, 30, 64])
def test_the_pace_finds_what_the_service_carries(capacity: int) -> None:
    run = Simulation(2000, 64, carries(capacity))
    assert (run.done, run.errors) == (2000, [])
    assert run.now <= 1.3 * 2000 * LATENCY / capacity  # of the best fixed setting
    assert run.failed <= 0.1 * run.sent


@pytest.mark.parametrize("allowed", [1, 4, 16, 64])
def test_where_nothing_is_refused_it_soon_goes_as_fast_as_it_may(allowed: int) -> None:
    run = Simulation(100 * allowed, allowed, carries(1000))
    assert run.now <= 1.06 * 100 * LATENCY * 1.1
    assert run.failed == 0


@pytest.mark.parametrize("retry_after", [None, 5.0, 60.0])
def test_limits_by_the_minute_are_waited_for_and_nothing_is_lost(retry_after: float | None) -> None:
    run = Simulation(2000, 32, counts_by_the_minute(600, retry_after))
    assert (run.done, run.errors) == (2000, [])
    assert run.now <= 1.4 * 180.0  # three times a full minute has to pass
    assert run.failed <= 0.1 * run.sent


def test_a_service_that_slows_down_is_not_pushed_over_the_edge() -> None:
    run = Simulation(4000, 64, slows_down(comfortable=8, patience=0.3))
    assert (run.done, run.errors) == (4000, [])
    assert run.failed <= 0.2 * run.sent


@pytest.mark.parametrize("error", [ServiceUnavailableError, ConnectionFailedError, ServiceTimeoutError])
@pytest.mark.parametrize("seconds", [1.0, 6.0, 12.0])
def test_an_absence_is_outlasted_with_few_requests(seconds: float, error: type[JinaEISError]) -> None:
    run = Simulation(1000, 16, is_away(2.0, 2.0 + seconds, error))
    assert (run.done, run.errors) == (1000, [])
    assert run.failed <= 16 + 6


@pytest.mark.parametrize("error", [ServiceUnavailableError, RateLimitError])
def test_a_service_that_never_comes_back_costs_few_requests(error: type[JinaEISError]) -> None:
    run = Simulation(16, 16, is_away(0.0, 1e9, error))
    assert (run.done, len(run.errors)) == (0, 16)
    assert run.sent <= 16 + 6 + 16  # the first attempts, the retries of all together, a last attempt of each
