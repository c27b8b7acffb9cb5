"""The standard analyser: lowercased words of any script. Knows only characters."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Word", "terms", "words"]

MAX_WORD_LENGTH = 255  # longer words are split, as in Elasticsearch
MID_LETTER, MID_NUMBER = "'.:·’‘․﹕：．＇", "'.,;’‘٫٬．，；＇"
# Emoji, and scripts without spaces: each character is a word.
SINGLE = "぀-ゟ㐀-䶿一-鿿豈-﫿\U0001f300-\U0001faff\U00020000-\U0003134f"

# Word boundaries of UAX 29: no break within letters and digits, nor at certain marks between two of them.
ASCII = re.compile(
    r"[A-Za-z0-9_]+(?:(?:(?<=[A-Za-z])['.:](?=[A-Za-z])|(?<=[0-9])['.,;](?=[0-9]))[A-Za-z0-9_]+)*",
)


@dataclass(frozen=True, slots=True)
class Word:
    """A search term and its position in the text."""

    term: str
    start: int
    end: int


def words(text: str) -> Iterator[Word]:
    """Yield the words of a text in order."""
    pattern = ASCII if text.isascii() else any_script_pattern()
    for match in pattern.finditer(text):
        word, start = match[0], match.start()
        if not word.strip("_"):
            continue
        for cut in range(0, len(word), MAX_WORD_LENGTH):
            piece = word[cut : cut + MAX_WORD_LENGTH]
            yield Word(piece.lower(), start + cut, start + cut + len(piece))


def terms(text: str) -> list[str]:
    """Return the search terms of a text."""
    return [word.term for word in words(text)]


@functools.cache
def any_script_pattern() -> re.Pattern[str]:
    # Python's \w excludes combining marks, which belong to words.
    points = (*range(0x300, 0x20000), *range(0xE0100, 0xE01F0))
    marks = "".join(chr(point) for point in points if unicodedata.category(chr(point))[0] == "M")
    letter, joined = rf"[^\W{SINGLE}]", rf"[^\W{SINGLE}]|[{marks}]"
    between = rf"(?<![\d_])[{MID_LETTER}](?=[^\W\d_{SINGLE}])|(?<=\d)[{MID_NUMBER}](?=\d)"
    return re.compile(rf"[{SINGLE}][{marks}]*|{letter}(?:{joined}|{between})*")
