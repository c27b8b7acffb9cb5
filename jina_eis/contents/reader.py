"""Reads parts of a file, a limited number of times: the tracks of a container, or the size of an image, cost a few reads.

The functions that walk through a file follow the lengths that it states. A file that is too short raises `CutOffError`, and one
that is not built as it should be `DamagedError`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO

__all__ = ["CutOffError", "DamagedError", "Reader"]

MOST_READS = 20_000  # in one file; more means that it is damaged, or made to be slow


class CutOffError(Exception):
    """The file ends before its tracks are described."""


class DamagedError(Exception):
    """The bytes do not have the structure of the container, so its tracks are unknown."""


@dataclass(slots=True)
class Reader:
    """Reads parts of a file, a limited number of times.

    Attributes:
        file: The file, which can seek.
        size: Its size in bytes.
        seconds: The duration, once a walk has found it.
        furthest: The end of what was read.
    """

    file: BinaryIO
    size: int
    seconds: float | None = None
    furthest: int = 0
    reads: int = field(default=0, repr=False)

    def at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes. Raises CutOffError if the file ends before, DamagedError after too many reads."""
        if offset + length > self.size:
            raise CutOffError
        self.reads += 1
        self.furthest = max(self.furthest, offset + length)
        if self.reads > MOST_READS:
            raise DamagedError
        self.file.seek(offset)
        data = self.file.read(length)
        if len(data) < length:  # the file was truncated since its size was read
            raise CutOffError
        return data
