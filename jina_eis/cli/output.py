"""How commands print: the width of the terminal, colours, tables. A pipe is never wrapped, and has no colours."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

__all__ = ["log_level", "log_lines", "paint", "print_table", "width_of", "wrap"]

NARROWEST = 30  # columns; a narrower terminal is treated as if it had as many
_COLOURS = {"ok": "32", "warning": "33", "failed": "31", "skipped": "2", "bold": "1"}
_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def width_of(stream: TextIO | None = None) -> int | None:
    """Return the columns of the terminal; None for a pipe or a file."""
    stream = stream or sys.stdout
    return max(NARROWEST, shutil.get_terminal_size().columns) if stream.isatty() else None


def paint(text: str, colour: str) -> str:
    """Return a text in the colour of a status, or in bold, where the output is a terminal and NO_COLOR is not set."""
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if plain else f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def wrap(text: str, width: int | None, indent: str = "", first: str | None = None) -> str:
    """Return a text in lines of this width, between words; None for one line."""
    first = indent if first is None else first
    if width is None:
        return first + " ".join(text.split())
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table. If the terminal is narrower, each row is printed over several lines: its first cell, then the others."""
    width = width_of()
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    if width is None or sum(widths) + 2 * (len(widths) - 1) <= width:
        for number, row in enumerate((header, *rows)):
            line = "  ".join(map(str.ljust, row, widths)).rstrip()
            print(line if number else paint(line, "bold"))
        return
    for first, *others in rows:
        print(paint(first, "bold"))
        facts = [f"{name.lower()} {cell}" for name, cell in zip(header[1:], others, strict=True) if cell]
        print(wrap(", ".join(facts), width, "  "))


@contextmanager
def log_lines(verbosity: int) -> Iterator[None]:
    """Print the log lines of this library to standard error: warnings, with -v also choices, with -vv also each request."""
    logger, handler = logging.getLogger("jina_eis"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("jina-eis: %(message)s"))
    logger.addHandler(handler)
    try:
        with log_level("jina_eis", _LEVELS[min(verbosity, len(_LEVELS) - 1)]):
            yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def log_level(name: str, level: int) -> Iterator[None]:
    """Set the level of a logger."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.setLevel(before)
