"""The rate against models of the service: bounds on the time, the quota used, and the share of refused requests.

A scenario is a service, a number of clients, and the least possible time. Its bounds are a little above what is measured with
these seeds; benchmarks/README.md has the figures.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from itertools import repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import (
    LATENCY,
    REFUSAL,
    Answer,
    Service,
    World,
    concurrency_limit,
    same,
    sliding_window,
    token_bucket,
)

from jina_eis.errors import RateLimitError
from jina_eis.transport import pacing
from jina_eis.transport.rate import FIRST_BURST, FIRST_RATE, Rate, Sent


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_waiting", True)


def by_chance(share: float) -> Service:
    """A service that refuses a share of all requests."""

    def serve(world: World, weight: float) -> Answer:
        return (REFUSAL, RateLimitError("x")) if world.random.random() < share else (world.latency(), None)

    return serve


def job(service: Service, workers: int, calls: int, seed: int) -> World:
    """Calls of workers that start within 20 ms."""
    world = World(service, seed)
    for number in range(workers):
        world.add_worker(same(calls // workers), start=world.random.random() / 50 if number else 0.0)
    return world.run()


QUOTA = partial(sliding_window, lambda now: 100, 10)
# name: service, clients, calls, least time, greatest time as a multiple of it, greatest share of refusals
SCENARIOS: dict[str, tuple[Callable[[], Service], int, int, float, float, float]] = {
    "eight, quota": (partial(QUOTA, retry_after=False), 8, 320, 30.1, 1.15, 0.12),
    "eight, quota, Retry-After": (partial(QUOTA, retry_after=True), 8, 320, 30.1, 1.12, 0.08),
    "one, quota": (partial(QUOTA, retry_after=False), 1, 320, 30.1, 1.10, 0.05),
    "one, quota, Retry-After": (partial(QUOTA, retry_after=True), 1, 320, 30.1, 1.10, 0.03),
    "one, 3 % by chance": (partial(by_chance, 0.03), 1, 1000, 3.1, 2.8, 0.05),
    "eight, 3 % by chance": (partial(by_chance, 0.03), 8, 4000, 1.56, 3.5, 0.05),
    "one, 10 % by chance": (partial(by_chance, 0.1), 1, 500, 1.56, 45.0, 0.15),
    "eight, four in flight": (partial(concurrency_limit, 4), 8, 1000, 25.0, 2.2, 0.18),
    "eight, 30 in flight": (partial(concurrency_limit, 30), 8, 1000, 3.33, 3.0, 0.12),
    "one, eight in flight": (partial(concurrency_limit, 8), 1, 1000, 12.5, 1.1, 0.08),
    "one, bucket": (partial(token_bucket, 10, 100, retry_after=False), 1, 320, 22.1, 1.2, 0.16),
    "one, unlimited": (partial(concurrency_limit, 10**6), 1, 1000, 1000 * LATENCY / 32, 1.06, 0.0),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_jobs_take_little_longer_than_they_must(name: str) -> None:
    service, workers, calls, least, longest, most_refused = SCENARIOS[name]
    worlds = [job(service(), workers, calls, seed) for seed in range(3)]
    assert not any(world.errors for world in worlds)
    assert statistics.median(world.finished for world in worlds) <= longest * least
    assert statistics.median(world.refused_share for world in worlds) <= most_refused


def test_few_of_the_first_calls_are_refused() -> None:
    world = World(QUOTA(retry_after=False), 1)
    for _ in range(8):
        world.add_worker(same(16), width=16)
    world.run(0.25)
    assert len(world.granted) == 100
    assert len(world.refused) <= 20


@pytest.mark.parametrize(("retry_after", "refused"), [(True, 0.08), (False, 0.25)])
def test_fifty_workers_use_a_quota_of_600_a_minute(retry_after: bool, refused: float) -> None:
    world = World(sliding_window(lambda now: 600, 60, retry_after=retry_after))
    for _ in range(50):
        world.add_worker(same(), width=4)
    world.run(180)
    assert not world.errors
    assert world.used() >= 0.92 * 1_800
    assert world.refused_share <= refused


@pytest.mark.parametrize("retry_after", [True, False])
def test_twenty_workers_use_a_quota_of_tokens(retry_after: bool) -> None:
    world = World(sliding_window(lambda now: 6e6, 60, retry_after=retry_after, tokens=True))
    for _ in range(20):
        world.add_worker((world.random.uniform(100, 8000) for _ in repeat(None)), width=4)
    world.run(120)
    assert not world.errors
    assert world.used(tokens=True) >= 0.88 * 6e6 * 2
    assert world.refused_share <= 0.10


@pytest.mark.parametrize("factor", [2.0, 0.5])
@pytest.mark.parametrize("retry_after", [True, False])
def test_a_changed_quota_is_used_after_two_windows(factor: float, retry_after: bool) -> None:
    world = World(sliding_window(lambda now: 60 * (factor if now >= 30 else 1), 10, retry_after=retry_after))
    for _ in range(4):
        world.add_worker(same())
    world.run(60)
    assert world.used(50, 60) >= 0.75 * 60 * factor


@pytest.mark.parametrize("capacity", [3, 30])
def test_a_service_that_limits_calls_in_flight_has_no_rate(capacity: int) -> None:
    world = World(concurrency_limit(capacity))
    pacer = world.add_worker(same(1000), width=64)
    world.run()
    assert not pacer._paces["b"].has_quota


def test_urgent_calls_go_first() -> None:
    world = World(concurrency_limit(1000))
    pacer = world.add_worker(same())
    world.add_queries(pacer, 0.1, 50)
    world.run(6)
    assert len(world.urgent) == 50
    assert sorted(world.urgent)[47] <= 2 * LATENCY


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = (job(QUOTA(retry_after=False), 8, 320, 5) for _ in range(2))
    assert first.granted == second.granted
    assert first.refused == second.refused


@given(st.lists(st.sampled_from(["send", "grant", "refuse", "pause", "wait"]), max_size=150))
def test_a_wait_ends(events: list[str]) -> None:
    now = [0.0]
    rate = Rate(lambda: now[0], lambda: 0.5)
    in_flight: list[Sent] = []
    for event in events:
        wait = rate.wait(1.0)
        assert 0 <= wait <= 200
        if event == "wait":
            now[0] += 3.0
        elif event == "send":
            now[0] += wait
            in_flight.append(rate.send(1.0))
        elif in_flight:
            call = in_flight.pop(0)
            if event == "grant":
                rate.grant(call)
            else:
                assert 0 <= rate.refuse(call, 5.0 if event == "pause" else None) <= 200
            rate.end(call)


@settings(max_examples=20)
@given(st.integers(1, 20), st.sampled_from([0.0, 0.1, 0.5]), st.integers(0, 99))
def test_no_more_calls_are_in_flight_than_allowed(width: int, share: float, seed: int) -> None:
    world = World(by_chance(share), seed)
    most = [0]
    service = world._service

    def serve(world: World, weight: float) -> Answer:
        most[0] = max(most[0], world.in_flight)
        return service(world, weight)

    world._service = serve
    world.add_worker(same(40), width=width, retries=99)
    world.run()
    assert most[0] <= width
    assert len(world.granted) == 40


def test_the_first_calls_leave_at_once_and_the_others_one_by_one() -> None:
    now = [100.0]
    rate = Rate(lambda: now[0], lambda: 0.0)
    waits = []
    for _ in range(FIRST_BURST + 2):
        waits.append(rate.wait(1.0))
        now[0] += waits[-1]
        rate.send(1.0)
    assert waits[:FIRST_BURST] == [0.0] * FIRST_BURST
    assert waits[-1] == pytest.approx(1 / FIRST_RATE)
