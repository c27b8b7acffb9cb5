"""Ctrl-C: one line, and the end of the program within a second, whatever is computed or waited for in its threads."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

__all__ = ["INTERRUPTED", "ends_promptly"]

INTERRUPTED = 130  # 128 + SIGINT, the exit status in shells
GRACE = 0.7  # seconds to tidy up in: the demo deletes its index, a job keeps what was embedded


@contextmanager
def ends_promptly() -> Iterator[None]:
    """Raise KeyboardInterrupt at Ctrl-C, and end the process if the program has not ended after `GRACE`, or at a second Ctrl-C.

    For a whole program, in its main thread: the process also ends without waiting for its other threads. A thread of its own
    prints the line and counts the seconds, since Python calls a signal handler in the main thread only, and not before a call
    into a library has returned (reading weights, encoding a batch).
    """
    signals, wakeup = socket.socketpair()
    wakeup.setblocking(False)
    watch = threading.Thread(target=_end_after_interrupt, args=(signals,), name="ctrl-c", daemon=True)
    watch.start()
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    descriptor = signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        signal.signal(signal.SIGINT, handler)
        wakeup.close()
        watch.join()  # does not return if there was a Ctrl-C
        signals.close()


def _end_after_interrupt(signals: socket.socket) -> None:
    """End the process at a Ctrl-C; return when the other end of `signals` is closed without one."""
    received = signals.recv(1)
    while received and received[0] != signal.SIGINT:
        received = signals.recv(1)
    if not received:
        return
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""  # a progress bar may stand on this line
    print(f"{clear}jina-eis: interrupted.", file=sys.stderr, flush=True)
    signals.settimeout(GRACE)
    with suppress(TimeoutError):
        signals.recv(1)  # the program has ended, or a second Ctrl-C
    _end()


def _end() -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(INTERRUPTED)
