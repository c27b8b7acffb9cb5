"""Strategies that rank any number of documents with calls of limited size, as steps.

A call holds at most `documents` documents and `tokens` tokens of text. A listwise model scores a list as a whole, so its scores
compare within one call only: sorting the scores of several calls together would mix scores that do not compare. Here the
final order of the best documents comes from one call. A call that the service refuses as too large is divided, and its
documents are ranked by the same strategy in smaller calls.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from typing import Any, Literal, cast

from ..errors import JinaEISError, RequestTooLargeError
from ..wire import Call, Steps, ask

__all__ = ["Ranked", "Windows"]

HEADS = 8  # the number of best documents that are never lost
ATTEMPTS = 16  # numbers of blocks that are tried between the fewest and those that always suffice


@dataclass(frozen=True, slots=True)
class Ranked:
    """The place of a document in a ranking.

    Attributes:
        index: Its position in the input.
        score: The model's own relevance score; that of a listwise model lies between -1 and 1.
        preliminary: The place is not from the last call. It is the best estimate of the model, but the score does not compare
            with others of the ranking.
    """

    index: int
    score: float
    preliminary: bool = False


@dataclass(frozen=True, slots=True)
class Windows:
    """One query with its documents, and the strategies to rank them.

    With N documents, w stands for the documents of a call: `documents`, or as many of the longest as `tokens` allow. A document
    with more tokens is alone in its call.

    Args:
        strategy: `pages`, `two_stage` or `sliding`.
        score: Returns the call that scores the documents with these positions.
        costs: The tokens of each document.
        documents: Maximum documents in a call.
        tokens: Maximum tokens in a call, together.
    """

    strategy: Literal["pages", "two_stage", "sliding"]
    score: Callable[[Sequence[int]], Call[list[float]]]
    costs: Sequence[int]
    documents: int
    tokens: int

    def rank(self, indices: Sequence[int]) -> Steps[list[Ranked]]:
        """Return the documents with these positions, best first."""
        if self.strategy == "pages":
            return self._pages(indices)
        return self._sliding(indices) if self.strategy == "sliding" else self._two_stage(indices)

    def _pages(self, indices: Sequence[int]) -> Steps[list[Ranked]]:
        """Score each document once, and sort by score. Correct if scores do not depend on the other documents.

        Makes at most ceil(N / `documents`) + 2 T / `tokens` calls at once, for documents with T tokens together.
        """
        pages: list[list[int]] = []
        for index in indices:
            if pages and self._fit([*pages[-1], index]):
                pages[-1].append(index)
            else:
                pages.append([index])
        ranked = yield from self._round(pages)
        return _sorted(document for page in ranked for document in page)

    def _two_stage(self, indices: Sequence[int]) -> Steps[list[Ranked]]:
        """Rank blocks at once, then the best of all blocks together. Repeat until they fit into one call.

        The first min(8, w/2) places are those of one unlimited call, if its scores compared. A round makes at most ceil(N/w)
        calls, and the next has at most 3/4 of the documents, so there are fewer than 4 N/w + 3 log2(N) + 2 calls.
        If no two documents fit into a call, each is scored alone, and all places are preliminary.

        The scores of a listwise model depend on the list, so that a call with only the best documents orders them otherwise
        than one with all. Therefore the last call also has others, up to half of it. Those that it ranks after all of the
        best keep their earlier place.
        """
        best = list(indices)
        others: list[Ranked] = []
        while not self._fit(best):
            blocks = self._blocks(best)
            heads = self._heads(best, len(blocks))
            ranked = yield from self._round(self._with_pivot(best, blocks, heads))
            if all(len(block) == 1 for block in ranked):
                return _alone(block[0] for block in ranked) + others
            order, better = _merge(ranked)
            count = self._remaining(order, sum(number < heads for number in better))
            best = sorted(document.index for document in order[:count])
            others = [_preliminary(document) for document in order[count:]] + others
        (last,) = yield from self._round([sorted([*best, *self._sample(best, others)])])
        final = last[: max(place for place, document in enumerate(last, 1) if document.index in best)]
        placed = {document.index for document in final}
        return final + [document for document in others if document.index not in placed]

    def _sliding(self, indices: Sequence[int]) -> Steps[list[Ranked]]:
        """Move a window from the end to the front by half its size. Its better half moves along with it.

        The first w/2 places are those of one unlimited call, if its scores compared. Makes at most 1 + ceil((N-w)/(w/2)) calls,
        one after the other, or N if no two documents fit into a call.
        """
        order = list(indices)
        latest: dict[int, Ranked] = {}
        compared = 0
        start, end = self._start_of_window(order, len(order)), len(order)
        while True:
            while start == 0 and end < len(order) and self._fit(order[: end + 1]):
                end += 1
            (window,) = yield from self._round([order[start:end]])
            order[start:end] = [document.index for document in window]
            latest.update((document.index, document) for document in window)
            compared = max(compared, len(window))
            if start == 0 and compared == 1:
                return _alone(latest.values())
            if start == 0:
                return window + [_preliminary(latest[index]) for index in order[end:]]
            end -= (end - start) // 2  # the better half stays, as far as a new document fits beside it
            while end > start and not self._fit(order[start - 1 : end]):
                end -= 1
            start = self._start_of_window(order, end)

    def _start_of_window(self, order: Sequence[int], end: int) -> int:
        """Return where the largest window starts that ends here."""
        start = end - 1
        while start > 0 and self._fit(order[start - 1 : end]):
            start -= 1
        return start

    def _heads(self, indices: Sequence[int], blocks: int) -> int:
        """Return how many documents of each block may be among the best."""
        return max(1, min(HEADS, self.documents // 2, max(self._always_fit(indices), len(indices) // blocks) // 2))

    def _with_pivot(self, indices: Sequence[int], blocks: list[list[int]], heads: int) -> list[list[int]]:
        """Return the blocks, with one document in all of them if it fits and their heads would fill more than half of a call.

        What is below this pivot in one block is also below what is above it in the others: fewer may be among the best.
        """
        pivot = indices[min(HEADS, len(indices) - 1)]
        shared = [block if pivot in block else [*block, pivot] for block in blocks]
        crowded = 2 * heads * len(blocks) > self._always_fit(indices)
        return shared if crowded and all(map(self._fit, shared)) else blocks

    def _remaining(self, order: Sequence[Ranked], required: int) -> int:
        """Return how many documents stay: as many as may be the best, or half a call if they are fewer."""
        indices = [document.index for document in order]
        fitting = next(count for count in range(len(indices), 0, -1) if self._fit(indices[:count]))
        return max(fitting // 2, min(required, max(fitting, 3 * len(indices) // 4)))

    def _sample(self, best: Sequence[int], others: Sequence[Ranked]) -> list[int]:
        """Return others that fit into the call of the best, at most as many, evenly spread over their order."""
        sample: list[int] = []
        room = min(self.documents - len(best), len(best), len(others))
        for place in range(room):
            index = others[place * len(others) // room].index
            if self._fit([*best, *sample, index]):
                sample.append(index)
        return sample

    def _blocks(self, indices: Sequence[int]) -> list[list[int]]:
        """Return few blocks that fit into a call each: shuffled if possible, else with an equal share of the tokens."""
        total = sum(min(self.costs[index], self.tokens) for index in indices)
        fewest = max(math.ceil(len(indices) / self.documents), math.ceil(total / self.tokens))
        sufficient = math.ceil(len(indices) / self._always_fit(indices))
        for count in range(fewest, sufficient, max(1, (sufficient - fewest) // ATTEMPTS)):
            for costs in (None, self.costs):
                blocks = _deal(indices, count, costs)
                if all(map(self._fit, blocks)):
                    return blocks
        return _deal(indices, sufficient)

    def _always_fit(self, indices: Sequence[int]) -> int:
        """Return w: how many documents fit into a call, whichever they are."""
        longest = sorted((self.costs[index] for index in indices), reverse=True)[: self.documents]
        return max(1, sum(total <= self.tokens for total in accumulate(longest)))

    def _fit(self, indices: Sequence[int]) -> bool:
        """Whether documents fit into one call. A single document is never divided."""
        return len(indices) <= 1 or (
            len(indices) <= self.documents and sum(self.costs[index] for index in indices) <= self.tokens
        )

    def _round(self, blocks: Sequence[Sequence[int]]) -> Steps[list[list[Ranked]]]:
        """Make one call for each block. Returns each block sorted."""
        return (yield from ask(self._call(block) for block in blocks))

    def _call(self, block: Sequence[int]) -> Call[list[Ranked]]:
        call = self.score(block)

        def read(body: Any) -> list[Ranked]:
            return _sorted(map(Ranked, block, call.read(body)))

        return cast("Call[list[Ranked]]", replace(cast("Call[Any]", call), read=read, rescue=partial(self._divide, block)))

    def _divide(self, block: Sequence[int], _call: Call[list[Ranked]], error: JinaEISError, _: bool) -> Steps[list[Ranked]]:
        """Rank the documents of a call that is too large for the service in smaller calls."""
        if not isinstance(error, RequestTooLargeError) or len(block) == 1:
            raise error
        return (yield from replace(self, documents=math.ceil(len(block) / 2)).rank(block))


def _deal(indices: Sequence[int], count: int, costs: Sequence[int] | None = None) -> list[list[int]]:
    """Deal the documents like cards, so that each block has its share of the best documents of the first stage.

    In each round of dealing, the blocks are shuffled, with a fixed seed. Otherwise a list that alternates between sources, as
    from merged retrievers, would give each source a block of its own. With `costs`, the longest document of a round goes to the
    block with the least text, so that two blocks never differ by more than the longest document.
    """
    generator = random.Random(len(indices))
    blocks: list[list[int]] = [[] for _ in range(count)]
    loads = [0] * count
    for first in range(0, len(indices), count):
        dealt = indices[first : first + count]
        places = generator.sample(range(count), count)
        if costs:
            dealt = sorted(dealt, key=lambda index: -costs[index])
            places.sort(key=lambda place: loads[place])
        for place, index in zip(places, dealt, strict=False):
            blocks[place].append(index)
            loads[place] += costs[index] if costs else 0
    return blocks


def _merge(blocks: Sequence[Sequence[Ranked]]) -> tuple[list[Ranked], list[int]]:
    """Return the documents of all blocks, and for each the number of documents known to be better, fewest first.

    These are the ones above it in its block, and below the document that all blocks share, also those above that in the others.
    """
    pivots = set.intersection(*({document.index for document in block} for block in blocks))
    ends = [next((place for place, document in enumerate(block) if document.index in pivots), len(block)) for block in blocks]
    numbered = {
        document.index: (place if place < end else place - end + sum(ends), document)
        for block, end in zip(blocks, ends, strict=True)
        for place, document in enumerate(block)
    }
    merged = sorted(numbered.values(), key=lambda pair: (pair[0], pair[1].index))
    return [document for _, document in merged], [number for number, _ in merged]


def _sorted(ranked: Iterable[Ranked]) -> list[Ranked]:
    return sorted(ranked, key=lambda document: (-document.score, document.index))


def _alone(ranked: Iterable[Ranked]) -> list[Ranked]:
    """Return documents that were each scored alone, by score. A single one is the best of its only call."""
    documents = _sorted(ranked)
    return documents if len(documents) == 1 else [_preliminary(document) for document in documents]


def _preliminary(document: Ranked) -> Ranked:
    return replace(document, preliminary=True)
