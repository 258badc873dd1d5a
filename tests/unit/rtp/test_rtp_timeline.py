"""The media clock of a received stream: extended timestamps, pauses, jumps, and the sender's wall clock (C-13)."""

from collections import defaultdict
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.rtp import SenderReport, StreamAnomaly
from pystack.rtp.clock import ntp_time
from pystack.rtp.streams.anomalies import Anomalies
from pystack.rtp.streams.timeline import Timeline
from pystack.rtp.streams.tray import EventTray

RATE = 90000
EPOCH = 1.7e9


class Watched:
    """A timeline, and what it tells."""

    def __init__(self, timestamp: int = 1000, now: float = 10.0) -> None:
        self._tray = EventTray(64, defaultdict(int))
        self.line = Timeline(RATE, timestamp, now, Anomalies(1, "", 7, self._tray))

    def report(self, timestamp: int, wall: float | None, now: float) -> None:
        report = SenderReport(7, ntp_time(EPOCH + wall) if wall is not None else 0, timestamp & 0xFFFFFFFF)
        self.line.handle_report(report, now)

    def told(self) -> list[tuple[str, int, int]]:
        events = self._tray.take()
        assert all(isinstance(each, StreamAnomaly) for each in events)
        return [(each.kind, each.before, each.after) for each in events if isinstance(each, StreamAnomaly)]


@settings(max_examples=200)
@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.tuples(st.floats(0.001, 200_000), st.integers(-60_000, 60_000)), min_size=1, max_size=30),
)
def test_an_extended_timestamp_follows_a_clock_over_pauses_of_any_length(
    first: int, frames: list[tuple[float, int]]
) -> None:
    """Pauses of more than half a day wrap the 32 bits several times, and jitter does not disturb it."""
    watched = Watched(first, 0.0)
    now, plain = 0.0, first
    for pause, jitter in frames:
        now += pause
        plain = max(plain + 1, first + int(now * RATE) + jitter)
        watched.line.advance(plain & 0xFFFFFFFF, now)
        assert watched.line.latest == plain
    assert watched.told() == []


def test_a_clock_that_stood_still_is_neither_jitter_nor_odd() -> None:
    watched = Watched()
    assert watched.line.advance(4000, 40.0) == inf
    assert watched.line.latest == 4000
    assert watched.line.advance(7000, 40.0 + 1 / 30) == pytest.approx(0, abs=1e-6)
    assert watched.told() == []


@pytest.mark.parametrize(("ahead", "odd"), [(1.4, False), (1.6, True), (-1.6, True), (-1.4, False), (3600, True)])
def test_a_jump_of_more_than_one_and_a_half_seconds_is_told(ahead: float, odd: bool) -> None:
    watched = Watched(500_000)
    there = 500_000 + round(ahead * RATE)
    distance = watched.line.advance(there & 0xFFFFFFFF, 10.0)
    assert (distance == inf) is odd
    assert watched.told() == ([("timestamp-jump", 500_000, there)] if odd else [])


def test_after_a_long_pause_one_and_a_half_times_of_it_is_the_limit() -> None:
    calm, odd = Watched(), Watched()
    calm.line.advance(1000 + round(14.9 * RATE), 20.0)
    odd.line.advance(1000 + round(15.1 * RATE), 20.0)
    assert calm.told() == []
    assert [kind for kind, _, _ in odd.told()] == ["timestamp-jump"]


def test_a_faster_packet_moves_the_start_back_within_limits() -> None:
    """Two minutes long, and by fifteen seconds at the most."""
    watched = Watched(0, 100.0)
    watched.line.advance(round(1.0 * RATE), 100.6)
    assert watched.line.first_arrival == pytest.approx(99.6)
    watched.line.advance(round(130.0 * RATE), 229.0)
    assert watched.line.first_arrival == pytest.approx(99.6), "it is too late for that"
    slow = Watched(0, 100.0)
    for step in range(1, 20):
        slow.line.advance(step * RATE, 100.0 + step * 0.0001)
    assert slow.line.first_arrival == pytest.approx(85.0, abs=0.01), "not by more than 15 s"


def test_the_senders_wall_clock_of_any_timestamp() -> None:
    watched = Watched(2**32 - 9000)
    assert watched.line.capture_time(0) is None
    watched.report(2**32 + 9000, 50.0, 10.2)
    assert watched.line.capture_time(9000) == pytest.approx(EPOCH + 50, abs=1e-3)
    assert watched.line.capture_time(2**32 - 9000) == pytest.approx(EPOCH + 49.8, abs=1e-3)
    watched.report(0, None, 11.0)
    assert watched.line.capture_time(9000) == pytest.approx(EPOCH + 50, abs=1e-3), "without a clock it says nothing"
    assert watched.told() == []


def test_reports_of_another_clock_and_late_ones_change_nothing() -> None:
    watched = Watched()
    watched.report(1000 + RATE, 51.0, 11.0)
    watched.report(1000 + 62 * RATE, 52.0, 11.5)
    watched.report(1000 - 61 * RATE, 52.0, 11.5)
    watched.report(1000 + 59 * RATE // 60, 50.5, 12.0)
    assert [kind for kind, _, _ in watched.told()] == ["report-off", "report-late"], "two of one kind are merged"
    assert watched.line.capture_time(1000 + RATE) == pytest.approx(EPOCH + 51, abs=1e-3)


@pytest.mark.parametrize("leap", [61.5, -90.0, 86400.0])
def test_a_wall_clock_that_was_set_is_believed_and_told(leap: float) -> None:
    watched = Watched()
    for second in range(12):
        watched.report(1000 + second * RATE, 50.0 + second, 10.0 + second)
    assert watched.line.measured_rate == pytest.approx(RATE, rel=1e-6)
    watched.report(1000 + 12 * RATE, 62.0 + leap, 22.0)
    assert [kind for kind, _, _ in watched.told()] == ["report-clock"]
    assert watched.line.measured_rate is None
    assert watched.line.capture_time(1000 + 12 * RATE) == pytest.approx(EPOCH + 62 + leap, abs=1e-3)


def test_a_clock_that_runs_a_fifth_off_its_name_is_told_once_a_second_at_most() -> None:
    watched = Watched()
    told = []
    for tenth in range(200):
        now = 10.0 + tenth / 10
        watched.report(1000 + round(tenth / 10 * RATE * 1.25), 50.0 + tenth / 10, now)
        told += watched.told()
    assert {kind for kind, _, _ in told} == {"clock-skew"}
    assert len(told) == 10
    assert told[0] == ("clock-skew", RATE, pytest.approx(RATE * 1.25, rel=1e-3))
    assert watched.line.measured_rate == pytest.approx(RATE * 1.25, rel=1e-3)
