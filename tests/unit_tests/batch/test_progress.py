"""Progress, estimates and the spacing of requests, with a clock that the test turns."""

from __future__ import annotations

from threading import Event

import pytest

from jina_eis.batch import Progress, estimate
from jina_eis.batch.cost import RequestSpacing
from jina_eis.batch.progress import Tracker, format_seconds
from jina_eis.batch.sources import Scan
from jina_eis.errors import ConfigurationError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += seconds


def test_rate_pause_and_remaining_time() -> None:
    clock = Clock()
    tracker = Tracker(None, total=1_000, done=100, clock=clock)
    clock.now = 50  # until the first result
    assert str(tracker.progress()) == "100 of 1,000 rows, paused for 50 s"
    for _ in range(11):
        tracker.add(20)
        progress = tracker.progress()
        clock.now += 1
    assert progress.rate == pytest.approx(20)
    assert progress.remaining == pytest.approx(34)
    assert not progress.paused
    clock.now += 9
    assert tracker.progress().paused == 10
    tracker.add(20, failed=1)
    assert str(tracker.progress()) == "340 of 1,000 rows, 11/s, 1 failed, 60 s left"
    clock.now += 60
    assert str(tracker.progress()) == "340 of 1,000 rows, 1 failed, paused for 60 s"


def test_it_reports_while_nothing_happens_and_at_the_end() -> None:
    reports = list[Progress]()
    two = Event()

    def report(progress: Progress) -> None:
        reports.append(progress)
        if len(reports) == 2:
            two.set()

    clock = Clock()
    with Tracker(report, total=10, clock=clock) as tracker:
        assert two.wait(60)
        clock.now = 5
        tracker.add(10)
    assert str(reports[-1]) == "10 of 10 rows, 2.0/s"


def test_after_an_error_there_is_no_last_report() -> None:
    reports = list[Progress]()
    with pytest.raises(KeyError), Tracker(reports.append, total=10):
        raise KeyError
    assert not reports


def test_durations() -> None:
    assert [format_seconds(seconds) for seconds in (0, 89, 600, 12_000)] == ["0 s", "89 s", "10 min", "3 h 20 min"]


def test_an_estimate_is_bound_by_the_tighter_limit() -> None:
    scan = Scan(rows=170, texts=161, tokens=40_000, digest="")
    assert estimate(scan).requests == 11
    assert estimate(scan).seconds is None
    assert estimate(scan, rpm=11, tpm=4_000).seconds == 600
    assert estimate(scan, rpm=1, tpm=4_000).seconds == 660
    assert "at least 10 min" in str(estimate(scan, tpm=4_000))


@pytest.mark.parametrize(
    ("rpm", "tpm", "interval"), [(600, None, 0.1), (None, 6_000, 10.0), (600, 60_000, 1.0), (600, 10**9, 0.1)]
)
def test_requests_are_spread(rpm: float | None, tpm: float | None, interval: float) -> None:
    size = estimate(Scan(rows=160, texts=160, tokens=10_000, digest=""))  # 1,000 tokens a request
    clock = Clock()
    spacing = RequestSpacing.of(size, rpm, tpm)
    assert spacing
    spacing._clock, spacing._sleep = clock, clock.sleep
    for _ in range(11):
        spacing.acquire()
    assert clock.now == pytest.approx(10 * interval)


def test_without_limits_nothing_is_spread() -> None:
    assert RequestSpacing.of(estimate(Scan(0, 0, 0, "")), None, None) is None
    with pytest.raises(ConfigurationError, match="above 0"):
        RequestSpacing(0)
