"""Statistics of what is received: gaps, windows of observers, retransmissions of their own, what is odd (C-13)."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.base import SeededRandomness
from pystack.errors import InvalidArgument
from pystack.rtp import (
    CodecSpec,
    HeaderExtensionMap,
    InboundStreamStats,
    Pli,
    ReceptionWindow,
    RtpPacket,
    RtpSession,
    RtpSessionOptions,
    SenderReport,
    StreamAnomaly,
    StreamStarted,
    parse_compound,
)
from pystack.rtp.clock import ntp_time
from pystack.rtp.streams.observers import MAX_OBSERVERS

VP8 = CodecSpec(name="VP8", payload_type=96, clock_rate=90000, rtcp_fb=("nack", "nack pli"), rtx_payload_type=97)


class Hearing:
    """A session that receives one video stream and its retransmissions."""

    def __init__(self, options: RtpSessionOptions | None = None) -> None:
        self.session = RtpSession(options or RtpSessionOptions(), SeededRandomness(1))
        self.session.set_receiver(
            1, mid="0", kind="video", codecs=[VP8], extensions=HeaderExtensionMap(), ssrcs=[7], rtx_ssrcs={8: 7}
        )

    def hear(self, *numbers: int, now: float = 1.0, size: int = 10) -> None:
        for number in numbers:
            packet = RtpPacket(ssrc=7, payload_type=96, sequence_number=number & 0xFFFF, payload=bytes(size))
            self.session.receive_rtp(packet.serialize(), now)
        self.session.take_packets()

    def repair(self, number: int, original: int, now: float = 1.0) -> None:
        payload = original.to_bytes(2, "big") + bytes(10)
        packet = RtpPacket(ssrc=8, payload_type=97, sequence_number=number & 0xFFFF, payload=payload)
        self.session.receive_rtp(packet.serialize(), now)
        self.session.take_packets()

    def anomalies(self) -> list[StreamAnomaly]:
        return [each for each in self.session.take_events() if isinstance(each, StreamAnomaly)]

    @property
    def stats(self) -> InboundStreamStats:
        (stats,) = self.session.stats(0.0).inbound
        return stats

    def window(self, observer: str = "", now: float = 1.0) -> ReceptionWindow | None:
        return self.session.reception_window(1, now, observer=observer)


@settings(max_examples=100)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
def test_the_histogram_counts_each_gap_when_the_next_packet_comes(steps: list[int]) -> None:
    hearing = Hearing()
    number, wanted = 60_000, Counter[int]()
    hearing.hear(number)
    for step in steps:
        number += step
        hearing.hear(number)
        if step > 1:
            wanted[min(step - 1, 101)] += 1
    assert hearing.stats.gaps == wanted
    assert hearing.stats.lost == sum(step - 1 for step in steps)


def test_100_missing_in_a_row_are_told_and_99_are_not() -> None:
    hearing = Hearing()
    hearing.hear(100, 200)
    assert hearing.anomalies() == []
    hearing.hear(301, now=2.0)
    (told,) = hearing.anomalies()
    assert (told.receiver_id, told.ssrc, told.repair, told.kind, told.before, told.after) == (
        (1, 7, False, "gap", 200, 301)
    )
    hearing.hear(500, 700, now=2.5)
    assert hearing.anomalies() == [], "once a second is enough"
    hearing.hear(900, now=3.1)
    assert [each.merged for each in hearing.anomalies()] == [2]
    assert hearing.stats.anomalies == 4


def test_a_window_tells_what_came_between_two_questions() -> None:
    hearing = Hearing()
    assert hearing.window() is None, "there is no stream"
    hearing.hear(1, 2, 3)
    assert hearing.window(now=2.0) is None, "the first question opens"
    hearing.hear(3, 6, 4, now=2.5, size=20)
    hearing.repair(1, 5, now=2.6)
    hearing.hear(9, now=2.7)
    window = hearing.window(now=3.0)
    assert window == ReceptionWindow(
        start=2.0,
        end=3.0,
        expected=6,
        packets=4,
        octets=20 + 20 + 10 + 10,
        header_octets=48,
        lost=2,
        duplicates=1,
        reordered=2,
        recovered=1,
        nacks=0,
        key_frame_requests=0,
        restarts=0,
        max_jitter=0.0,
    )
    hearing.hear(7, 8, now=3.5)
    later = hearing.window(now=4.0)
    assert later is not None
    assert (later.start, later.expected, later.lost) == (3.0, 0, -2), "late ones make up for losses"
    hearing.session.tick(9.0)
    with pytest.raises(InvalidArgument, match="receiver 9 does not exist"):
        hearing.session.reception_window(9, 5.0)


def test_observers_do_not_disturb_each_other_and_are_bounded() -> None:
    hearing = Hearing()
    hearing.hear(0)
    for observer in ("second", "minute"):
        hearing.window(observer)
    total = 0
    for number in range(1, 61):
        hearing.hear(number)
        window = hearing.window("second")
        assert window is not None
        total += window.packets
    minute = hearing.window("minute")
    assert minute is not None
    assert total == minute.packets == 60
    for each in range(MAX_OBSERVERS):
        hearing.window(f"other {each}")
    assert hearing.window("second") is None, "the oldest gave way"


def test_more_than_65536_numbers_are_no_measurement() -> None:
    hearing = Hearing()
    hearing.hear(0)
    hearing.window()
    for number in range(2000, 65_537, 2000):
        hearing.hear(number)
    hearing.hear(65_536)
    window = hearing.window()
    assert window is not None
    assert window.expected == 65_536
    for number in range(65_537 + 1999, 65_537 + 65_536, 2000):
        hearing.hear(number)
    hearing.hear(65_537 + 65_536)
    assert hearing.window() is None


def test_the_largest_jitter_of_a_window() -> None:
    hearing = Hearing()

    def frame(number: int, now: float) -> None:
        packet = RtpPacket(ssrc=7, payload_type=96, sequence_number=number, timestamp=number * 3000)
        hearing.session.receive_rtp(packet.serialize(), now)

    frame(0, 1.0)
    hearing.window()
    frame(1, 1.0 + 1 / 30 + 0.16)
    for number in range(2, 60):
        frame(number, 1.16 + number / 30)
    window = hearing.window()
    assert window is not None
    assert window.max_jitter == pytest.approx(0.01, rel=0.05)
    assert hearing.stats.jitter < 0.001
    assert hearing.stats.timestamp == 59 * 3000
    assert hearing.stats.first_arrival == 1.0


def test_retransmissions_are_counted_by_the_numbers_of_their_own_stream() -> None:
    hearing = Hearing()
    hearing.hear(0, 10)
    hearing.repair(65_534, 1)
    hearing.repair(1, 2)  # two were lost
    hearing.repair(1, 2)
    assert (hearing.stats.rtx_packets, hearing.stats.rtx_lost, hearing.stats.recovered) == (3, 2, 2)
    for number in range(30_000, 30_006):
        hearing.repair(number, 3)
    (told,) = hearing.anomalies()
    assert (told.ssrc, told.repair, told.kind, told.before, told.after) == (8, True, "restart", 65_537, 30_004)
    assert hearing.stats.anomalies == 1


def test_a_sender_report_ties_a_stream_to_the_wall_clock() -> None:
    hearing = Hearing()
    hearing.hear(0)
    assert hearing.session.capture_time(1, 0) is None
    hearing.session.receive_rtcp(SenderReport(7, ntp_time(1.7e9), 90_000).serialize(), 1.0)
    assert hearing.session.capture_time(1, 0) == pytest.approx(1.7e9 - 1, abs=1e-3)
    assert hearing.session.capture_time(2, 0) is None
    assert hearing.session.take_events()[0] == StreamStarted(1, "", 7)


@pytest.mark.parametrize(
    ("intervals", "rid", "expected"),
    [((0.5, 1.0, 1.0), "l", 0.5), ((0.5, 1.0, 1.0), "m", 1.0), ((0.5, 1.0, 1.0), "h", 1.0), ((0.2, 0.3), "h", 0.3)],
)
def test_requests_for_key_frames_are_throttled_by_layer(
    intervals: tuple[float, ...], rid: str, expected: float
) -> None:
    """C-12: 500 ms for the low layer, a second for the others, unless the options say otherwise."""
    session = RtpSession(RtpSessionOptions(key_frame_intervals=intervals), SeededRandomness(1))
    names = HeaderExtensionMap(
        {4: "urn:ietf:params:rtp-hdrext:sdes:mid", 5: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"}
    )
    session.set_receiver(1, mid="0", kind="video", codecs=[VP8], extensions=names, rids=["l", "m", "h"])
    element = b"\x40\x30\x50" + rid.encode()
    packet = RtpPacket(ssrc=7, payload_type=96, extension_profile=0xBEDE, extension=element)
    session.receive_rtp(packet.serialize(), 1.0)
    assert session.request_key_frame(1, 1.0, rid)

    def asked(now: float) -> bool:
        session.tick(now)
        _, control = session.flush(now)
        return any(isinstance(each, Pli) for datagram in control for each in parse_compound(datagram))

    assert asked(1.0)
    session.request_key_frame(1, 1.01, rid)
    assert not asked(1.0 + expected - 0.001)
    assert asked(1.0 + expected)


def test_intervals_that_cannot_be_are_refused() -> None:
    for wrong in ((), (0.5, -1.0)):
        with pytest.raises(InvalidArgument, match="key_frame_intervals"):
            RtpSessionOptions(key_frame_intervals=wrong)
