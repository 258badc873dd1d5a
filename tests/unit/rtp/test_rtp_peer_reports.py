"""Receiver reports checked and realigned: requirements row 36, each acceptance criterion by its number."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.rtp.streams.peer_reports import PeerReports


def started(first: int = 1000) -> PeerReports:
    reports = PeerReports()
    reports.start(first)
    return reports


def misaligned() -> PeerReports:
    reports = started()
    assert reports.handle(4464, 70000)
    return reports


def test_ac36_1_a_missed_roll_over_is_realigned() -> None:
    reports = misaligned()
    assert (reports.highest, reports.misalignment) == (70000, 65536)
    assert reports.handle(4470, 70006)
    assert reports.highest == 70006


def test_ac36_2_five_missed_roll_overs_are_realigned() -> None:
    reports = started()
    assert reports.handle(2000, 2000 + 327680)
    assert (reports.highest, reports.misalignment) == (2000 + 327680, 327680)


def test_ac36_3_a_value_that_never_moves_stays() -> None:
    reports = started()
    assert reports.handle(2000, 2000)
    for sent in range(2000, 202_000, 10_000):
        assert reports.handle(2000, sent)
        assert (reports.highest, reports.misalignment) == (2000, 0)


def test_ac36_4_a_receiver_that_corrects_itself_is_believed_again() -> None:
    reports = misaligned()
    assert reports.handle(70020, 70020)
    assert (reports.highest, reports.misalignment) == (70020, 0)
    assert reports.handle(70030, 70040)
    assert reports.highest == 70030


def test_ac36_5_the_raw_value_wraps() -> None:
    reports = started(0)
    top = (1 << 32) - 1
    # A receiver cannot jump there at once: go in steps of less than half the space.
    for raw in (1 << 30, 1 << 31, 3 << 30, top):
        assert reports.handle(raw, raw)
    assert reports.handle(0, top + 1)
    assert reports.highest == 1 << 32
    assert reports.handle(7, top + 8)
    assert reports.highest == top + 8


def test_ac36_6_one_more_than_was_sent_is_dropped() -> None:
    reports = started()
    reports.handle(2000, 2000, fraction_lost=10)
    assert not reports.handle(2002, 2001, fraction_lost=99, cumulative_lost=7, jitter=5, round_trip_time=1.0)
    assert (reports.runaway, reports.highest, reports.fraction_lost) == (1, 2000, 10 / 256)
    assert (reports.lost, reports.jitter, reports.round_trip_time) == (0, 0, None)


def test_ac36_7_realignment_costs_the_same_however_far() -> None:
    reports = started(0)
    before = time.process_time()
    assert reports.handle(5, (1 << 32) - 1)
    assert time.process_time() - before < 0.01
    assert reports.misalignment == (1 << 32) - 65536


def test_ac36_9_before_the_start_and_after_the_end_reports_are_ignored() -> None:
    reports = PeerReports()
    assert not reports.handle(1000, 2000)
    reports.start(1000)
    assert not reports.handle(999, 2000)
    assert reports.handle(1000, 2000)
    reports.stop()
    assert not reports.handle(1001, 2000)
    assert (reports.ignored, reports.accepted) == (3, 1)


def test_ac36_10_a_missed_roll_over_below_the_start() -> None:
    reports = started()
    assert not reports.handle(500, 66036)
    assert reports.handle(65000, 65010)
    assert reports.handle(500, 66036)
    assert (reports.highest, reports.misalignment) == (66036, 65536)


def test_older_reports_are_dropped() -> None:
    reports = started()
    reports.handle(3000, 3000)
    assert not reports.handle(2999, 3001)
    assert reports.out_of_order == 1


def test_a_report_that_is_not_believed_changes_nothing() -> None:
    reports = misaligned()
    assert not reports.handle(200_000, 70_006)
    assert reports.misalignment == 65536
    assert reports.handle(4470, 70_006)
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
        assert reports.handle(received & 0xFFFFFFFF, sent)
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
            assert before <= reports.highest <= sent
        else:
            assert reports.highest == before
    assert reports.accepted + reports.ignored + reports.runaway + reports.out_of_order == len(steps)
