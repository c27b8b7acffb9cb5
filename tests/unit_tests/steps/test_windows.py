"""Strategies of reranking, run by hand: which documents share a call, and the order from the answers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal

import pytest
from by_hand import feed
from hypothesis import assume, given
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
    if strategy == "two_stage" and len(rounds[-1]) == 1:
        assert 2 * sum(not document.preliminary for document in ranked) >= len(rounds[-1][0].body)

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


@pytest.mark.parametrize(("window", "number"), [(14, 17), (16, 18), (16, 19)])
def test_the_best_may_all_be_in_one_block_and_the_document_that_all_share_the_worst(window: int, number: int) -> None:
    _, (blocks, *_) = rank([1] * number, "two_stage", lambda call: [0.0] * len(call.body), window)
    for block in blocks:
        truth = [(index in block.body) - index / 100 for index in range(number)]
        truth[8] = -1.0
        ranked, _ = rank([1] * number, "two_stage", lambda call, truth=truth: [truth[index] for index in call.body], window)
        best = sorted(range(number), key=lambda index: -truth[index])[: min(8, window // 2)]
        assert [document.index for document in ranked[: len(best)]] == best


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


@pytest.mark.parametrize(
    ("number", "window", "calls", "share"),
    [(100, 64, 3, 0.92), (200, 64, 5, 0.92), (500, 64, 9, 0.85), (500, 128, 5, 0.92), (1_000, 128, 9, 0.92)],
)
def test_the_best_ten_are_nearly_those_of_one_call_although_scores_depend_on_the_list(
    number: int, window: int, calls: int, share: float
) -> None:
    """With only the best documents in the last call, 71 to 88 % are the same."""
    same = 0
    for seed in range(20):
        generator = random.Random(seed)
        pairs = [(generator.gauss(0, 1), generator.gauss(0, 1)) for _ in range(number)]
        pairs.sort(key=lambda pair: -sum(pair) + generator.gauss(0, 1))  # the first stage

        def relative(block: Sequence[int], pairs: Sequence[tuple[float, float]] = pairs) -> list[float]:
            """Scores on two scales, of which one is stretched over the list."""
            firsts = [pairs[index][0] for index in block]
            low, high = min(firsts), max(firsts)
            return [(pairs[index][0] - low) / (high - low) + pairs[index][1] / 10 for index in block]

        ranked, rounds = rank([1] * number, "two_stage", lambda call, relative=relative: relative(call.body), window)
        scores = relative(range(number))
        best = sorted(range(number), key=lambda index: -scores[index])[:10]
        same += len({document.index for document in ranked[:10]}.intersection(best))
        assert sum(map(len, rounds)) == calls
    assert same >= share * 200


def test_half_of_the_last_call_are_others_spread_over_the_list() -> None:
    truth = relevance(500, 0)
    ranked, rounds = rank([1] * 500, "two_stage", lambda call: [truth[index] for index in call.body], 128)
    last = sorted((truth[index] for index in rounds[-1][0].body), reverse=True)
    assert len(last) == 128
    assert last[:40] == list(range(499, 459, -1))
    assert last[-1] < 10
    assert all(larger - smaller < 30 for larger, smaller in pairwise(last))
    assert 64 <= sum(not document.preliminary for document in ranked) < 80


def test_a_document_of_the_sample_that_is_better_in_the_last_call_is_ranked_there() -> None:
    truth = relevance(500, 0)
    _, (_, (last,)) = rank([1] * 500, "two_stage", lambda call: [truth[index] for index in call.body], 128)
    risen = min((index for index in last.body), key=lambda index: truth[index])

    def answer(call: Call[Any]) -> list[int]:
        return [1_000 if index == risen and call.body == last.body else truth[index] for index in call.body]

    ranked, _ = rank([1] * 500, "two_stage", answer, 128)
    assert ranked[0] == Ranked(risen, 1_000)
    assert ranked[1].index == truth.index(499)


@given(number=st.integers(257, 504), seed=st.integers(0, 99))
def test_a_document_that_all_blocks_share_leaves_room_in_the_last_call(number: int, seed: int) -> None:
    assume(number <= 63 * math.ceil(number / 64))  # there is room for it in each block
    truth = [number - index for index in range(number)]
    swapped = random.Random(seed).sample(range(20), 20)
    truth[:20] = [truth[index] for index in swapped]  # the first stage knows the best twenty, but not their order
    ranked, (blocks, (last,)) = rank([1] * number, "two_stage", lambda call: [truth[index] for index in call.body])
    (shared,) = set.intersection(*(set(call.body) for call in blocks))
    assert shared == 8
    assert sum(len(call.body) for call in blocks) == number + len(blocks) - 1
    best = sorted(range(number), key=lambda index: -truth[index])
    assert [document.index for document in ranked[:8]] == best[:8]
    assert sum(index in best[:150] for index in last.body) < 60  # without it, there would be 8 of each block
    assert len(last.body) == 64


def test_a_document_that_all_blocks_share_saves_a_round() -> None:
    truth = list(range(1_000, 0, -1))
    _, rounds = rank([1] * 1_000, "two_stage", lambda call: [truth[index] for index in call.body])
    assert list(map(len, rounds)) == [16, 1]
    _, rounds = rank([1] * 1_000, "two_stage", lambda call: [-truth[index] for index in call.body])
    assert list(map(len, rounds)) == [16, 2, 1]
