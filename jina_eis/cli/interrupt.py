"""Ctrl-C: one line, and the end of the program within a second, whatever is computed or waited for in its threads."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["INTERRUPTED", "ends_promptly"]

INTERRUPTED = 130  # 128 + SIGINT, the exit status in shells
GRACE = 0.7  # seconds to tidy up in: the demo deletes its index, a job keeps what was embedded


@contextmanager
def ends_promptly() -> Iterator[None]:
    """Raise KeyboardInterrupt at Ctrl-C, and end the process if the program has not ended after `GRACE`, or at a second Ctrl-C.

    For a whole program, in its main thread: the process also ends without waiting for its other threads.
    """
    interrupted = threading.Event()

    def interrupt(*_: Any) -> None:
        if interrupted.is_set():
            _end()
        interrupted.set()
        clear = "\r\x1b[K" if sys.stderr.isatty() else ""  # a progress bar may stand on this line
        print(f"{clear}jina-eis: interrupted.", file=sys.stderr, flush=True)
        timer = threading.Timer(GRACE, _end)
        timer.daemon = True
        timer.start()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if interrupted.is_set():
            _end()
        signal.signal(signal.SIGINT, before)


def _end() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(INTERRUPTED)
