"""A cache of vectors in a LlamaIndex key-value store, with a collection for each deployment, endpoint, length and role.

LlamaIndex itself keeps the vectors of all models and roles in one collection, with the text as the only key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llama_index.core.storage.kvstore.types import BaseKVStore

from jina_eis.wire import Vector, read_singles, with_shortest_digits

__all__ = ["Cache"]

_KEY = "embedding"


@dataclass(frozen=True, slots=True)
class Cache:
    """One collection of the user's store.

    Args:
        store: The store.
        collection: A name that identifies the deployment, the model, the length and the role of the vectors.
    """

    store: BaseKVStore
    collection: str

    def get(self, texts: Sequence[str]) -> list[Vector | None]:
        """The vectors of the texts; None for texts without one."""
        return [_vector(self.store.get(text, collection=self.collection)) for text in texts]

    async def aget(self, texts: Sequence[str]) -> list[Vector | None]:
        """As `get`, without blocking the event loop."""
        return [_vector(await self.store.aget(text, collection=self.collection)) for text in texts]

    def put(self, vectors: Mapping[str, Vector]) -> None:
        """Store vectors."""
        for text, vector in vectors.items():
            self.store.put(text, _entry(vector), collection=self.collection)

    async def aput(self, vectors: Mapping[str, Vector]) -> None:
        """As `put`, without blocking the event loop."""
        for text, vector in vectors.items():
            await self.store.aput(text, _entry(vector), collection=self.collection)


def _entry(vector: Vector) -> dict[str, Vector]:
    return {_KEY: with_shortest_digits(vector)}


def _vector(entry: dict[str, Vector] | None) -> Vector | None:
    vector = entry.get(_KEY) if entry else None
    return read_singles(vector) if vector else None
