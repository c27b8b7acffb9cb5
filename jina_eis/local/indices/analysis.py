"""The standard analyser: the lowercased words of a text in any script, as Lucene parts them. Knows only characters."""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import accumulate

from .wordbreak import MAX_WORD_LENGTH, RANGES, WORDS


class CharacterClasses(dict[int, str]):
    """The class of a character by its code point; each is looked up once."""

    def __init__(self) -> None:
        super().__init__()
        spans = ((span.partition("-"), name) for name, text in RANGES.items() for span in text.split())
        ranges = sorted((int(start, 16), int(end or start, 16), name) for (start, _, end), name in spans)
        self._ranges = [(0, -1, " "), *ranges]
        self._starts = [start for start, _, _ in self._ranges]

    def __missing__(self, point: int) -> str:
        _, end, name = self._ranges[bisect_right(self._starts, point) - 1]
        self[point] = name if point <= end else " "
        return self[point]


CLASSES, WORD = CharacterClasses(), re.compile(WORDS)


def terms(text: str) -> list[str]:
    """Return the search terms of a text, in order."""
    # Lucene lowers each character by itself; `str.lower` makes two of the first, and looks at the neighbours of the second.
    lowered = text.replace("\u0130", "i").replace("\u03a3", "\u03c3").lower()
    classes, found, position = text.translate(CLASSES), [], 0
    while (match := WORD.search(classes, position)) is not None:
        start, position = match.span()
        if position - start > MAX_WORD_LENGTH // 2:
            units = accumulate(2 if character > "\uffff" else 1 for character in text[start:position])
            limit = start + bisect_right(list(units), MAX_WORD_LENGTH)
            shorter = WORD.match(classes, start, limit)
            position = limit if shorter is None else shorter.end()
        found.append(lowered[start:position])
    return found
