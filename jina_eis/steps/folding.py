"""Folding: equal inputs are sent once, and their result is returned in every place. Nothing here sends or waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from copy import copy
from itertools import count, islice
from typing import Generic, TypeVar

__all__ = ["Folding", "blocks"]

C = TypeVar("C")
R = TypeVar("R")  # a result that waits
F = TypeVar("F")  # in its final form


class Folding(Generic[R, F]):
    """Folds the equal inputs of one call, and unfolds their results.

    Inputs that are sent are numbered from 0, in order. There may be many: nothing here is an object of its own for each.

    Args:
        finish: Returns a result in its final form: the same object, or a new one each time. Called for each place when it is
            returned, so that those that wait stay small.
    """

    def __init__(self, finish: Callable[[R], F]) -> None:
        self._finish = finish
        self._known: dict[Hashable, int] = {}  # the number of each input that was sent
        self._positions: deque[int] = deque()  # of the inputs that are sent
        self._places: deque[int] = deque()  # for each input without a returned result, the number of the one that was sent
        self._results: dict[int, R] = {}  # by number; also of inputs that may come again
        self._repeated: set[int] = set()  # numbers with another place than the first
        self._sent = self._arrived = self._returned = 0
        self._forgotten = 0  # inputs with lower numbers do not come again

    def distinct(self, inputs: Iterable[C], positions: Iterable[int] | None = None) -> Iterator[C]:
        """Yield the inputs to send: of equal ones, the first. Inputs that cannot be hashed equal no other.

        Args:
            inputs: Read as they are needed.
            positions: Their positions in the caller's list; None for 0, 1, 2, and so on.
        """
        for value, position in zip(inputs, count() if positions is None else positions, strict=False):
            hashable = type(value) is str or isinstance(value, Hashable)  # the second takes longer
            number = self._known.get(value) if hashable else None
            if number is not None:
                self._places.append(number)
                self._repeated.add(number)
                continue
            if hashable:
                self._known[value] = self._sent
            self._positions.append(position)
            self._places.append(self._sent)
            self._sent += 1
            yield value

    def positions(self) -> Iterator[int]:
        """Return an iterator over the position of each input that `distinct` has yielded. It must not be read any further."""
        return iter(self._positions.popleft, None)

    def forget(self) -> None:
        """Send later inputs even if they equal earlier ones, whose results need not be kept then."""
        self._known.clear()
        awaited = set(self._places)
        self._results = {number: result for number, result in self._results.items() if number in awaited}
        self._repeated &= awaited
        self._forgotten = self._sent

    def unfold(self, results: Iterable[R]) -> Iterator[F]:
        """Take the results of the next inputs that were sent, and yield those that can now be returned, in input order."""
        for result in results:
            self._results[self._arrived] = result
            self._arrived += 1
        return self.rest()

    def rest(self) -> Iterator[F]:
        """Yield the results of the last inputs, after those that were sent have arrived. Each place has its own copy."""
        while self._places and self._places[0] < self._arrived:
            number = self._places.popleft()
            kept = self._results.pop(number)
            result = self._finish(kept)
            shared: bool = result is kept
            repeated = number < self._returned or number in self._repeated
            self._returned = max(self._returned, number + 1)  # first places come in the order of their numbers
            if repeated or number >= self._forgotten:
                self._results[number] = copy(kept) if shared else kept
            yield result


def blocks(items: Iterable[C], size: int) -> Iterator[list[C]]:
    """Yield the items in lists of `size`. If the iterable raises an error, the items before it are yielded first."""
    remaining = iter(items)
    while True:
        block: list[C] = []
        try:
            block.extend(islice(remaining, size))
        except Exception:
            if block:
                yield block
            raise
        if not block:
            return
        yield block
