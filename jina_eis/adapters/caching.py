"""What the caches of both frameworks have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ..wire import Vector

__all__ = ["VectorCache"]


class VectorCache(Protocol):
    """Vectors of one deployment, endpoint, length and role, by text."""

    def get(self, texts: Sequence[str]) -> list[Vector | None]:
        """Return the vector of each text; None for a text without one."""

    async def aget(self, texts: Sequence[str]) -> list[Vector | None]:
        """As `get`, without blocking the event loop."""

    def put(self, vectors: Mapping[str, Vector]) -> None:
        """Store vectors."""

    async def aput(self, vectors: Mapping[str, Vector]) -> None:
        """As `put`, without blocking the event loop."""
