"""Pacing by hand: a clock that is turned, dice that are loaded, nothing that waits."""

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
from jina_eis.transport.pacing import FORGOTTEN, LONGEST_PAUSE, Pacer, Places, Send, Sleep


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_waiting", True)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(pacer: Pacer, clock: Clock, errors: list[JinaEISError], bucket: str = "b") -> list[float]:
    """Send one call whose first attempts fail with `errors`; the times at which it was sent."""
    sent: list[float] = []
    attempts = pacer.attempts(bucket)
    failing = iter(errors)
    order: Any = next(attempts)
    while True:
        try:
            if isinstance(order, Sleep):
                clock.now += order.seconds
            elif isinstance(order, Future):
                assert order.done()
            elif isinstance(order, Send):
                sent.append(clock.now)
                if error := next(failing, None):
                    order = attempts.throw(error)
                    continue
            order = next(attempts)
        except StopIteration:
            return sent


def test_an_error_that_passes_is_tried_again_after_a_longer_and_longer_time() -> None:
    clock = Clock()
    sent = run(Pacer(4, 8, clock=clock, dice=lambda: 1.0), clock, [ServiceUnavailableError("x") for _ in range(8)])
    assert [after - before for before, after in pairwise(sent)] == [0.5, 1, 2, 4, 8, 16, 30, 30.5]


def test_six_retries_outlast_a_minute_of_refusals_even_with_no_luck_at_the_dice() -> None:
    clock = Clock()
    sent = run(Pacer(4, 6, clock=clock, dice=lambda: 0.0), clock, [RateLimitError("x") for _ in range(6)])
    assert [after - before for before, after in pairwise(sent)] == [0, 2, 4, 8, 16, 30]


def test_no_attempt_starts_that_might_end_after_the_deadline() -> None:
    clock = Clock()
    pacer = Pacer(4, 99, clock=clock, dice=lambda: 1.0, patience=100.0, longest=20.0)
    with pytest.raises(ServiceUnavailableError) as caught:
        run(pacer, clock, [ServiceUnavailableError("x") for _ in range(99)])
    assert caught.value.retries == 7
    assert clock.now - 100.0 <= 80.0


def test_an_address_that_never_answered_is_given_up_soon() -> None:
    clock = Clock()
    with pytest.raises(ConnectionFailedError) as caught:
        run(Pacer(4, 6, clock=clock), clock, [ConnectionFailedError("x") for _ in range(9)])
    assert caught.value.retries == 2
    answered = Pacer(4, 6, clock=clock)
    run(answered, clock, [])
    with pytest.raises(ConnectionFailedError) as caught:
        run(answered, clock, [ConnectionFailedError("x") for _ in range(9)])
    assert caught.value.retries == 6


def test_a_service_that_is_down_costs_every_further_call_one_request_until_it_answers_or_is_forgotten() -> None:
    clock = Clock()
    pacer = Pacer(4, 3, clock=clock, dice=lambda: 0.0)
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
def test_the_pace_stays_between_one_and_what_is_allowed(allowed: int, events: list[str]) -> None:
    clock = Clock()
    pacer = Pacer(allowed, 1000, clock=clock, dice=lambda: 0.0)
    flying: list[Any] = []
    kinds = {"refused": RateLimitError, "late": ServiceTimeoutError, "down": ServiceUnavailableError}
    for event in events:
        clock.now += 31.0
        if event == "send":
            attempts = pacer.attempts("b")
            if next(attempts).done():
                assert isinstance(next(attempts), Send)
                flying.append(attempts)
            else:
                assert flying  # or nobody would ever wake it
                attempts.close()
        elif flying and event == "ok":
            next(flying.pop(), None)
        elif flying:
            assert isinstance(flying.pop().throw(kinds[event]("x")), Sleep)
        assert len(flying) <= allowed


def test_jitter_is_full() -> None:
    clock = Clock()
    assert run(Pacer(4, 1, clock=clock, dice=lambda: 0.0), clock, [ServiceUnavailableError("x")]) == [100.0, 100.0]


