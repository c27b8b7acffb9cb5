"""The rate of calls: whether the service has a quota, what it grants, and when the next call may go.

The clock is an argument, and nothing here waits. A service states neither its quota nor who else uses it, and refuses calls for
other reasons too: too many at once, or by chance. Which reason it is shows in what happens to the calls after a refusal:

1. The first calls leave one by one, after a few at once, so that a refusal arrives before all of them have left.
2. After a refusal, one call is sent alone. If it is not refused as quickly as the last one, the refusal was by chance, or
   because of the calls in flight: only their number is reduced. If it is refused, the service may count over time. Then one
   call at a time probes the service, after longer and longer pauses.
3. If several probes were refused, or the service asked for a pause, a window has ended when one is granted. What was granted
   from the first call until then is the amount of a window as long as that time. From then on no window has more calls.
4. A refusal near the amount lowers it, and for one window no more calls are sent than were granted in the last one: other
   clients use the rest. Without a refusal for more than a window, the amount rises, faster and faster.
5. The quota is forgotten when calls are granted where it predicts refusals: soon after a refusal in the first window, after
   several refusals in one window, or when the amount has become several times as large.
6. A call costs one unit. Where refused calls have more tokens than granted ones, the quota is one of tokens, and a call costs
   its tokens in units of the average call.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

__all__ = ["FIRST_BURST", "Rate", "Sent"]

FIRST_BURST = 6  # calls that leave at once
FIRST_RATE = 125.0  # calls a second after them, until the first response
FIRST_CALLS = 64  # calls that leave one by one; after the first response, as fast as all of them in the time that it took
PROBES = (0.0, 0.3, 1.0, 3.2, 10.0, 20.0, 30.0, 45.0, 60.0)  # seconds; services count by 1, 10 or 60 s, EIS by 60
BETWEEN_PROBES = 15.0  # seconds, after these; clients that know the quota leave little room to others
SPREAD = 0.06  # of a pause, at random, so that several clients do not return at once
LONGEST_WINDOW = 75.0  # seconds; the window of EIS is 60, and its end may be found late
GRAIN = 0.05  # seconds; grants so close are counted together, so that a window has 1,500 entries at most
LONGEST_HOLD = 2.0  # seconds in which a call is alone; a refusal arrives sooner, but for one after a time in a queue
LEAST_BLOCK = 2.0  # seconds; refusals for a shorter time, or requests for a shorter pause, are also those of other limits
LONGEST_ASKED = 8.0  # seconds; limit of the pause that doubles where the service asks for shorter ones
LEAST_GRANTS = 8  # fewer are no estimate: it rises with each grant until the next refusal, if the service asked for a pause
LEAST_PROBES = 2  # refusals of single calls before a quota is learnt without Retry-After; one more after each mistake
MOST_DOUBTS = 2  # mistakes that count
BURST = 4.0  # of the average rate, within a window
PROBE_DECREASE = 0.97  # factor of what was used, if that was more than the amount
DECREASE = 0.9  # factor of the amount after a refusal
QUIET = 1.2  # windows without a refusal until the amount rises
STEEPNESS = 0.6  # of the rise, as doublings of a window that is one longer
RELEASE = 4.0  # rise after which the quota is forgotten
ALONE = 5.0  # refusals in a window, each followed by a success, after which there is no quota; twice as many are by chance
FORGIVEN = 2.0  # of these refusals a window; one is normal
FULL = 0.7  # of the amount; a refusal is expected from there on
COMPARED = 8  # refusals before it is decided what the service counts
HEAVIER = 1.15  # ratio of the tokens of refused and granted calls from which on tokens are counted
FORGETTING = 0.02  # weight of the newest call in the averages


class Sent(NamedTuple):
    """A call in flight: its number in the order of sending, the time, its estimated tokens, and what it costs."""

    number: int
    time: float
    weight: float
    cost: float


class Rate:
    """The rate of one bucket. Its methods are called with the lock of the pace.

    Args:
        clock: Monotonic seconds.
        jitter: Returns a random number from 0 to 1.
    """

    def __init__(self, clock: Callable[[], float], jitter: Callable[[], float]) -> None:
        self._clock = clock
        self._jitter = jitter
        self.sent = 0
        """Number of the last call."""
        self._start_rate = FIRST_RATE
        self._in_flight = 0.0  # cost of the calls in flight
        self._grants: deque[tuple[float, float]] = deque()  # times and costs in the window
        self._granted = 0.0  # their sum
        self._window = LONGEST_WINDOW
        self._amount = math.inf  # of a window, after the last refusal
        self._rise = 1.0  # factor since then
        self._quiet = 0.0  # seconds since then in which calls waited
        self._patience = QUIET  # windows
        self._next = -math.inf  # earliest time of the next call
        self._cap = math.inf  # what was used at the last refusal: until its window has passed, only own calls make room
        self._capped_until = -math.inf
        self._dither = 0.0  # added to the amount, so that its fraction counts
        self._starts = False  # whether the amount is a guess, and rises with each grant
        self._trial_until = -math.inf  # end of the first window after the quota was learnt
        self._hold_until = -math.inf  # until then, the call after a refusal is alone
        self._delay = 0.0  # seconds until the last refusal arrived
        self._waits = False  # whether the last call had to wait
        self._run = 0  # refusals without a success of a call sent after them
        self._blocked = 0.0  # time of the first of them
        self._asked = False  # whether the service asked for a pause that is long enough for a window
        self._short = False  # whether it asked for a shorter one
        self._sent_at_refusal = 0
        self._first = 0  # number of the last call that was sent when the first refusal of the run arrived
        self._refused = 0  # number of refused calls sent after it
        self._alone = 0.0  # single refusals, which are forgiven over time
        self._alone_at = 0.0  # time of the last one
        self._doubt = 0  # times that a quota was learnt by mistake
        self._weights: Final = {refused: _Mean() for refused in (False, True)}

    @property
    def limits(self) -> bool:
        """Whether calls may have to wait."""
        return self.known or self.sent < FIRST_CALLS

    @property
    def blocked(self) -> bool:
        """Whether calls are refused one after the other, so that one at a time is sent."""
        return self._run > 1 or (self._run == 1 and self._asked)

    @property
    def probes(self) -> bool:
        """Whether calls were refused one after the other."""
        return self._run > 1

    @property
    def paces_probes(self) -> bool:
        """Whether refusals are those of a quota, or of a job of several calls; else a single call is retried."""
        return bool(self._grants) or self.sent > self._run

    @property
    def known(self) -> bool:
        """Whether there is a quota."""
        return self._amount < math.inf

    def wait(self, weight: float) -> float:
        """Return the seconds until a call may be sent."""
        now = self._clock()
        if self._run == 1 and self._hold_until > now:
            return self._hold_until - now
        if not self.known:
            return max(0.0, self._next - now) if self.limits else 0.0
        self._prune(now)
        self._waits = True
        amount = self._amount * self._rise + self._dither
        if now < self._capped_until:
            amount = min(amount, self._cap)
        excess = self._granted + self._in_flight + self._cost(weight) - amount
        at = self._next
        for time, cost in self._grants if excess > 0 else ():
            at = max(at, time + self._window)
            excess -= cost
            if excess <= 0:
                break
        return max(0.0, at - now)

    def send(self, weight: float) -> Sent:
        """Record that a call is sent."""
        now = self._clock()
        self.sent += 1
        if self._run == 1 and self.sent == self._first + 1:
            self._hold_until = now + min(2 * self._delay, LONGEST_HOLD)
        cost = self._cost(weight)
        self._in_flight += cost
        if self.known:
            self._dither = self._jitter()
            gap = self._window / (self._amount * self._rise * BURST)
            self._next = max(self._next, now - gap) + gap * cost
        elif self.sent >= FIRST_BURST:
            self._next = max(self._next, now - 1 / self._start_rate) + 1 / self._start_rate
        return Sent(self.sent, now, weight, cost)

    def end(self, call: Sent) -> None:
        """Record that a call is no longer in flight."""
        self._in_flight = max(0.0, self._in_flight - call.cost)

    def grant(self, call: Sent) -> None:
        """Record a success."""
        self._weights[False].add(call.weight)
        now = self._clock()
        if self._start_rate == FIRST_RATE:
            self._start_rate = max(FIRST_RATE, FIRST_CALLS / max(now - call.time, 1e-6))
        if self._starts and not self._run:
            self._amount += call.cost
        elif self.known and self._waits and self._grants:
            self._quiet += min(now - self._grants[-1][0], self._window / 2)
            self._rise = 2 ** (STEEPNESS * max(0.0, self._quiet / self._window - self._patience) ** 2)
            self._waits = False
            if self._rise > RELEASE:
                self._forget()
        at = math.ceil(call.time / GRAIN) * GRAIN
        if self._grants and self._grants[-1][0] >= at:
            at, cost = self._grants.pop()
            self._grants.append((at, cost + call.cost))
        else:
            self._grants.append((at, call.cost))
        self._granted += call.cost
        if self._run and call.number > self._first:
            self._end_block(call)

    def refuse(self, call: Sent, asked: float | None) -> float:
        """Record a refusal. Returns the seconds of the pause that follows.

        Args:
            call: The call.
            asked: Seconds that the service asks for; None if it does not.
        """
        self._weights[True].add(call.weight)
        pause = asked or 0.0
        self._refused += call.number > self._first
        if call.number <= self._sent_at_refusal:
            return pause  # it left before an earlier refusal arrived
        now = self._clock()
        self._sent_at_refusal = self.sent
        if self._run and 2 * self._refused >= self.sent - self._first:
            self._run += 1
        else:
            self._run, self._first, self._refused, self._delay = 1, self.sent, 0, now - call.time
        self._asked = pause >= LEAST_BLOCK
        self._short = 0.0 < pause < LEAST_BLOCK
        if self._run == 1:
            self._blocked = now
        if self.known:
            self._lower(now)
        if pause and self._run > 1:
            return max(pause, min(LONGEST_ASKED, 2.0 ** (self._run - 1)))
        return pause or self._probe(now)

    def _probe(self, now: float) -> float:
        """Return the seconds until the next probe of a block."""
        if not self.paces_probes or (self.known and self._run == 1):
            return 0.0
        if self.known:
            return float(self._window / 8 * min(4, 2 ** (self._run - 2)) * (1 + SPREAD * self._jitter()))
        beyond = max(0, self._run - len(PROBES))  # after the last of them, at equal intervals
        after = PROBES[self._run - 1 - beyond] + BETWEEN_PROBES * beyond
        return max(0.0, self._blocked + after * (1 + SPREAD * self._jitter()) - now) if after else 0.0

    def _end_block(self, call: Sent) -> None:
        """Judge the last refusals, after a call that was sent later has been granted."""
        blocked, run, self._run = call.time - self._blocked, self._run, 0
        if self._starts:
            self._starts = False
            if run == 1 and not self._asked:
                self._forget()
        elif self.known and not self._asked:
            self._test(run, blocked, call.time)
        if run <= (0 if self._asked else LEAST_PROBES) + self._doubt:
            return
        if run > LEAST_PROBES:
            self._alone = 0.0
        self._quiet = 0.0
        self._prune(call.time)
        is_window = blocked >= LEAST_BLOCK and not self._short and (self._asked or self._granted > LEAST_GRANTS)
        if is_window and not self.known:
            self._window = max(blocked, call.time - self._grants[0][0])
            self._amount = max(LEAST_GRANTS, self._granted - call.cost)
            self._starts = self._amount == LEAST_GRANTS
            self._trial_until = call.time + self._window

    def _test(self, run: int, blocked: float, now: float) -> None:
        """Forget the quota if refusals do not behave as those of a window."""
        if run == 1:
            self._alone = 1.0 + max(0.0, self._alone - FORGIVEN * (now - self._alone_at) / self._window)
            self._alone_at = now
        if self._alone >= ALONE or (now < self._trial_until and blocked < self._window / 4):
            self._doubt = min(MOST_DOUBTS, self._doubt + 1)
            self._forget()

    def _lower(self, now: float) -> None:
        """Lower the amount after a refusal, if so much was used that the refusal is about it."""
        self._prune(now)
        used = self._granted + self._in_flight - 1
        if used < FULL * self._amount or (now < self._trial_until and self._run < 3):
            return
        self._cap, self._capped_until = max(1.0, used, self._amount / 4), now + self._window
        if self._run == 1:
            grown = min(self._amount * self._rise, used)
            self._amount = max(1.0, PROBE_DECREASE * grown if grown > self._amount else DECREASE * self._amount)
        self._rise, self._quiet = 1.0, 0.0
        self._patience = QUIET * (0.8 + 0.4 * self._jitter())

    def _forget(self) -> None:
        self._amount, self._rise, self._quiet, self._alone = math.inf, 1.0, 0.0, 0.0
        self._window, self._capped_until = LONGEST_WINDOW, -math.inf

    def _prune(self, now: float) -> None:
        while self._grants and self._grants[0][0] <= now - self._window:
            self._granted -= self._grants.popleft()[1]

    def _cost(self, weight: float) -> float:
        granted, refused = self._weights[False], self._weights[True]
        if not weight or min(granted.count, refused.count) < COMPARED or refused.value < HEAVIER * granted.value:
            return 1.0
        return weight / granted.value


class _Mean:
    """The mean weight of calls, in which newer ones count more."""

    def __init__(self) -> None:
        self.value = 0.0
        self.count = 0

    def add(self, weight: float) -> None:
        if weight:
            self.count += 1
            self.value += (weight - self.value) * max(1 / self.count, FORGETTING)
