"""The two drivers: the same steps, run with threads or with tasks. Sync and async differ in this module alone.

The primitive of both is one stream: calls are taken lazily, at most `max_concurrency` of them are in flight, as many more
wait or are answered ahead of the consumer, and answers come out in order. Steps are run by streaming one round of calls
after the other.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from itertools import chain, islice
from typing import Any, Protocol, TypeVar, cast

from ..errors import EndpointNotFoundError, JinaEISError
from ..wire import Call, Steps
from .connection import Connection
from .pacing import Pacer, Sleep

__all__ = ["Driver", "Explain", "RateLimiter", "Rescue"]

A = TypeVar("A")
T = TypeVar("T")
F = TypeVar("F", bound="Future[Any] | asyncio.Future[Any]")
Rescue = Callable[[Call[A], JinaEISError, bool], Steps[A]]
"""Steps to take when a call has failed for good, by the call, its error, and whether other calls beside it were answered.
Their result stands in for its answer."""


Explain = Callable[[EndpointNotFoundError], Steps[EndpointNotFoundError]]
"""Steps that turn the error of a missing endpoint into one that names the endpoints of the deployment."""


class RateLimiter(Protocol):
    """What is asked before every request; LangChain's rate limiters fit."""

    def acquire(self) -> object:
        """Block until a request may be sent."""

    async def aacquire(self) -> object:
        """Wait until a request may be sent."""


class _Abandoned(BaseException):
    """Nobody waits for the answer any more. It never leaves this module."""


class _Flight:
    """The requests of one stream that are under way, each within a thread. None starts once the stream is abandoned."""

    def __init__(self) -> None:
        self.abandoned = threading.Event()
        self.turn = threading.Lock()  # to ask the limiter: whoever blocks in there cannot be woken, so only one does
        self.threads: set[int] = set()

    def __enter__(self) -> None:
        self.threads.add(threading.get_ident())
        if self.abandoned.is_set():
            self.threads.discard(threading.get_ident())
            raise _Abandoned

    def __exit__(self, *_: object) -> None:
        self.threads.discard(threading.get_ident())


