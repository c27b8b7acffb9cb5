"""The indices that a search reads as one: a document has the number of its index and its own. Must not know queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Mapped
from dataclasses import dataclass
from typing import TypeVar

from ..refusals import Json
from .index import Index, Passage, StoredDocument
from .mapping import Field

T = TypeVar("T")

SHIFT = 40  # bits for the number of a document in its index


@dataclass(frozen=True, slots=True)
class Indices:
    """The indices that a name, a list or a pattern stands for, maybe none.

    Attributes:
        name: What was requested.
        parts: The indices.
    """

    name: str
    parts: Sequence[Index]

    @property
    def names(self) -> list[str]:
        """The names of the indices."""
        return [part.name for part in self.parts]

    @property
    def fields(self) -> dict[str, Field]:
        """The fields of all; of two with one path, that of the first index."""
        return {path: field for part in reversed(self.parts) for path, field in part.mapping.fields.items()}

    @property
    def shards(self) -> Json:
        """The shards of a search."""
        return {"total": len(self.parts), "successful": len(self.parts), "skipped": 0, "failed": 0}

    def join(self, results: Iterable[Mapped[int, T]]) -> dict[int, T]:
        """Return the results of each index, by document, as those of all."""
        return {(number << SHIFT) + doc: value for number, found in enumerate(results) for doc, value in found.items()}

    def owner(self, doc: int) -> Index:
        """Return the index of a document."""
        return self.parts[doc >> SHIFT]

    def documents(self, docs: Sequence[int]) -> dict[int, StoredDocument]:
        """Return the documents with these numbers; each holds its number in its own index."""
        return self.join(
            part.documents([_local(doc) for doc in docs if doc >> SHIFT == number]) for number, part in enumerate(self.parts)
        )

    def passages(self, path: str, doc: int) -> list[Passage]:
        """Return the embedded passages of a field in a document, in order."""
        return self.owner(doc).passages(path, _local(doc))


def _local(doc: int) -> int:
    return doc & ((1 << SHIFT) - 1)
