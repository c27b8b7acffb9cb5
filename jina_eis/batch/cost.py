"""What a job costs, before it runs: texts, tokens, requests, and the time at given limits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ConfigurationError
from .progress import format_seconds
from .service import BATCH_SIZE
from .sources import Scan

__all__ = ["Estimate", "RequestSpacing", "estimate"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """The size of a job.

    Attributes:
        rows: Rows of the input.
        texts: Rows with a text.
        tokens: Estimated tokens of the texts, rather too many than too few.
        requests: Requests that they need.
        seconds: The least time at the given limits; None without limits.
    """

    rows: int
    texts: int
    tokens: int
    requests: int
    seconds: float | None

    def __str__(self) -> str:
        size = f"{self.rows:,} rows, {self.texts:,} texts, about {self.tokens:,} tokens, {self.requests:,} requests"
        limits = "no limits given: pass --rpm and --tpm to estimate the time"
        return f"{size}; {limits if self.seconds is None else f'at least {format_seconds(self.seconds)} at these limits'}"


def estimate(scan: Scan, rpm: float | None = None, tpm: float | None = None, batch_size: int = BATCH_SIZE) -> Estimate:
    """Return the size of a job.

    Args:
        scan: What `Source.scan(count_tokens=True)` has found.
        rpm: Requests a minute that the job may send; None for no limit.
        tpm: Tokens a minute that the job may send; None for no limit.
        batch_size: Texts in a request.
    """
    requests, tokens = math.ceil(scan.texts / batch_size), scan.tokens or 0
    minutes = [amount / limit for amount, limit in ((requests, rpm), (tokens, tpm)) if limit]
    return Estimate(scan.rows, scan.texts, tokens, requests, 60 * max(minutes) if minutes else None)


class RequestSpacing:
    """A rate limiter that spreads requests evenly.

    Args:
        per_minute: Maximum number of requests in a minute.
        clock: Seconds.
        sleep: Waits for seconds.
    """

    def __init__(
        self, per_minute: float, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        if not per_minute > 0:
            raise ConfigurationError(f"per_minute={per_minute!r}: pass a number above 0.")
        self._interval, self._clock, self._sleep = 60 / per_minute, clock, sleep
        self._next = 0.0

    @classmethod
    def of(cls, size: Estimate, rpm: float | None, tpm: float | None) -> RequestSpacing | None:
        """Return a limiter for both limits, with the average tokens of a request; None without limits."""
        limits = [rpm, tpm / max(1.0, size.tokens / max(1, size.requests)) if tpm else None]
        return cls(min(filter(None, limits))) if any(limits) else None

    def acquire(self) -> None:
        """Block until a request may be sent. One thread of a driver calls it at a time."""
        now = self._clock()
        begin, self._next = max(now, self._next), max(now, self._next) + self._interval
        if begin > now:
            self._sleep(begin - now)