class Driver:
    """Runs steps and streams calls over one connection, at the pace of one pacer.

    One driver serves any number of threads and event loops at once.

    Args:
        connection: Sends one request once.
        pacer: Decides when.
        max_concurrency: Most calls of a stream in flight. Twice as many are taken ahead of its consumer, so that nobody who
            could send waits for it.
        explain: What explains the error of a missing endpoint; None to raise it as it is.
    """

    def __init__(self, connection: Connection, pacer: Pacer, max_concurrency: int, explain: Explain | None = None) -> None:
        self._connection = connection
        self._pacer = pacer
        self._in_flight = max_concurrency
        self._explain = explain
        self._cache: dict[str, Any] = {}

    def run(self, steps: Steps[T], limiter: RateLimiter | None = None) -> T:
        """Run steps to their result. The error of a round is raised in the steps, which may know a way on."""
        resume: Callable[[], Iterable[Call[Any]]] = partial(next, steps)
        with closing(steps):
            while True:
                try:
                    calls = resume()
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                try:
                    resume = partial(steps.send, list(self.stream(calls, limiter)))
                except Exception as error:  # noqa: BLE001 - not handled here, but raised in the steps
                    resume = partial(steps.throw, error)

    async def arun(self, steps: Steps[T], limiter: RateLimiter | None = None) -> T:
        """As `run`, with tasks of the running loop."""
        resume: Callable[[], Iterable[Call[Any]]] = partial(next, steps)
        with closing(steps):
            while True:
                try:
                    calls = resume()
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                try:
                    resume = partial(steps.send, [answer async for answer in self.astream(calls, limiter)])
                except Exception as error:  # noqa: BLE001 - not handled here, but raised in the steps
                    resume = partial(steps.throw, error)

    def stream(
        self,
        calls: Iterable[Call[A]],
        limiter: RateLimiter | None = None,
        in_flight: int | None = None,
        rescue: Rescue[A] | None = None,
    ) -> Generator[A, None, None]:
        """The answers, in the order of the calls, as they come.

        Args:
            calls: Taken as they are needed.
            limiter: Asked before every request.
            in_flight: Most calls in flight, if that is less than the driver's own.
            rescue: What to do when a call has failed for good; None for raising its error.

        Raises:
            JinaEISError: the first error in the order of the calls; every answer before it has been given out.
        """
        source = _Source(calls)
        head = list(islice(source, 2))
        flight = _Flight()
        if len(head) < 2:  # one query deserves no thread
            for call in head:
                yield self._answer(call, partial(self._perform, call, limiter, flight), limiter, rescue)
            source.end()
            return
        in_flight = min(in_flight or self._in_flight, self._in_flight)
        window: _Window[A, Future[A]] = _Window()
        threads = ThreadPoolExecutor(in_flight, thread_name_prefix="jina-eis")
        try:
            for call in chain(head, source):
                if len(window) == 2 * in_flight:
                    yield self._oldest(window, limiter, rescue)
                context = contextvars.copy_context()  # traces of the caller reach the requests
                window.append((call, threads.submit(context.run, self._perform, call, limiter, flight)))
            while window:
                yield self._oldest(window, limiter, rescue)
            source.end()
        finally:
            flight.abandoned.set()
            threads.shutdown(wait=False, cancel_futures=True)
            self._connection.interrupt(list(flight.threads))

    async def astream(
        self,
        calls: Iterable[Call[A]],
        limiter: RateLimiter | None = None,
        in_flight: int | None = None,
        rescue: Rescue[A] | None = None,
    ) -> AsyncGenerator[A, None]:
        """As `stream`, with tasks of the running loop."""
        source = _Source(calls)
        head = list(islice(source, 2))
        if len(head) < 2:
            for call in head:
                yield await self._aanswer(call, self._aperform(call, limiter), limiter, rescue)
            source.end()
            return
        in_flight = min(in_flight or self._in_flight, self._in_flight)
        window: _Window[A, asyncio.Future[A]] = _Window()
        waiting: deque[tuple[Call[A], asyncio.Future[A]]] = deque()
        workers: set[asyncio.Task[None]] = set()

        async def work() -> None:
            # One call after the other without a turn of the loop between them, in which answers of others would be read first.
            while waiting:
                call, answer = waiting.popleft()
                try:
                    read = await self._aperform(call, limiter)
                except Exception as error:  # noqa: BLE001 - not handled here, but raised where the answer is awaited
                    if not answer.cancelled():
                        answer.set_exception(error)
                else:
                    if not answer.cancelled():  # by whoever awaited it, a moment ago
                        answer.set_result(read)
                finally:
                    answer.cancel()  # if there is neither, nobody shall wait for it
            workers.discard(cast("asyncio.Task[None]", asyncio.current_task()))  # now: a call that is added needs a new one

        try:
            for call in chain(head, source):
                if len(window) == 2 * in_flight:
                    yield await self._aanswer(*window[0], limiter, rescue, window.others_pass)
                    window.popleft()
                window.append((call, asyncio.get_running_loop().create_future()))
                waiting.append(window[-1])
                if len(workers) < in_flight:
                    worker = asyncio.create_task(work())
                    if not worker.done():  # an eager one may be
                        workers.add(worker)
            while window:
                yield await self._aanswer(*window[0], limiter, rescue, window.others_pass)
                window.popleft()
            source.end()
        finally:
            waiting.clear()  # a cancellation may be swallowed on its way, and a worker must find no other call then
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            for _, answer in window:
                if answer.done() and not answer.cancelled():
                    answer.exception()  # asyncio complains of errors that nobody looked at

    def close(self) -> None:
        """Close the sync client; the next call opens a new one."""
        self._connection.close()

    async def aclose(self) -> None:
        """Close the sync client and the async client of the running loop; the next call opens new ones."""
        await self._connection.aclose()

    def _perform(self, call: Call[A], limiter: RateLimiter | None, flight: _Flight) -> A:
        if call.cache and call.path in self._cache:
            return self._cache[call.path]  # type: ignore[no-any-return]
        with closing(self._pacer.attempts(call.bucket, retries=call.retries)) as attempts:
            order = next(attempts)
            while True:
                if isinstance(order, Future):
                    order.result()
                elif isinstance(order, Sleep):
                    if flight.abandoned.wait(order.seconds):
                        raise _Abandoned
                else:
                    if limiter:
                        with flight.turn:
                            if flight.abandoned.is_set():
                                raise _Abandoned
                            limiter.acquire()
                    call = call.with_body()
                    try:
                        with flight:
                            body = self._connection.send(call, flight.abandoned)
                        answer = self._read(call, body)
                    except JinaEISError as error:
                        if flight.abandoned.is_set():
                            raise _Abandoned from None
                        self._cache.pop(call.invalidates, None)
                        order = attempts.throw(error)
                        continue
                    next(attempts, None)  # the pace hears of it
                    return answer
                order = next(attempts)

    async def _aperform(self, call: Call[A], limiter: RateLimiter | None) -> A:
        if call.cache and call.path in self._cache:
            return self._cache[call.path]  # type: ignore[no-any-return]
        with closing(self._pacer.attempts(call.bucket, asyncio.get_running_loop(), call.retries)) as attempts:
            order = next(attempts)
            while True:
                if isinstance(order, Future):
                    if not order.done():  # most are, and to wait all the same takes another turn of the loop
                        await asyncio.wrap_future(order)
                elif isinstance(order, Sleep):
                    await asyncio.sleep(order.seconds)
                else:
                    if limiter:
                        await limiter.aacquire()
                    if call.load_body:
                        call = await asyncio.to_thread(call.with_body)
                    try:
                        answer = self._read(call, await self._connection.asend(call))
                    except JinaEISError as error:
                        self._cache.pop(call.invalidates, None)
                        order = attempts.throw(error)
                        continue
                    next(attempts, None)  # the pace hears of it
                    return answer
                order = next(attempts)

    def _read(self, call: Call[A], body: Any) -> A:
        answer = call.read(body)
        if call.method in ("PUT", "DELETE"):
            self._cache.pop(call.invalidates, None)
        if call.cache:
            self._cache[call.path] = answer
        return answer

    def _oldest(self, window: _Window[A, Future[A]], limiter: RateLimiter | None, rescue: Rescue[A] | None) -> A:
        call, future = window[0]
        answer = self._answer(call, future.result, limiter, rescue, window.others_pass)
        window.popleft()
        return answer

    def _answer(
        self,
        call: Call[A],
        answer: Callable[[], A],
        limiter: RateLimiter | None,
        rescue: Rescue[A] | None,
        others: Callable[[], bool] = lambda: False,
    ) -> A:
        """The answer, or what stands in for it. Errors say what was called, and what the deployment has in its place."""
        try:
            return answer()
        except JinaEISError as failed:
            error = _placed(failed, call)
            if self._explain and isinstance(error, EndpointNotFoundError) and call.endpoint:
                raise self.run(self._explain(error), limiter) from error.__cause__
            rescue = rescue or call.rescue
            if rescue is None:
                raise
        return self.run(rescue(call, error, others()), limiter)

    async def _aanswer(
        self,
        call: Call[A],
        answer: Awaitable[A],
        limiter: RateLimiter | None,
        rescue: Rescue[A] | None,
        others: Callable[[], bool] = lambda: False,
    ) -> A:
        try:
            return await answer
        except JinaEISError as failed:
            error = _placed(failed, call)
            if self._explain and isinstance(error, EndpointNotFoundError) and call.endpoint:
                raise await self.arun(self._explain(error), limiter) from error.__cause__
            rescue = rescue or call.rescue
            if rescue is None:
                raise
        return await self.arun(rescue(call, error, others()), limiter)


