"""Extended sequence numbers, losses, duplicates, restarts: against plain sets."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.rtp.streams.sequence import DUPLICATE, FRESH, HELD, LATE, RESTARTED, SequenceTracker


def feed(tracker: SequenceTracker, *numbers: int) -> list[int]:
    return [tracker.admit(number & 0xFFFF) for number in numbers]


def test_in_order_over_wraps() -> None:
    tracker = SequenceTracker(65000)
    assert set(feed(tracker, *range(65000, 65000 + 140_000))) == {FRESH}
    assert tracker.highest == 65000 + 140_000 - 1
    assert tracker.expected == tracker.received == 140_000
    assert tracker.lost == 0


def test_a_gap_is_a_loss_until_it_is_filled() -> None:
    tracker = SequenceTracker(1)
    assert feed(tracker, 1, 2, 5, 6) == [FRESH] * 4
    assert tracker.lost == 2
    assert feed(tracker, 3) == [LATE]
    assert (tracker.lost, tracker.reordered, tracker.latest) == (1, 1, 3)


def test_duplicates_do_not_hide_losses() -> None:
    tracker = SequenceTracker(1)
    feed(tracker, 1, 4)
    assert feed(tracker, 4, 4, 1) == [DUPLICATE] * 3
    assert (tracker.lost, tracker.received, tracker.duplicates) == (2, 2, 3)
    assert tracker.take_fraction_lost() == 128
    assert tracker.take_fraction_lost() == 0


def test_a_late_repair_lowers_the_fraction_and_never_below_zero() -> None:
    tracker = SequenceTracker(0)
    feed(tracker, 0, 3)
    tracker.take_fraction_lost()
    feed(tracker, 1, 2, 4)
    assert tracker.take_fraction_lost() == 0
    assert tracker.lost == 0


def test_a_total_loss_is_255_of_256() -> None:
    tracker = SequenceTracker(0)
    feed(tracker, 0)
    tracker.take_fraction_lost()
    feed(tracker, 2999)
    assert tracker.take_fraction_lost() == 255


def test_packets_from_before_the_first_count_as_late() -> None:
    tracker = SequenceTracker(2)
    assert feed(tracker, 2, 0, 65535) == [FRESH, LATE, LATE]
    assert (tracker.expected, tracker.received, tracker.lost) == (4, 3, 1)
    assert feed(tracker, 1, 0) == [LATE, DUPLICATE]
    assert feed(tracker, 65000) == [DUPLICATE]


def test_five_in_a_row_far_away_restart_the_stream() -> None:
    tracker = SequenceTracker(100)
    feed(tracker, *range(100, 110))
    assert feed(tracker, *range(40000, 40005)) == [HELD] * 4 + [RESTARTED]
    assert tracker.highest == 109
    tracker.restart(40000)
    assert feed(tracker, *range(40000, 40006)) == [FRESH] * 6
    assert (tracker.expected, tracker.received, tracker.restarts) == (16, 16, 1)


def test_scattered_packets_far_away_restart_nothing() -> None:
    tracker = SequenceTracker(100)
    feed(tracker, 100)
    assert feed(tracker, 40000, 40002, 40003, 50000, 40004, 40005, 40006, 40008) == [HELD] * 8
    assert tracker.far_run == 1
    feed(tracker, 40009, 40010)
    tracker.forget_far()
    assert feed(tracker, 40011, 40012, 40013) == [HELD] * 3


def test_how_late_a_packet_may_be() -> None:
    tracker = SequenceTracker(0)
    feed(tracker, 0, *range(2, 8193))
    assert feed(tracker, 1) == [LATE]
    tracker = SequenceTracker(0)
    feed(tracker, 0, *range(2, 8194))
    assert feed(tracker, 1) == [HELD]


@settings(deadline=None)
@given(st.integers(0, 0xFFFF), st.lists(st.integers(-60, 80), max_size=120))
def test_it_equals_a_set(first: int, steps: list[int]) -> None:
    tracker = SequenceTracker(first)
    tracker.admit(first)
    seen = {first}
    position = first
    for step in steps:
        position += step
        verdict = tracker.admit(position & 0xFFFF)
        if position > max(seen):
            assert verdict == FRESH
        elif position in seen:
            assert verdict == DUPLICATE
        elif verdict == DUPLICATE:
            assert position < min(seen) - 512
            continue
        elif verdict == HELD:
            assert position < max(seen) - 8191
            continue
        else:
            assert verdict == LATE
        seen.add(position)
        assert tracker.highest == max(seen)
        assert tracker.received == len(seen)
        assert tracker.expected == max(seen) - min(seen) + 1
