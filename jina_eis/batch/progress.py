"""How far a job is: texts, rate, pauses and remaining time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Progress", "Tracker"]

WINDOW = 30.0  # seconds over which the rate is measured
INTERVAL = 1.0  # seconds between two reports
PAUSE = 2.0  # seconds without a result that are reported as a pause


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a job at one moment.

    Attributes:
        done: Rows that are done, including those of an earlier run.
        total: All rows; None if the job does not know them.
        failed: Rows whose text was not embedded.
        rate: Rows a second in the last 30 seconds; 0 before the first result.
        paused: Seconds without a result, if they are more than two, as during a pause after a rate limit; else 0.
    """

    done: int
    total: int | None
    failed: int
    rate: float
    paused: float

    @property
    def remaining(self) -> float | None:
        """Seconds until the end at this rate; None if it is not known."""
        return (self.total - self.done) / self.rate if self.rate and self.total is not None else None

    def __str__(self) -> str:
        total = f" of {self.total:,}" if self.total is not None else ""
        parts = [f"{self.done:,}{total} rows", f"{self.rate:,.0f}/s"]
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.paused:
            parts.append(f"paused for {format_seconds(self.paused)}")
        if self.remaining is not None:
            parts.append(f"{format_seconds(self.remaining)} left")
        return ", ".join(parts)


class Tracker:
    """Measures the rate of a job, and reports it about once a second.

    Args:
        report: Receives the progress; None to report nothing.
        total: All rows; None if they are not known.
        done: Rows that were done before.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        report: Callable[[Progress], None] | None,
        total: int | None,
        done: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report, self._total, self._clock = report, total, clock
        self.done, self.failed = done, 0
        now = clock()
        self._last_result = self._last_report = now
        self._marks: deque[tuple[float, int]] = deque([(now, done)])

    def add(self, rows: int = 1, *, failed: int = 0) -> None:
        """Count rows that are done, and those of them that failed."""
        now = self._clock()
        paused = now - self._last_result
        self.done += rows
        self.failed += failed
        self._last_result = now
        if now - self._last_report >= INTERVAL:
            self._last_report = now
            self._marks.append((now, self.done))
            while len(self._marks) > 2 and now - self._marks[0][0] > WINDOW:
                self._marks.popleft()
            self._send(paused)

    def finish(self) -> None:
        """Report the end."""
        self._marks.append((self._clock(), self.done))
        self._send(0.0)

    def _send(self, paused: float) -> None:
        if self._report is None:
            return
        (start, before), (end, after) = self._marks[0], self._marks[-1]
        rate = (after - before) / (end - start) if end > start else 0.0
        self._report(Progress(self.done, self._total, self.failed, rate, paused if paused >= PAUSE else 0.0))


def format_seconds(seconds: float) -> str:
    """Return a duration for people: `45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
