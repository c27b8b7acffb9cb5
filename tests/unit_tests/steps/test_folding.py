"""Folding, by hand: what is sent, and what is returned in every place."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.steps.folding import Folding, blocks


def same(result: Any) -> Any:
    return result


VALUES = st.lists(st.one_of(st.text("ab", max_size=2), st.just(None), st.lists(st.integers(), max_size=1)), max_size=40)


@given(VALUES, st.integers(0, 5))
def test_every_place_receives_the_result_of_its_input_in_order(values: list[Any], ahead: int) -> None:
    folding: Folding[list[str], list[str]] = Folding(same)
    distinct, positions = folding.distinct(values), folding.positions()
    results: list[list[str]] = []
    sent: list[Any] = []
    waiting: list[Any] = []
    for value in distinct:
        sent.append(value)
        assert values[next(positions)] == value
        waiting.append(value)
        if len(waiting) > ahead:
            results.extend(folding.unfold([[repr(waiting.pop(0))]]))
    for value in waiting:
        results.extend(folding.unfold([[repr(value)]]))
    results.extend(folding.rest())
    assert results == [[repr(value)] for value in values]
    hashable = [value for value in values if not isinstance(value, list)]
    assert len(sent) == len(set(hashable)) + len(values) - len(hashable)
    assert len({id(result) for result in results}) == len(values)  # a caller may change one without changing another


@pytest.mark.parametrize("finish", [list, same])
@pytest.mark.parametrize("known", [True, False])
def test_a_caller_may_change_a_result_before_the_next(finish: Callable[[Any], Any], known: bool) -> None:
    folding: Folding[Any, Any] = Folding(finish)
    assert [*folding.distinct("abaa")] == ["a", "b"]
    if known:
        folding.forget()
    returned = []
    for result in folding.unfold([[1], [2]]):
        result[0] *= 10
        returned.append(result)
    assert returned == [[10], [20], [10], [10]]


def test_a_result_is_finished_for_each_place_when_it_is_returned() -> None:
    finished: list[str] = []

    def finish(result: str) -> str:
        finished.append(result)
        return result.upper()

    folding = Folding(finish)
    assert [*folding.distinct(["a", "b", "a"])] == ["a", "b"]
    returned = folding.unfold(["a", "b"])
    assert (next(returned), finished) == ("A", ["a"])
    assert ([*returned], finished) == (["B", "A"], ["a", "b", "a"])


def test_a_result_that_is_not_needed_again_is_not_kept() -> None:
    class Result:
        pass

    folding: Folding[Any, str] = Folding(lambda _: "finished")
    assert [*folding.distinct(["a", "b", "a"])] == ["a", "b"]
    folding.forget()
    results = [Result(), Result()]
    kept = [weakref.ref(result) for result in results]
    returned = folding.unfold(results)
    del results
    assert sum(1 for _ in returned) == 3
    assert kept[0]() is not None  # until others are forgotten
    assert kept[1]() is None


def test_what_is_forgotten_is_not_folded() -> None:
    folding: Folding[str, str] = Folding(same)
    assert [*folding.distinct(["a", "a"]), *folding.distinct(["a"])] == ["a"]
    folding.forget()
    assert [*folding.distinct(["a"])] == ["a"]


@given(st.integers(0, 40), st.integers(1, 7), st.booleans())
def test_the_items_before_an_error_are_in_a_block(number: int, size: int, fails: bool) -> None:
    def source() -> Iterator[int]:
        yield from range(number)
        if fails:
            raise OSError("the drive is gone")

    read: list[list[int]] = []
    if fails:
        with pytest.raises(OSError, match="drive"):
            read.extend(blocks(source(), size))
    read = []
    iterator = blocks(source(), size)
    read.extend(islice(iterator, -(-number // size)))
    assert [n for block in read for n in block] == [*range(number)]
    assert all(len(block) == size for block in read[:-1])
