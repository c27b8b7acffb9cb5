"""The window of a quota: over which time the service counts, and how many calls of this process it grants in that time.

Both are learnt from refusals, with and without Retry-After, and without knowledge of other clients. A service that counts over
time refuses every call until the first ones have left its window. So the window is as long as the time from the first call that
was granted to the end of the refusals. From then on, a call is sent when an earlier one of this process has left the window, and
after that a few more: if they are granted, the share of this process grows; if one is refused, the next attempt is a window
later. The clock is an argument; nothing here waits or locks.
"""

from __future__ import annotations

import math
from collections import deque

__all__ = ["Window"]

USUAL = (60.0, 30.0, 10.0, 5.0)  # seconds; EIS counts by the minute
LATE = 1.4  # times the true length, at most, that the end of the refusals is found to be, because nothing was sent in between
SHORTEST = 5.0  # seconds; refusals that end sooner have other causes, such as too many calls in flight
LONGEST = 75.0  # seconds for which grants are remembered
LEAST_GRANTS = 4  # in a row before the refusals of a quota; a service that limits the calls in flight refuses some of them
GRAIN = 0.05  # seconds; grants so close are counted together
YIELD = 0.85  # of the share, after a refusal: so large shares give way to small ones
LEFT = 0.15  # of the window, in which what was given up is left to clients without a share; then more is tried
RETRY = (0.02, 0.13)  # of the window, after two and after more refusals in a row: soon, and at ever other times of the window
GOLDEN = 0.618  # its multiples round a share up in the proportion of its fraction
PAUSES = (2.0, 8.0, 10.0, 20.0, 20.0, 25.0)  # seconds after refusals in a row; together a little more than usual windows


class Window:
    """The grants of the last window, and what may follow. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._seconds = math.inf
        self._grants: deque[tuple[float, int]] = deque()  # time of the response, number
        self._granted = 0  # sum of the numbers
        self._share = 0  # calls in a window
        self._more = 1  # calls beyond the share that may be tried
        self._in_vain = 0  # times in a row that none of them was granted
        self._held_until = -math.inf  # none is tried until then
        self._refused_at = math.inf  # first of the last refusals
        self._turn = 0.0  # added to a share before it is rounded down
        self._streak = 0  # grants since the last refusal
        self._run = 0  # grants in a row before it

    @property
    def found(self) -> bool:
        """Whether the service counts over time, as far as known."""
        return self._seconds < math.inf

    def room(self, now: float) -> float:
        """Return how many more calls may be granted; infinity if no window was found."""
        return self._allowed(now) - self._granted if self.found else math.inf

    def wait(self, now: float) -> float:
        """Return the seconds until a call may be sent."""
        return max(0.0, self._grants[0][0] + self._seconds - now) if self.room(now) < 1 else 0.0

    def pause(self, refusals: int) -> float:
        """Return the seconds for which no call is sent after two or more refusals in a row."""
        if not self.found:
            return PAUSES[min(refusals - 2, len(PAUSES) - 1)]
        return self._seconds * RETRY[refusals > 2]

    def record_grant(self, sent: float, now: float, *, is_new: bool) -> None:
        """Record a response at `now` to a call sent at `sent`; `is_new` if that was after the last refusal had arrived."""
        if is_new and self._refused_at < math.inf:
            self._resume(sent)
        number = 1
        if self._grants and now < self._grants[-1][0] + GRAIN:
            number += self._grants.pop()[1]
        self._grants.append((now, number))
        self._granted += 1
        self._streak += 1
        self._prune(now)
        if self.found and self._granted > self._share:
            self._share = self._granted
            self._more += 1

    def record_refusal(self, now: float) -> None:
        """Record the refusal of a call that was sent after the last refusal had arrived."""
        if self._refused_at == math.inf:
            self._refused_at, self._run, self._streak = now, self._streak, 0
        if self.found:
            self._prune(now)
            self._hold(now)

    def _resume(self, now: float) -> None:
        """Learn the window from the time of the refusals, if a quota is their likely cause."""
        refused, self._refused_at = now - self._refused_at, math.inf
        if self._run < LEAST_GRANTS or refused < (LATE * self._seconds if self.found else SHORTEST):
            return
        while self._grants and self._grants[0][0] < now - 2 * refused:  # perhaps older than the window
            self._granted -= self._grants.popleft()[1]
        seconds = now - self._grants[0][0] if self._grants else refused
        self._seconds = next((usual for usual in USUAL if usual <= seconds < LATE * usual), min(LONGEST, seconds))
        self._share = max(1, self._granted)

    def _hold(self, now: float) -> None:
        """Send no more than now until the calls in the window have left it; if that was in vain before, for two windows."""
        self._in_vain = 0 if self._more > 1 else self._in_vain + 1
        self._turn = (self._turn + GOLDEN) % 1
        self._share, self._more = max(1, int(YIELD * max(self._granted, self._share / 2) + self._turn)), 1
        newest = self._grants[-1][0] if self._grants else now
        self._held_until = newest + self._seconds * (min(max(1, self._in_vain), 2) + LEFT)

    def _allowed(self, now: float) -> int:
        self._prune(now)
        return self._share if now < self._held_until else self._share + self._more

    def _prune(self, now: float) -> None:
        seconds = min(self._seconds, LONGEST)
        while self._grants and self._grants[0][0] + seconds <= now:
            self._granted -= self._grants.popleft()[1]
