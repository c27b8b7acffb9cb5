"""A progress bar for embedding."""

from __future__ import annotations

from typing import TypeVar, cast

from ..errors import ConfigurationError

__all__ = ["with_progress"]

S = TypeVar("S")


def with_progress(embedded: S, total: int, enabled: bool) -> S:
    """Return the iterable or async iterable, wrapped in a tqdm bar if `enabled`.

    Raises:
        ConfigurationError: tqdm is not installed.
    """
    if not enabled:
        return embedded
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ConfigurationError("A progress bar needs tqdm. Install it: pip install tqdm.") from None
    return cast(S, tqdm(embedded, total=total, desc="Embedding", unit="input"))  # type: ignore[call-overload]
