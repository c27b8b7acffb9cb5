"""The calls that embed texts and media: equal inputs are sent once, and texts that are too long are reported before them.

It knows no settings and no driver. What the calls return is mapped to the inputs by the same `Folding`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice
from typing import TypeVar

from ..contents import Content
from ..steps import AnyEmbedded, Embedded, Embedder, Folding, LengthCheck, blocks
from ..wire import AnyVector, Call, Counted, EndpointInfo, InputType, Vector

__all__ = ["Calls", "content_calls", "text_calls"]

E = TypeVar("E")
Calls = Callable[[EndpointInfo], Iterable[Call[list[E]]]]


def text_calls(
    embedder: Embedder,
    folding: Folding[AnyVector, Vector],
    texts: Iterable[str],
    role: InputType,
    positions: Sequence[int] | None,
    whole: bool,
    lengths_of_texts: LengthCheck,
) -> Calls[AnyVector]:
    """Return the calls for texts: of a list, each text once; of a stream, each text of a batch once.

    Texts that are too long are reported before the first call; of a stream, before the call of their batch.
    """
    lengths: set[int] = set()

    def calls(endpoint: EndpointInfo, texts: Iterable[str], positions: Iterable[int]) -> Iterator[Call[list[AnyVector]]]:
        distinct = folding.distinct(texts, positions)
        return embedder.calls(endpoint, distinct, role, folding.positions(), whole=whole, lengths=lengths)

    def stream(endpoint: EndpointInfo) -> Iterator[Call[list[AnyVector]]]:
        place, first = count(), 0
        for batch in blocks(texts, embedder.batch_size):
            lengths_of_texts.check(endpoint, batch, _names_of_inputs(range(first, first + len(batch))))
            first += len(batch)
            yield from calls(endpoint, batch, place)
            folding.forget()

    def whole_list(endpoint: EndpointInfo) -> Iterator[Call[list[AnyVector]]]:
        listed, places = list(texts), list(positions or ())
        lengths_of_texts.check(endpoint, listed, _names_of_inputs(places))
        return Counted(calls(endpoint, listed, places), math.ceil(len(listed) / embedder.batch_size))

    return stream if positions is None else whole_list


def content_calls(
    embedder: Embedder,
    folding: Folding[AnyEmbedded, Embedded],
    contents: Sequence[Content],
    role: InputType,
    positions: Sequence[int] | None,
    lengths_of_texts: LengthCheck,
) -> Calls[AnyEmbedded]:
    """Return the calls for texts and media, each once. Texts that are too long are reported before the first call."""
    distinct = [*folding.distinct(contents, positions)]
    folding.forget()  # no more come, so only the results of repeated inputs are kept
    places = [*islice(folding.positions(), len(distinct))]

    def calls(endpoint: EndpointInfo) -> Iterator[Call[list[AnyEmbedded]]]:
        lengths_of_texts.check(endpoint, distinct, _names_of_inputs(places))
        return embedder.content_calls(endpoint, distinct, role, places, whole=positions is None)

    return calls


def _names_of_inputs(positions: Sequence[int]) -> Callable[[int], str]:
    return lambda index: f"Input {positions[index]}"
