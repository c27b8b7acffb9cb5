"""The standard analyser: words of any script, lowercased. Knows characters alone."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Word", "terms", "words"]

LONGEST = 255  # longer words are cut in pieces, as Elasticsearch cuts them
MID_LETTER, MID_NUMBER = "'.:·’‘․﹕：．＇", "'.,;’‘٫٬．，；＇"
# Scripts without spaces: each of their characters is a word. Emoji as well.
SINGLE = "぀-ゟ㐀-䶿一-鿿豈-﫿\U0001f300-\U0001faff\U00020000-\U0003134f"

# Unicode's rules of words (UAX 29): letters and digits hold together, and some marks between two of them do.
ASCII = re.compile(
    r"[A-Za-z0-9_]+(?:(?:(?<=[A-Za-z])['.:](?=[A-Za-z])|(?<=[0-9])['.,;](?=[0-9]))[A-Za-z0-9_]+)*",
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is searched for, and where it stands."""

    term: str
    start: int
    end: int


def words(text: str) -> Iterator[Word]:
    """The words of a text, in their order."""
    pattern = ASCII if text.isascii() else any_script()
    for match in pattern.finditer(text):
        found, start = match[0], match.start()
        if not found.strip("_"):
            continue
        for cut in range(0, len(found), LONGEST):
            piece = found[cut : cut + LONGEST]
            yield Word(piece.lower(), start + cut, start + cut + len(piece))


def terms(text: str) -> list[str]:
    """The words of a text as they are searched for."""
    return [word.term for word in words(text)]


@functools.cache
def any_script() -> re.Pattern[str]:
    # Python's \w has no combining marks, which are parts of words.
    points = (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0))
    marks = "".join(chr(point) for point in points if unicodedata.category(chr(point))[0] == "M")
    letter, joined = rf"[^\W{SINGLE}]", rf"[^\W{SINGLE}]|[{marks}]"
    between = rf"(?<![\d_])[{MID_LETTER}](?=[^\W\d_{SINGLE}])|(?<=\d)[{MID_NUMBER}](?=\d)"
    return re.compile(rf"[{SINGLE}][{marks}]*|{letter}(?:{joined}|{between})*")
