"""Generated searches and sequences of writes: the embedded EIS answers as Elasticsearch does, or refuses with 501.

See "The embedded EIS beside the real Elasticsearch" in CONTRIBUTING.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import pytest
from real.compare import Tally, check_all
from real.node import RealNode
from real.searches import BLOCK, check_world
from real.writes import check_sequence

from jina_eis.local import LocalEIS


def check_searches(numbers: Iterable[int], tier: str, real: str, local: str) -> Tally:
    """Searches of one index follow each other."""
    cases = [(tier, list(block)) for _, block in groupby(numbers, lambda number: number // BLOCK)]
    return check_all(cases, check_world, real, local)


def check_sequences(numbers: Iterable[int], tier: str, real: str, local: str) -> Tally:
    return check_all([(tier, number) for number in numbers], check_sequence, real, local)


@pytest.mark.parametrize(("kind", "check"), [("search", check_searches), ("sequence", check_sequences)])
def test_generated(
    kind: str, check: Callable[..., Tally], node: RealNode, tallies: list[str], pytestconfig: pytest.Config
) -> None:
    option: Any = pytestconfig.option
    name, _, number = option.case.partition(":")
    if name not in ("", "search", "sequence") or (name and not number.isdecimal()):
        pytest.fail(f"--case {option.case}: a case is search:NUMBER or sequence:NUMBER")
    if name not in ("", kind):
        pytest.skip(f"--case {option.case} is of the other kind")
    count = option.searches if kind == "search" else option.sequences
    numbers = range(int(number), int(number) + 1) if name else range(option.seed, option.seed + count)
    with LocalEIS(model="hash") as eis:
        tally = check(numbers, option.tier, node.url, eis.url)
    tallies.append(str(tally))
    if tally.wrong:
        pytest.fail(f"{len(tally.wrong)} answers differ, tier {option.tier}\n{tally.failures()}", pytrace=False)
