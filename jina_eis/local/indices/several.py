"""Several indices that are searched as one: the lookups of an index, over the documents of all.

A document has the number of its index and its own; must not know queries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..refusals import Json
from .index import Index, Passage, StoredDocument
from .mapping import Mapping
from .values import Value
from .vectors import Matrix

SHIFT = 40  # bits for the number of a document in its index


class Indices:
    """The lookups of `Index`, for several."""

    def __init__(self, name: str, parts: Sequence[Index]) -> None:
        self.name = name
        self.parts = parts
        self.uuid = parts[0].uuid if parts else "_na_"
        self.settings: Json = parts[0].settings if parts else {}
        self.mapping = Mapping({}, {path: field for part in reversed(parts) for path, field in part.mapping.fields.items()})

    def owner(self, doc: int) -> Index:
        """Return the index of a document."""
        return self.parts[doc >> SHIFT]

    def documents(self, docs: Sequence[int]) -> dict[int, StoredDocument]:
        """As for an index; the numbers in the documents are those in their own index."""
        found: dict[int, StoredDocument] = {}
        for number, part in enumerate(self.parts):
            own = part.documents([_local(doc) for doc in docs if doc >> SHIFT == number])
            found |= {_global(number, doc): stored for doc, stored in own.items()}
        return found

    def _all(self, lookup: str, *arguments: Any) -> list[int]:
        return [_global(number, doc) for number, part in enumerate(self.parts) for doc in getattr(part, lookup)(*arguments)]

    def all_docs(self) -> list[int]:
        """As for an index."""
        return self._all("all_docs")

    def with_field(self, path: str) -> list[int]:
        """As for an index."""
        return self._all("with_field", path)

    def with_id(self, ids: Sequence[str]) -> list[int]:
        """As for an index."""
        return self._all("with_id", ids)

    def between(self, path: str, bounds: Sequence[tuple[str, Value]]) -> list[int]:
        """As for an index."""
        return self._all("between", path, bounds)

    def extremes(self, path: str, *, highest: bool) -> dict[int, Value]:
        """As for an index."""
        return {
            _global(number, doc): value
            for number, part in enumerate(self.parts)
            for doc, value in part.extremes(path, highest=highest).items()
        }

    def value_statistics(self, path: str) -> tuple[int, int]:
        """As for an index."""
        docs, values = zip(*(part.value_statistics(path) for part in self.parts), strict=True)
        return sum(docs), sum(values)

    def text_statistics(self, path: str) -> tuple[int, int]:
        """As for an index."""
        docs, words = zip(*(part.text_statistics(path) for part in self.parts), strict=True)
        return sum(docs), sum(words)

    def occurrences(self, path: str, term: str) -> list[tuple[int, int, int]]:
        """As for an index."""
        return [
            (_global(number, doc), times, length)
            for number, part in enumerate(self.parts)
            for doc, times, length in part.occurrences(path, term)
        ]

    def positions(self, path: str, term: str) -> list[tuple[int, int]]:
        """As for an index."""
        return [
            (_global(number, doc), offset) for number, part in enumerate(self.parts) for doc, offset in part.positions(path, term)
        ]

    def passages(self, path: str, doc: int) -> list[Passage]:
        """As for an index."""
        return self.owner(doc).passages(path, _local(doc))

    def matrix(self, path: str) -> Matrix:
        """As for an index."""
        matrices = [(number, matrix) for number, part in enumerate(self.parts) if len((matrix := part.matrix(path)).docs)]
        if not matrices:
            return self.parts[0].matrix(path)
        offsets = np.cumsum([0, *(len(matrix.rows) for _, matrix in matrices)])
        return Matrix(
            np.concatenate([matrix.rows for _, matrix in matrices]),
            np.concatenate([matrix.norms for _, matrix in matrices]),
            np.concatenate([matrix.docs + _global(number, 0) for number, matrix in matrices]),
            np.concatenate([matrix.starts + offset for (_, matrix), offset in zip(matrices, offsets, strict=False)]),
        )


def _global(number: int, doc: int) -> int:
    return (number << SHIFT) + doc


def _local(doc: int) -> int:
    return doc & ((1 << SHIFT) - 1)
