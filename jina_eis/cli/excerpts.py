"""The line of a passage around what a question asks for."""

from __future__ import annotations

import re

__all__ = ["excerpt"]

_WORD = re.compile(r"\w+")
_STEM = 5  # characters: "glacier" and "glaciers", "deleting" and "deletion" have the same ones
_COMMON = re.compile(
    r"about|and|are|can|come|could|does|did|for|from|had|has|have|her|his|how|into|its|may|more|must|not|off|one|our|out|over|she|"
    r"should|than|that|the|their|them|then|there|these|they|this|those|too|was|were|what|when|where|whether|which|who|whom|whose|"
    r"why|will|with|would|you|your"
)


def excerpt(passage: str, question: str, size: int) -> str:
    """Return a part of a passage in one line, of about `size` characters: where most words of the question are.

    The start of the passage, after its heading, if no word occurs. "…" stands for what is left out.
    """
    heading, _, body = passage.partition("\n")
    text = " ".join((body if body and len(heading) < 60 else passage).split())
    if len(text) <= size:
        return text
    asked = _stems(question)
    words = [(match.start(), match.end(), _stem(match[0].lower())) for match in _WORD.finditer(text)]
    starts = [start for start, _, stem in words if stem in asked] or [0]
    best = max(
        starts, key=lambda start: len({stem for begin, end, stem in words if begin >= start and end <= start + size} & asked)
    )
    return _cut(text, best, size)


def _stems(text: str) -> set[str]:
    """The beginnings of the words that carry meaning."""
    return {_stem(word) for word in _WORD.findall(text.lower()) if len(word) > 2 and not _COMMON.fullmatch(word)}


def _stem(word: str) -> str:
    return word.rstrip("s")[:_STEM]


def _cut(text: str, match: int, size: int) -> str:
    """Return about `size` characters with the match: from the start of its sentence if that is near, between whole words."""
    sentence = max(text.rfind(end, 0, match) for end in (". ", "? ", "! ", "; ", ": ")) + 2 if match else 0
    sentence = 0 if sentence == 1 else sentence
    start = sentence if match - sentence < size // 2 else text.rfind(" ", 0, match - size // 4) + 1
    start = min(start, text.find(" ", max(0, len(text) - size - 1)) + 1)  # not shorter than it may be at the end
    end = len(text) if len(text) - start <= size else max(text.rfind(" ", start, start + size), start + 1)
    return f"{'… ' if start else ''}{text[start:end]}{' …' if end < len(text) else ''}"
