"""A progress bar over vectors on their way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import TypeVar, cast

from .errors import ConfigurationError
from .wire import Vector

__all__ = ["with_progress"]

Vectors = TypeVar("Vectors", Iterable[Vector], AsyncIterator[Vector])


def with_progress(vectors: Vectors, total: int, shown: bool) -> Vectors:
    """The same vectors, with a tqdm bar that counts them if it is to be shown.

    Raises:
        ConfigurationError: tqdm is not installed.
    """
    if not shown:
        return vectors
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ConfigurationError("A progress bar needs tqdm. Install it with: pip install tqdm.") from None
    return cast(Vectors, tqdm(vectors, total=total, desc="Embedding", unit="text"))
