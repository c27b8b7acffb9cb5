"""Vectors in a key-value store of LlamaIndex, apart from those that only look alike.

LlamaIndex itself keeps the vectors of all models and roles in one collection, under nothing but their text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from llama_index.core.storage.kvstore.types import BaseKVStore

from jina_eis.wire import Vector

__all__ = ["Cache"]

_KEY = "embedding"


@dataclass(frozen=True, slots=True)
class Cache:
    """One collection of the user's store. Without a store it knows nothing, and forgets what it is told.

    Args:
        store: The store.
        collection: A name that stands for the model, the length and the role of its vectors.
    """

    store: BaseKVStore | None
    collection: str

    def get(self, texts: Sequence[str]) -> list[Vector | None]:
        """The vectors of the texts, as far as they are known."""
        if self.store is None:
            return [None] * len(texts)
        return [_vector(self.store.get(text, collection=self.collection)) for text in texts]

    async def aget(self, texts: Sequence[str]) -> list[Vector | None]:
        """As `get`, without blocking the event loop."""
        if self.store is None:
            return [None] * len(texts)
        return [_vector(await self.store.aget(text, collection=self.collection)) for text in texts]

    def put(self, text: str, vector: Vector) -> None:
        """Keep a vector."""
        if self.store is not None:
            self.store.put(text, {_KEY: vector}, collection=self.collection)

    async def aput(self, text: str, vector: Vector) -> None:
        """As `put`, without blocking the event loop."""
        if self.store is not None:
            await self.store.aput(text, {_KEY: vector}, collection=self.collection)


def _vector(found: dict[str, Vector] | None) -> Vector | None:
    return found.get(_KEY) if found else None
