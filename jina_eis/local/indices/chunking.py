"""How a long text becomes the passages that are embedded: by sentences, by words, or not at all.

Knows the settings of chunking and where sentences end, roughly; must not know fields, endpoints or models.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..refusals import Json, invalid, not_done

__all__ = ["check_chunking", "chunks"]

LEAST = {"sentence": 20, "word": 10}
KEYS = {
    "sentence": {"strategy", "max_chunk_size", "sentence_overlap"},
    "word": {"strategy", "max_chunk_size", "overlap"},
    "none": {"strategy"},
}
# A sentence ends with its mark and what closes it, or with an empty line.
SENTENCE = re.compile(r".+?(?:[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]+[」』”]*|\n\s*\n|\Z)\s*", re.DOTALL)
WORD = re.compile(r"\S+")

Span = tuple[int, int]


def check_chunking(settings: Json) -> None:
    """Refuse settings that Elasticsearch refuses, and strategies that are not done here."""
    problems = []
    strategy = settings.get("strategy", "sentence")
    if strategy == "recursive":
        raise not_done("chunking_settings.strategy: recursive")
    if strategy not in KEYS:
        raise invalid(f"Invalid chunkingStrategy value [{strategy}]", kind="validation_exception")
    unknown = sorted(settings.keys() - KEYS[strategy])
    if unknown:
        problems.append(f"When chunking_settings.strategy is [{strategy}], settings {unknown} are not allowed")
    size, overlap = settings.get("max_chunk_size", 250), settings.get("overlap", settings.get("sentence_overlap", 0))
    if strategy != "none":
        if type(size) is not int or size < LEAST[strategy]:
            least = LEAST[strategy]
            problems.append(
                f"[chunking_settings] Invalid value [{size}]. [max_chunk_size] must be a greater than or equal to [{least}]"
            )
        most = 1 if strategy == "sentence" else size // 2 if type(size) is int else 0
        if type(overlap) is not int or not 0 <= overlap <= most:
            name = "sentence_overlap" if strategy == "sentence" else "overlap"
            problems.append(f"[chunking_settings] Invalid value [{overlap}]. [{name}] must be from 0 to {most}")
    if problems:
        raise invalid(*problems, kind="validation_exception")


def chunks(text: str, settings: Json) -> list[str]:
    """The passages of a text; none of a text without words, which is not embedded either."""
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


def by_words(found: Sequence[Span], size: int, overlap: int) -> list[Span]:
    spans = []
    for first in range(0, len(found), size - overlap):
        last = min(first + size, len(found)) - 1
        spans.append((found[first][0], found[last][1]))
        if last == len(found) - 1:
            break
    return spans


def by_sentences(text: str, size: int, overlap: int) -> list[Span]:
    """As many whole sentences as fit; one that is too long by itself is cut by words."""
    spans: list[Span] = []
    held: list[tuple[Span, int]] = []  # sentences of the passage at hand, with their numbers of words
    fresh = False  # whether it holds more than what overlaps

    def close() -> None:
        if held and fresh:
            spans.append((held[0][0][0], held[-1][0][1]))

    for match in SENTENCE.finditer(text):
        inner = [(match.start() + start, match.start() + end) for start, end in map(re.Match.span, WORD.finditer(match[0]))]
        if not inner:
            continue
        sentence, count = (inner[0][0], inner[-1][1]), len(inner)
        if held and sum(words for _, words in held) + count > size:
            close()
            kept = held[-1:] if overlap and fresh and held[-1][1] + count <= size else []
            held, fresh = kept, False
        if count > size:
            spans += by_words(inner, size, 0)
            continue
        held.append((sentence, count))
        fresh = True
    close()
    return spans
