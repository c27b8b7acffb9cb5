"""Models of services and of clients with one pacer each. A clock jumps from event to event; there is no server and no waiting."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from operator import length_hint
from typing import Any, Protocol

from jina_eis.errors import JinaEISError, RateLimitError, ServiceTimeoutError
from jina_eis.transport.pacing import Pacer, Queued, Sleep
from jina_eis.wire import Rest

LATENCY = 0.1  # seconds
DEADLINE = 300.0  # seconds
REFUSAL = 0.005  # seconds until a refusal
Answer = tuple[float, JinaEISError | None]


class Service(Protocol):
    """Returns the seconds until the response, and its error."""

    def __call__(self, world: World, tokens: float) -> Answer: ...


class World:
    """A turned clock, its events, and the calls of all workers.

    Args:
        service: Called once for each request.
        seed: Of the random numbers.
        noise: Relative spread of the latencies.
    """

    def __init__(self, service: Service, seed: int = 1, noise: float = 0.1) -> None:
        self.now = 0.0
        self.random = random.Random(seed)
        self.noise = noise
        self.granted: list[tuple[float, float]] = []  # time and tokens
        self.failed: list[float] = []
        self.errors: list[JinaEISError] = []
        self.in_flight = 0
        self.longest = 0.0  # seconds from the first attempt of a call to its end
        self.finished = 0.0
        self._service = service
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0
        self._totals: dict[Pacer, int] = {}

    @property
    def failed_share(self) -> float:
        """The share of the requests that failed."""
        return len(self.failed) / max(1, len(self.failed) + len(self.granted))

    def after(self, seconds: float, event: Callable[[], object]) -> None:
        """Run an event later."""
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, event))

    def run(self, until: float = math.inf) -> World:
        """Run all events until a time."""
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            event()
        return self

    def used(self, start: float = 0.0, end: float = math.inf, *, tokens: bool = False) -> float:
        """Return the requests, or tokens, that were granted between two times."""
        return sum(weight if tokens else 1 for time, weight in self.granted if start <= time < end)

    def add_worker(
        self, weights: Iterable[float], width: int = 32, retries: int = 6, start: float = 0.0, threads: bool = False
    ) -> Pacer:
        """Add a process with a pacer of its own, which makes one call for each weight, `width` at once.

        With `threads`, each of them starts a millisecond after the one before, as threads do.
        """
        pacer = Pacer(width, retries, deadline=DEADLINE, attempt_timeout=65.0, clock=lambda: self.now, jitter=self.random.random)
        self.add_job(pacer, weights, width, start, threads)
        return pacer

    def add_job(self, pacer: Pacer, weights: Iterable[float], width: int = 32, start: float = 0.0, threads: bool = False) -> None:
        """Make a pacer's process call once for each weight, `width` at once."""
        if number_of_calls := length_hint(weights):
            pacer.expect("b", number_of_calls)
            self._totals[pacer] = number_of_calls
        remaining = iter(weights)
        for number in range(width):
            self.after(start + (number / 1000 if threads else 0.0), lambda: self._next_call(pacer, remaining))

    def _next_call(self, pacer: Pacer, remaining: Iterator[float]) -> None:
        rest = Rest(number, self._totals[pacer]) if (number := length_hint(remaining)) else None
        if (weight := next(remaining, None)) is not None:
            self._call(pacer, weight, rest, lambda: self._next_call(pacer, remaining))

    def _call(self, pacer: Pacer, weight: float, rest: Rest | None, done: Callable[[], None]) -> None:
        attempts = pacer.attempts("b", tokens=weight, rest=rest)
        first = math.inf

        def step(resume: Callable[[], Any]) -> object:
            nonlocal first
            try:
                action = resume()
            except StopIteration:
                self.finished = self.now
                return end()
            except JinaEISError as error:
                self.errors.append(error)
                return end()
            if isinstance(action, Sleep):
                return self.after(action.seconds, proceed)
            if isinstance(action, Queued):
                return self._when_granted(action, proceed)
            self.in_flight += 1
            first = min(first, self.now)
            seconds, error = self._service(self, weight)
            (self.granted.append((self.now, weight)) if error is None else self.failed.append(self.now))
            return self.after(seconds, lambda: respond(error))

        def end() -> None:
            self.longest = max(self.longest, self.now - first)
            done()

        def proceed() -> object:
            return step(lambda: next(attempts))

        def respond(error: JinaEISError | None) -> None:
            self.in_flight -= 1
            step((lambda: next(attempts)) if error is None else (lambda: attempts.throw(error)))

        proceed()

    def _when_granted(self, queued: Queued, event: Callable[[], object]) -> None:
        """Run an event once: when the slot is granted, or after the seconds."""
        events = iter([event])

        def once() -> None:
            if first := next(events, None):
                first()

        queued.slot.add_done_callback(lambda _: self.after(0.0, once))
        if queued.seconds is not None:
            self.after(queued.seconds, once)

    def latency(self) -> float:
        """Return the seconds until a successful response."""
        return LATENCY * self.random.uniform(1 - self.noise, 1 + self.noise)


