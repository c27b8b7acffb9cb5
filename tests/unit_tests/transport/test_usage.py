"""Counts, and the snapshots that users see."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_eis.transport.usage import Counts, Usage

seconds = st.integers(0, 100).map(float)


@given(st.lists(st.tuples(seconds, seconds), max_size=20))
def test_a_second_counts_once_however_many_calls_wait(waits: list[tuple[float, float]]) -> None:
    counts = Counts()
    for start, length in sorted(waits):
        counts.wait("rate limit", "b", start, length)
    covered = {second for start, length in waits for second in range(int(start), int(start + length))}
    assert counts.usage().seconds_waited == len(covered)


def test_causes_are_counted_apart() -> None:
    counts = Counts()
    counts.wait("rate limit", "b", 0.0, 2.0)
    counts.wait("timeout", "b", 0.0, 3.0)
    counts.skip("timeout", 4.0)
    assert counts.usage().waits == {"rate limit": 2.0, "timeout": 7.0}


def test_a_difference_and_copies() -> None:
    counts = Counts()
    counts.add(requests=2, bytes_sent=10)
    earlier = counts.usage()
    counts.add(requests=1, inputs=5)
    counts.skip("timeout", 4.0)
    difference = counts.usage() - earlier
    assert difference == Usage(requests=1, inputs=5, seconds_waited=4.0, waits={"timeout": 4.0})
    for copied in (copy.copy(difference), copy.deepcopy(difference), pickle.loads(pickle.dumps(difference))):
        assert copied == difference


def test_a_snapshot_cannot_be_changed() -> None:
    counts = Counts()
    counts.skip("timeout", 4.0)
    usage = counts.usage()
    with pytest.raises(FrozenInstanceError):
        usage.requests = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        usage.waits["timeout"] = 0.0  # type: ignore[index]
