"""The two drivers: they run the same steps with threads or with tasks. Sync and async differ only in this module.

Both are based on a stream. It takes calls lazily, keeps at most `max_concurrency` of them in flight, as many more waiting or
answered ahead of the consumer, and yields the results in order. Steps are run by streaming one round of calls after the
other.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain, islice
from operator import length_hint
from typing import Any, Protocol, TypeVar, cast

from ..errors import EndpointNotFoundError, JinaEISError
from ..wire import Call, Rest, Steps, watched
from .connection import Connection
from .flights import Flight, Flights
from .observation import Observer
from .pacing import Attempts, Pacer, Queued, Sleep
from .usage import Usage

__all__ = ["Driver", "Explain", "RateLimiter", "Rescue"]

A = TypeVar("A")
T = TypeVar("T")
F = TypeVar("F", bound="Future[Any] | asyncio.Future[Any]")
Rescue = Callable[[Call[A], JinaEISError, bool], Steps[A]]
"""Steps to take after the permanent failure of a call. Takes the call, its error, and whether other calls of the stream
succeeded. Their result replaces that of the call."""


Explain = Callable[[EndpointNotFoundError], Steps[EndpointNotFoundError]]
"""Steps that turn the error of a missing endpoint into one that names the endpoints of the deployment."""


class RateLimiter(Protocol):
    """Called before every request. LangChain's rate limiters have this interface."""

    def acquire(self) -> object:
        """Block until a request may be sent."""

    async def aacquire(self) -> object:
        """Wait until a request may be sent."""


class _Abandoned(BaseException):
    """No caller waits for the response any longer. It is never raised outside of this module."""


