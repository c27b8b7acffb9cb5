"""Programs on a pseudo-terminal: what they print at a width, and what Ctrl-C does."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from typing import Any

__all__ = ["Terminal"]

CTRL_C = b"\x03"
LONGEST = 120.0  # seconds to wait for output or the end


class Terminal:
    """A `jina-eis` command on a pseudo-terminal.

    Args:
        arguments: Its arguments.
        columns: Width of the terminal.
        environment: Variables, in addition to those of this process; None removes one.
    """

    def __init__(self, *arguments: str, columns: int = 80, **environment: str | None) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        variables: dict[str, Any] = {
            **os.environ,
            "TERM": "xterm",
            "COLUMNS": None,
            "LINES": None,
            "NO_COLOR": None,
            **environment,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jina_eis", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={name: value for name, value in variables.items() if value is not None},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self.output = ""
        self._awaited = 0  # characters of the output up to the last text that was waited for

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)

    def wait_for(self, text: str) -> None:
        """Read until a text was printed, after the one that was waited for before."""
        end = time.monotonic() + LONGEST
        while text not in self.output[self._awaited :]:
            assert self._read(end), f"{text!r} was not printed: {self.output}"
        self._awaited = self.output.index(text, self._awaited) + len(text)

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self._master, text.encode())

    def press_ctrl_c(self) -> None:
        """Type Ctrl-C."""
        os.write(self._master, CTRL_C)

    def end(self) -> int:
        """Read the rest of the output, and return the exit status."""
        end = time.monotonic() + LONGEST
        while self._read(end):
            pass
        return self.process.wait(timeout=LONGEST)

    @property
    def lines(self) -> list[str]:
        """The lines of the output."""
        return self.output.replace("\r\n", "\n").rstrip("\n").split("\n")

    def _read(self, end: float) -> bool:
        """Read what there is; return False at the end of the output or of the time."""
        while not select.select([self._master], [], [], 0.2)[0]:
            if time.monotonic() > end:
                return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux's end of a pseudo-terminal
            return False
        self.output += data.decode()
        return bool(data)