class _Window(deque[tuple[Call[A], F]]):
    """Calls on their way, in their order."""

    given = False  # whether an answer was given out

    def popleft(self) -> tuple[Call[A], F]:
        call, future = super().popleft()
        self.given = self.given or _passed(future)
        return call, future

    def others_pass(self) -> bool:
        """Whether any call was answered so far."""
        return self.given or any(_passed(future) for _, future in self)


def _passed(future: Future[Any] | asyncio.Future[Any]) -> bool:
    return future.done() and not future.cancelled() and not future.exception()


class _Source(Iterator[Call[A]]):
    """Calls as they are made. Their own error, an input that is none, waits until the calls before it are answered."""

    def __init__(self, calls: Iterable[Call[A]]) -> None:
        self._calls = iter(calls)
        self._error: JinaEISError | None = None

    def __next__(self) -> Call[A]:
        try:
            return next(self._calls)
        except JinaEISError as error:
            self._error = error
            raise StopIteration from None

    def end(self) -> None:
        """Raise what ended the calls too early."""
        if self._error:
            raise self._error


def _placed(error: JinaEISError, call: Call[Any]) -> JinaEISError:
    error.endpoint = call.endpoint or None
    error.inputs = error.inputs or call.inputs  # it may know better
    error.completed = call.completed
    return error
