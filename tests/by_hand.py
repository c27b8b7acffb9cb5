"""Steps run by hand: no server, no client, no waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from jina_eis.errors import JinaEISError
from jina_eis.wire.call import Call, Steps

T = TypeVar("T")
Round = list[Call[Any]]


def feed(steps: Steps[T], answer: Callable[[Call[Any]], Any]) -> tuple[T, list[Round]]:
    """The result, and the calls of every round; `answer(call)` is the JSON of a call's answer, or raises its error."""
    rounds: list[Round] = []
    try:
        calls = list(next(steps))
        while True:
            rounds.append(calls)
            try:
                answers = [call.read(answer(call)) for call in calls]
            except JinaEISError as error:
                calls = list(steps.throw(error))
            else:
                calls = list(steps.send(answers))
    except StopIteration as end:
        return end.value, rounds
