"""A progress bar over what is on its way."""

from __future__ import annotations

from typing import TypeVar, cast

from ..errors import ConfigurationError

__all__ = ["with_progress"]

S = TypeVar("S")


def with_progress(embedded: S, total: int, shown: bool) -> S:
    """The same iterable or async iterable, with a tqdm bar that counts along if it is to be shown.

    Raises:
        ConfigurationError: tqdm is not installed.
    """
    if not shown:
        return embedded
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ConfigurationError("A progress bar needs tqdm. Install it with: pip install tqdm.") from None
    return cast(S, tqdm(embedded, total=total, desc="Embedding", unit="input"))  # type: ignore[call-overload]