def refusal(seconds: float | None = None) -> Answer:
    """Return a refusal, with Retry-After in whole seconds or without."""
    return REFUSAL, RateLimitError("too many", retry_after=None if seconds is None else float(max(1, math.ceil(seconds))))


def sliding_window(quota: Callable[[float], float], window: float, *, retry_after: bool, tokens: bool = False) -> Service:
    """A service that grants `quota(now)` requests, or tokens, in any `window` seconds."""
    granted: deque[tuple[float, float]] = deque()
    used = [0.0]

    def serve(world: World, weight: float) -> Answer:
        cost = weight if tokens else 1.0
        while granted and granted[0][0] <= world.now - window:
            used[0] -= granted.popleft()[1]
        if used[0] + cost > quota(world.now):
            excess = used[0] + cost - quota(world.now)
            for time, value in granted:
                excess -= value
                if excess <= 0:
                    return refusal(time + window - world.now if retry_after else None)
            return refusal(window if retry_after else None)
        granted.append((world.now, cost))
        used[0] += cost
        return world.latency(), None

    return serve


def fixed_window(quota: float, window: float, *, retry_after: bool) -> Service:
    """A service that grants `quota` requests in each window."""
    state = [-1.0, 0.0]

    def serve(world: World, weight: float) -> Answer:
        number = world.now // window
        if number != state[0]:
            state[:] = [number, 0.0]
        if state[1] == quota:
            return refusal((number + 1) * window - world.now if retry_after else None)
        state[1] += 1
        return world.latency(), None

    return serve


def token_bucket(rate: float, burst: float, *, retry_after: bool) -> Service:
    """A service that grants a burst, and then a rate."""
    state = [0.0, burst]

    def serve(world: World, weight: float) -> Answer:
        state[:] = [world.now, min(burst, state[1] + (world.now - state[0]) * rate)]
        if state[1] < 1:
            return refusal((1 - state[1]) / rate if retry_after else None)
        state[1] -= 1
        return world.latency(), None

    return serve


def busy(service: Service, seconds: float = 0.002) -> Service:
    """A server that takes one request after the other, so long for each, before the service answers it."""
    free = [0.0]

    def serve(world: World, weight: float) -> Answer:
        began = max(world.now, free[0])
        free[0] = began + seconds
        arrived, world.now = world.now, began
        latency, error = service(world, weight)
        world.now = arrived
        return began - arrived + seconds + latency, error

    return serve


def concurrency_limit(capacity: int, *, retry_after: bool = False) -> Service:
    """A service that grants so many requests in flight."""
    accepted = [0]

    def release() -> None:
        accepted[0] -= 1

    def serve(world: World, weight: float) -> Answer:
        if accepted[0] == capacity:
            return refusal(1.0 if retry_after else None)
        accepted[0] += 1
        seconds = world.latency()
        world.after(seconds, release)
        return seconds, None

    return serve


def slows_down(comfortable: int, timeout: float) -> Service:
    """A service whose latency grows with the requests in flight, until they time out."""

    def serve(world: World, weight: float) -> Answer:
        seconds = LATENCY * max(1.0, world.in_flight / comfortable)
        return (seconds, None) if seconds <= timeout else (timeout, ServiceTimeoutError("late"))

    return serve


def same(number: int | None = None, weight: float = 1.0) -> Iterable[float]:
    """Return equal weights; without end if no number is given."""
    return iter(lambda: weight, None) if number is None else repeat(weight, number)
