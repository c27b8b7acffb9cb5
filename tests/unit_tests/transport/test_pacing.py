"""Pacing with a clock and random numbers set by hand; nothing waits."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.errors import (
    AuthenticationError,
    ConnectionFailedError,
    JinaEISError,
    RateLimitError,
    ServiceTimeoutError,
    ServiceUnavailableError,
)
from jina_eis.transport import pacing
from jina_eis.transport.pace import FORGOTTEN
from jina_eis.transport.pacing import LONGEST_PAUSE, Pacer, Queued, Send, Sleep, Wait
from jina_eis.transport.slots import Slots


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_waiting", True)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(pacer: Pacer, clock: Clock, errors: list[JinaEISError], bucket: str = "b", *, urgent: bool = False) -> list[float]:
    """Send one call whose first attempts fail with `errors`. Returns the times at which it was sent."""
    sent: list[float] = []
    attempts = pacer.attempts(bucket, urgent=urgent)
    failing = iter(errors)
    action: Any = next(attempts)
    while True:
        try:
            if isinstance(action, Sleep):
                clock.now += action.seconds
            else:
                assert isinstance(action, Send)
                sent.append(clock.now)
                if error := next(failing, None):
                    action = attempts.throw(error)
                    continue
            action = next(attempts)
        except StopIteration:
            return sent


def test_a_transient_error_is_retried_after_longer_and_longer_times() -> None:
    clock = Clock()
    sent = run(Pacer(4, 8, clock=clock, jitter=lambda: 1.0), clock, [ServiceUnavailableError("x") for _ in range(8)])
    assert [after - before for before, after in pairwise(sent)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_six_retries_outlast_a_minute_of_refusals_even_without_jitter() -> None:
    clock = Clock()
    sent = run(Pacer(4, 6, clock=clock, jitter=lambda: 0.0), clock, [RateLimitError("x") for _ in range(6)])
    assert [after - before for before, after in pairwise(sent)] == [1, 2, 7, 10, 20, 20]


@pytest.mark.parametrize(("urgent", "seconds"), [(True, 60.0), (False, 264.0)], ids=["query", "job"])
def test_a_quota_that_others_use_up_is_probed_longer_for_a_job_than_for_a_query(urgent: bool, seconds: float) -> None:
    clock = Clock()
    with pytest.raises(RateLimitError):
        run(Pacer(4, 6, clock=clock, jitter=lambda: 0.0), clock, [RateLimitError("x") for _ in range(99)], urgent=urgent)
    assert clock.now == 100.0 + seconds


@pytest.mark.parametrize("urgent", [True, False], ids=["query", "job"])
def test_a_wait_reports_the_number_of_retries_that_ends_the_call(urgent: bool) -> None:
    clock, waits = Clock(), list[Wait]()
    attempts = Pacer(4, 6, clock=clock, jitter=lambda: 0.0).attempts("b", report=waits.append, urgent=urgent)
    next(attempts)
    with pytest.raises(RateLimitError) as caught:
        while True:
            action: Any = attempts.throw(RateLimitError("x"))
            while isinstance(action, Sleep):
                clock.now += action.seconds
                action = next(attempts)
    assert [wait.retry for wait in waits] == [*range(1, caught.value.retries + 1)]
    assert waits[-1].retry == waits[-1].retries == (6 if urgent else 18)


def test_no_attempt_starts_that_might_end_after_the_deadline() -> None:
    clock = Clock()
    pacer = Pacer(4, 99, clock=clock, jitter=lambda: 1.0, deadline=100.0, attempt_timeout=20.0)
    with pytest.raises(ServiceUnavailableError) as caught:
        run(pacer, clock, [ServiceUnavailableError("x") for _ in range(99)])
    assert caught.value.retries == 7
    assert clock.now - 100.0 <= 80.0


def test_an_address_that_never_responded_gets_few_retries() -> None:
    clock = Clock()
    with pytest.raises(ConnectionFailedError) as caught:
        run(Pacer(4, 6, clock=clock), clock, [ConnectionFailedError("x") for _ in range(9)])
    assert caught.value.retries == 2
    reached = Pacer(4, 6, clock=clock)
    run(reached, clock, [])
    with pytest.raises(ConnectionFailedError) as caught:
        run(reached, clock, [ConnectionFailedError("x") for _ in range(9)])
    assert caught.value.retries == 6


def test_while_a_service_is_down_each_call_is_sent_once_until_a_success_or_a_long_time() -> None:
    clock = Clock()
    pacer = Pacer(4, 3, clock=clock, jitter=lambda: 0.0)
    for retries in (3, 0, 0):
        with pytest.raises(ServiceUnavailableError) as caught:
            run(pacer, clock, [ServiceUnavailableError("x") for _ in range(9)])
        assert caught.value.retries == retries
    run(pacer, clock, [])
    assert len(run(pacer, clock, [ServiceUnavailableError("x")])) == 2
    with pytest.raises(ServiceUnavailableError):
        run(pacer, clock, [ServiceUnavailableError("x") for _ in range(9)])
    clock.now += FORGOTTEN + 1
    assert len(run(pacer, clock, [ServiceUnavailableError("x")])) == 2


@given(st.integers(1, 40), st.lists(st.sampled_from(["send", "ok", "refused", "late", "down"]), max_size=200))
def test_the_calls_in_flight_stay_within_the_limit(allowed: int, events: list[str]) -> None:
    clock = Clock()
    pacer = Pacer(allowed, 1000, clock=clock, jitter=lambda: 0.0)
    in_flight: list[Any] = []
    kinds = {"refused": RateLimitError, "late": ServiceTimeoutError, "down": ServiceUnavailableError}
    for event in events:
        clock.now += 31.0
        if event == "send":
            attempts = pacer.attempts("b")
            while isinstance(action := next(attempts), Sleep):
                clock.now += action.seconds
            if isinstance(action, Send):
                in_flight.append(attempts)
            else:
                assert in_flight  # otherwise it would wait forever
                attempts.close()
        elif in_flight and event == "ok":
            next(in_flight.pop(), None)
        elif in_flight:
            assert isinstance(in_flight.pop().throw(kinds[event]("x")), Sleep)
        assert len(in_flight) <= allowed


def test_jitter_is_full() -> None:
    clock = Clock()
    assert run(Pacer(4, 1, clock=clock, jitter=lambda: 0.0), clock, [ServiceUnavailableError("x")]) == [100.0, 100.0]


def test_the_last_retry_raises_its_error_with_the_number_of_retries() -> None:
    clock, last = Clock(), ServiceUnavailableError("last")
    with pytest.raises(ServiceUnavailableError, match="last Gave up after 2 retries") as caught:
        run(Pacer(4, 2, clock=clock), clock, [ServiceUnavailableError("x"), ServiceUnavailableError("x"), last])
    assert caught.value is last


def test_a_permanent_error_is_raised_at_once() -> None:
    clock = Clock()
    with pytest.raises(AuthenticationError) as caught:
        run(Pacer(4, 9, clock=clock), clock, [AuthenticationError("no")])
    assert (caught.value.retries, clock.now) == (0, 100.0)


def test_retry_after_is_a_minimum_and_pauses_all_calls_of_the_bucket() -> None:
    clock = Clock()
    pacer = Pacer(4, 3, clock=clock, jitter=lambda: 0.0)
    limited = pacer.attempts("ingest")
    next(limited)
    assert isinstance(limited.throw(RateLimitError("slow", retry_after=7.0)), Sleep)
    assert run(pacer, clock, [], "search") == [100.0]
    assert run(pacer, clock, [], "ingest") == [107.0]


def test_a_refused_call_goes_before_later_calls() -> None:
    clock = Clock()
    pacer = Pacer(1, 3, clock=clock, jitter=lambda: 0.0)
    refused, later, urgent = (pacer.attempts("b", urgent=urgent) for urgent in (False, False, True))
    assert isinstance(next(refused), Send)
    assert isinstance(refused.throw(RateLimitError("slow", retry_after=7.0)), Sleep)
    assert isinstance(next(later), Sleep)  # it has a slot, and waits for the pause
    again = next(refused)
    assert isinstance(again, Queued)
    assert isinstance(next(urgent), Sleep)  # it need not wait for calls that wait for their time
    later.close()
    urgent.close()
    assert again.slot.done()
    assert next(refused).seconds == 7.0
    clock.now += 7.0
    assert isinstance(next(refused), Send)


def test_a_loop_and_the_threads_do_not_wait_for_each_other() -> None:
    class Loop:
        pass

    pacer, loop, other = Pacer(1, 0), Loop(), Loop()
    started = [pacer.attempts("b", owner) for owner in (None, loop, other)]
    assert all(isinstance(next(attempts), Send) for attempts in started)
    assert isinstance(next(pacer.attempts("b", loop)), Queued)


def test_a_pause_that_is_too_long_is_an_error() -> None:
    clock = Clock()
    with pytest.raises(RateLimitError):
        run(Pacer(4, 3, clock=clock), clock, [RateLimitError("slow", retry_after=LONGEST_PAUSE + 1)])
    assert clock.now == 100.0


def test_no_waits_takes_no_time_and_retries_as_often() -> None:
    clock = Clock()
    with pacing.no_waits():
        sent = run(Pacer(4, 3, clock=clock), clock, [RateLimitError("slow", retry_after=50.0)] * 3)
    assert sent == [100.0] * 4


@given(st.integers(1, 5), st.lists(st.tuples(st.sampled_from(["acquire", "release", "cancel"]), st.integers(0, 99)), max_size=60))
def test_slots_are_granted_in_order_and_none_is_lost_or_duplicated(number: int, events: list[tuple[str, int]]) -> None:
    slots = Slots(lambda: number, lambda: False, threading.RLock())
    acquired: list[Future[None]] = []
    for event, which in events:
        if event == "acquire":
            acquired.append(slots.acquire())
        elif acquired and event == "release":
            slots.release(acquired.pop(which % len(acquired)), sent=False)
        elif acquired:
            acquired[which % len(acquired)].cancel()
        granted = [slot for slot in acquired if slot.done() and not slot.cancelled()]
        waiting = [slot for slot in acquired if not slot.done()]
        assert len(granted) <= number
        assert not waiting or len(granted) == number
        assert not waiting or not granted or max(map(acquired.index, granted)) < min(map(acquired.index, waiting))
    for slot in acquired:
        slots.release(slot, sent=False)
    assert all(slots.acquire().done() for _ in range(number))
    assert not slots.acquire().done()


def test_an_abandoned_call_releases_its_slot() -> None:
    pacer = Pacer(1, 0)
    first, second = pacer.attempts("b"), pacer.attempts("b")
    next(first)
    waiting = next(second)
    assert isinstance(waiting, Queued)
    assert not waiting.slot.done()
    first.close()
    assert waiting.slot.done()


def test_a_call_does_not_wait_for_a_slot_until_after_its_deadline() -> None:
    clock = Clock()
    pacer = Pacer(1, 9, deadline=20.0, attempt_timeout=5.0, clock=clock, jitter=lambda: 0.0)
    failed, later = pacer.attempts("b"), pacer.attempts("b")
    next(failed)
    error = ServiceUnavailableError("x")
    assert isinstance(failed.throw(error), Sleep)
    assert isinstance(next(later), Send)
    waiting = next(failed)
    assert waiting == Queued(waiting.slot, 15.0)
    clock.now += 15.0
    with pytest.raises(ServiceUnavailableError) as caught:
        next(failed)
    assert caught.value is error
    assert waiting.slot.cancelled()


def test_slots_pass_between_threads() -> None:
    slots, maximum, in_use, lock = Slots(lambda: 3, lambda: False, threading.RLock()), 0, 0, threading.Lock()

    def work() -> None:
        nonlocal maximum, in_use
        for _ in range(50):
            slot = slots.acquire()
            slot.result(timeout=60)
            with lock:
                in_use += 1
                maximum = max(maximum, in_use)
            with lock:
                in_use -= 1
            slots.release(slot, sent=False)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert maximum <= 3
    assert all(slots.acquire().done() for _ in range(3))


def test_urgent_calls_go_before_others() -> None:
    pacer = Pacer(1, 0)
    running, bulk, urgent, second = (pacer.attempts("b", urgent=urgent) for urgent in (False, False, True, True))
    assert isinstance(next(running), Send)
    slots = [next(call).slot for call in (bulk, urgent, second)]
    next(running, None)  # the success gives its slot to the next
    assert [slot.done() for slot in slots] == [False, True, False]
    urgent.close()
    assert [slot.done() for slot in slots] == [False, True, True]
    second.close()
    assert slots[0].done()
    bulk.close()
