"""A progress bar that counts the inputs of requests as these finish, and shows what they wait for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import ConfigurationError
from ..transport import Attempt, Pause
from ..wire import Watch

__all__ = ["progress_bar"]


@contextmanager
def progress_bar(total: int, enabled: bool, description: str = "Embedding", unit: str = "input") -> Iterator[Watch | None]:
    """Show a tqdm bar in this context. Yields the watch of the requests that it counts; None if there is no bar.

    The bar shows the rate, and the cause and length of a pause. Outside of terminals and notebooks there is none, so a log file
    holds no parts of bars.

    Args:
        total: Number of inputs.
        enabled: Whether a bar is wanted.
        description: What is done.
        unit: What an input is called.

    Raises:
        ConfigurationError: tqdm is not installed.
    """
    if not enabled:
        yield None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        raise ConfigurationError("A progress bar needs tqdm. Install it: pip install tqdm.") from None
    if not _is_seen(tqdm):
        yield None
        return
    bar = _Bar(tqdm(total=total, desc=description, unit=unit))
    try:
        yield bar
    except BaseException:
        bar.stop()
        raise
    bar.complete()


def _is_seen(tqdm: type) -> bool:
    """Whether a person may see the bar: in a terminal, or in a notebook, for which tqdm has a class of its own."""
    return sys.stderr.isatty() or any(base.__module__ == "tqdm.notebook" for base in tqdm.__mro__)


class _Bar:
    """Counts the inputs of answered requests. An input that was sent with another, equal one is counted at the end."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._lock = threading.RLock()

    def enter(self) -> None:
        """Nothing is needed before a request."""

    def leave(self, entered: None) -> None:
        """Nothing is needed after a request."""

    def finished(self, attempt: Attempt) -> None:
        """Count the inputs of an answered request."""
        call = attempt.call
        if attempt.error is None:
            with self._lock:
                self._bar.set_postfix_str("", refresh=False)
                self._advance(call.new_inputs if call.inputs is None else len(call.inputs))

    def paused(self, pause: Pause) -> None:
        """Show a pause."""
        with self._lock:
            self._bar.set_postfix_str(pause.text)

    def complete(self) -> None:
        """Count what is left, and end the bar."""
        self._bar.set_postfix_str("", refresh=False)
        self._advance(self._bar.total)
        self._bar.close()

    def stop(self) -> None:
        """End the bar where it is."""
        self._bar.close()

    def _advance(self, inputs: int) -> None:
        self._bar.update(min(inputs, self._bar.total - self._bar.n))
