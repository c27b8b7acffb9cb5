"""Watches of operations: what follows the calls of one, such as its span and its progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial
from operator import length_hint
from typing import Any, Protocol, TypeVar

from .call import Call, Counted, Steps

__all__ = ["Watch", "Watches", "followed", "watched"]

A = TypeVar("A")
T = TypeVar("T")


class Watch(Protocol):
    """Follows the requests of one operation. Its methods are called in the threads and tasks that send them."""

    def enter(self) -> object:
        """Called before a request; the result is passed to `leave`."""

    def leave(self, entered: Any) -> None:
        """Called after a request, in the same thread or task."""

    def finished(self, attempt: Any) -> None:
        """Receives each request with its outcome, an `Attempt`."""

    def paused(self, pause: Any) -> None:
        """Receives each wait before a retry, a `Pause`."""


class Watches:
    """Several watches as one."""

    def __init__(self, *watches: Watch) -> None:
        self._watches = watches

    @classmethod
    def of(cls, *watches: Watch | None) -> Watch | None:
        """Return a watch of all that are not None; None for none."""
        present = [watch for watch in watches if watch is not None]
        return cls(*present) if len(present) > 1 else next(iter(present), None)

    def enter(self) -> object:
        """Enter all."""
        return [watch.enter() for watch in self._watches]

    def leave(self, entered: Any) -> None:
        """Leave all, the last first."""
        for watch, own in zip(reversed(self._watches), reversed(entered), strict=True):
            watch.leave(own)

    def finished(self, attempt: Any) -> None:
        """Pass a request to all."""
        for watch in self._watches:
            watch.finished(attempt)

    def paused(self, pause: Any) -> None:
        """Pass a pause to all."""
        for watch in self._watches:
            watch.paused(pause)


def followed(calls: Iterable[Call[A]], watch: Watch | None) -> Iterable[Call[A]]:
    """Return the same calls, with `watch` following them too."""
    if watch is None:
        return calls
    return Counted((replace(call, watch=Watches.of(call.watch, watch)) for call in calls), length_hint(calls))


def watched(steps: Steps[T], watch: Watch | None) -> Steps[T]:
    """Return the same steps, with `watch` following their calls too."""
    return steps if watch is None else _watched(steps, watch)


def _watched(steps: Steps[T], watch: Watch) -> Steps[T]:
    resume: Callable[[], Iterable[Call[Any]]] = partial(next, steps)
    with closing(steps):
        while True:
            try:
                calls = resume()
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            try:
                resume = partial(steps.send, (yield followed(calls, watch)))
            except BaseException as error:  # noqa: BLE001 - not handled here, but raised in the steps
                resume = partial(steps.throw, error)
