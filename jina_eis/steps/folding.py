"""Folding: equal inputs are sent once, and their result is returned in every place. Nothing here sends or waits."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from itertools import count, islice
from typing import Generic, TypeVar

__all__ = ["Folding", "blocks"]

C = TypeVar("C")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Sent(Generic[R]):
    """An input that is sent, and its result when that has arrived."""

    result: R | None = None
    arrived: bool = False
    returned: bool = False


class Folding(Generic[R]):
    """Folds the equal inputs of one call, and unfolds their results."""

    def __init__(self) -> None:
        self._known: dict[Hashable, _Sent[R]] = {}
        self._positions: deque[int] = deque()  # of the inputs that are sent
        self._awaited: deque[_Sent[R]] = deque()  # sent, without a result yet
        self._places: deque[_Sent[R]] = deque()  # one for each input without a returned result

    def distinct(self, inputs: Iterable[C], positions: Iterable[int] | None = None) -> Iterator[C]:
        """Yield the inputs to send: of equal ones, the first. Inputs that cannot be hashed equal no other.

        Args:
            inputs: Read as they are needed.
            positions: Their positions in the caller's list; None for 0, 1, 2, and so on.
        """
        for value, position in zip(inputs, count() if positions is None else positions, strict=False):
            hashable = type(value) is str or isinstance(value, Hashable)  # the second takes longer
            sent = self._known.get(value) if hashable else None
            if sent is None:
                sent = _Sent()
                if hashable:
                    self._known[value] = sent
                self._positions.append(position)
                self._awaited.append(sent)
                self._places.append(sent)
                yield value
            else:
                self._places.append(sent)

    def positions(self) -> Iterator[int]:
        """Return an iterator over the position of each input that `distinct` has yielded. It must not be read any further."""
        return iter(self._positions.popleft, None)

    def forget(self) -> None:
        """Send later inputs even if they equal earlier ones, whose results need not be kept then."""
        self._known.clear()

    def unfold(self, result: R) -> Iterator[R]:
        """Take the result of the next input that was sent, and yield the results that can now be returned, in input order."""
        sent = self._awaited.popleft()
        sent.result, sent.arrived = result, True
        return self.rest()

    def rest(self) -> Iterator[R]:
        """Yield the results of the last inputs, after those that were sent have arrived. Each place has its own copy."""
        while self._places and self._places[0].arrived:
            sent = self._places.popleft()
            yield copy(sent.result) if sent.returned else sent.result  # type: ignore[misc]
            sent.returned = True


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
