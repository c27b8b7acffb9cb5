"""Several watches of one operation, such as its span and its progress bar."""

from __future__ import annotations

from typing import Any

from ..transport import Attempt, Pause
from ..wire import Watch

__all__ = ["Watches"]


class Watches:
    """Several watches as one."""

    def __init__(self, *watches: Watch) -> None:
        self._watches = watches

    @classmethod
    def of(cls, *watches: Watch | None) -> Watch | None:
        """Return a watch of all that are not None; None for none."""
        present = [watch for watch in watches if watch is not None]
        return cls(*present) if len(present) > 1 else next(iter(present), None)

    def enter(self) -> object:
        """Enter all."""
        return [watch.enter() for watch in self._watches]

    def leave(self, entered: Any) -> None:
        """Leave all, the last first."""
        for watch, own in zip(reversed(self._watches), reversed(entered), strict=True):
            watch.leave(own)

    def finished(self, attempt: Attempt) -> None:
        """Pass a request to all."""
        for watch in self._watches:
            watch.finished(attempt)

    def paused(self, pause: Pause) -> None:
        """Pass a pause to all."""
        for watch in self._watches:
            watch.paused(pause)
