"""The pace against models of services, with a simulated clock: bounds on the time, the quota used and the failed requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import repeat
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation import (
    DEADLINE,
    LATENCY,
    REFUSAL,
    Answer,
    Service,
    World,
    busy,
    concurrency_limit,
    fixed_window,
    refusal,
    same,
    sliding_window,
    slows_down,
    token_bucket,
)

from jina_eis.errors import ConnectionFailedError, JinaEISError, RateLimitError, ServiceTimeoutError, ServiceUnavailableError
from jina_eis.transport import pacing
from jina_eis.transport.rate import Rate
from jina_eis.wire import Rest


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_waiting", True)


def run(service: Service, calls: int, width: int = 32) -> World:
    """All calls of one worker."""
    world = World(service)
    world.add_worker(same(calls), width=width)
    return world.run()


def job(service: Service, workers: int, calls: int, seed: int) -> World:
    """Calls of workers that start within 0.3 s, their threads one after the other, at a busy server."""
    world = World(busy(service), seed)
    for number in range(workers):
        world.add_worker(same(calls // workers), start=0.3 * world.random.random() if number else 0.0, threads=True)
    return world.run()


def is_down(
    start: float, end: float, error: type[JinaEISError] = ServiceUnavailableError, before: Service | None = None
) -> Service:
    """A service that fails between two times; at others, it serves or does as another service."""

    def serve(world: World, weight: float) -> Answer:
        if start <= world.now < end:
            return 0.01, error("down")
        return before(world, weight) if before else (LATENCY, None)

    return serve


def by_chance(share: float) -> Service:
    """A service that refuses a share of all requests."""
    return lambda world, tokens: (REFUSAL, RateLimitError("x")) if world.random.random() < share else (world.latency(), None)


def counts_by_the_minute(limit: int, retry_after: float | None) -> Service:
    """A service that grants requests in any 60 seconds, and always asks for the same pause."""
    inner = sliding_window(lambda now: limit, 60.0, retry_after=False)

    def serve(world: World, weight: float) -> Answer:
        seconds, error = inner(world, weight)
        return (seconds, None) if error is None else refusal(retry_after)

    return serve


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


@pytest.mark.parametrize(("calls", "latencies"), [(4, 1.2), (16, 2.2), (40, 7.3), (250, 10.0)])
def test_a_first_job_without_refusals_starts_as_fast_as_its_size_allows(calls: int, latencies: float) -> None:
    world = World(concurrency_limit(1000), noise=0.0)
    world.add_worker(same(calls))
    assert world.run().finished <= latencies * LATENCY
    assert not world.failed


@pytest.mark.parametrize("retry_after", [None, 5.0, 60.0])
def test_no_call_is_lost_to_limits_by_the_minute(retry_after: float | None) -> None:
    world = run(counts_by_the_minute(600, retry_after), 2000)
    assert (len(world.granted), world.errors) == (2000, [])
    assert world.finished <= 1.4 * 180.0  # three full minutes are needed
    assert world.failed_share <= 0.1


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


@pytest.mark.parametrize("error", [ServiceUnavailableError, ServiceTimeoutError, RateLimitError])
def test_no_call_outlasts_its_deadline(error: type[JinaEISError]) -> None:
    for seed in range(10):
        world = World(lambda world, tokens: (world.random.uniform(50, 65), error("x")), seed)
        world.add_worker(same(100), retries=99)
        world.run()
        assert len(world.errors) == 100
        assert world.longest <= DEADLINE


@pytest.mark.parametrize("start", [0.5, 10.0])
@pytest.mark.parametrize("seconds", [2.0, 6.0, 20.0])
@pytest.mark.parametrize("capacity", [8, 1000])
def test_after_an_outage_of_refusals_the_service_is_soon_used_again(start: float, seconds: float, capacity: int) -> None:
    calls = 4000
    world = run(is_down(start, start + seconds, RateLimitError, concurrency_limit(capacity)), calls)
    assert (len(world.granted), world.errors) == (calls, [])
    assert world.finished <= calls * LATENCY / min(capacity, 32) + 5 * (seconds + 5.0)


QUOTA = partial(sliding_window, lambda now: 100, 10)
MINUTE = partial(sliding_window, lambda now: 600, 60)
# name: service, workers, calls, least time, greatest time as a multiple of it, greatest share of refusals
JOBS: dict[str, tuple[Callable[[], Service], int, int, float, float, float]] = {
    "eight, quota": (partial(QUOTA, retry_after=False), 8, 320, 30.1, 1.2, 0.11),
    "eight, quota, Retry-After": (partial(QUOTA, retry_after=True), 8, 320, 30.1, 1.2, 0.08),
    "one, quota": (partial(QUOTA, retry_after=False), 1, 320, 30.1, 1.1, 0.03),
    "one, quota, Retry-After": (partial(QUOTA, retry_after=True), 1, 320, 30.1, 1.11, 0.03),
    "eight, fixed windows": (partial(fixed_window, 100, 10, retry_after=False), 8, 320, 30.1, 1.2, 0.11),
    "one, fixed windows": (partial(fixed_window, 100, 10, retry_after=False), 1, 320, 30.1, 1.1, 0.03),
    "eight, a minute": (partial(MINUTE, retry_after=False), 8, 2000, 180.1, 1.25, 0.12),
    "one, a minute": (partial(MINUTE, retry_after=False), 1, 2000, 180.1, 1.1, 0.02),
    "one, a minute, Retry-After": (partial(MINUTE, retry_after=True), 1, 2000, 180.1, 1.1, 0.02),
    "eight, bucket": (partial(token_bucket, 10, 100, retry_after=False), 8, 320, 22.1, 2.6, 0.3),
    "one, bucket": (partial(token_bucket, 10, 100, retry_after=False), 1, 320, 22.1, 1.1, 0.4),
    "one, 3 % by chance": (partial(by_chance, 0.03), 1, 1000, 3.1, 4.0, 0.05),
    "eight, four in flight": (partial(concurrency_limit, 4), 8, 1000, 25.0, 5.0, 0.15),
    "eight, 30 in flight": (partial(concurrency_limit, 30), 8, 1000, 3.33, 2.5, 0.15),
    "one, eight in flight": (partial(concurrency_limit, 8), 1, 1000, 12.5, 1.15, 0.08),
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
    pacers = [world.add_worker(same(), width=4) for _ in range(50)]
    world.run(1200)
    assert not world.errors
    assert world.used() >= 0.92 * 600 * 20
    assert world.failed_share <= 0.08
    assert min(pacer._paces["b"].successes for pacer in pacers) >= 0.5 * 600 * 20 / 50


@pytest.mark.parametrize(("early", "late"), [(10, 2), (4, 2), (1, 1)])
def test_workers_that_come_late_to_a_quota_that_is_used_up_lose_no_call(early: int, late: int) -> None:
    for seed in range(3):
        world = World(MINUTE(retry_after=False), seed)
        starts = [0.0] * early + [360 * world.random.random() for _ in range(late)]
        pacers = [world.add_worker(same(), start=start) for start in starts]
        world.run(720)
        assert not world.errors
        assert world.failed_share <= 0.08
        assert min(pacer._paces["b"].successes for pacer in pacers) >= 20


@pytest.mark.parametrize("retry_after", [True, False])
def test_of_fifty_workers_that_start_one_after_the_other_all_are_served(retry_after: bool) -> None:
    world = World(MINUTE(retry_after=retry_after))
    pacers = [world.add_worker(same(), width=4, start=10 * world.random.random()) for _ in range(50)]
    world.run(600)
    assert not world.errors
    assert world.used(60) >= 0.95 * 600 * 9
    assert min(pacer._paces["b"].successes for pacer in pacers) >= 10


@pytest.mark.parametrize("retry_after", [True, False])
def test_twenty_workers_use_a_quota_of_tokens(retry_after: bool) -> None:
    world = World(sliding_window(lambda now: 6e6, 60, retry_after=retry_after, tokens=True))
    for _ in range(20):
        world.add_worker((world.random.uniform(100, 8000) for _ in repeat(None)), width=4)
    world.run(300)
    assert not world.errors
    assert world.used(tokens=True) >= 0.88 * 6e6 * 5
    assert world.failed_share <= 0.08


@pytest.mark.parametrize("factor", [2.0, 0.5])
@pytest.mark.parametrize("retry_after", [True, False])
def test_a_changed_quota_is_used_after_two_windows(factor: float, retry_after: bool) -> None:
    world = World(sliding_window(lambda now: 60 * (factor if now >= 30 else 1), 10, retry_after=retry_after))
    for _ in range(4):
        world.add_worker(same())
    world.run(90)
    assert max(world.used(start, start + 10) for start in (30, 40)) >= 0.9 * 60 * factor
    assert world.used(40, 90) >= 0.6 * 5 * 60 * factor


@pytest.mark.parametrize("capacity", [3, 30])
def test_a_limit_of_calls_in_flight_is_no_quota(capacity: int) -> None:
    world = World(concurrency_limit(capacity))
    pacer = world.add_worker(same(1000), width=64)
    world.run()
    assert not pacer._paces["b"]._rate.is_known


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


EVENTS = st.lists(st.tuples(st.sampled_from(["send", "grant", "late grant", "refuse", "use up"]), st.floats(0, 200)), max_size=80)


@given(EVENTS, st.sampled_from([0.0, 1.0, 900.0]))
def test_a_rate_never_stops_a_process(events: Iterable[tuple[str, float]], tokens: float) -> None:
    now, rate = 1000.0, Rate()
    for event, seconds in events:
        now += seconds
        if event == "send":
            now += rate.wait(now)
            assert rate.wait(now) == 0
            rate.note_sent(now, tokens, 16.0)
        elif event == "refuse":
            assert 0 <= rate.note_refused(now, 1, requested=False) <= 60
        elif event == "use up":
            rate.use_up(now)
        else:
            rate.note_granted(now, now - 0.1, tokens, earlier=event == "late grant")
            if event == "grant":
                rate.recover(now, now - 0.1)
        assert 0 <= rate.wait(now) <= 61


@pytest.mark.parametrize("retry_after", [None, 5.0])
def test_a_process_that_was_idle_after_it_was_kept_waiting_begins_as_fast_as_a_new_one(retry_after: float | None) -> None:
    world = World(lambda world, _: refusal(retry_after) if world.now < 600 else (world.latency(), None))
    pacer = world.add_worker(same(20))
    world.run()
    assert len(world.errors) == 20
    world.now = 1200.0
    world.add_job(pacer, same(100))
    world.run()
    assert len(world.granted) == 100
    assert world.finished < 1202


@pytest.mark.parametrize("others_end", [160.0, 200.0, 220.0])
def test_calls_that_were_kept_waiting_end_before_their_deadline(others_end: float) -> None:
    world = World(lambda world, _: refusal() if world.now < others_end else (world.latency(), None))
    world.add_worker(same(40))
    world.run()
    assert (len(world.granted), world.errors) == (40, [])


@pytest.mark.parametrize("retry_after", [True, False])
def test_no_job_waits_for_another_period_for_its_last_calls(retry_after: bool) -> None:
    assert max(job(QUOTA(retry_after=retry_after), 8, 320, seed).finished for seed in range(12)) <= 1.25 * 30.1


def test_a_process_that_others_have_kept_waiting_begins_slowly() -> None:
    now, rate = 0.0, Rate()
    rate.note_sent(now, 0.0, 16.0)
    rate.use_up(now)
    now = 50.0
    rate.recover(now, now - 0.1)
    sent = []
    assert rate.is_spaced
    for _ in range(100):
        now += rate.wait(now)
        rate.note_sent(now, 0.0, 16.0)
        rate.note_granted(now + 0.1, now, 0.0, earlier=False)
        sent.append(now)
    assert sent[0] == pytest.approx(50.75)
    assert sent[4] - sent[0] > 2.5
    assert 57.0 < sent[45] < 59.0
    assert sent[99] - sent[45] < 1.0
    assert not rate.is_spaced


def test_the_last_calls_of_a_job_exceed_the_share_until_one_is_refused() -> None:
    now, rate, rest = 0.0, Rate(), Rest(calls=10, total=30)

    def send(calls: int) -> float:
        """Send calls, which are granted, and return the seconds until another may be sent."""
        nonlocal now
        for _ in range(calls):
            now += rate.wait(now, rest)
            rate.note_sent(now, 0.0, 16.0)
            rate.note_granted(now + 0.1, now, 0.0, earlier=False)
        return rate.wait(now, rest)

    send(10)
    rate.use_up(now)
    now = 10.0
    rate.note_sent(now, 0.0, 16.0)
    rate.recover(now + 0.1, now)
    rate.note_granted(now + 0.1, now, 0.0, earlier=False)
    assert send(9) > 5.0, "in the first period, others may have learnt a share of the same quota"
    rate.note_refused(now, 3, requested=False)
    now += rate.wait(now)
    assert send(10) < 1.0, "a gap"
    for other in (None, Rest(11, 30), Rest(5, 9)):
        assert rate.wait(now, other) > 5.0, "more than a share remains, or the whole job is smaller"
    now += rate.wait(now, rest)
    rate.note_sent(now, 0.0, 16.0)
    rate.note_refused(now, 3, requested=False)
    assert rate.wait(now, rest) > 5.0
    now += rate.wait(now)
    assert send(10) < 1.0, "the next period is another chance"


def test_a_quota_of_tokens_is_counted_in_tokens() -> None:
    now, rate = 0.0, Rate()

    def send(calls: int, tokens: float) -> None:
        for _ in range(calls):
            rate.note_sent(now, tokens, 16.0)
            rate.note_granted(now + 0.1, now, tokens, earlier=False)

    for calls, tokens in ((10, 1000.0), (40, 250.0)):  # each time, 10,000 tokens are granted
        send(calls, tokens)
        rate.note_refused(now, 3, requested=False)
        rate.use_up(now)
        now += 10.0
        rate.note_sent(now, tokens, 16.0)
        rate.recover(now + 0.1, now)
        rate.note_granted(now + 0.1, now, tokens, earlier=False)
    send(7, 1000.0)
    assert rate.wait(now) < 5.0  # a gap
    send(3, 1000.0)
    assert rate.wait(now) > 5.0  # until the end of the period: 40 calls of the last size were granted, but not of this one
