"""The rate against models of the service: bounds on the time, the quota used, and the share of refused requests."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulation import (
    LATENCY,
    Service,
    World,
    concurrency_limit,
    fixed_window,
    same,
    sliding_window,
    token_bucket,
)

from jina_eis.transport import pacing
from jina_eis.transport.rate import FIRST_BURST, FIRST_RATE, Rate, Sent

BEST = 30.1  # seconds for 320 requests, of which 100 are granted in any 10 s


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_waiting", True)


def job(service: Callable[[], Service], workers: int, seed: int) -> World:
    """320 calls by workers that start within 20 ms."""
    world = World(service(), seed)
    for number in range(workers):
        world.add_worker(same(320 // workers), start=world.random.random() / 50 if number else 0.0)
    return world.run()


def medians(service: Callable[[], Service], workers: int) -> tuple[float, float]:
    """Return the time and the refused share, medians of five."""
    worlds = [job(service, workers, seed) for seed in range(5)]
    assert not any(world.errors for world in worlds)
    return statistics.median(world.finished for world in worlds), statistics.median(world.refused_share for world in worlds)


@pytest.mark.parametrize(
    ("workers", "retry_after", "time", "refused"),
    [(8, True, 1.12, 0.08), (8, False, 1.15, 0.12), (1, True, 1.10, 0.03), (1, False, 1.10, 0.04)],
)
def test_processes_share_a_sliding_window(workers: int, retry_after: bool, time: float, refused: float) -> None:
    seconds, share = medians(lambda: sliding_window(lambda now: 100, 10, retry_after=retry_after), workers)
    assert seconds <= time * BEST
    assert share <= refused


@pytest.mark.parametrize("retry_after", [True, False])
@pytest.mark.parametrize("service", [partial(fixed_window, 100, 10), partial(token_bucket, 10, 100)], ids=["window", "bucket"])
def test_a_process_alone_keeps_to_other_quotas(service: Callable[..., Service], retry_after: bool) -> None:
    seconds, share = medians(lambda: service(retry_after=retry_after), 1)
    assert seconds <= 1.4 * BEST
    assert share <= 0.16


@pytest.mark.parametrize("retry_after", [True, False])
@pytest.mark.parametrize("noise", [0.1, 0.9])
def test_fifty_workers_use_a_quota_of_600_a_minute(retry_after: bool, noise: float) -> None:
    world = World(sliding_window(lambda now: 600, 60, retry_after=retry_after), noise=noise)
    for _ in range(50):
        world.add_worker(same(), width=4)
    world.run(600)
    assert world.used() >= 0.92 * 6_000
    assert world.refused_share <= (0.08 if retry_after else 0.13)


@pytest.mark.parametrize("retry_after", [True, False])
def test_twenty_workers_use_a_quota_of_tokens(retry_after: bool) -> None:
    world = World(sliding_window(lambda now: 6e6, 60, retry_after=retry_after, tokens=True))
    for _ in range(20):
        world.add_worker((world.random.uniform(100, 8000) for _ in repeat(None)), width=4)
    world.run(600)
    assert world.used(tokens=True) >= 0.88 * 6e6 * 10
    assert world.refused_share <= 0.08


@pytest.mark.parametrize("factor", [2.0, 0.5])
@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("retry_after", [True, False])
def test_a_changed_quota_is_used_after_two_windows(factor: float, workers: int, retry_after: bool) -> None:
    world = World(sliding_window(lambda now: 600 * (factor if now >= 180 else 1), 60, retry_after=retry_after))
    for _ in range(workers):
        world.add_worker(same())
    world.run(360)
    assert world.used(300, 360) >= 0.75 * 600 * factor


def test_urgent_calls_go_first() -> None:
    world = World(concurrency_limit(1000))
    pacer = world.add_worker(same())
    world.add_queries(pacer, 0.37, 100)
    world.run(60)
    assert sorted(world.urgent)[94] <= 2 * LATENCY


@pytest.mark.parametrize("retry_after", [True, False])
@pytest.mark.parametrize("capacity", [3, 12, 30])
def test_a_service_that_limits_calls_in_flight_has_no_rate(capacity: int, retry_after: bool) -> None:
    world = World(concurrency_limit(capacity, retry_after=retry_after))
    pacer = world.add_worker(same(1000), width=64)
    world.run()
    assert not pacer._paces["b"]._rate.known
    assert retry_after or world.finished <= 1.2 * 1000 * LATENCY / capacity


def test_a_quota_that_ends_is_forgotten() -> None:
    world = World(sliding_window(lambda now: 100 if now < 60 else math.inf, 10, retry_after=True))
    pacer = world.add_worker(same())
    world.run(55)
    assert pacer._paces["b"]._rate.known
    world.run(120)
    assert not pacer._paces["b"]._rate.known


def test_newcomers_get_a_share_of_a_used_quota() -> None:
    world = World(sliding_window(lambda now: 100, 10, retry_after=True))
    served = [0]
    for _ in range(4):
        world.add_worker(same())

    def counted() -> Iterator[float]:
        for weight in same():
            served[0] += world.now >= 100
            yield weight

    for _ in range(4):
        world.add_worker(counted(), start=50.0)
    world.run(200)
    assert served[0] >= 0.1 * world.used(100, 200)


@given(st.lists(st.sampled_from(["send", "grant", "refuse", "told", "wait"]), max_size=150))
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
                assert 0 <= rate.refuse(call, 5.0 if event == "told" else None, crowded=False) <= 100
            rate.end(call)


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
