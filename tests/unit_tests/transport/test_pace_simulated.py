"""The pace against models of services, with a simulated clock: bounds on the time, the quota used and the failed requests."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import repeat
from statistics import median

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
    fixed_window,
    same,
    sliding_window,
    slows_down,
    token_bucket,
)

from jina_eis.errors import ConnectionFailedError, JinaEISError, RateLimitError, ServiceTimeoutError, ServiceUnavailableError
from jina_eis.transport import pacing
from jina_eis.transport.window import Window


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_waiting", True)


def run(service: Service, calls: int, width: int = 32) -> World:
    """All calls of one worker."""
    world = World(service)
    world.add_worker(same(calls), width=width)
    return world.run()


def job(service: Service, workers: int, calls: int, seed: int) -> World:
    """Calls of workers that start within 0.3 s, their threads one after the other."""
    world = World(service, seed)
    for number in range(workers):
        world.add_worker(same(calls // workers), start=0.3 * world.random.random() if number else 0.0, threads=True)
    return world.run()


def is_down(start: float, end: float, error: type[JinaEISError] = ServiceUnavailableError) -> Service:
    return lambda world, tokens: (0.01, error("down")) if start <= world.now < end else (LATENCY, None)


def by_chance(share: float) -> Service:
    """A service that refuses a share of all requests."""
    return lambda world, tokens: (REFUSAL, RateLimitError("x")) if world.random.random() < share else (world.latency(), None)


@pytest.mark.parametrize("capacity", [1, 3, 8, 12, 30, 64])
def test_the_pace_adapts_to_the_capacity_of_the_service(capacity: int) -> None:
    world = run(concurrency_limit(capacity), 2000, 64)
    assert (len(world.granted), world.errors) == (2000, [])
    assert world.finished <= 1.3 * 2000 * LATENCY / capacity  # of the best fixed setting
    assert world.failed_share <= 0.1


@pytest.mark.parametrize("allowed", [1, 4, 16, 64])
def test_without_refusals_the_pace_soon_reaches_its_maximum(allowed: int) -> None:
    world = run(concurrency_limit(1000), 100 * allowed, allowed)
    assert world.finished <= 1.06 * 100 * LATENCY * 1.1
    assert not world.failed


def test_a_service_that_slows_down_is_not_overloaded() -> None:
    world = run(slows_down(comfortable=8, timeout=0.3), 4000, 64)
    assert (len(world.granted), world.errors) == (4000, [])
    assert world.failed_share <= 0.2


@pytest.mark.parametrize("error", [ServiceUnavailableError, ConnectionFailedError, ServiceTimeoutError])
@pytest.mark.parametrize("seconds", [1.0, 6.0, 12.0])
def test_an_outage_is_outlasted_with_few_requests(seconds: float, error: type[JinaEISError]) -> None:
    world = run(is_down(2.0, 2.0 + seconds, error), 1000, 16)
    assert (len(world.granted), world.errors) == (1000, [])
    assert len(world.failed) <= 16 + 6


@pytest.mark.parametrize("error", [ServiceUnavailableError, RateLimitError])
def test_a_permanent_outage_costs_few_requests(error: type[JinaEISError]) -> None:
    world = run(is_down(0.0, 1e9, error), 16, 16)
    assert (world.granted, len(world.errors)) == ([], 16)
    assert len(world.failed) <= 16 + 6 + 16  # the first attempts, the retries of all together, and a last attempt of each


QUOTA = partial(sliding_window, lambda now: 100, 10)
MINUTE = partial(sliding_window, lambda now: 600, 60)
# name: service, workers, calls, least time, greatest time as a multiple of it, greatest share of refusals
JOBS: dict[str, tuple[Callable[[], Service], int, int, float, float, float]] = {
    "eight, quota": (partial(QUOTA, retry_after=False), 8, 320, 30.1, 1.15, 0.25),
    "eight, quota, Retry-After": (partial(QUOTA, retry_after=True), 8, 320, 30.1, 1.12, 0.22),
    "one, quota": (partial(QUOTA, retry_after=False), 1, 320, 30.1, 1.10, 0.05),
    "one, quota, Retry-After": (partial(QUOTA, retry_after=True), 1, 320, 30.1, 1.10, 0.03),
    "eight, fixed windows": (partial(fixed_window, 100, 10, retry_after=False), 8, 320, 30.1, 1.15, 0.25),
    "one, fixed windows": (partial(fixed_window, 100, 10, retry_after=False), 1, 320, 30.1, 1.10, 0.05),
    "eight, a minute": (partial(MINUTE, retry_after=False), 8, 2000, 180.1, 1.05, 0.08),
    "one, a minute": (partial(MINUTE, retry_after=False), 1, 2000, 180.1, 1.10, 0.03),
    "one, a minute, Retry-After": (partial(MINUTE, retry_after=True), 1, 2000, 180.1, 1.05, 0.03),
    "eight, bucket": (partial(token_bucket, 10, 100, retry_after=False), 8, 320, 22.1, 1.3, 0.3),
    "one, bucket": (partial(token_bucket, 10, 100, retry_after=False), 1, 320, 22.1, 1.1, 0.16),
    "one, 3 % by chance": (partial(by_chance, 0.03), 1, 1000, 3.1, 3.0, 0.05),
    "eight, four in flight": (partial(concurrency_limit, 4), 8, 1000, 25.0, 2.2, 0.15),
    "eight, 30 in flight": (partial(concurrency_limit, 30), 8, 1000, 3.33, 2.5, 0.1),
    "one, eight in flight": (partial(concurrency_limit, 8), 1, 1000, 12.5, 1.1, 0.08),
}


@pytest.mark.parametrize("name", JOBS)
def test_jobs_take_little_longer_than_they_must(name: str) -> None:
    service, workers, calls, least, longest, most_refused = JOBS[name]
    worlds = [job(service(), workers, calls, seed) for seed in range(3)]
    assert not any(world.errors for world in worlds)
    assert all(len(world.granted) == calls for world in worlds)
    assert median(world.finished for world in worlds) <= longest * least
    assert median(world.failed_share for world in worlds) <= most_refused


@pytest.mark.parametrize("seed", [1, 3])
@pytest.mark.parametrize("retry_after", [True, False])
def test_fifty_workers_use_a_quota_of_600_a_minute_and_none_starves(retry_after: bool, seed: int) -> None:
    world = World(MINUTE(retry_after=retry_after), seed)
    for _ in range(50):
        world.add_worker(same(), width=4)
    world.run(900)
    assert not world.errors
    assert world.used() >= 0.92 * 600 * 15
    assert world.failed_share <= (0.08 if retry_after else 0.1)  # without, the first minute is spent on finding the window


@pytest.mark.parametrize("retry_after", [True, False])
def test_twenty_workers_use_a_quota_of_tokens(retry_after: bool) -> None:
    world = World(sliding_window(lambda now: 6e6, 60, retry_after=retry_after, tokens=True))
    for _ in range(20):
        world.add_worker((world.random.uniform(100, 8000) for _ in repeat(None)), width=4)
    world.run(240)
    assert not world.errors
    assert world.used(tokens=True) >= 0.88 * 6e6 * 4
    assert world.failed_share <= 0.08


@pytest.mark.parametrize("factor", [2.0, 0.5])
@pytest.mark.parametrize("retry_after", [True, False])
def test_a_changed_quota_is_used_after_two_windows(factor: float, retry_after: bool) -> None:
    world = World(sliding_window(lambda now: 60 * (factor if now >= 30 else 1), 10, retry_after=retry_after))
    for _ in range(4):
        world.add_worker(same())
    world.run(60)
    assert world.used(50, 60) >= 0.9 * 60 * factor


@pytest.mark.parametrize("capacity", [3, 30])
def test_a_limit_of_calls_in_flight_is_no_quota(capacity: int) -> None:
    world = World(concurrency_limit(capacity))
    pacer = world.add_worker(same(1000), width=64)
    world.run()
    assert not pacer._paces["b"]._window.found


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = (job(QUOTA(retry_after=False), 8, 320, 5) for _ in range(2))
    assert (first.granted, first.failed) == (second.granted, second.failed)


@settings(max_examples=20)
@given(st.integers(1, 20), st.sampled_from([0.0, 0.1, 0.5]), st.integers(0, 99))
def test_no_more_calls_are_in_flight_than_allowed(width: int, share: float, seed: int) -> None:
    most, service = [0], by_chance(share)

    def serve(world: World, tokens: float) -> Answer:
        most[0] = max(most[0], world.in_flight)
        return service(world, tokens)

    world = World(serve, seed)
    world.add_worker(same(40), width=width, retries=99)
    world.run()
    assert most[0] <= width
    assert len(world.granted) + len(world.errors) == 40


@given(st.lists(st.tuples(st.sampled_from(["grant", "refuse", "late grant"]), st.floats(0, 30)), max_size=80))
def test_a_window_never_stops_a_process(events: list[tuple[str, float]]) -> None:
    now, window, refusals = 1000.0, Window(), 0
    for event, seconds in events:
        now += seconds
        if event == "refuse":
            refusals += 1
            window.record_refusal(now)
            if refusals > 1:
                assert 0 <= window.pause(refusals) <= 75
        else:
            refusals = refusals if event == "late grant" else 0
            window.record_grant(now - 0.1, now, is_new=event == "grant")
        waited = 0.0
        while pause := window.wait(now + waited):
            assert pause > 0
            waited += pause
        assert waited <= 75.001
        assert window.room(now + waited) >= 1
