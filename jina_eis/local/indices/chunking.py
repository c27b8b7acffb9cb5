"""Chunking: splits a long text into passages to embed, by sentences or not at all.

Knows the chunking settings and approximate sentence boundaries; must not know fields, endpoints or models.
"""

from __future__ import annotations

import re

from ..refusals import Json, invalid, not_implemented
from .parameters import CHUNKING, MIN_SIZE

# A sentence ends with a punctuation mark and its closing quotes or brackets, or with an empty line.
SENTENCE = re.compile(r".+?(?:[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]+[」』”]*|\n\s*\n|\Z)\s*", re.DOTALL)
WORD = re.compile(r"\S+")

Span = tuple[int, int]


def check_chunking(settings: Json) -> None:
    """Refuse settings that Elasticsearch refuses, and unsupported strategies."""
    strategy = settings.get("strategy", "sentence")
    if strategy not in list(CHUNKING):
        raise not_implemented(f"chunking_settings.strategy: {strategy}")
    size, overlap = settings.get("max_chunk_size", MIN_SIZE), settings.get("sentence_overlap", 0)
    whole = type(size) is type(overlap) is int
    if settings.keys() - CHUNKING[strategy] or not whole or size < MIN_SIZE or overlap not in (0, 1):
        rules = f"[max_chunk_size] must be greater than or equal to [{MIN_SIZE}], [sentence_overlap] must be from 0 to 1"
        problem = f"[chunking_settings] of strategy [{strategy}] are {sorted(CHUNKING[strategy])}; {rules}; got {settings}"
        raise invalid(problem, kind="validation_exception")


def split_passages(text: str, settings: Json) -> list[str]:
    """Split a text into passages; a blank text has none, and is not embedded."""
    if not text.strip():
        return []
    if settings.get("strategy") == "none":
        return [text]
    spans = by_sentences(text, settings.get("max_chunk_size", 250), settings.get("sentence_overlap", 1))
    return [text[start:end] for start, end in spans]


def by_sentences(text: str, size: int, overlap: int) -> list[Span]:
    """Group whole sentences up to the maximum size; a single longer sentence is split by words."""
    groups: list[list[list[Span]]] = []  # the words of each sentence of each passage
    is_open = False  # whether the last passage can take further sentences
    for match in SENTENCE.finditer(text):
        words = [(match.start() + start, match.start() + end) for start, end in map(re.Match.span, WORD.finditer(match[0]))]
        if len(words) > size:
            groups += [[words[first : first + size]] for first in range(0, len(words), size)]
            is_open = False
        elif is_open and words and sum(map(len, groups[-1])) + len(words) <= size:
            groups[-1].append(words)
        elif words:
            last = groups[-1][-1:] if is_open and overlap else []
            groups.append([*(last if sum(map(len, last)) + len(words) <= size else []), words])
            is_open = True
    return [(group[0][0][0], group[-1][-1][1]) for group in groups]