class _RequestThreads:
    """The threads with requests in flight for one stream. No request starts after the stream is abandoned."""

    def __init__(self) -> None:
        self.abandoned = threading.Event()
        self.limiter_lock = threading.Lock()  # a blocked limiter cannot be interrupted, so only one thread may block in it
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
        connection: Sends the requests.
        pacer: Decides when to send.
        max_concurrency: Maximum calls of a stream in flight. Twice as many are taken ahead of the consumer, so that a slow
            consumer does not delay requests.
        explain: Steps that explain the error of a missing endpoint; None to raise it unchanged.
    """

    def __init__(self, connection: Connection, pacer: Pacer, max_concurrency: int, explain: Explain | None = None) -> None:
        self._connection = connection
        self._pacer = pacer
        self._max_in_flight = max_concurrency
        self._explain = explain
        self._flights = Flights()
        self._observer = Observer()

    def usage(self) -> Usage:
        """Return a snapshot of what was sent and waited for."""
        return self._observer.usage()

    @property
    def location(self) -> str:
        """Host, port and path of the deployment, without credentials."""
        return self._connection.location

    def run(self, steps: Steps[T], limiter: RateLimiter | None = None) -> T:
        """Run steps and return their result. The error of a round is raised in the steps, which may handle it."""
        resume: Callable[[], Iterable[Call[Any]]] = partial(next, steps)
        with closing(steps):
            while True:
                try:
                    calls = resume()
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                try:
                    resume = partial(steps.send, list(self.stream(calls, limiter)))
                except BaseException as error:  # noqa: BLE001 - not handled here, but raised in the steps
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
                except BaseException as error:  # noqa: BLE001 - not handled here, but raised in the steps
                    resume = partial(steps.throw, error)

    def stream(
        self,
        calls: Iterable[Call[A]],
        limiter: RateLimiter | None = None,
        in_flight: int | None = None,
        rescue: Rescue[A] | None = None,
    ) -> Generator[A, None, None]:
        """Yield the results in the order of the calls, as soon as they are available.

        Args:
            calls: Taken lazily.
            limiter: Called before every request.
            in_flight: Maximum calls in flight, if less than the driver's own.
            rescue: Steps to take after the permanent failure of a call; None to raise its error.

        Raises:
            JinaEISError: the first error in the order of the calls, after the results before it were yielded.
        """
        source = _Source(calls)
        head = list(islice(source, 2))
        requests = _RequestThreads()
        if len(head) < 2:  # a single call needs no thread
            for call in head:
                alone = replace(call, urgent=True)
                yield self._result(alone, partial(self._perform, alone, limiter, requests), limiter, rescue)
            source.raise_error()
            return
        if source.number:
            self._pacer.expect(head[0].bucket, source.number)
        in_flight = min(in_flight or self._max_in_flight, self._max_in_flight)
        window: _Window[A, Future[A]] = _Window()
        threads = ThreadPoolExecutor(in_flight, thread_name_prefix="jina-eis")
        try:
            for call in chain(head, source):
                if len(window) == 2 * in_flight:
                    yield self._next_result(window, limiter, rescue)
                context = contextvars.copy_context()  # so that traces of the caller include the requests
                window.append((call, threads.submit(context.run, self._perform, call, limiter, requests)))
            while window:
                yield self._next_result(window, limiter, rescue)
            source.raise_error()
        finally:
            requests.abandoned.set()
            threads.shutdown(wait=False, cancel_futures=True)
            self._connection.interrupt(list(requests.threads))

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
                alone = replace(call, urgent=True)
                yield await self._aresult(alone, self._aperform(alone, limiter), limiter, rescue)
            source.raise_error()
            return
        if source.number:
            self._pacer.expect(head[0].bucket, source.number)
        in_flight = min(in_flight or self._max_in_flight, self._max_in_flight)
        window: _Window[A, asyncio.Future[A]] = _Window()
        waiting: deque[tuple[Call[A], asyncio.Future[A]]] = deque()
        workers: set[asyncio.Task[None]] = set()

        async def work() -> None:
            # It takes the next call without yielding to the loop, which would read the responses of other calls first.
            while waiting:
                call, answer = waiting.popleft()
                try:
                    result = await self._aperform(call, limiter)
                except Exception as error:  # noqa: BLE001 - not handled here, but raised where the answer is awaited
                    if not answer.cancelled():
                        answer.set_exception(error)
                else:
                    if not answer.cancelled():  # the consumer may have cancelled it
                        answer.set_result(result)
                finally:
                    answer.cancel()  # without a result or error, it must not be awaited forever
            # Before the loop runs: a call that is added now needs a new worker.
            workers.discard(cast("asyncio.Task[None]", asyncio.current_task()))

        try:
            for call in chain(head, source):
                if len(window) == 2 * in_flight:
                    yield await self._aresult(*window[0], limiter, rescue, window.any_succeeded)
                    window.popleft()
                window.append((call, asyncio.get_running_loop().create_future()))
                waiting.append(window[-1])
                if len(workers) < in_flight:
                    worker = asyncio.create_task(work())
                    if not worker.done():  # with an eager task factory it may be
                        workers.add(worker)
            while window:
                yield await self._aresult(*window[0], limiter, rescue, window.any_succeeded)
                window.popleft()
            source.raise_error()
        finally:
            waiting.clear()  # a worker whose cancellation is swallowed must not find another call
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            for _, answer in window:
                if answer.done() and not answer.cancelled():
                    answer.exception()  # otherwise asyncio logs that the exception was never retrieved

    def close(self) -> None:
        """Close the sync client; the next call opens a new one."""
        self._connection.close()

    async def aclose(self) -> None:
        """Close the sync client and the async client of the running loop; the next call opens new ones."""
        await self._connection.aclose()

    def _perform(self, call: Call[A], limiter: RateLimiter | None, requests: _RequestThreads) -> A:
        if not call.cache:
            return self._request(call, limiter, requests)
        flight: Flight | None = None
        while True:
            flight, leads = self._flights.join(call.path, None, instead_of=flight)
            if leads:
                with self._flights.leading(call.path, flight, keep_refusal=call.cache_refusal):
                    return flight.succeed(self._request(call, limiter, requests))
            flight.follow()
            if get_result := flight.outcome():
                return get_result()  # type: ignore[no-any-return]

    async def _aperform(self, call: Call[A], limiter: RateLimiter | None) -> A:
        if not call.cache:
            return await self._arequest(call, limiter)
        flight: Flight | None = None
        while True:
            flight, leads = self._flights.join(call.path, asyncio.get_running_loop(), instead_of=flight)
            if leads:
                with self._flights.leading(call.path, flight, keep_refusal=call.cache_refusal):
                    return flight.succeed(await self._arequest(call, limiter))
            await flight.afollow()
            if get_result := flight.outcome():
                return get_result()  # type: ignore[no-any-return]

    def _request(self, call: Call[A], limiter: RateLimiter | None, requests: _RequestThreads) -> A:
        with closing(self._attempts(call, None)) as attempts:
            action, number = next(attempts), 0
            while True:
                if isinstance(action, Queued):
                    wait([action.slot], action.seconds)
                elif isinstance(action, Sleep):
                    if requests.abandoned.wait(action.seconds):
                        raise _Abandoned
                else:
                    if limiter:
                        with requests.limiter_lock:
                            if requests.abandoned.is_set():
                                raise _Abandoned
                            began = time.monotonic()
                            limiter.acquire()
                        self._observer.limited(call, began)
                    call, number = call.with_body(), number + 1
                    try:
                        with requests, self._observer.attempt(call, number):
                            result = self._read(call, self._connection.send(call, requests.abandoned))
                    except JinaEISError as error:
                        if requests.abandoned.is_set():
                            raise _Abandoned from None
                        self._flights.drop(call.invalidates)
                        action = attempts.throw(error)
                        continue
                    next(attempts, None)  # records the success
                    return result
                action = next(attempts)

    async def _arequest(self, call: Call[A], limiter: RateLimiter | None) -> A:
        with closing(self._attempts(call, asyncio.get_running_loop())) as attempts:
            action, number = next(attempts), 0
            while True:
                if isinstance(action, Queued):
                    await asyncio.wait([asyncio.wrap_future(action.slot)], timeout=action.seconds)
                elif isinstance(action, Sleep):
                    await asyncio.sleep(action.seconds)
                else:
                    if limiter:
                        began = time.monotonic()
                        await limiter.aacquire()
                        self._observer.limited(call, began)
                    if call.load_body:
                        call = await asyncio.to_thread(call.with_body)
                    number += 1
                    try:
                        with self._observer.attempt(call, number):
                            result = self._read(call, await self._connection.asend(call))
                    except JinaEISError as error:
                        self._flights.drop(call.invalidates)
                        action = attempts.throw(error)
                        continue
                    next(attempts, None)  # records the success
                    return result
                action = next(attempts)

    def _attempts(self, call: Call[Any], loop: object) -> Attempts:
        report = partial(self._observer.waits, call)
        return self._pacer.attempts(
            *(call.bucket, loop, call.retries, call.patience),
            report=report,
            urgent=call.urgent,
            tokens=call.weight,
            rest=call.rest,
        )

    def _read(self, call: Call[A], body: Any) -> A:
        result = call.read(body)
        if call.method in ("PUT", "DELETE"):
            self._flights.drop(call.invalidates)
            self._flights.drop(call.path)
        return result

    def _next_result(self, window: _Window[A, Future[A]], limiter: RateLimiter | None, rescue: Rescue[A] | None) -> A:
        call, future = window[0]
        result = self._result(call, future.result, limiter, rescue, window.any_succeeded)
        window.popleft()
        return result

    def _result(
        self,
        call: Call[A],
        get_result: Callable[[], A],
        limiter: RateLimiter | None,
        rescue: Rescue[A] | None,
        others: Callable[[], bool] = lambda: False,
    ) -> A:
        """Return the result, or that of the rescue. An error receives the details of the call and the explanation."""
        try:
            return get_result()
        except JinaEISError as raised:
            error = _with_details(raised, call)
            if self._explain and isinstance(error, EndpointNotFoundError) and call.endpoint:
                raise self.run(watched(self._explain(error), call.watch), limiter) from error.__cause__
            if call.explain:
                error = self.run(watched(call.explain(error), call.watch), limiter)
            rescue = rescue or call.rescue
            if rescue is None:
                raise error from error.__cause__
        return self.run(watched(rescue(call, error, others()), call.watch), limiter)

    async def _aresult(
        self,
        call: Call[A],
        result: Awaitable[A],
        limiter: RateLimiter | None,
        rescue: Rescue[A] | None,
        others: Callable[[], bool] = lambda: False,
    ) -> A:
        try:
            return await result
        except JinaEISError as raised:
            error = _with_details(raised, call)
            if self._explain and isinstance(error, EndpointNotFoundError) and call.endpoint:
                raise await self.arun(watched(self._explain(error), call.watch), limiter) from error.__cause__
            if call.explain:
                error = await self.arun(watched(call.explain(error), call.watch), limiter)
            rescue = rescue or call.rescue
            if rescue is None:
                raise error from error.__cause__
        return await self.arun(watched(rescue(call, error, others()), call.watch), limiter)


class _Window(deque[tuple[Call[A], F]]):
    """Calls in flight, in order, with their futures."""

    succeeded = False  # whether a call that was removed succeeded

    def popleft(self) -> tuple[Call[A], F]:
        call, future = super().popleft()
        self.succeeded = self.succeeded or _succeeded(future)
        return call, future

    def any_succeeded(self) -> bool:
        """Whether any call of the stream has succeeded so far."""
        return self.succeeded or any(_succeeded(future) for _, future in self)


def _succeeded(future: Future[Any] | asyncio.Future[Any]) -> bool:
    return future.done() and not future.cancelled() and not future.exception()


class _Source(Iterator[Call[A]]):
    """Iterates over calls, and tells them what remains, if their greatest number is known.

    An error of the iterable, such as an invalid input, is raised after the calls before it.
    """

    def __init__(self, calls: Iterable[Call[A]]) -> None:
        self.number = length_hint(calls)
        self._calls = iter(calls)
        self._taken = 0
        self._error: Exception | None = None

    def __next__(self) -> Call[A]:
        try:
            call = next(self._calls)
        except StopIteration:
            raise
        except Exception as error:  # noqa: BLE001 - not handled here, but raised after the results of the calls before it
            self._error = error
            raise StopIteration from None
        if self._taken >= self.number:
            return call
        self._taken += 1
        return replace(call, rest=Rest(self.number - self._taken + 1, self.number))

    def raise_error(self) -> None:
        """Raise the error that ended the calls, if any."""
        if self._error:
            raise self._error


def _with_details(error: JinaEISError, call: Call[Any]) -> JinaEISError:
    error.endpoint = call.endpoint or None
    error.inputs = error.inputs or call.inputs  # the error may name the input more precisely
    error.completed = call.completed
    return error
