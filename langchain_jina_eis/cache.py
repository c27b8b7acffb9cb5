"""A cache of vectors in LangChain's stores of bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from langchain_core.stores import BaseStore

from jina_eis.wire import Vector, read_singles, with_shortest_digits

__all__ = ["ByteCache"]


@dataclass(frozen=True, slots=True)
class ByteCache:
    """The vectors of one name in a store. A key is the name and a digest of the text; a value is the vector as JSON.

    Args:
        store: The store.
        namespace: A name that identifies the deployment, the model, the length and the role of the vectors.
    """

    store: BaseStore[str, bytes]
    namespace: str

    def get(self, texts: Sequence[str]) -> list[Vector | None]:
        """Return the vector of each text; None for a text without one, or with one that cannot be read."""
        return [_vector(value) for value in self.store.mget([*map(self._key, texts)])]

    async def aget(self, texts: Sequence[str]) -> list[Vector | None]:
        """As `get`, without blocking the event loop."""
        return [_vector(value) for value in await self.store.amget([*map(self._key, texts)])]

    def put(self, vectors: Mapping[str, Vector]) -> None:
        """Store vectors."""
        self.store.mset([(self._key(text), _json(vector)) for text, vector in vectors.items()])

    async def aput(self, vectors: Mapping[str, Vector]) -> None:
        """As `put`, without blocking the event loop."""
        await self.store.amset([(self._key(text), _json(vector)) for text, vector in vectors.items()])

    def _key(self, text: str) -> str:
        return f"{self.namespace}-{blake2b(text.encode(errors='surrogatepass'), digest_size=20).hexdigest()}"


def _json(vector: Vector) -> bytes:
    return json.dumps(with_shortest_digits(vector)).encode()


def _vector(value: bytes | None) -> Vector | None:
    try:
        vector = json.loads(value or b"")
    except ValueError:
        return None
    valid = isinstance(vector, list) and vector and all(isinstance(number, float) and math.isfinite(number) for number in vector)
    return read_singles(vector) if valid else None
