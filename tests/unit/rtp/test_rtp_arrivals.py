"""Transport-wide feedback: when it is sent (requirements C-12) and what it says."""

from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.rtp.rtcp import TransportFeedback, parse_compound
from pystack.rtp.streams.arrivals import TransportFeedbackRecorder


def record(
    recorder: TransportFeedbackRecorder, numbers: range | list[int], now: float, *, marker: bool = False
) -> None:
    for number in numbers:
        recorder.record(number & 0xFFFF, now, 5, marker)


def through_the_wire(packets: list[TransportFeedback]) -> list[TransportFeedback]:
    read = [parse_compound(each.serialize())[0] for each in packets]
    assert read == packets
    assert all(len(each.serialize()) <= 1180 for each in packets)
    return packets


def test_more_than_20_and_100_ms() -> None:
    recorder = TransportFeedbackRecorder()
    record(recorder, range(20), 10.0)
    assert not recorder.ready
    record(recorder, [20], 10.05)
    assert not recorder.ready
    assert recorder.deadline == 10.1
    record(recorder, [21], 10.11)
    assert recorder.ready
    (feedback,) = recorder.build(9, 10.11)
    assert (feedback.sender_ssrc, feedback.media_ssrc, feedback.base_sequence, feedback.feedback_count) == (9, 5, 0, 0)
    assert len(feedback.deltas) == 22
    assert not recorder.ready
    assert recorder.deadline == inf


def test_20_alone_wait_for_company_or_a_second() -> None:
    recorder = TransportFeedbackRecorder()
    record(recorder, range(20), 10.0)
    recorder.tick(10.5)
    assert not recorder.ready
    assert recorder.deadline == 11.0
    recorder.tick(11.0)
    assert recorder.ready
    assert len(recorder.build(1, 11.0)) == 1
    assert recorder.build(1, 11.0) == []


def test_more_than_100_at_once() -> None:
    recorder = TransportFeedbackRecorder()
    record(recorder, range(100), 10.0)
    assert not recorder.ready
    record(recorder, [100], 10.0)
    assert recorder.ready


def test_a_marker_after_50_ms() -> None:
    recorder = TransportFeedbackRecorder()
    record(recorder, range(30), 10.0)
    record(recorder, [30], 10.049, marker=True)
    assert not recorder.ready
    record(recorder, [31], 10.06)
    assert not recorder.ready
    record(recorder, [32], 10.06, marker=True)
    assert recorder.ready


def test_losses_at_the_border_of_two_reports_are_told() -> None:
    recorder = TransportFeedbackRecorder()
    record(recorder, range(65500, 65530), 10.0)
    recorder.build(1, 10.0)
    record(recorder, range(65533, 65560), 10.2)
    (feedback,) = through_the_wire(recorder.build(1, 10.2))
    assert feedback.base_sequence == 65530
    assert feedback.deltas[:4] == [None, None, None, feedback.deltas[3]]
    assert feedback.feedback_count == 1


def test_a_late_packet_is_reported_with_what_was_known() -> None:
    recorder = TransportFeedbackRecorder()
    record(recorder, [0, 1, 3, 4], 10.0)
    recorder.build(1, 10.0)
    record(recorder, [2, 5], 10.01)
    (feedback,) = through_the_wire(recorder.build(1, 10.1))
    assert feedback.base_sequence == 2
    assert None not in feedback.deltas
    assert [number for number, _ in feedback.arrivals()] == [2, 3, 4, 5]


def test_the_first_arrival_counts() -> None:
    recorder = TransportFeedbackRecorder()
    record(recorder, [7], 10.0)
    record(recorder, [7], 11.0)
    (feedback,) = recorder.build(1, 11.0)
    assert feedback.arrivals()[0][1] == 10.0


def test_long_pauses_and_gaps_begin_new_packets() -> None:
    recorder = TransportFeedbackRecorder()
    record(recorder, [1], 10.0)
    record(recorder, [2], 30.0)
    record(recorder, [2002], 30.0)
    first, second, third = through_the_wire(recorder.build(1, 30.0))
    assert (first.base_sequence, second.base_sequence, third.base_sequence) == (1, 2, 2002)
    assert [each.feedback_count for each in (first, second, third)] == [0, 1, 2]


def test_a_jump_is_another_beginning() -> None:
    recorder = TransportFeedbackRecorder()
    record(recorder, [1], 10.0)
    record(recorder, [30_000], 10.0)
    (feedback,) = recorder.build(1, 10.0)
    assert feedback.base_sequence == 30_000
    record(recorder, [10_000], 10.1)
    assert recorder.build(1, 10.1) == []


def test_nobody_who_flushes_costs_no_memory() -> None:
    recorder = TransportFeedbackRecorder()
    for number in range(5000):
        recorder.record(number & 0xFFFF, 10.0 + number / 1000, 1, False)
    assert len(recorder._arrivals) <= 1025
    through_the_wire(recorder.build(1, 20.0))
    assert len(recorder._arrivals) <= 512


@settings(deadline=None)
@given(
    st.integers(0, 65535),
    st.lists(st.tuples(st.integers(-40, 300), st.floats(0, 0.3), st.booleans()), min_size=1, max_size=120),
)
def test_what_arrived_is_reported_with_its_time(first: int, steps: list[tuple[int, float, bool]]) -> None:
    recorder = TransportFeedbackRecorder()
    now = 1000.0
    number = first
    arrived: dict[int, float] = {}
    told: dict[int, float] = {}
    count = 0
    for step, wait, flush in steps:
        now += wait
        number = (number + step) & 0xFFFF
        arrived.setdefault(number, now)
        recorder.record(number, now, 1, False)
        if flush or recorder.ready:
            for feedback in through_the_wire(recorder.build(1, now)):
                assert feedback.feedback_count == count & 0xFF
                count += 1
                told |= dict(feedback.arrivals())
    for feedback in recorder.build(1, now):
        told |= dict(feedback.arrivals())
    assert set(told) == set(arrived)
    assert all(abs(told[each] - arrived[each]) < 0.001 for each in told)
