"""The drivers over connections made by hand: streams that are closed early, lost responses, and limiters."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest

from jina_eis.errors import (
    AuthorizationError,
    ConnectionFailedError,
    EndpointNotFoundError,
    JinaEISError,
    RateLimitError,
    ServiceUnavailableError,
)
from jina_eis.steps.embedder import Embedder
from jina_eis.steps.endpoints import remove_endpoint
from jina_eis.transport import pacing
from jina_eis.transport.driver import Driver
from jina_eis.transport.pacing import Attempts, Pacer, Queued, Send
from jina_eis.wire.call import Call, Counted, Rest


class Connection:
    """Answers the first call, and asks every other to wait a minute."""

    def __init__(self) -> None:
        self.limited = threading.Event()

    def send(self, call: Call[Any], abandoned: Any = None) -> Any:
        if call.path == "/0":
            assert self.limited.wait(30)
            return "answer"
        self.limited.set()
        raise RateLimitError("slow", retry_after=60.0)

    async def asend(self, call: Call[Any]) -> Any:
        return await asyncio.to_thread(self.send, call)

    def interrupt(self, threads: Iterable[int]) -> None:
        """It has no sockets to shut down."""


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_waiting", True)


def driver() -> Driver:
    return Driver(Connection(), Pacer(4, 9), 4)  # type: ignore[arg-type]


def calls() -> list[Call[Any]]:
    return [Call("GET", f"/{number}", lambda body: body, bucket=str(number)) for number in range(9)]


def test_a_stream_closed_early_leaves_no_thread() -> None:
    stream = driver().stream(calls())
    assert next(stream) == "answer"
    stream.close()
    deadline = time.monotonic() + 30
    while any(thread.name.startswith("jina-eis_") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_a_stream_closed_early_leaves_no_task() -> None:
    stream = driver().astream(calls())
    assert await anext(stream) == "answer"
    await stream.aclose()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("listing", [AuthorizationError("may not list"), EndpointNotFoundError("no such path")])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_without_the_privilege_to_list_endpoints_the_original_error_is_raised(asynchronous: bool, listing: JinaEISError) -> None:
    class Missing(Connection):
        def send(self, call: Call[Any], abandoned: Any = None) -> Any:
            raise listing if call.path == "/_inference/_all" else EndpointNotFoundError("mine is missing")

    driver = Driver(Missing(), Pacer(4, 0), 4)  # type: ignore[arg-type]
    steps = Embedder("mine").embed(["text"], "search")
    with pytest.raises(EndpointNotFoundError, match="mine is missing"):
        asyncio.run(driver.arun(steps)) if asynchronous else driver.run(steps)


class Prompt(Connection):
    """Answers at once, without yielding to the loop."""

    def send(self, call: Call[Any], abandoned: Any = None) -> Any:
        return call.path

    async def asend(self, call: Call[Any]) -> Any:
        return call.path


@pytest.mark.parametrize(
    "eager", [False, pytest.param(True, marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="3.12"))]
)
@pytest.mark.parametrize("max_concurrency", [1, 2, 3, 4])
async def test_calls_that_are_answered_at_once_are_all_sent(max_concurrency: int, eager: bool) -> None:
    if eager:
        asyncio.get_running_loop().set_task_factory(getattr(asyncio, "eager_task_factory"))  # noqa: B009 - not in Python 3.11
    fifty = [Call("GET", f"/{number}", lambda body: body) for number in range(50)]
    driver = Driver(Prompt(), Pacer(max_concurrency, 0), max_concurrency)  # type: ignore[arg-type]

    async def collect() -> list[str]:
        return [answer async for answer in driver.astream(fifty)]

    assert await asyncio.wait_for(collect(), 30) == list(driver.stream(fifty)) == [call.path for call in fifty]


async def test_calls_carry_what_remains_of_their_job() -> None:
    class Telling(Connection):
        def send(self, call: Call[Any], abandoned: Any = None) -> Any:
            return call.rest

        async def asend(self, call: Call[Any]) -> Any:
            return call.rest

    class Listening(Pacer):
        def attempts(self, *arguments: Any, rest: Rest | None = None, **options: Any) -> Attempts:
            heard.append(rest)
            return super().attempts(*arguments, rest=rest, **options)

    heard: list[Rest | None] = []
    driver = Driver(Telling(), Listening(2, 0), 2)  # type: ignore[arg-type]
    expected = [(3, 3), (2, 3), (1, 3)]
    assert list(driver.stream(calls()[:3])) == [rest async for rest in driver.astream(calls()[:3])] == expected
    assert list(driver.stream(Counted(iter(calls()[:3]), 5))) == [(5, 5), (4, 5), (3, 5)]
    assert sorted(filter(None, heard)) == sorted([*expected * 2, (3, 5), (4, 5), (5, 5)])
    assert list(driver.stream(call for call in calls())) == [None] * 9


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_call_without_a_slot_is_not_sent_if_its_timer_ends_before_the_clock_reaches_the_deadline(asynchronous: bool) -> None:
    pacer = Pacer(1, 9, deadline=0.05, clock=lambda: 0.0, jitter=lambda: 0.0)
    others: list[Attempts] = []

    class Contended(Connection):
        def send(self, call: Call[Any], abandoned: Any = None, loop: object = None) -> Any:
            others.append(pacer.attempts("b", loop, urgent=True))
            next(others[-1])  # it has the slot as soon as this call has failed
            raise ServiceUnavailableError("mine")

        async def asend(self, call: Call[Any]) -> Any:
            return self.send(call, loop=asyncio.get_running_loop())

    driver = Driver(Contended(), pacer, 1)  # type: ignore[arg-type]
    call = Call("GET", "/", lambda body: body, bucket="b")

    async def collect() -> None:
        with pytest.raises(ServiceUnavailableError, match="mine"):
            _ = [answer async for answer in driver.astream([call])] if asynchronous else list(driver.stream([call]))
        assert len(others) == 1
        others[0].close()
        loop = asyncio.get_running_loop() if asynchronous else None
        first, second = pacer.attempts("b", loop), pacer.attempts("b", loop)
        assert isinstance(next(first), Send), "the slot is free"
        assert isinstance(next(second), Queued), "it is free once"

    asyncio.run(collect())


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="Windows has no such timers")
def test_a_timeout_of_the_application_ends_a_wait_for_a_slot() -> None:
    def expire(*_: object) -> None:
        raise TimeoutError("of the application")

    pacer = Pacer(1, 0)
    other = pacer.attempts("b")
    next(other)
    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(TimeoutError, match="of the application"):
            list(Driver(Prompt(), pacer, 1).stream([Call("GET", "/", lambda body: body, bucket="b")]))  # type: ignore[arg-type]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    next(other, None)
    assert isinstance(next(pacer.attempts("b")), Send)


class Slow:
    """A limiter that blocks for a while and cannot be interrupted."""

    def __init__(self) -> None:
        self.acquired = 0

    def acquire(self) -> None:
        self.acquired += 1
        time.sleep(0.2)

    async def aacquire(self) -> None:
        await asyncio.to_thread(self.acquire)


def test_a_stream_closed_early_leaves_at_most_one_thread_with_the_limiter() -> None:
    limiter = Slow()
    stream = Driver(Prompt(), Pacer(8, 0), 8).stream(calls(), limiter)  # type: ignore[arg-type]
    next(stream)
    stream.close()
    deadline = time.monotonic() + 30
    while any(thread.name.startswith("jina-eis_") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert limiter.acquired <= 3, "the first call, and at most one thread that was in the limiter; the others stop before it"


async def test_a_swallowed_cancellation_sends_nothing_more() -> None:
    class Stubborn(Prompt):
        sent = 0

        async def asend(self, call: Call[Any]) -> Any:
            self.sent += 1
            if call.path != "/0":
                # asyncio.wait_for does this before Python 3.12, if what it awaits is done.
                with suppress(asyncio.CancelledError):
                    await asyncio.sleep(5)
            return call.path

    connection = Stubborn()
    stream = Driver(connection, Pacer(2, 0), 2).astream(calls())  # type: ignore[arg-type]
    assert await anext(stream) == "/0"
    await asyncio.sleep(0)
    sent = connection.sent
    await stream.aclose()
    assert connection.sent == sent


def test_a_delete_whose_response_was_lost_succeeds() -> None:
    class Lost(Prompt):
        sent = 0

        def send(self, call: Call[Any], abandoned: Any = None) -> Any:
            self.sent += 1
            if call.method == "GET":
                return {"endpoints": []}
            if self.sent == 1:
                raise ConnectionFailedError("It broke.")
            raise EndpointNotFoundError("It is gone.")

    with pacing.no_waits():
        assert Driver(Lost(), Pacer(1, 3), 1).run(remove_endpoint("mine", force=False)) is None  # type: ignore[arg-type, func-returns-value]