def test_the_last_retry_raises_the_error_and_says_how_often_it_was_tried() -> None:
    clock, last = Clock(), ServiceUnavailableError("last")
    with pytest.raises(ServiceUnavailableError, match="last Gave up after 2 retries") as caught:
        run(Pacer(4, 2, clock=clock), clock, [ServiceUnavailableError("x"), ServiceUnavailableError("x"), last])
    assert caught.value is last


def test_an_error_that_stays_is_raised_at_once() -> None:
    clock = Clock()
    with pytest.raises(AuthenticationError) as caught:
        run(Pacer(4, 9, clock=clock), clock, [AuthenticationError("no")])
    assert (caught.value.retries, clock.now) == (0, 100.0)


def test_retry_after_is_a_floor_and_pauses_every_call_of_the_bucket_and_no_other() -> None:
    clock = Clock()
    pacer = Pacer(4, 3, clock=clock, dice=lambda: 0.0)
    limited = pacer.attempts("ingest")
    next(limited), next(limited)
    assert isinstance(limited.throw(RateLimitError("slow", retry_after=7.0)), Sleep)
    assert run(pacer, clock, [], "search") == [100.0]
    assert run(pacer, clock, [], "ingest") == [107.0]


def test_a_paused_call_holds_no_place() -> None:
    clock = Clock()
    pacer = Pacer(1, 3, clock=clock, dice=lambda: 0.0)
    limited = pacer.attempts("ingest")
    next(limited), next(limited)
    limited.throw(RateLimitError("slow", retry_after=7.0))
    assert isinstance(next(limited), Sleep)
    assert run(pacer, clock, [], "search") == [100.0]


def test_a_loop_and_the_threads_do_not_wait_for_each_other() -> None:
    class Loop:
        pass

    pacer, loop, other = Pacer(1, 0), Loop(), Loop()
    held = [pacer.attempts("b", owner) for owner in (None, loop, other)]
    assert all(next(attempts).done() for attempts in held)
    assert not next(pacer.attempts("b", loop)).done()


def test_a_pause_too_long_to_wait_for_is_an_error() -> None:
    clock = Clock()
    with pytest.raises(RateLimitError):
        run(Pacer(4, 3, clock=clock), clock, [RateLimitError("slow", retry_after=LONGEST_PAUSE + 1)])
    assert clock.now == 100.0


def test_no_waits_takes_no_time_and_tries_as_often() -> None:
    clock = Clock()
    with pacing.no_waits():
        sent = run(Pacer(4, 3, clock=clock), clock, [RateLimitError("slow", retry_after=50.0)] * 3)
    assert sent == [100.0] * 4


@given(st.integers(1, 5), st.lists(st.tuples(st.sampled_from(["ask", "give", "cancel"]), st.integers(0, 99)), max_size=60))
def test_places_are_never_lost_nor_doubled_and_go_in_order(number: int, events: list[tuple[str, int]]) -> None:
    places = Places(lambda: number)
    asked: list[Future[None]] = []
    for event, which in events:
        if event == "ask":
            asked.append(places.ask())
        elif asked and event == "give":
            places.give_back(asked.pop(which % len(asked)))
        elif asked:
            asked[which % len(asked)].cancel()
        granted = [place for place in asked if place.done() and not place.cancelled()]
        waiting = [place for place in asked if not place.done()]
        assert len(granted) <= number
        assert not waiting or len(granted) == number
        assert not waiting or not granted or max(map(asked.index, granted)) < min(map(asked.index, waiting))
    for place in asked:
        places.give_back(place)
    assert all(places.ask().done() for _ in range(number))
    assert not places.ask().done()


def test_an_abandoned_call_gives_its_place_back() -> None:
    pacer = Pacer(1, 0)
    first, second = pacer.attempts("b"), pacer.attempts("b")
    next(first)
    waiting = next(second)
    assert isinstance(waiting, Future)
    assert not waiting.done()
    first.close()
    assert waiting.done()


def test_places_pass_between_threads() -> None:
    places, most, now, lock = Places(lambda: 3), 0, 0, threading.Lock()

    def work() -> None:
        nonlocal most, now
        for _ in range(50):
            place = places.ask()
            place.result(timeout=10)
            with lock:
                now += 1
                most = max(most, now)
            with lock:
                now -= 1
            places.give_back(place)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 3
    assert all(places.ask().done() for _ in range(3))
