"""Strategies of reranking, run by hand: which documents share a call, and the order from the answers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any, Literal

import pytest
from by_hand import feed
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.errors import RequestRejectedError, RequestTooLargeError
from jina_eis.steps.windows import Ranked, Windows
from jina_eis.wire.call import Call

TOKENS = 120_000
Strategy = Literal["pages", "two_stage", "sliding"]


def score(block: Sequence[int]) -> Call[list[float]]:
    return Call("POST", "/", lambda scores: scores, body=list(block), inputs=block)


def rank(
    costs: Sequence[int], strategy: Strategy, answer: Callable[[Call[Any]], Any], documents: int = 64, tokens: int = TOKENS
) -> tuple[list[Ranked], list[list[Call[Any]]]]:
    return feed(Windows(strategy, score, costs, documents, tokens).rank(range(len(costs))), answer)


def relevance(number: int, seed: int) -> list[int]:
    """A different relevance for each document."""
    return random.Random(seed).sample(range(number), number)


LENGTHS: dict[str, Callable[[random.Random], int]] = {
    "short": lambda generator: generator.randint(1, 500),
    "any": lambda generator: generator.randint(1, 60_000),
    "long": lambda generator: generator.randint(50_000, 60_000),
    "some are long": lambda generator: generator.choice([1, 100, 100, 100, 100, 60_000]),
    "skewed": lambda generator: min(60_000, int(generator.lognormvariate(6, 2)) + 1),
    "beyond the budget": lambda generator: generator.choice([50, 5_000, 200_000]),
}


@pytest.mark.parametrize("lengths", LENGTHS)
@pytest.mark.parametrize("strategy", ["pages", "two_stage", "sliding"])
@given(number=st.integers(1, 700), window=st.integers(2, 128), seed=st.integers(0, 999))
def test_no_call_is_over_the_budget_and_every_document_is_ranked_once(
    strategy: Strategy, lengths: str, number: int, window: int, seed: int
) -> None:
    generator = random.Random(seed)
    costs = [LENGTHS[lengths](generator) for _ in range(number)]
    truth = relevance(number, seed)
    ranked, rounds = rank(costs, strategy, lambda call: [truth[index] for index in call.body], window)
    calls = [call.body for calls in rounds for call in calls]
    for block in calls:
        assert 1 <= len(block) <= window
        assert len(block) == 1 or sum(costs[index] for index in block) <= TOKENS
    assert sorted(document.index for document in ranked) == list(range(number))

    longest = sorted(costs, reverse=True)[:window]
    always = max(1, sum(sum(longest[: count + 1]) <= TOKENS for count in range(len(longest))))  # w in the docstrings
    total = sum(min(cost, TOKENS) for cost in costs)
    bounds = {
        "pages": math.ceil(number / window) + 2 * total / TOKENS,
        "two_stage": 4 * number / always + 3 * math.log2(number) + 2,
        "sliding": 1 + math.ceil(max(0, number - always) / max(1, always // 2)),
    }
    assert len(calls) <= bounds[strategy]

    best = sorted(range(number), key=lambda index: -truth[index])
    exact = {"pages": number, "two_stage": min(8, always // 2), "sliding": always // 2}[strategy]
    assert [document.index for document in ranked[:exact]] == best[:exact]


@pytest.mark.parametrize("strategy", ["pages", "two_stage", "sliding"])
@given(number=st.integers(1, 200), accepted=st.integers(1, 64), seed=st.integers(0, 99))
def test_a_call_that_is_too_large_is_divided(strategy: Strategy, number: int, accepted: int, seed: int) -> None:
    truth = relevance(number, seed)
    refused = 0

    def answer(call: Call[Any]) -> Any:
        nonlocal refused
        if len(call.body) > accepted:
            refused += 1
            raise RequestTooLargeError("estimated total tokens")
        return [truth[index] for index in call.body]

    ranked, _ = rank([1] * number, strategy, answer)
    assert sorted(document.index for document in ranked) == list(range(number))
    assert refused or number <= accepted or accepted == 64
    best = sorted(range(number), key=lambda index: -truth[index])
    exact = number if strategy == "pages" else 1
    assert [document.index for document in ranked[:exact]] == best[:exact]


@pytest.mark.parametrize("strategy", ["pages", "two_stage", "sliding"])
def test_a_document_that_is_too_large_alone_and_other_errors_are_raised(strategy: Strategy) -> None:
    def refuse(call: Call[Any]) -> Any:
        if 7 in call.body:
            raise RequestTooLargeError("too large")
        return [0.0] * len(call.body)

    with pytest.raises(RequestTooLargeError):
        rank([1] * 20, strategy, refuse)

    def reject(_: Call[Any]) -> Any:
        raise RequestRejectedError("no")

    with pytest.raises(RequestRejectedError):
        rank([1] * 20, strategy, reject)


def test_documents_that_fit_into_no_call_together_are_scored_alone() -> None:
    ranked, rounds = rank([70_000, 80_000, 90_000], "two_stage", lambda call: [float(call.body[0])])
    assert sorted(call.body for calls in rounds for call in calls) == [[0], [1], [2]]
    assert ranked == [Ranked(2, 2.0, True), Ranked(1, 1.0, True), Ranked(0, 0.0, True)]


def test_long_documents_are_shared_evenly() -> None:
    costs = [50_000 if index % 4 == 0 else 5_000 for index in range(16)]  # 260,000 tokens: three calls at least
    _, rounds = rank(costs, "two_stage", lambda call: [0.0] * len(call.body))
    assert len(rounds[0]) == 3
    assert {sum(costs[index] for index in call.body) > 50_000 for call in rounds[0]} == {True}
