"""Rate: how many calls a quota grants to this process in which time, as far as refusals and successes tell.

Pure: times are arguments. `Pace` calls it under its lock.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..wire import Rest

__all__ = ["Rate"]

# Numbers without a source come from simulations of services (tests/unit_tests/transport/test_pace_simulated.py).
AT_ONCE = 4  # calls; the first of all are sent without gaps, so that a job of so few has none
STARTING = 64  # calls; the first of all, which are sent with gaps, so that refusals are read before many more are sent
FIRST_GAP = 0.01  # seconds; twice the time in which a close service refuses
GAP_SHRINKS = 0.95  # factor from each gap to the next, so that 64 calls need 0.2 s
GAP_OF_LATENCY = 0.8  # the gaps of all calls in flight, in latencies; below 1, so that gaps do not lower the number in flight
LATE_GAP = 0.015  # of the time in which all was refused, a minute at most; gap after it, if others had used up the quota
LATE_GAP_SHRINKS = 0.9  # factor from each gap to the next, so that all of them take a seventh of that time
IDLE = 150.0  # seconds; longer than any pause, so a process that sends nothing for so long does not wait
SPEED = 4.0  # of the average, so that a part of each period is free for others
SHORTEST_PERIOD, LONGEST_PERIOD = 1.0, 60.0  # seconds; EIS counts by the minute
USED_UP = 0.9  # of a share; a refusal after that is expected, and no chance
ENOUGH = 4  # granted calls from which a share is learnt
GROWTH = 6  # exponent; a share remains the same for more than a period, and then grows fast
DOUBLES_AFTER_SHARES, DOUBLES_AFTER_CALLS, DOUBLES_AFTER_PERIODS = 2.0, 4.0, 2.0  # without a refusal
AT_THE_START = 0.1  # periods; a refusal in them means that the period is a little longer than was known
LENGTHENED = 1.02  # factor of the period then
KEPT = 1.25  # of a share; if less than that is refused as too much, the share remains, since others had what was granted more
REDUCED = 0.75  # factor of a share after a refusal in the first half of it
LONGER = 1.3  # a period is longer than was known, if the quota is used up for so many periods
CALLS: Final = 0  # indices of a cost
TOKENS: Final = 1


class Rate:
    """Learns the share of a quota that this process has, and spaces its calls.

    A quota grants so many requests, or tokens, in a period. If probes are refused for some time and then one succeeds, the
    quota was used up; the time since the first success is the period, and what was granted in it is the share. From then on,
    at most the share is sent in each period, faster than the average (`SPEED`), so that refusals are read early. Without
    refusals, the share grows faster and faster, and is forgotten at last: quotas change, other processes end, and an outage
    may look like a quota. If a little more than the share is refused, the share remains. Shares are counted in calls or in
    tokens, whichever varied less.

    The last calls of a job may exceed the share, until one of them is refused: others may have left a part of theirs, and to
    wait for the next period takes long. The job must be larger than the share, and its rest no larger.

    Before anything is known, the first calls are spaced too. They have longer gaps in a process that others have kept waiting:
    if it took at once what is free, the next one would wait for another period.
    """

    def __init__(self) -> None:
        self.latency = 0.0
        """Shortest duration of a successful call in seconds; 0 before the first."""
        self.is_doubted = False
        """Whether the last refusals, given a known share, may be those of another limit, or chance."""
        self._doubts = 0  # such refusals in this period
        self._sent = 0
        self._late_gap = 0.0  # seconds to the next call of a process that others have kept waiting; 0 otherwise
        self._last_sent = -math.inf
        self._next = -math.inf  # earliest time of the next call
        self._share: list[float] | None = None  # calls and tokens; None if not known
        self._unit = CALLS
        self._deviations = [0.0, 0.0]  # how much the last shares differed, by unit
        self._period = LONGEST_PERIOD  # seconds
        self._since = math.nan  # start of this period
        self._used = [0.0, 0.0]  # sent in this period
        self._granted = [0.0, 0.0]  # granted in this period
        self._unrefused = 0.0  # calls granted since the last refusal
        self._refused_at = -math.inf
        self._is_contested = True  # whether more than the share would be refused in this period
        self._period_before = (math.nan, [0.0, 0.0])  # start of the period before, and what it granted
        self._used_up_at = -math.inf
        self._used_up: tuple[float, list[float]] | None = None  # start of the period, and what it granted, once it is used up

    @property
    def is_known(self) -> bool:
        """Whether a share is known."""
        return self._share is not None

    @property
    def is_starting(self) -> bool:
        """Whether the first calls are sent."""
        return self._sent < STARTING

    @property
    def is_spaced(self) -> bool:
        """Whether calls have gaps."""
        return self.is_known or self.is_starting or self._late_gap > 0

    @property
    def is_used_up(self) -> bool:
        """Whether the quota is used up, so that the next success tells its period."""
        return self._used_up is not None

    def wait(self, now: float, rest: Rest | None = None) -> float:
        """Return the seconds until the next call may be sent.

        Args:
            now: The time.
            rest: What remains of its job; None if not known.
        """
        next_time = self._next
        if (limit := self._limit(now)) < math.inf and self._used[self._unit] > 0:
            average = self._used[self._unit] / max(1.0, self._used[CALLS])
            if self._used[self._unit] + average > limit * 1.000001 and not self._may_exceed_share(rest):
                next_time = max(next_time, self._since + self._period)
        return wait if (wait := next_time - now) > 1e-6 else 0.0  # shorter waits may not change the clock

    def note_sent(self, now: float, tokens: float, limit: float) -> None:
        """A call is sent.

        Args:
            now: The time.
            tokens: Its estimated tokens.
            limit: The current maximum of calls in flight.
        """
        if now > self._last_sent + IDLE:
            self._late_gap, self._used_up_at = 0.0, now
        self._sent += 1
        cost = (1.0, self._tokens(tokens))
        if self._used_up is not None:
            if not self._used[CALLS]:
                self._since = now
        elif self._share is None:
            self._age(now)
        elif now >= self._since + self._period - 1e-6:
            self._start_period(now)
        if (limit_of_period := self._limit(now)) < math.inf and self._share is not None:
            gap = self._period * cost[self._unit] / max(SPEED * self._share[self._unit], limit_of_period)
            self._next = min(now + gap, self._since + self._period)
        elif self._late_gap:
            self._next = now + self._late_gap
            self._late_gap = self._late_gap * LATE_GAP_SHRINKS if self._late_gap > FIRST_GAP else 0.0
        elif AT_ONCE <= self._sent < STARTING:
            gap = FIRST_GAP * GAP_SHRINKS**self._sent
            self._next = now + (min(gap, GAP_OF_LATENCY * self.latency / limit) if self.latency else gap)
        self._last_sent = now
        _add(self._used, cost)

    def note_granted(self, now: float, sent: float, tokens: float, *, earlier: bool) -> None:
        """A call succeeded.

        Args:
            now: The time.
            sent: When it was sent.
            tokens: Its estimated tokens.
            earlier: Whether it was sent before the first of the last refusals.
        """
        self.latency = min(self.latency or math.inf, now - sent)
        if math.isnan(self._since):
            self._since = now
        self._unrefused += 1
        granted = self._used_up[1] if earlier and self._used_up is not None else self._granted
        _add(granted, (1.0, self._tokens(tokens)))

    def note_refused(self, now: float, refusals: int, *, requested: bool) -> float:
        """A call was refused. Returns the seconds to wait; 0 if nothing is known.

        Args:
            now: The time.
            refusals: Consecutive refusals, of which the first few are in doubt if the share is large.
            requested: Whether the service asks for a pause.
        """
        if self._share is None:
            return 0.0
        end = max(0.0, self._since + self._period - now)
        # Few refusals among many calls may be chance, unless they come just when the share is used up.
        is_early = self._doubts > 0 or self._granted[self._unit] < USED_UP * self._share[self._unit]
        self._is_contested = True
        self.is_doubted = is_early and refusals <= min(2.0, self._share[CALLS] // 30)
        if self.is_doubted:
            self._doubts += 1
            return min(end, self._period / self._share[CALLS])
        self._unrefused = 0.0
        self._refused_at = now
        if self._granted[self._unit] >= 0.5 * self._share[self._unit]:  # it is used up, as was to be expected
            share, granted = self._share[self._unit], self._granted[self._unit]
            if requested or not share <= granted < KEPT * share:
                self._learn_share(self._granted)
            return end
        if now < self._since + AT_THE_START * self._period:  # it came too early
            lengthen = min(LONGEST_PERIOD, LENGTHENED * self._period) - self._period
            self._period += lengthen
            return lengthen
        return min(end, self._period / max(1.0, self._share[CALLS]))

    def use_up(self, now: float) -> None:
        """Calls are refused for some time: the quota is used up."""
        if self._used_up is None:
            self._used_up_at = now
            if self._share is not None and self._granted[CALLS] < 0.5 * self._share[CALLS]:  # others have used it
                self._share = [REDUCED * value for value in self._share]
            # If nothing was granted in this period yet, the one before has not ended.
            self._used_up = (self._since, self._granted) if self._granted[CALLS] else self._period_before
        self._used, self._granted = [0.0, 0.0], [0.0, 0.0]

    def recover(self, now: float, sent: float) -> None:
        """A call succeeded after the quota was used up, so a period has ended.

        Args:
            now: The time.
            sent: When it was sent.
        """
        if self._used_up is None:
            return
        (since, granted), self._used_up = self._used_up, None
        seconds = max(1e-3, (now if self._share is None else sent) - since)  # a clock may stand still
        if self._share is None and granted[CALLS] < ENOUGH:  # others used it up
            self._late_gap = LATE_GAP * min(now - self._used_up_at, LONGEST_PERIOD)
            self._next = now + self._late_gap
            return
        if self._share is not None and seconds < 0.9 * self._period:
            self._since = since
            _add(self._used, granted)
            _add(self._granted, granted)
            return
        if self._share is None or (seconds > LONGER * self._period and since != self._period_before[0]):
            self._period = min(LONGEST_PERIOD, max(SHORTEST_PERIOD, seconds))
        self._is_contested = self._share is None  # others begin at this moment too, and have learnt a share of the same period
        self._learn_share([value * min(1.0, self._period / seconds) for value in granted])
        self._unrefused = 0.0
        self._refused_at = now

    def _tokens(self, tokens: float) -> float:
        """Return the tokens of a call; if they are not known, the average of those that were granted."""
        return tokens or max(1.0, self._granted[TOKENS]) / max(1.0, self._granted[CALLS])

    def _age(self, now: float) -> None:
        """While no share is known, keep what was granted in about the last period of the greatest length."""
        if now > self._last_sent + LONGEST_PERIOD:
            self._start_period(math.nan)  # with the next success
            self._period_before = math.nan, [0.0, 0.0]
        elif now > self._since + LONGEST_PERIOD:
            self._since = (self._since + now) / 2
            self._granted = [value / 2 for value in self._granted]

    def _start_period(self, now: float) -> None:
        self._doubts = 0
        self._is_contested = False
        self._period_before = self._since, self._granted
        self._since = now
        self._used, self._granted = [0.0, 0.0], [0.0, 0.0]

    def _learn_share(self, granted: list[float]) -> None:
        """Set the share, and count in the unit that varied less."""
        share = [max(1.0, value) for value in granted]
        if self._share is not None:
            for unit in (CALLS, TOKENS):
                self._deviations[unit] = 0.5 * self._deviations[unit] + abs(math.log(share[unit] / self._share[unit]))
            self._unit = TOKENS if self._deviations[TOKENS] < self._deviations[CALLS] - 1e-6 else CALLS
        self._share = share
        self._late_gap = 0.0

    def _may_exceed_share(self, rest: Rest | None) -> bool:
        """Whether the next call of a job may be sent beyond the share of this period."""
        if self._share is None or self._is_contested or rest is None:
            return False
        return rest.calls <= self._share[CALLS] < rest.total

    def _limit(self, now: float) -> float:
        """Return what may be sent in this period, in the current unit; infinite if that is not known. May forget the share."""
        if self._share is None:
            return math.inf
        calls = max(DOUBLES_AFTER_CALLS, DOUBLES_AFTER_SHARES * self._share[CALLS])
        grown = max(self._unrefused / calls, (now - self._refused_at) / (DOUBLES_AFTER_PERIODS * self._period))
        if grown > 2:
            self._share = None
            return math.inf
        return float(self._share[self._unit] * (1 + grown**GROWTH))


def _add(sums: list[float], values: list[float] | tuple[float, float]) -> None:
    for unit, value in enumerate(values):
        sums[unit] += value
