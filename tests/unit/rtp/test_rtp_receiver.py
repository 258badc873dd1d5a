"""One received stream: what is handed on, jitter, report blocks, restarts."""

from collections import defaultdict
from math import inf

import pytest

from pystack.rtp import CodecSpec, RtpPacket
from pystack.rtp.rtcp import SenderReport
from pystack.rtp.streams.receiver import ReceiveStream
from pystack.rtp.streams.tray import EventTray


def make(*, nack: bool = True, first: int = 100, events: EventTray | None = None) -> ReceiveStream:
    drops: defaultdict[str, int] = defaultdict(int)
    feedback = ("nack",) if nack else ()
    codecs = {
        0: CodecSpec(payload_type=0, name="VP8", clock_rate=90000, rtcp_fb=feedback),
        1: CodecSpec(payload_type=1, name="H264", clock_rate=90000),
        2: CodecSpec(payload_type=2, name="PCMU", clock_rate=8000, rtcp_fb=("nack",)),
    }
    return ReceiveStream(1, "", 7, codecs, first, is_video=True, drops=drops, events=events or EventTray(16, drops))


def packet(number: int, timestamp: int = 0, payload: bytes = b"data", payload_type: int = 0) -> RtpPacket:
    return RtpPacket(
        ssrc=7,
        sequence_number=number & 0xFFFF,
        timestamp=timestamp & 0xFFFFFFFF,
        payload=payload,
        payload_type=payload_type,
    )


def test_packets_are_handed_on_once() -> None:
    stream = make()
    one, two = packet(100), packet(101)
    assert stream.receive_packet(one, 1.0) == [one]
    assert stream.receive_packet(two, 1.1) == [two]
    assert stream.receive_packet(packet(101), 1.2) == []
    assert (stream.packets, stream.octets, stream.last_arrival, stream.heard) == (2, 8, 1.1, True)
    assert stream._drops == {"duplicate": 1}


def test_gaps_are_asked_for_and_repairs_take_them_back() -> None:
    stream = make()
    for number in (100, 103):
        stream.receive_packet(packet(number), 1.0)
    assert stream.nacks.deadline == 1.02
    stream.receive_packet(packet(101), 1.01)
    stream.receive_packet(packet(102), 1.01, recovered=True)
    assert stream.nacks.deadline == inf
    assert stream.recovered == 1
    silent = make(nack=False)
    for number in (100, 103, 101):
        silent.receive_packet(packet(number), 1.0)
    assert silent.nacks.deadline == inf


def test_jitter_of_rfc_3550_once_per_frame() -> None:
    stream = make()
    # Frames of 33.3 ms, each second one 10 ms late, two packets each: the second does not count.
    number = 100
    jitter = 0.0
    for frame in range(50):
        now = 1.0 + frame / 30 + (0.01 if frame % 2 else 0.0)
        for _ in range(2):
            stream.receive_packet(packet(number, frame * 3000), now)
            number += 1
        if frame:
            jitter += (900 - jitter) / 16
    assert stream.jitter == pytest.approx(jitter)
    # A timestamp that jumps is a new time line, not jitter; and a wrap is no jump.
    stream.receive_packet(packet(number, 1 << 31), 3.0)
    assert stream.jitter == pytest.approx(jitter)
    calm = make()
    for frame in range(5):
        calm.receive_packet(packet(100 + frame, 0xFFFFFFFF - 5000 + frame * 3000), 1.0 + frame / 30)
    assert calm.jitter < 1


def test_report_blocks() -> None:
    stream = make(first=65534)
    for number in (65534, 65535, 65536, 65538):
        stream.receive_packet(packet(number), 5.0)
    stream.handle_sender_report(SenderReport(7, 0x1111_2222_3333_4444), 6.0)
    block = stream.report_block(6.5)
    assert (block.ssrc, block.fraction_lost, block.cumulative_lost, block.highest_sequence) == (7, 51, 1, 65538)
    assert (block.last_sender_report, block.delay_since_last) == (0x2222_3333, 32768)
    assert not stream.heard
    assert stream.report_block(1e9).delay_since_last == 0xFFFFFFFF
    assert make().report_block(1.0).last_sender_report == 0


