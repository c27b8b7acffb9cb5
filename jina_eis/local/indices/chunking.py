"""Chunking: splits a long text into passages to embed, by sentences, by words, or not at all.

Knows the chunking settings and approximate sentence boundaries; must not know fields, endpoints or models.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..refusals import Json, invalid, not_implemented

__all__ = ["check_chunking", "split_passages"]

MIN_SIZE = {"sentence": 20, "word": 10}
KEYS = {
    "sentence": {"strategy", "max_chunk_size", "sentence_overlap"},
    "word": {"strategy", "max_chunk_size", "overlap"},
    "none": {"strategy"},
}
# A sentence ends with a punctuation mark and its closing quotes or brackets, or with an empty line.
SENTENCE = re.compile(r".+?(?:[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]+[」』”]*|\n\s*\n|\Z)\s*", re.DOTALL)
WORD = re.compile(r"\S+")

Span = tuple[int, int]


def check_chunking(settings: Json) -> None:
    """Refuse settings that Elasticsearch refuses, and unsupported strategies."""
    problems = []
    strategy = settings.get("strategy", "sentence")
    if strategy == "recursive":
        raise not_implemented("chunking_settings.strategy: recursive")
    if strategy not in KEYS:
        raise invalid(f"Invalid chunkingStrategy value [{strategy}]", kind="validation_exception")
    unknown = sorted(settings.keys() - KEYS[strategy])
    if unknown:
        problems.append(f"When chunking_settings.strategy is [{strategy}], settings {unknown} are not allowed")
    size, overlap = settings.get("max_chunk_size", 250), settings.get("overlap", settings.get("sentence_overlap", 0))
    if strategy != "none":
        if type(size) is not int or size < MIN_SIZE[strategy]:
            minimum = MIN_SIZE[strategy]
            problems.append(
                f"[chunking_settings] Invalid value [{size}]. [max_chunk_size] must be a greater than or equal to [{minimum}]"
            )
        maximum = 1 if strategy == "sentence" else size // 2 if type(size) is int else 0
        if type(overlap) is not int or not 0 <= overlap <= maximum:
            name = "sentence_overlap" if strategy == "sentence" else "overlap"
            problems.append(f"[chunking_settings] Invalid value [{overlap}]. [{name}] must be from 0 to {maximum}")
    if problems:
        raise invalid(*problems, kind="validation_exception")


def split_passages(text: str, settings: Json) -> list[str]:
    """Split a text into passages; a blank text has none, and is not embedded."""
    if not text.strip():
        return []
    strategy, size = settings.get("strategy", "sentence"), settings.get("max_chunk_size", 250)
    if strategy == "none":
        return [text]
    if strategy == "word":
        spans = by_words([match.span() for match in WORD.finditer(text)], size, settings.get("overlap", size // 2))
    else:
        spans = by_sentences(text, size, settings.get("sentence_overlap", 1))
    return [text[start:end] for start, end in spans]


def by_words(words: Sequence[Span], size: int, overlap: int) -> list[Span]:
    spans = []
    for first in range(0, len(words), size - overlap):
        last = min(first + size, len(words)) - 1
        spans.append((words[first][0], words[last][1]))
        if last == len(words) - 1:
            break
    return spans


def by_sentences(text: str, size: int, overlap: int) -> list[Span]:
    """Group whole sentences up to the maximum size; a single longer sentence is split by words."""
    spans: list[Span] = []
    current: list[tuple[Span, int]] = []  # sentences of the current passage, with their word counts
    has_new = False  # whether the current passage has more than the overlap

    def close() -> None:
        if current and has_new:
            spans.append((current[0][0][0], current[-1][0][1]))

    for match in SENTENCE.finditer(text):
        words = [(match.start() + start, match.start() + end) for start, end in map(re.Match.span, WORD.finditer(match[0]))]
        if not words:
            continue
        sentence, count = (words[0][0], words[-1][1]), len(words)
        if current and sum(number for _, number in current) + count > size:
            close()
            kept = current[-1:] if overlap and has_new and current[-1][1] + count <= size else []
            current, has_new = kept, False
        if count > size:
            spans += by_words(words, size, 0)
            continue
        current.append((sentence, count))
        has_new = True
    close()
    return spans
