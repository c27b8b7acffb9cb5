"""Results that a driver requests once: callers in threads and in event loops, cancellation, refusals, blocked loops."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from helpers import run_in_threads

from jina_eis.errors import AuthorizationError, ConfigurationError, JinaEISError, RateLimitError, ServiceError
from jina_eis.transport import flights
from jina_eis.transport.driver import Driver
from jina_eis.transport.pacing import Pacer
from jina_eis.wire.call import Call, Steps, ask

CALL: Call[Any] = Call("GET", "/described", lambda body: body, cache=True)


class Connection:
    """Answers with the number of the request, when `open` is set."""

    def __init__(self, *errors: JinaEISError) -> None:
        self.open = threading.Event()
        self.errors = list(errors)
        self.sent = 0
        self.began = threading.Event()

    def send(self, call: Call[Any], abandoned: Any = None) -> Any:
        if call.method == "PUT":
            return None
        self.sent += 1
        self.began.set()
        number = self.sent
        assert self.open.wait(60)
        if self.errors:
            raise self.errors.pop(0)
        return number

    async def asend(self, call: Call[Any]) -> Any:
        self.sent += 1
        self.began.set()
        number = self.sent
        while not self.open.is_set():
            await asyncio.sleep(0.005)
        if self.errors:
            raise self.errors.pop(0)
        return number

    def interrupt(self, threads: Iterable[int]) -> None:
        """It has no sockets to shut down."""


def make(connection: Connection) -> Driver:
    return Driver(connection, Pacer(4, 0), 4)  # type: ignore[arg-type]


def described(call: Call[Any] = CALL) -> Steps[Any]:
    (result,) = yield from ask([call])
    return result


def outcomes(driver: Driver, callers: int, call: Call[Any] = CALL) -> tuple[list[Any], list[Callable[[], None]]]:
    """Targets for threads, half of them with an event loop, and the list of their results."""
    results: list[Any] = []

    def collect(number: int) -> None:
        try:
            results.append(driver.run(described(call)) if number % 2 else asyncio.run(driver.arun(described(call))))
        except JinaEISError as error:
            results.append(error)

    return results, [lambda number=number: collect(number) for number in range(callers)]  # type: ignore[misc]


def open_later(connection: Connection) -> None:
    assert connection.began.wait(30)
    time.sleep(0.1)  # the others join
    connection.open.set()


def test_threads_and_loops_share_one_request() -> None:
    connection = Connection()
    driver = make(connection)
    results, targets = outcomes(driver, 8)
    run_in_threads([*targets, lambda: open_later(connection)])
    assert results == [1] * 8
    assert driver.run(described()) == 1
    assert connection.sent == 1


@pytest.mark.parametrize("keep", [True, False])
def test_a_refusal_is_kept_where_the_call_asks_for_it(keep: bool) -> None:
    connection = Connection(AuthorizationError("no", status=403))
    driver = make(connection)
    call = replace(CALL, cache_refusal=keep)
    results, targets = outcomes(driver, 6, call)
    run_in_threads([*targets, lambda: open_later(connection)])
    assert [str(error) for error in results] == ["no"] * 6
    assert len({id(error) for error in results}) == 6  # callers add their own details
    assert connection.sent == 1
    if keep:
        with pytest.raises(AuthorizationError, match="no"):
            driver.run(described(call))
    else:
        assert driver.run(described(call)) == 2


@pytest.mark.parametrize("error", [ServiceError("down", status=500), RateLimitError("slow", status=429)])
def test_any_other_error_is_not_kept(error: JinaEISError) -> None:
    connection = Connection(error)
    connection.open.set()
    driver = make(connection)
    call = replace(CALL, cache_refusal=True)
    with pytest.raises(type(error)):
        driver.run(described(call))
    assert [driver.run(described(call)), driver.run(described(call))] == [2, 2]


def test_a_leader_without_a_client_does_not_fail_the_others() -> None:
    connection = Connection(ConfigurationError("Sync calls need `client`."))
    driver = make(connection)
    results, targets = outcomes(driver, 4)
    run_in_threads([*targets, lambda: open_later(connection)])
    assert sorted(map(str, results)) == ["2", "2", "2", "Sync calls need `client`."]


def test_a_follower_leads_after_the_leader_was_cancelled() -> None:
    connection = Connection()
    driver = make(connection)

    async def run() -> list[Any]:
        leader = asyncio.create_task(driver.arun(described()))
        while not connection.sent:
            await asyncio.sleep(0)
        followers = [asyncio.create_task(driver.arun(described())) for _ in range(3)]
        await asyncio.sleep(0.02)
        followers.pop().cancel()  # a cancelled follower changes nothing for the others
        leader.cancel()
        await asyncio.sleep(0.02)
        connection.open.set()
        return await asyncio.gather(*followers)

    assert asyncio.run(run()) == [2, 2]
    assert connection.sent == 2


def test_a_caller_that_blocks_the_loop_of_the_leader_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "BLOCKED", 0.05)
    connection = Connection()
    driver = make(connection)

    async def run() -> list[Any]:
        leader = asyncio.create_task(driver.arun(described()))
        while not connection.sent:
            await asyncio.sleep(0)
        connection.open.set()
        blocked = [driver.run(described())]  # a sync call in a loop
        return [await leader, *blocked, await driver.arun(described())]

    assert asyncio.run(asyncio.wait_for(run(), 30)) == [1, 2, 2]


def test_a_loop_that_blocks_the_loop_of_the_leader_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """LlamaIndex runs coroutines of sync methods in another thread, while the running loop is blocked."""
    monkeypatch.setattr(flights, "BLOCKED", 0.05)
    connection = Connection()
    driver = make(connection)
    results: list[Any] = []

    async def run() -> Any:
        leader = asyncio.create_task(driver.arun(described()))
        while not connection.sent:
            await asyncio.sleep(0)
        connection.open.set()
        run_in_threads([lambda: results.append(asyncio.run(driver.arun(described())))])
        return await leader

    assert asyncio.run(run()) == 1
    assert results == [2]


def test_a_leader_whose_loop_ended_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "BLOCKED", 0.05)
    connection = Connection()
    driver = make(connection)
    loop = asyncio.new_event_loop()
    task = loop.create_task(driver.arun(described()))
    loop.run_until_complete(asyncio.sleep(0.02))
    connection.open.set()
    assert driver.run(described()) == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    assert driver.run(described()) == 2


def test_a_change_is_requested_again_even_while_the_request_is_in_flight() -> None:
    connection = Connection()
    driver = make(connection)
    results, targets = outcomes(driver, 1)
    leader = threading.Thread(target=targets[0])
    leader.start()
    assert connection.began.wait(30)
    driver.run(described(Call("PUT", "/other", lambda body: body, invalidates=CALL.path)))
    connection.open.set()
    leader.join()
    assert results == [1]  # it may be the state before the change
    assert [driver.run(described()), driver.run(described())] == [2, 2]
