"""Receiver reports checked and realigned: requirements row 36, each acceptance criterion by its number."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.rtp.streams.observers import MAX_OBSERVERS
from pystack.rtp.streams.peer_reports import PeerReports
from pystack.rtp.streams.report_windows import ReportWindow


def started(first: int = 1000) -> PeerReports:
    reports = PeerReports()
    reports.start(first)
    return reports


def misaligned() -> PeerReports:
    reports = started()
    assert not reports.handle(4464, 70000)
    return reports


def test_ac36_1_a_missed_roll_over_is_realigned() -> None:
    reports = misaligned()
    assert (reports.highest, reports.misalignment) == (70000, 65536)
    assert not reports.handle(4470, 70006)
    assert reports.highest == 70006


def test_ac36_2_five_missed_roll_overs_are_realigned() -> None:
    reports = started()
    assert not reports.handle(2000, 2000 + 327680)
    assert (reports.highest, reports.misalignment) == (2000 + 327680, 327680)
    # The limit of old dropped them.
    narrow = PeerReports(4 * 65536)
    narrow.start(1000)
    assert narrow.handle(2000, 2000 + 327680) == "runaway"
    assert (narrow.highest, narrow.misalignment, narrow.runaway) == (-1, 0, 1)


def test_ac36_3_a_value_that_never_moves_stays() -> None:
    reports = started()
    assert not reports.handle(2000, 2000)
    for sent in range(2000, 202_001, 10_000):
        assert not reports.handle(2000, sent)
        assert (reports.highest, reports.misalignment) == (2000, 0)


def test_ac36_4_a_receiver_that_corrects_itself_is_believed_again() -> None:
    reports = misaligned()
    assert not reports.handle(70020, 70020)
    assert (reports.highest, reports.misalignment) == (70020, 0)
    assert not reports.handle(70030, 70040)
    assert reports.highest == 70030


def test_ac36_5_the_raw_value_wraps() -> None:
    reports = started(0)
    top = (1 << 32) - 1
    # A receiver cannot jump there at once: go in steps of less than half the space.
    for raw in (1 << 30, 1 << 31, 3 << 30, top):
        assert not reports.handle(raw, raw)
    assert not reports.handle(0, top + 1)
    assert reports.highest == 1 << 32
    assert not reports.handle(7, top + 8)
    assert reports.highest == top + 8


def test_ac36_6_one_more_than_was_sent_is_dropped() -> None:
    reports = started()
    reports.handle(2000, 2000, fraction_lost=10)
    assert reports.handle(2002, 2001, fraction_lost=99, cumulative_lost=7, jitter=5, round_trip_time=1.0)
    assert (reports.runaway, reports.highest, reports.fraction_lost) == (1, 2000, 10 / 256)
    assert (reports.lost, reports.jitter, reports.round_trip_time) == (0, 0, None)


def lines_run(work: Callable[[], object]) -> int:
    count = 0

    def follow(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return follow

    before = sys.gettrace()
    sys.settrace(follow)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def test_ac36_7_realignment_costs_the_same_however_far() -> None:
    near, far = started(0), started(0)
    one = lines_run(lambda: near.handle(5, 65536 + 5))
    most = lines_run(lambda: far.handle(5, (1 << 32) - 1))
    assert (near.misalignment, far.misalignment) == (65536, (1 << 32) - 65536)
    assert one == most > 0
    back = lines_run(lambda: near.handle(65536 + 6, 65536 + 6))
    all_the_way = lines_run(lambda: far.handle((1 << 32) - 1, (1 << 32) - 1))
    assert (near.misalignment, far.misalignment) == (0, 0)
    assert back == all_the_way > 0


def test_ac36_8_a_window_exists_if_and_only_if_there_is_a_pair_of_snapshots() -> None:
    reports = started()
    assert reports.window("every second") is None  # no report to take a snapshot of
    reports.handle(1500, 1500, cumulative_lost=3, now=1.0)
    assert reports.window("every second") is None  # the first of the pair
    reports.handle(1700, 1700, cumulative_lost=5, jitter=9, round_trip_time=0.2, now=2.0)
    reports.handle(1900, 2000, cumulative_lost=10, jitter=4, round_trip_time=0.1, now=3.0)
    assert reports.handle(1800, 2000, now=3.5) == "old"
    assert reports.window("every minute") is None
    window = reports.window("every second")
    assert window == ReportWindow(
        start=1.0, end=3.0, packets=400, lost=7, reports=2, max_jitter=9, max_round_trip_time=0.2
    )
    quiet = reports.window("every second")  # a pair, between which nothing came
    assert quiet is not None
    assert (quiet.packets, quiet.reports, quiet.max_jitter, quiet.max_round_trip_time) == (0, 0, 0, None)
    reports.handle(2000, 2000, now=4.0)
    later = reports.window("every minute")
    assert later is not None
    assert (later.start, later.packets, later.lost) == (3.0, 100, -10)
    reports.forget("every minute")
    assert reports.window("every minute") is None


def test_a_window_over_more_than_65536_numbers_says_nothing_and_the_next_one_does() -> None:
    reports = started(0)
    reports.handle(10, 10)
    reports.window("")
    reports.handle(65547, 65547)
    assert reports.window("") is None
    reports.handle(65557, 65557)
    window = reports.window("")
    assert window is not None
    assert window.packets == 10


def test_observers_are_bounded() -> None:
    reports = started()
    reports.handle(2000, 2000)
    for number in range(MAX_OBSERVERS + 1):
        assert reports.window(str(number)) is None
    assert reports.window("1") is not None
    assert reports.window("0") is None


def test_ac36_9_before_the_start_and_after_the_end_reports_are_ignored() -> None:
    reports = PeerReports()
    assert reports.handle(1000, 2000)
    reports.start(1000)
    assert reports.handle(999, 2000)
    assert not reports.handle(1000, 2000)
    reports.stop()
    assert reports.handle(1001, 2000)
    assert (reports.ignored, reports.accepted) == (3, 1)


def test_ac36_10_a_missed_roll_over_below_the_start() -> None:
    reports = started()
    assert reports.handle(500, 66036)
    assert not reports.handle(65000, 65010)
    assert not reports.handle(500, 66036)
    assert (reports.highest, reports.misalignment) == (66036, 65536)


def test_older_reports_are_dropped() -> None:
    reports = started()
    reports.handle(3000, 3000)
    assert reports.handle(2999, 3001)
    assert reports.out_of_order == 1


def test_a_report_that_is_not_believed_changes_nothing() -> None:
    reports = misaligned()
    assert reports.handle(200_000, 70_006)
    assert reports.misalignment == 65536
    assert not reports.handle(4470, 70_006)
    assert reports.highest == 70_006


def test_the_total_lost_is_followed_beyond_24_bits_and_may_fall() -> None:
    reports = started(0)
    steps = ((0x7FFFFF, 0x7FFFFF), (-0x800000, 0x800000), (-1, 0xFFFFFF), (5, 0x1000005), (3, 0x1000003))
    for sent, (cumulative, total) in enumerate(steps):
        reports.handle(sent, sent, cumulative_lost=cumulative)
        assert reports.lost == total


@settings(deadline=None)
@given(st.integers(0, 65535), st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 300)), max_size=40))
def test_a_correct_receiver_is_always_believed(first: int, steps: list[tuple[int, int]]) -> None:
    reports = started(first)
    sent = received = first
    for ahead, lag in steps:
        sent += ahead
        received = max(received, sent - lag)
        assert not reports.handle(received & 0xFFFFFFFF, sent)
        assert reports.highest == received


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 100_000)), max_size=40))
def test_whatever_is_reported_what_is_believed_was_sent(steps: list[tuple[int, int]]) -> None:
    reports = started(1000)
    sent = 1000
    for raw, ahead in steps:
        sent += ahead
        before = reports.highest
        if reports.handle(raw, sent):
            assert reports.highest == before
        else:
            assert before <= reports.highest <= sent
    assert reports.accepted + reports.ignored + reports.runaway + reports.out_of_order == len(steps)


class Row36:
    """The algorithm of the row, step by step as it is written there, with the correction of AC36.10 in step 2.

    The alignment counts only once a report is accepted. "prev with low 32 bits cleared" means the wraps of the raw
    number, so what the alignment itself added to prev is not part of it.
    """

    def __init__(self, start: int) -> None:
        self.start = start
        self.base = start - start % 65536
        self.prev: int | None = None
        self.previous_raw = 0
        self.m = 0

    def accepts(self, raw: int, high: int) -> str:
        m, known = self.m, self.prev is not None
        prev = self.prev or 0
        rel = (prev - m) // 2**32 * 2**32 + raw + m
        if known and raw < self.previous_raw and (raw - self.previous_raw) % 2**32 < 2**31:
            rel += 2**32
        if rel + self.base < self.start:
            if not known or not self.start <= rel + self.base + 65536 <= high:
                return "early"
            rel += 65536
            m += 65536
        self.previous_raw = raw
        while m > 0 and rel + self.base > high:
            m -= 65536
            rel -= 65536
        if rel + self.base > high or high - (rel + self.base) > 2**32:
            return "runaway"
        if not known or rel != prev:
            while high - (rel + self.base) >= 65536:
                rel += 65536
                m += 65536
        if known and rel < prev:
            return "old"
        self.prev, self.m = rel, m
        return ""


REPORT = st.one_of(
    st.tuples(st.just("true"), st.integers(0, 300)),
    st.tuples(st.just("missed"), st.integers(0, 6)),
    st.tuples(st.just("corrected"), st.integers(0, 6)),
    st.tuples(st.just("stalled"), st.just(0)),
    st.tuples(st.just("future"), st.integers(1, 200_000)),
    st.tuples(st.just("past"), st.integers(1, 200_000)),
    st.tuples(st.just("any"), st.integers(0, 0xFFFFFFFF)),
)
JUMP = st.one_of(st.integers(0, 500), st.integers(0, 140_000), st.sampled_from((65536, 1 << 20, 1 << 31, 1 << 32)))


@pytest.mark.parametrize("examples", [150, pytest.param(2_000, marks=pytest.mark.long)])
def test_t6_replayed_reports_are_accepted_as_the_row_says(examples: int) -> None:
    @settings(deadline=None, max_examples=examples)
    @given(st.integers(0, 65535), st.lists(st.tuples(JUMP, REPORT), max_size=30))
    def replay(first: int, steps: list[tuple[int, tuple[str, int]]]) -> None:
        ours, row = started(first), Row36(first)
        high, cycles_missed, raw = first, 0, first
        for jump, (kind, amount) in steps:
            high += jump
            if kind == "missed":
                cycles_missed += amount
            elif kind == "corrected":
                cycles_missed = max(0, cycles_missed - amount)
            if kind == "any":
                raw = amount
            elif kind == "future":
                raw = high - first // 65536 * 65536 + amount & 0xFFFFFFFF
            elif kind == "past":
                raw = max(0, high - amount) & 0xFFFFFFFF
            elif kind != "stalled":
                lag = amount if kind == "true" else 0
                raw = max(first, high - lag - cycles_missed * 65536) & 0xFFFFFFFF
            assert ours.handle(raw, high) == row.accepts(raw, high)
            if row.prev is not None:
                assert (ours.highest, ours.misalignment) == (row.prev + row.base, row.m)

    replay()
