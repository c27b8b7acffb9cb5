"""Runs steps with responses made by hand, without server, client or waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from jina_eis.errors import JinaEISError
from jina_eis.wire.call import Call, Steps

T = TypeVar("T")
Round = list[Call[Any]]


def feed(steps: Steps[T], answer: Callable[[Call[Any]], Any]) -> tuple[T, list[Round]]:
    """Return the result and the calls of each round. `answer(call)` returns the JSON of a response, or raises an error.

    As in a driver, the error of a call with a rescue is passed to it. Its rounds follow the round of the call.
    """
    rounds: list[Round] = []
    try:
        calls = list(next(steps))
        while True:
            rounds.append(calls)
            try:
                answers = [_result(call, answer, rounds) for call in calls]
            except JinaEISError as error:
                calls = list(steps.throw(error))
            else:
                calls = list(steps.send(answers))
    except StopIteration as end:
        return end.value, rounds


def _result(call: Call[Any], answer: Callable[[Call[Any]], Any], rounds: list[Round]) -> Any:
    try:
        return call.read(answer(call))
    except JinaEISError as error:
        if not call.rescue:
            raise
        result, added = feed(call.rescue(call, error, False), answer)
        rounds += added
        return result
