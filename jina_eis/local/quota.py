"""The quota of the embedded EIS: requests and tokens in a sliding window. Must not know HTTP."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable

from .refusals import gateway_refusal

__all__ = ["Limit", "Quota"]

Limit = tuple[float, float]
"""So many requests, or tokens, in any so many seconds."""


class Window:
    """What one limit has granted; raises ValueError for a limit that grants nothing, or has no window."""

    def __init__(self, limit: Limit, now: Callable[[], float]) -> None:
        self.limit, self.seconds = limit
        if self.limit < 1 or not 0 < self.seconds < math.inf:
            raise ValueError(f"The limit {limit} must be at least 1 request or token in some seconds, such as (600, 60).")
        self.now = now
        self.granted: deque[tuple[float, float]] = deque()  # times and amounts
        self.used = 0.0

    def wait(self, amount: float) -> float:
        """Return 0, or the seconds until the limit permits an amount; all of the window if it is more than the limit."""
        now = self.now()
        while self.granted and self.granted[0][0] <= now - self.seconds:
            self.used -= self.granted.popleft()[1]
        excess = self.used + amount - self.limit
        for time, one in self.granted if excess > 0 else ():
            if (excess := excess - one) <= 0:
                return time + self.seconds - now
        return self.seconds if excess > 0 else 0.0

    def take(self, amount: float) -> None:
        self.granted.append((self.now(), amount))
        self.used += amount


class Quota:
    """Grants what exceeds no limit. A refused request costs nothing.

    Args:
        limits: The limits of requests and of tokens; None for no limit.
        retry_after: Whether a refusal states when the request would be granted.
        clock: Monotonic seconds.
    """

    def __init__(self, *limits: Limit | None, retry_after: bool, clock: Callable[[], float]) -> None:
        def windows() -> list[Window | None]:
            return [limit and Window(limit, clock) for limit in limits]

        windows()  # checks the limits
        self._windows = defaultdict[tuple[str, str], list[Window | None]](windows)
        self._retry_after = retry_after

    def take(self, endpoint: str, role: str, *amounts: float) -> None:
        """Take the requests and tokens of a request from the quota of an endpoint and role. Raises RefusedError."""
        counted = [(window, amount) for window, amount in zip(self._windows[endpoint, role], amounts, strict=True) if window]
        if wait := max((window.wait(amount) for window, amount in counted), default=0.0):
            refused = gateway_refusal(endpoint, 429, "rate limit exceeded")
            if self._retry_after:
                refused.headers["retry-after"] = str(math.ceil(wait))
            raise refused
        for window, amount in counted:
            window.take(amount)
