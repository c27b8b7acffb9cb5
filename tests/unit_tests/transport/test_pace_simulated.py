"""The pace against models of the service. A simulated clock jumps from event to event; there is no server and no waiting."""

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
    """Calls made by `allowed` workers, one after the other. A service returns the duration and the error of each request.

    Args:
        calls: Number of calls.
        allowed: Maximum in flight.
        service: Called once for each request.
        retries: Maximum retries of a call.
    """

    def __init__(self, calls: int, allowed: int, service: Service, retries: int = 6) -> None:
        self.now = 0.0
        self.random = random.Random(1)
        self.sent = self.failed = self.in_flight = self.done = 0
        self.errors: list[JinaEISError] = []
        self._service, self._remaining = service, calls
        self._pacer = Pacer(allowed, retries, clock=lambda: self.now, jitter=self.random.random)
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
        if self._remaining:
            self._remaining -= 1
            attempts = self._pacer.attempts("b")
            self._step(attempts, lambda: next(attempts))

    def _step(self, attempts: Any, resume: Callable[[], Any]) -> None:
        try:
            action = resume()
        except StopIteration:
            self.done += 1
            return self._next_call()
        except JinaEISError as error:
            self.errors.append(error)
            return self._next_call()
        proceed = lambda *_: self.after(0.0, lambda: self._step(attempts, lambda: next(attempts)))  # noqa: E731
        if isinstance(action, Sleep):
            return self.after(action.seconds, proceed)
        if isinstance(action, Future):
            return action.add_done_callback(proceed)
        self.sent += 1
        self.in_flight += 1
        seconds, error = self._service(self)
        return self.after(seconds, lambda: self._respond(attempts, error))

    def _respond(self, attempts: Any, error: JinaEISError | None) -> None:
        self.in_flight -= 1
        self.failed += error is not None
        self._step(attempts, (lambda: next(attempts)) if error is None else (lambda: attempts.throw(error)))


def carries(capacity: int) -> Service:
    """A service that immediately refuses more than `capacity` requests at a time."""
    accepted: list[int] = [0]

    def serve(simulation: Simulation) -> tuple[float, JinaEISError | None]:
        if accepted[0] == capacity:
            return 0.005, RateLimitError("busy")
        accepted[0] += 1
        seconds = LATENCY * simulation.random.uniform(0.9, 1.1)
        simulation.after(seconds, lambda: accepted.__setitem__(0, accepted[0] - 1))
        return seconds, None

    return serve


def counts_by_the_minute(limit: int, retry_after: float | None = None) -> Service:
    """A service that accepts `limit` requests in any 60 seconds."""
    times: deque[float] = deque()

    def serve(simulation: Simulation) -> tuple[float, JinaEISError | None]:
        while times and times[0] <= simulation.now - 60.0:
            times.popleft()
        if len(times) == limit:
            return 0.005, RateLimitError("too many", retry_after=retry_after)
        times.append(simulation.now)
        return LATENCY, None

    return serve


def slows_down(comfortable: int, timeout: float) -> Service:
    """A service whose latency grows with the requests in flight, until they time out."""

    def serve(simulation: Simulation) -> tuple[float, JinaEISError | None]:
        seconds = LATENCY * max(1.0, simulation.in_flight / comfortable)
        return (seconds, None) if seconds <= timeout else (timeout, ServiceTimeoutError("late"))

    return serve


def is_down(start: float, end: float, error: type[JinaEISError] = ServiceUnavailableError) -> Service:
    return lambda simulation: (0.01, error("down")) if start <= simulation.now < end else (LATENCY, None)


@pytest.mark.parametrize("capacity", [1, 3, 8, 12, 30, 64])
def test_the_pace_adapts_to_the_capacity_of_the_service(capacity: int) -> None:
    run = Simulation(2000, 64, carries(capacity))
    assert (run.done, run.errors) == (2000, [])
    assert run.now <= 1.3 * 2000 * LATENCY / capacity  # of the best fixed setting
    assert run.failed <= 0.1 * run.sent


@pytest.mark.parametrize("allowed", [1, 4, 16, 64])
def test_without_refusals_the_pace_soon_reaches_its_maximum(allowed: int) -> None:
    run = Simulation(100 * allowed, allowed, carries(1000))
    assert run.now <= 1.06 * 100 * LATENCY * 1.1
    assert run.failed == 0


@pytest.mark.parametrize("retry_after", [None, 5.0, 60.0])
def test_no_call_is_lost_to_limits_by_the_minute(retry_after: float | None) -> None:
    run = Simulation(2000, 32, counts_by_the_minute(600, retry_after))
    assert (run.done, run.errors) == (2000, [])
    assert run.now <= 1.4 * 180.0  # three full minutes are needed
    assert run.failed <= 0.1 * run.sent


def test_a_service_that_slows_down_is_not_overloaded() -> None:
    run = Simulation(4000, 64, slows_down(comfortable=8, timeout=0.3))
    assert (run.done, run.errors) == (4000, [])
    assert run.failed <= 0.2 * run.sent


@pytest.mark.parametrize("error", [ServiceUnavailableError, ConnectionFailedError, ServiceTimeoutError])
@pytest.mark.parametrize("seconds", [1.0, 6.0, 12.0])
def test_an_outage_is_outlasted_with_few_requests(seconds: float, error: type[JinaEISError]) -> None:
    run = Simulation(1000, 16, is_down(2.0, 2.0 + seconds, error))
    assert (run.done, run.errors) == (1000, [])
    assert run.failed <= 16 + 6


@pytest.mark.parametrize("error", [ServiceUnavailableError, RateLimitError])
def test_a_permanent_outage_costs_few_requests(error: type[JinaEISError]) -> None:
    run = Simulation(16, 16, is_down(0.0, 1e9, error))
    assert (run.done, len(run.errors)) == (0, 16)
    assert run.sent <= 16 + 6 + 16  # the first attempts, the retries of all together, and a last attempt of each
