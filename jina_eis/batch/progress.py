"""How far a job is: texts, rate, pauses and remaining time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import Self

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
        rate: Rows a second in the last 30 seconds, in the last report those of the whole run; 0 as long as it is not known.
        paused: Seconds without a result, if they are more than two, as during a pause after a rate limit; else 0.
    """

    done: int
    total: int | None
    failed: int
    rate: float
    paused: float

    @property
    def remaining(self) -> float | None:
        """Seconds until the end at this rate; None if they are not known."""
        return (self.total - self.done) / self.rate if self.rate and self.total is not None else None

    def __str__(self) -> str:
        total = f" of {self.total:,}" if self.total is not None else ""
        parts = [f"{self.done:,}{total} rows"]
        if self.rate:
            parts.append(f"{self.rate:,.{0 if self.rate >= 10 else 1}f}/s")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if self.paused:
            parts.append(f"paused for {format_seconds(self.paused)}")
        if self.remaining:
            parts.append(f"{format_seconds(self.remaining)} left")
        return ", ".join(parts)


class Tracker:
    """Counts the rows of a job, and reports the progress once a second while its context lasts, and at its end.

    The reports come from a thread of their own, so that a pause is reported while it lasts.

    Args:
        report: Receives the progress, and must not raise; None to report nothing.
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
        self._before, self.done, self.failed = done, done, 0
        self._start = self._last_result = clock()
        self._marks: deque[tuple[float, int]] = deque()
        self._ended = Event()
        self._thread = Thread(target=self._report_regularly, name="jina-eis progress", daemon=True)

    def __enter__(self) -> Self:
        if self._report:
            self._thread.start()
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._ended.set()
        if self._report:
            self._thread.join()
            if failure is None:
                seconds = self._clock() - self._start
                rate = (self.done - self._before) / seconds if seconds else 0.0
                self._report(Progress(self.done, self._total, self.failed, rate, 0.0))

    def add(self, rows: int = 1, *, failed: int = 0) -> None:
        """Count rows that are done, and those of them that failed."""
        self.done += rows
        self.failed += failed
        self._last_result = self._clock()

    def progress(self) -> Progress:
        """Return the progress. The rate counts from the first call after a result, and for 30 seconds at most."""
        now, done = self._clock(), self.done
        if done > self._before:
            self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[0][0] > WINDOW:
            self._marks.popleft()
        (start, first), (end, last) = (self._marks[0], self._marks[-1]) if self._marks else ((now, done), (now, done))
        rate = (last - first) / (end - start) if end > start else 0.0
        paused = now - self._last_result
        return Progress(done, self._total, self.failed, rate, paused if paused >= PAUSE else 0.0)

    def _report_regularly(self) -> None:
        while not self._ended.wait(INTERVAL):
            if self._report:
                self._report(self.progress())


def format_seconds(seconds: float) -> str:
    """Return a duration for people: `45 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
