"""The drivers on a connection fed by hand: what is left behind when nobody waits any more."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from jina_eis import pacing
from jina_eis.driver import Driver
from jina_eis.errors import RateLimitError
from jina_eis.pacing import Pacer
from jina_eis.wire import Call


class Connection:
    """Answers the first call, and asks every other to come back in a minute."""

    def __init__(self) -> None:
        self.limited = threading.Event()

    def send(self, call: Call[Any]) -> Any:
        if call.path == "/0":
            assert self.limited.wait(5)
            return "answer"
        self.limited.set()
        raise RateLimitError("slow", retry_after=60.0)

    async def asend(self, call: Call[Any]) -> Any:
        return await asyncio.to_thread(self.send, call)


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
    stream.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("jina-eis_") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_a_stream_closed_early_leaves_no_task() -> None:
    stream = driver().astream(calls())
    assert await anext(stream) == "answer"
    await stream.aclose()  # type: ignore[attr-defined]
    assert asyncio.all_tasks() == {asyncio.current_task()}
