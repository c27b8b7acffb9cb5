"""One request and how its answer is read, and the rounds of requests that steps are made of."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

__all__ = ["Call", "Steps", "ask"]

A = TypeVar("A")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call(Generic[A]):
    """One request, and how its answer is checked and read.

    Attributes:
        method: HTTP method.
        path: Path below the address of Elasticsearch, quoted.
        read: Turns the parsed JSON body into the answer; raises a typed error if it is not what was asked for.
        params: Query parameters.
        body: What is sent as JSON; None for nothing.
        rescue: Steps to take when it has failed for good, as in `driver.Rescue`; None for what the stream says.
        outdates: Path of an answer that the driver must not keep any longer: when this call has failed, or has changed
            something (PUT, DELETE).
        lines: The body is a list that is sent as one JSON document a line.
        load: Makes the body in place of `body`. It may read files: a driver calls it once, off the event loop, when the call
            is about to be sent.
        endpoint: The inference endpoint that is called, for errors; "" if none is.
        bucket: Calls of one bucket share the service's rate limit: EIS counts per endpoint and input type.
        inputs: Positions of its inputs in the list that the user gave, for errors.
        completed: How many of the user's inputs are answered, and given out, when this call's turn comes; for errors.
        with_headers: What is read is a pair: the body, and the headers of the answer.
        keep: The answer is a fact of the deployment: the driver asks once and remembers.
        retries: How often it may be sent again; None for as often as any.
        halves: Makes two calls that together ask for the same, to find out which part of a call is at fault; None for one
            that cannot be divided.
    """

    method: str
    path: str
    read: Callable[[Any], A]
    params: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    endpoint: str = ""
    bucket: str = ""
    inputs: Sequence[int] | None = None
    completed: int | None = None
    with_headers: bool = False
    keep: bool = False
    retries: int | None = None
    halves: Callable[[], list[Call[A]]] | None = None
    load: Callable[[], Any] | None = None
    lines: bool = False
    outdates: str = ""
    rescue: Callable[..., Generator[Iterable[Call[Any]], list[Any], A]] | None = None

    def loaded(self) -> Call[A]:
        """The same call, with its body."""
        return replace(self, body=self.load(), load=None) if self.load else self


# Steps yield calls, receive their answers in order, and return a result. The answers of one round share a type, those of
# two rounds need not, which a generator cannot say: `ask` says it, round by round.
Steps = Generator[Iterable[Call[Any]], list[Any], T]


def ask(calls: Iterable[Call[A]]) -> Generator[Iterable[Call[Any]], list[Any], list[A]]:
    """One round of steps: `answers = yield from ask(calls)`."""
    return (yield calls)