def test_a_stream_that_starts_again_elsewhere_loses_nothing() -> None:
    stream = make()
    for number in range(100, 104):
        stream.receive_packet(packet(number), 1.0)
    stream.receive_packet(packet(106), 1.0)
    handed = [stream.receive_packet(packet(number, 5), 2.0) for number in range(40000, 40006)]
    assert [len(each) for each in handed] == [0, 0, 0, 0, 5, 1]
    assert [each.sequence_number for each in handed[4]] == list(range(40000, 40005))
    assert stream.sequence.restarts == 1
    assert stream.nacks.deadline == inf
    assert stream.report_block(2.0).highest_sequence == 40005
    quiet = make(nack=False)
    quiet.receive_packet(packet(100), 1.0)
    assert sum(len(quiet.receive_packet(packet(number), 2.0)) for number in range(40000, 40005)) == 5


def test_noise_from_far_away_is_dropped_and_counted() -> None:
    stream = make()
    stream.receive_packet(packet(100), 1.0)
    for number in (40000, 40001, 50000):
        assert stream.receive_packet(packet(number), 1.0) == []
    assert len(stream.receive_packet(packet(101), 1.0)) == 1
    assert stream._drops == {"out-of-range": 3}
    for number in (50001, 50002, 50003, 50004):
        assert stream.receive_packet(packet(number), 1.0) == []
    assert len(stream.receive_packet(packet(50005), 1.0)) == 5


def test_a_clock_of_another_rate_is_another_clock_and_no_jitter() -> None:
    """RFC 7160 section 4: no transit is compared across the change."""
    tray = EventTray(16, defaultdict(int))
    stream = make(events=tray)
    wall = 3_900_000_000
    number, timestamp, now = 100, 5000, 1.0
    for payload_type, rate in ((0, 90000), (2, 8000), (0, 90000)):
        for step in range(600):
            stream.receive_packet(packet(number, timestamp, payload_type=payload_type), now)
            if step % 50 == 1:
                stream.handle_sender_report(SenderReport(7, (wall << 32) + round(now * (1 << 32)), timestamp), now)
            number, timestamp, now = number + 1, timestamp + rate // 50, now + 0.02
        assert (stream.clock_rate, stream.payload_type) == (rate, payload_type)
        assert stream.jitter < 2
        assert stream.timeline is not None
        assert stream.timeline.measured_rate == pytest.approx(rate, rel=1e-4)
        captured = stream.timeline.capture_time(timestamp - rate // 50 - rate)
        assert captured == pytest.approx(wall - 2_208_988_800 + now - 1.02, abs=1e-3)
    assert tray.take() == []


def test_the_clock_of_a_late_packet_is_not_that_of_the_stream() -> None:
    stream = make()
    for number, payload_type in ((100, 2), (102, 0), (101, 2)):
        stream.receive_packet(packet(number, payload_type=payload_type), 1.0)
    assert (stream.clock_rate, stream.payload_type) == (90000, 0)


def test_a_window_over_two_clocks_tells_jitter_in_seconds() -> None:
    stream = make()
    stream.window("me", 1.0)
    for frame in range(20):
        stream.receive_packet(packet(100 + frame, frame * 3000), 1.0 + frame / 30 + 0.02 * (frame % 2))
    stream.receive_packet(packet(120, payload_type=2), 2.0)
    window = stream.window("me", 2.0)
    assert window is not None
    assert 0.01 < window.max_jitter < 0.02


def test_what_is_asked_for_follows_the_codec_of_the_packets() -> None:
    stream = make()
    for number, payload_type in ((100, 1), (102, 1), (103, 0), (105, 0)):
        stream.receive_packet(packet(number, payload_type=payload_type), 1.0)
    assert stream.nacks.due(1.02, 0.05) == [104]


def test_what_is_asked_for_follows_a_renegotiation() -> None:
    stream = make(nack=False)
    with_nack = {0: CodecSpec(payload_type=0, name="VP8", clock_rate=90000, rtcp_fb=("nack",))}
    without = {0: CodecSpec(payload_type=0, name="VP8", clock_rate=90000)}
    for number in (100, 102):
        stream.receive_packet(packet(number), 1.0)
    assert stream.nacks.deadline == inf
    stream.configure(with_nack)
    stream.receive_packet(packet(104), 1.0)
    assert stream.nacks.due(1.02, 0.05) == [103]
    stream.configure({})  # its payload type is gone: packets of it do not come any more
    assert stream.nacks.deadline != inf
    stream.configure(without)
    assert stream.nacks.deadline == inf
    stream.receive_packet(packet(106), 1.0)
    assert stream.nacks.deadline == inf
    assert stream.nacks.requested == 1
