"""The RTP session as its driver sees it: two back to back, and what strangers do to it."""

from math import inf

import pytest

from pystack.base import Ended, SeededRandomness
from pystack.errors import LOCAL, InvalidArgument, LocalProtocolError
from pystack.rtp import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    MID,
    REPAIRED_RID,
    RID,
    TRANSPORT_SEQUENCE,
    BandwidthEstimate,
    ByeReceived,
    CodecSpec,
    HeaderExtensionMap,
    HistoryBudget,
    KeyFrameRequested,
    RtpPacket,
    RtpSession,
    RtpSessionOptions,
    StreamRestarted,
    StreamStarted,
    TransportFeedbackReceived,
)
from pystack.rtp.rtcp import (
    Bye,
    Fir,
    Nack,
    Pli,
    ReceiverReport,
    Remb,
    ReportBlock,
    SenderReport,
    TransportFeedback,
    UnknownRtcp,
    parse_compound,
)

MAP = HeaderExtensionMap({4: MID, 3: TRANSPORT_SEQUENCE, 2: ABS_SEND_TIME, 1: AUDIO_LEVEL, 10: RID, 11: REPAIRED_RID})
VP8 = CodecSpec(
    payload_type=96,
    name="VP8",
    clock_rate=90000,
    rtcp_fb=("nack", "nack pli", "ccm fir", "transport-cc"),
    rtx_payload_type=97,
)
OPUS = CodecSpec(payload_type=111, name="opus", clock_rate=48000, rtcp_fb=("transport-cc",))


class Counted:
    """A trace that counts drops."""

    def __init__(self) -> None:
        self.drops: list[str] = []

    def packet(self, now: float, layer: str, direction: str, data: bytes) -> None: ...

    def state(self, now: float, layer: str, before: str, after: str) -> None: ...

    def timer(self, now: float, layer: str, name: str) -> None: ...

    def dropped(self, now: float, layer: str, why: str) -> None:
        self.drops.append(f"{layer} {why}")


def make(seed: int = 1, **options: object) -> RtpSession:
    return RtpSession(RtpSessionOptions(ntp_offset=1e9, **options), SeededRandomness(seed))  # type: ignore[arg-type]


def pair(*, rtx: bool = True, codec: CodecSpec = VP8, **options: object) -> tuple[RtpSession, RtpSession]:
    a, b = make(1, **options), make(2, **options)
    a.set_sender(
        1, mid="0", kind="video", ssrc=100, rtx_ssrc=101 if rtx else None, codecs=[codec], extensions=MAP, cname="a"
    )
    b.set_receiver(2, mid="0", kind="video", codecs=[codec], extensions=MAP)
    return a, b


def packet(number: int, **fields: object) -> RtpPacket:
    return RtpPacket(**({"payload_type": 96, "sequence_number": number & 0xFFFF, "payload": b"data"} | fields))  # type: ignore[arg-type]


def exchange(a: RtpSession, b: RtpSession, now: float) -> None:
    for source, target in ((a, b), (b, a)):
        for data in [each for half in source.flush(now) for each in half]:
            target.receive(data, now)


def test_a_packet_arrives_with_its_receiver_and_its_map() -> None:
    a, b = pair()
    data = a.send(1, packet(5, marker=True), 1.0)
    b.receive_rtp(data, 1.5)
    ((receiver_id, rid, arrived),) = b.take_packets()
    assert (receiver_id, rid, arrived.sequence_number, arrived.payload, arrived.marker) == (2, "", 5, b"data", True)
    assert arrived.arrival == 1.5
    assert arrived.extension_map is MAP
    assert MAP.get(arrived, MID) == b"0"
    assert b.take_packets() == []
    assert b.take_events() == [StreamStarted(2, "", 100)]


def test_send_and_send_parts_are_twins() -> None:
    a, _ = pair()
    b, _ = pair()
    for number in range(5):
        given = packet(number, timestamp=number)
        parts = a.send_parts(1, given, 1.0, None, number + 7, None, True, b"x")
        assert parts is not None
        assert parts[0] + parts[1] == b.send(1, given, 1.0, sequence_number=number + 7, marker=True, payload=b"x")
    assert b.send(1, packet(0), 1.0) == b""
    assert b.stats(0.0).outbound[0].refused == 1


def test_losses_are_asked_for_and_repaired() -> None:
    for rtx in (True, False):
        a, b = pair(rtx=rtx)
        now = 1.0
        for number in range(65500, 65600):
            now += 0.01
            data = a.send(1, packet(number, timestamp=number * 900), now)
            if number % 10 != 3:
                b.receive(data, now)
            exchange(a, b, now)
        for _ in range(20):
            now += 0.01
            exchange(a, b, now)
        arrived = sorted((each.sequence_number - 65500) % 65536 for _, _, each in b.take_packets())
        assert arrived == list(range(100))
        (inbound,) = b.stats(0.0).inbound
        assert (inbound.lost, inbound.recovered, inbound.rtx_packets) == (0, 10 if rtx else 0, 10 if rtx else 0)
        (outbound,) = a.stats(0.0).outbound
        assert (outbound.retransmitted_packets, outbound.nacks) == (10, 10)


def test_reports_give_loss_jitter_and_round_trip() -> None:
    codec = CodecSpec(payload_type=96, name="VP8", clock_rate=90000)
    a, b = pair(codec=codec)
    wire: list[tuple[float, RtpSession, bytes]] = []
    now = 1.0
    for number in range(400):
        now += 0.01
        data = a.send(1, packet(number, timestamp=number * 900), now)
        if number % 4:
            wire.append((now + 0.05, b, data))
        for source, target in ((a, b), (b, a)):
            wire += [(now + 0.05, target, data) for half in source.flush(now) for data in half]
        for at, target, data in list(wire):
            if at <= now:
                target.receive(data, now)
                wire.remove((at, target, data))
        b.take_packets()
    stats = a.stats(0.0)
    assert stats.round_trip_time == pytest.approx(0.1, abs=0.02)
    (outbound,) = stats.outbound
    assert outbound.reported_fraction_lost == pytest.approx(0.25, abs=0.02)
    assert 70 <= outbound.reported_lost <= 100
    assert outbound.reported_jitter < 0.001
    assert b.stats(0.0).round_trip_time is None
    report = b.sender_report_of(2)
    assert report is not None
    assert report[0].ssrc == 100
    assert b.sender_report_of(9) is None
    assert a.sender_report_of(2) is None
    a.set_round_trip_time(0.5)
    assert a.stats(0.0).round_trip_time == pytest.approx(0.4, abs=0.01)


def test_a_key_frame_request_goes_at_once_and_the_next_are_merged() -> None:
    a, b = pair()
    assert not b.request_key_frame(2, 1.0)
    assert not b.request_key_frame(9, 1.0)
    b.receive(a.send(1, packet(1), 1.0), 1.0)
    for now in (1.0, 1.01, 1.02):
        assert b.request_key_frame(2, now)
        exchange(a, b, now)
    exchange(a, b, 1.03)
    assert a.take_events() == [KeyFrameRequested(1)]
    assert b.deadline <= 1.5
    b.flush(1.4999)
    b.tick(1.5)
    exchange(a, b, 1.5)
    exchange(a, b, 1.5)
    assert a.take_events() == [KeyFrameRequested(1)]
    assert b.stats(0.0).inbound[0].key_frame_requests == 2
    # A key frame that came meanwhile makes the waiting request superfluous.
    b.request_key_frame(2, 1.6)
    b.key_frame_arrived(2)
    exchange(a, b, 2.5)
    assert [each for each in a.take_events() if isinstance(each, KeyFrameRequested)] == []
    assert a.stats(0.0).outbound[0].key_frame_requests == 2


def test_plis_of_many_subscribers_are_merged_for_the_sender() -> None:
    a, _ = pair()
    for at in range(50):
        a.receive(Pli(at, 100).serialize(), 1.0 + at / 1000)
        a.receive(Pli(at, 999).serialize(), 1.0)
    assert a.take_events() == [KeyFrameRequested(1)]
    assert a.deadline == 1.5
    a.tick(1.5)
    assert a.take_events() == [KeyFrameRequested(1)]
    assert a.deadline == inf


def test_fir_where_only_fir_was_agreed() -> None:
    codec = CodecSpec(payload_type=96, name="VP8", clock_rate=90000, rtcp_fb=("ccm fir",))
    a, b = pair(codec=codec)
    b.receive(a.send(1, packet(1), 1.0), 1.0)
    for now in (1.0, 2.0):
        b.request_key_frame(2, now)
        (fir,) = [each for data in b.flush(now)[1] for each in parse_compound(data) if isinstance(each, Fir)]
        assert fir.entries == [(100, int(now) - 1)]
        # The same number again is the same request.
        a.receive(fir.serialize(), now)
        a.receive(fir.serialize(), now + 0.1)
    a.receive(Fir(5, 0, [(999, 1)]).serialize(), 3.0)
    assert a.take_events() == [KeyFrameRequested(1)] * 2
    silent = CodecSpec(payload_type=96, name="VP8", clock_rate=90000)
    a, b = pair(codec=silent)
    b.receive(a.send(1, packet(1), 1.0), 1.0)
    assert not b.request_key_frame(2, 1.0)


def test_layers_have_throttles_of_their_own() -> None:
    b = make()
    b.set_receiver(2, mid="0", kind="video", codecs=[VP8], extensions=MAP, rids=("q", "h"))
    a = make(2)
    plain = HeaderExtensionMap({10: RID, 4: MID})
    for ssrc, rid in ((200, "q"), (201, "h")):
        a.set_sender(ssrc, mid="", kind="video", ssrc=ssrc, codecs=[VP8], extensions=HeaderExtensionMap())
        given = packet(1)
        plain.set(given, MID, b"0")
        plain.set(given, RID, rid.encode())
        given.ssrc = ssrc
        b.receive(given.serialize(), 1.0)
    assert [rid for _, rid, _ in b.take_packets()] == ["q", "h"]
    asked: dict[int, list[float]] = {200: [], 201: []}
    for step in range(40):
        now = 1.0 + step / 20
        b.request_key_frame(2, now, "q")
        b.request_key_frame(2, now, "h")
        for data in b.flush(now)[1]:
            for each in parse_compound(data):
                if isinstance(each, Pli):
                    asked[each.media_ssrc].append(round(now, 2))
    assert asked[200] == pytest.approx([1.0, 1.5, 2.0, 2.5], abs=0.051)
    assert asked[201] == pytest.approx([1.0, 2.0], abs=0.051)


def test_transport_wide_feedback_is_sent_and_told() -> None:
    a, b = pair()
    now = 1.0
    for number in range(60):
        now += 0.005
        b.receive(a.send(1, packet(number), now), now)
        exchange(a, b, now)
    feedback = [each.feedback for each in a.take_events() if isinstance(each, TransportFeedbackReceived)]
    assert sum(len(each.deltas) for each in feedback) >= 40
    assert feedback[0].media_ssrc == 100


def test_replays_count_for_the_feedback_alone() -> None:
    a, b = pair()
    for number in range(30):
        b.record_replay(a.send(1, packet(number), 1.0), 1.0)
    b.record_replay(b"junk", 1.0)
    assert b.take_packets() == []
    assert b.take_events() == []
    b.tick(2.0)
    (data,) = b.flush(2.0)[1]
    (feedback,) = parse_compound(data)
    assert isinstance(feedback, TransportFeedback)
    assert len(feedback.deltas) == 30


def test_estimates_and_farewells_are_told() -> None:
    a, b = pair()
    b.receive(a.send(1, packet(1), 1.0), 1.0)
    b.take_events()
    b.receive(Remb(1, 1 << 17, [100]).serialize(), 1.0)
    b.receive(Bye([100, 555]).serialize(), 1.0)
    assert b.take_events() == [BandwidthEstimate(1 << 17, (100,)), ByeReceived(2, "")]
    assert b.stats(0.0).inbound == ()
    b.receive(UnknownRtcp(207, 0).serialize(), 1.0)
    b.receive(SenderReport(555).serialize(), 1.0)
    assert b.take_events() == []


def test_a_removed_sender_says_bye() -> None:
    a, b = pair()
    b.receive(a.send(1, packet(1), 1.0), 1.0)
    a.remove_sender(1)
    a.remove_sender(1)
    exchange(a, b, 1.0)
    assert b.take_events() == [StreamStarted(2, "", 100), ByeReceived(2, "")]
    with pytest.raises(InvalidArgument):
        a.send(1, packet(2), 1.0)
    a.set_sender(3, mid="0", kind="audio", ssrc=300, codecs=[OPUS], extensions=MAP)
    a.remove_sender(3)
    assert a.flush(5.0) == ([], [])


def test_a_restart_is_told() -> None:
    a, b = pair()
    b.receive(a.send(1, packet(1), 1.0), 1.0)
    for number in range(30000, 30006):
        b.receive(RtpPacket(ssrc=100, payload_type=96, sequence_number=number).serialize(), 2.0)
    assert len(b.take_packets()) == 7
    assert b.take_events() == [StreamStarted(2, "", 100), StreamRestarted(2, "")]


def test_renegotiation_keeps_what_goes_on() -> None:
    a, b = pair()
    for number in range(5):
        b.receive(a.send(1, packet(number), 1.0), 1.0)
    other = HeaderExtensionMap({1: MID})
    h264 = CodecSpec(payload_type=102, name="H264", clock_rate=90000, rtcp_fb=("nack",))
    a.set_sender(1, mid="0", kind="video", ssrc=100, codecs=[h264], extensions=other)
    b.set_receiver(2, mid="0", kind="video", codecs=[h264], extensions=other)
    assert a.send(1, packet(5), 1.0) == b""
    b.receive(a.send(1, packet(5, payload_type=102), 1.0), 1.0)
    assert len(b.take_packets()) == 6
    assert a.stats(0.0).outbound[0].packets == 6
    # Another SSRC is another stream.
    a.set_sender(1, mid="0", kind="video", ssrc=700, rtx_ssrc=701, codecs=[h264], extensions=other)
    assert a.stats(0.0).outbound[0].packets == 0
    (data,) = a.flush(1.0)[1]
    assert any(isinstance(each, Bye) and each.ssrcs == [100] for each in parse_compound(data))
    with pytest.raises(InvalidArgument):
        a.set_sender(2, mid="1", kind="video", ssrc=701, codecs=[h264], extensions=other)
    with pytest.raises(InvalidArgument):
        a.set_sender(2, mid="1", kind="video", ssrc=800, rtx_ssrc=700, codecs=[h264], extensions=other)
    with pytest.raises(InvalidArgument):
        a.set_sender(2, mid="1", kind="video", ssrc=800, rtx_ssrc=800, codecs=[h264], extensions=other)
    a.set_sender(1, mid="0", kind="video", ssrc=700, codecs=[h264], extensions=other)
    a.set_sender(2, mid="1", kind="video", ssrc=701, codecs=[h264], extensions=other)
    with pytest.raises(InvalidArgument):
        a.set_sender_clock(9, 0, 0.0)
    a.set_sender_clock(1, 77, 1.0)


def test_numbers_go_on_when_a_stream_comes_back() -> None:
    """The SRTP keys are still the same, so no number may be used twice, that of retransmissions included."""
    a, _ = pair()
    rtx: list[int] = []
    for first in (65530, 65540, 65550):
        a.set_sender(1, mid="0", kind="video", ssrc=100, rtx_ssrc=101, codecs=[VP8], extensions=MAP)
        if rtx:
            assert not a.send(1, packet(first - 1), 1.0)
        for number in range(first, first + 10):
            assert a.send(1, packet(number), 1.0)
        a.receive(Nack(5, 100, [(first + 3) & 0xFFFF]).serialize(), 1.0)
        rtx += [RtpPacket.parse(data).sequence_number for data in a.flush(1.0)[0]]
        a.remove_sender(1)
    assert len(rtx) == 3
    assert [number - rtx[0] & 0xFFFF for number in rtx] == [0, 1, 2]
    a.set_sender(1, mid="0", kind="video", ssrc=100, codecs=[VP8], extensions=MAP)
    assert a.send(1, packet(65560), 1.0)
    a.receive(ReceiverReport(5, [ReportBlock(100, 128, 1, 65560 - 65536)]).serialize(), 1.0)
    assert a.stats(0.0).outbound[0].reported_fraction_lost == 0.5


def test_every_drop_has_its_reason() -> None:
    trace = Counted()
    b = RtpSession(RtpSessionOptions(max_packets=3), SeededRandomness(1), trace)
    b.set_receiver(2, mid="0", kind="video", codecs=[VP8], extensions=MAP)

    def feed(**fields: object) -> None:
        b.receive(packet(1, **{"ssrc": 100, **fields}).serialize(), 1.0)

    b.receive(b"", 1.0)
    b.receive(b"\x80\xc8", 1.0)
    feed(ssrc=99, payload_type=97, payload=b"\0\1x")
    feed()
    feed()
    feed(payload_type=50)
    feed(ssrc=101, payload_type=97, payload=b"")
    feed(ssrc=101, payload_type=96)
    feed(ssrc=102, payload_type=51)
    odd = packet(1, ssrc=103)
    MAP.set(odd, MID, b"9")
    b.receive(odd.serialize(), 1.0)
    for number in range(2, 6):
        feed(sequence_number=number)
    assert dict(b.drops) == {
        "rtp": 1,
        "rtcp": 1,
        "rtx-early": 1,
        "duplicate": 1,
        "payload-type": 2,
        "padding": 1,
        "unknown-ssrc": 1,
        "unknown-mid": 1,
        "not-taken": 2,
    }
    assert b.stats(0.0).drops == dict(b.drops)
    assert trace.drops == ["rtp rtp", "rtp rtcp"]


def test_floods_of_ssrcs_and_events_stay_bounded() -> None:
    b = make(max_events=16)
    b.set_receiver(2, mid="0", kind="video", codecs=[VP8], extensions=MAP)
    for ssrc in range(1, 5001):
        b.receive(packet(1, ssrc=ssrc).serialize(), 1.0)
        b.receive(packet(1, ssrc=100_000 + ssrc, payload_type=97).serialize(), 1.0)
        b.receive(Bye([ssrc - 1]).serialize(), 1.0)
        b.receive(Remb(1, 1000).serialize(), 1.0)
        b.take_packets()
    assert len(b.stats(0.0).inbound) <= 1
    assert b.drops["ssrc-changes"] > 4000
    assert len(b.take_events()) == 16
    assert b.drops["events"] > 4000


def test_nacks_for_a_stream_that_ended_are_not_sent() -> None:
    a, b = pair()
    for number in (1, 5):
        b.receive(a.send(1, packet(number), 1.0), 1.0)
    b.receive(Bye([100]).serialize(), 1.0)
    b.receive(a.send(1, packet(6), 1.001), 1.001)
    b.receive(a.send(1, packet(8), 1.001), 1.001)
    b.tick(1.021)
    nacks = [each for data in b.flush(1.03)[1] for each in parse_compound(data) if isinstance(each, Nack)]
    assert [each.sequence_numbers for each in nacks] == [[7]]
    b.receive(a.send(1, packet(12), 2.0), 2.0)
    b.remove_receiver(2)
    assert [each for data in b.flush(3.0)[1] for each in parse_compound(data) if isinstance(each, Nack)] == []
    b.remove_receiver(2)


def test_a_key_frame_request_for_a_stream_that_ended_is_not_sent() -> None:
    a, b = pair()
    b.receive(a.send(1, packet(1), 1.0), 1.0)
    b.request_key_frame(2, 1.0)
    b.receive(Bye([100]).serialize(), 1.0)
    assert b.flush(1.0) == ([], [])


def test_reports_and_nacks_about_what_is_not_ours_are_ignored() -> None:
    a, _ = pair()
    a.send(1, packet(1), 1.0)
    for ssrc in (101, 999):
        a.receive(ReceiverReport(5, [ReportBlock(ssrc, 255)]).serialize(), 1.0)
        a.receive(Nack(5, ssrc, [1]).serialize(), 1.0)
    stats = a.stats(0.0).outbound[0]
    assert (stats.nacks, stats.reported_fraction_lost) == (0, 0.0)
    a.receive(ReceiverReport(5, [ReportBlock(100, 64, 1, 1)]).serialize(), 1.0)
    assert a.stats(0.0).outbound[0].reported_fraction_lost == 0.25


def test_ac36_6_a_report_of_more_than_was_sent_is_dropped_counted_and_traced() -> None:
    trace = Counted()
    a = RtpSession(RtpSessionOptions(ntp_offset=1e9), SeededRandomness(1), trace)
    a.set_sender(1, mid="0", kind="video", ssrc=100, codecs=[VP8], extensions=MAP)
    a.receive(ReceiverReport(5, [ReportBlock(100, 64, 1, 1)]).serialize(), 0.5)
    for number in (7, 8, 9):
        a.send(1, packet(number), 1.0)
    a.receive(ReceiverReport(5, [ReportBlock(100, 64, 1, 9)]).serialize(), 1.0)
    before = a.stats(0.0).outbound
    a.receive(ReceiverReport(5, [ReportBlock(100, 128, 2, 10)]).serialize(), 1.1)
    a.receive(ReceiverReport(5, [ReportBlock(100, 128, 2, 8)]).serialize(), 1.1)
    assert a.stats(0.0).outbound == before
    reasons = ["report-early", "report-runaway", "report-old"]
    assert dict(a.drops) == dict.fromkeys(reasons, 1)
    assert trace.drops == [f"rtp {reason}" for reason in reasons]


def test_an_observer_sees_what_was_reported_since_it_asked_last() -> None:
    a, _ = pair()
    for number in range(1, 101):
        a.send(1, packet(number), 1.0)
    assert a.report_window(1) is None
    a.receive(ReceiverReport(5, [ReportBlock(100, 0, 1, 50, 30)]).serialize(), 1.0)
    assert a.report_window(1) is None
    a.receive(ReceiverReport(5, [ReportBlock(100, 0, 4, 90, 20)]).serialize(), 2.0)
    window = a.report_window(1)
    assert window is not None
    assert (window.start, window.end, window.packets, window.lost, window.max_jitter) == (1.0, 2.0, 40, 3, 20)
    with pytest.raises(InvalidArgument):
        a.report_window(9)


def test_flush_with_a_limit_hands_over_the_rest_later() -> None:
    a, b = pair(mtu=100)
    for number in range(20):
        a.send(1, packet(number), 1.0)
    a.receive(Nack(5, 100, list(range(20))).serialize(), 1.0)
    a.receive(Nack(5, 100, list(range(20))).serialize(), 1.0)
    counts = []
    while True:
        media, control = a.flush(1.0, 7)
        counts.append(len(media) + len(control))
        if counts[-1] < 7:
            break
    assert counts == [7, 7, 6]
    for ssrc in range(1000, 1080):
        b.set_sender(ssrc, mid=str(ssrc), kind="audio", ssrc=ssrc, codecs=[OPUS], extensions=MAP)
        b.send(ssrc, packet(1, payload_type=111), 1.0)
    b.flush(2.0, 0)
    for step in range(300):
        for ssrc in range(1000, 1080):
            b.send(ssrc, packet(2 + step, payload_type=111), 2.0 + step)
        b.flush(2.0 + step, 0)
    media, control = b.flush(400.0)
    assert len(control) < 200


def test_close_says_bye_once_and_then_nothing() -> None:
    a, b = pair()
    for number in (1, 4):
        b.receive(a.send(1, packet(number), 1.0), 1.0)
    a.set_receiver(9, mid="1", kind="audio", codecs=[OPUS], extensions=MAP)
    a.take_events()
    a.close(2.0)
    a.close(2.0)
    assert a.take_events() == [Ended(LOCAL)]
    assert a.deadline == inf
    exchange(a, b, 2.0)
    assert ByeReceived(2, "") in b.take_events()
    a.receive(Pli(1, 100).serialize(), 3.0)
    a.receive(packet(1).serialize(), 3.0)
    a.tick(100.0)
    assert a.flush(100.0) == ([], [])
    assert a.take_events() == []
    assert a.drops["closed"] == 3
    for call in (
        lambda: a.send(1, packet(5), 3.0),
        lambda: a.set_sender(5, mid="", kind="audio", ssrc=9, codecs=[], extensions=MAP),
        lambda: a.set_receiver(5, mid="", kind="audio", codecs=[], extensions=MAP),
    ):
        with pytest.raises(LocalProtocolError):
            call()


def test_an_idle_session_has_no_timer() -> None:
    a, b = pair()
    assert a.deadline == b.deadline == inf
    b.receive(a.send(1, packet(1), 1.0), 1.0)
    now = 1.0
    while min(a.deadline, b.deadline) < inf:
        now = min(a.deadline, b.deadline)
        assert now < 10
        a.tick(now)
        b.tick(now)
        exchange(a, b, now)


def test_a_session_that_falls_silent_forgets_what_it_sent() -> None:
    budget = HistoryBudget()
    a, _ = pair(history_budget=budget, history_age=2.0)
    now = 1.0
    for number in range(130):
        now = 1.0 + number / 100
        a.send(1, packet(number), now)
        a.flush(now)
    assert budget.size > 0
    last = now
    while a.deadline < inf:
        now = a.deadline
        a.flush(now)
    assert last + 2.0 <= now <= last + 5.0
    assert (budget.size, len(budget)) == (0, 0)


def test_sessions_share_a_budget_and_a_closed_one_gives_back() -> None:
    budget = HistoryBudget(40_000)
    (a, _), (b, _) = pair(history_budget=budget), pair(history_budget=budget)
    for number in range(50):
        a.send(1, packet(number, payload=bytes(500)), 1.0)
        b.send(1, packet(number, payload=bytes(500)), 1.0)
    assert budget.size <= 40_000
    assert budget.dropped > 40
    a.close(1.0)
    assert budget.size <= 20_000
    b.remove_sender(1)
    assert (budget.size, len(budget)) == (0, 0)


def test_a_flood_of_nacks_is_not_amplified() -> None:
    a, _ = pair(rtx=False, codec=CodecSpec(payload_type=96, name="VP8", clock_rate=90000, rtcp_fb=("nack",)),
                retransmission_share=0.5, retransmission_burst=10_000)  # fmt: skip
    sent = again = 0
    now = 1.0
    for number in range(400):
        now += 0.01
        sent += len(a.send(1, packet(number, payload=bytes(1000)), now))
        a.receive(Nack(5, 100, [each & 0xFFFF for each in range(max(0, number - 300), number + 1)]).serialize(), now)
        again += sum(map(len, a.flush(now)[0]))
    assert 0.45 * sent <= again <= 0.5 * sent + 10_000
    stats = a.stats(0.0).outbound[0]
    assert stats.retransmissions_refused > 1000
    # What was refused may be asked for again when there is room, and is not counted as an answer.
    a.receive(Nack(5, 100, [399]).serialize(), now + 0.2)
    assert len(a.flush(now + 0.2)[0]) <= 1


def test_retransmissions_pause_from_a_pli_until_the_key_frame_but_not_for_ever() -> None:
    a, _ = pair(pause_after_key_frame_request=True)

    def repaired(now: float) -> int:
        a.receive(Nack(5, 100, [1]).serialize(), now)
        return len(a.flush(now)[0])

    a.send(1, packet(1), 1.0)
    assert repaired(1.0) == 1
    a.receive(Nack(5, 100, [1]).serialize(), 1.2)
    a.receive(Pli(5, 100).serialize(), 1.2)
    assert a.flush(1.2)[0] == []
    assert repaired(1.4) == 0
    assert a.stats(0.0).outbound[0].retransmissions_refused == 1
    a.key_frame_sent(1)
    assert repaired(1.5) == 1
    a.send(1, packet(2), 2.0)
    a.receive(Pli(5, 100).serialize(), 2.0)
    a.receive(Nack(5, 100, [2]).serialize(), 3.9)
    assert a.flush(3.9)[0] == []
    a.receive(Nack(5, 100, [2]).serialize(), 4.1)
    assert len(a.flush(4.1)[0]) == 1
    # Without the option nothing pauses.
    b, _ = pair()
    b.send(1, packet(1), 1.0)
    b.receive(Pli(5, 100).serialize(), 1.0)
    b.receive(Nack(5, 100, [1]).serialize(), 1.0)
    assert len(b.flush(1.0)[0]) == 1


def reported(a: RtpSession, number: int) -> None:
    a.receive(ReceiverReport(5, [ReportBlock(100, 0, 0, number)]).serialize(), 1.0)


def test_a_probe_repeats_the_newest_packets_and_then_pads_in_the_stream_of_retransmissions() -> None:
    a, b = pair()
    for number in (1, 2, 3):
        b.receive(a.send(1, packet(number, payload=bytes(400)), 1.0), 1.0)
    assert a.pad(1, 2000, 1.0) == []  # before the first report
    reported(a, 3)
    probe = a.pad(1, 2000, 1.0)
    assert 2000 <= sum(map(len, probe)) < 2300
    parsed = [RtpPacket.parse(each) for each in probe]
    assert {each.ssrc for each in parsed} == {101}
    first = parsed[0].sequence_number
    assert [each.sequence_number for each in parsed] == [first + index & 0xFFFF for index in range(len(parsed))]
    assert [int.from_bytes(each.payload[:2], "big") for each in parsed[:3]] == [3, 2, 1]
    assert [(each.payload, each.padding_size) for each in parsed[3:]] == [(b"", 255)] * (len(parsed) - 3)
    b.take_packets()
    for each in probe:
        b.receive(each, 1.0)
    assert b.take_packets() == []
    stats = a.stats(0.0).outbound[0]
    assert (stats.packets, stats.padding_packets, stats.padding_octets) == (3, len(probe), sum(map(len, probe)))
    assert len(a.pad(1, 10**9, 1.0)) == 64


def test_padding_in_the_stream_itself_only_at_the_end_of_a_frame_and_where_it_is_allowed() -> None:
    a, b = pair(codec=CodecSpec(payload_type=96, name="VP8", clock_rate=90000, rtcp_fb=("nack",)), rtx=False)
    a.send(1, packet(10, timestamp=77), 1.0)
    reported(a, 10)
    assert a.pad(1, 500, 1.0, own_numbers=True) == []  # in the middle of a frame
    b.receive(a.send(1, packet(11, timestamp=77, marker=True), 1.0), 1.0)
    assert a.pad(1, 500, 1.0) == []
    probe = [RtpPacket.parse(each) for each in a.pad(1, 500, 1.0, own_numbers=True)]
    assert [(each.ssrc, each.sequence_number, each.timestamp, each.marker) for each in probe] == [
        (100, 12, 77, False),
        (100, 13, 77, False),
    ]
    assert a.send(1, packet(13), 1.0) == b""  # the number is used up
    assert a.send(1, packet(14), 1.0) != b""
    # A sender's report counts the packets, and no padding among the octets (RFC 3550 section 6.4.1).
    (outbound,) = a.stats(0.0).outbound
    assert (outbound.packets, outbound.octets) == (5, 12)
    headers = len(a.send(1, packet(15), 1.0)) - 4
    assert a.stats(0.0).outbound[0].header_octets == 4 * headers + outbound.padding_octets
    a.set_sender(2, mid="1", kind="audio", ssrc=200, codecs=[OPUS], extensions=MAP)
    a.send(2, packet(1, payload_type=111, marker=True), 1.0)
    a.receive(ReceiverReport(5, [ReportBlock(200, 0, 0, 1)]).serialize(), 1.0)
    assert a.pad(2, 500, 1.0, own_numbers=True) == []
    with pytest.raises(InvalidArgument):
        a.pad(9, 500, 1.0)


def test_padding_of_a_packet_is_not_among_the_octets_of_a_report() -> None:
    a, _ = pair()
    a.send(1, packet(1, padding_size=20), 1.0)
    assert a.stats(0.0).outbound[0].octets == 4


def test_padding_counts_as_header_bytes_also_when_it_is_sent_again() -> None:
    a, _ = pair()
    sent = a.send(1, packet(1, padding_size=20), 1.0)
    assert a.stats(0.0).outbound[0].header_octets == len(sent) - 4
    a.receive(Nack(5, 100, [1]).serialize(), 1.0)
    ((again,), _) = a.flush(1.0)
    stats = a.stats(0.0).outbound[0]
    assert (stats.retransmitted_octets, stats.retransmitted_header_octets) == (4, len(again) - 4)


def feedback_of(session: RtpSession, now: float) -> list[TransportFeedback]:
    datagrams = session.flush(now)[1]
    return [each for data in datagrams for each in parse_compound(data) if isinstance(each, TransportFeedback)]


def numbered(number: int, mid: str = "", **fields: object) -> bytes:
    given = packet(number, **fields)
    if mid:
        MAP.set(given, MID, mid.encode())
    MAP.set(given, TRANSPORT_SEQUENCE, number.to_bytes(2, "big"))
    return given.serialize()


def test_arrivals_are_told_only_where_transport_cc_was_agreed_for_the_codec() -> None:
    """RFC 4585 section 4.2: the header extension alone is no agreement to feedback."""
    silent = CodecSpec(payload_type=96, name="VP8", clock_rate=90000, rtcp_fb=("nack",), rtx_payload_type=97)
    h264 = CodecSpec(payload_type=102, name="H264", clock_rate=90000, rtcp_fb=("transport-cc",), rtx_payload_type=103)
    b = make()
    b.set_receiver(1, mid="0", kind="video", codecs=[silent, h264], extensions=MAP)
    for number in range(5):
        b.receive(numbered(number, ssrc=1), 1.0)
    assert feedback_of(b, 2.5) == []
    for number, payload_type in ((10, 102), (11, 103), (12, 96), (13, 5), (14, 102)):
        b.receive(numbered(number, ssrc=9, payload_type=payload_type), 3.0)
    (told,) = feedback_of(b, 4.5)
    assert told.base_sequence == 10
    assert [delta is not None for delta in told.deltas] == [True, True, False, False, True]


def test_where_sections_differ_a_packets_own_says_whether_its_arrival_is_told() -> None:
    silent = CodecSpec(payload_type=96, name="VP8", clock_rate=90000, rtcp_fb=("nack",), rtx_payload_type=97)
    b = make()
    b.set_receiver(1, mid="0", kind="video", codecs=[silent], extensions=MAP)
    b.set_receiver(2, mid="1", kind="video", codecs=[VP8], extensions=MAP)
    b.receive(numbered(1, "0", ssrc=1), 1.0)
    b.receive(numbered(2, "1", ssrc=2), 1.0)
    b.receive(numbered(3, "", ssrc=2), 1.0)  # routed by now
    b.receive(numbered(4, "", ssrc=3), 1.0)  # of neither
    b.record_replay(numbered(5, "", ssrc=1), 1.0)
    b.record_replay(numbered(6, "", ssrc=2), 1.0)
    (told,) = feedback_of(b, 2.5)
    assert told.base_sequence == 2
    assert [delta is not None for delta in told.deltas] == [True, True, False, False, True]


def retransmission(number: int, original: int, ssrc: int, payload: bytes) -> bytes:
    return packet(number, ssrc=ssrc, payload_type=97, payload=original.to_bytes(2, "big") + payload).serialize()


@pytest.mark.parametrize("named", [False, True])
def test_a_late_retransmission_of_a_replaced_stream_is_no_packet_of_the_new_one(named: bool) -> None:
    b = make()

    def describe(ssrc: int) -> None:
        repairs = {ssrc + 1: ssrc} if named else None
        b.set_receiver(2, mid="0", kind="video", codecs=[VP8], extensions=MAP, ssrcs=[ssrc], rtx_ssrcs=repairs)

    describe(100)
    for number in (10, 11, 13, 15):
        b.receive(packet(number, ssrc=100).serialize(), 1.0)
    b.receive(retransmission(500, 12, 101, b"old"), 1.0)
    describe(300)
    for number in (16, 17):
        b.receive(packet(number, ssrc=300).serialize(), 1.1)
    assert len(b.take_packets()) == 7
    b.receive(retransmission(501, 14, 101, b"OLD"), 1.2)
    assert b.take_packets() == []
    assert b.drops["rtx-late"] == 1
    b.receive(packet(19, ssrc=300).serialize(), 1.3)
    b.receive(retransmission(1, 18, 301, b"new"), 1.4)
    assert [each.payload for _, _, each in b.take_packets()] == [b"data", b"new"]
    assert b.stats(2.0).inbound[0].rtx_packets == 1


def test_a_description_says_anew_what_a_stream_of_retransmissions_repairs() -> None:
    b = make()
    for media in (100, 300):
        b.set_receiver(2, mid="0", kind="video", codecs=[VP8], extensions=MAP, ssrcs=[media], rtx_ssrcs={101: media})
        b.receive(packet(1, ssrc=media).serialize(), 1.0)
        b.receive(packet(3, ssrc=media).serialize(), 1.0)
        b.receive(retransmission(1, 2, 101, b"again"), 1.0)
        assert [each.payload for _, _, each in b.take_packets()] == [b"data", b"data", b"again"]


def test_a_farewell_that_waits_is_withdrawn_when_its_ssrc_lives_again() -> None:
    a, _ = pair()

    def farewells(now: float) -> list[int]:
        parsed = [each for data in a.flush(now)[1] for each in parse_compound(data)]
        return [ssrc for each in parsed if isinstance(each, Bye) for ssrc in each.ssrcs]

    def live() -> None:
        a.set_sender(1, mid="0", kind="video", ssrc=100, rtx_ssrc=101, codecs=[VP8], extensions=MAP)

    a.send(1, packet(1), 1.0)
    a.remove_sender(1)
    live()
    a.send(1, packet(2), 1.0)
    assert farewells(1.0) == []
    a.remove_sender(1)
    live()
    a.remove_sender(1)  # nothing was sent by this one, but the BYE is still owed
    assert farewells(1.1) == [100]
    live()
    a.remove_sender(1)
    assert farewells(1.2) == []


def test_a_packet_that_was_overtaken_by_the_farewell_revives_nothing() -> None:
    """RFC 3550 sections 6.2.1 and 6.3.4."""
    b = make()
    b.set_receiver(2, mid="0", kind="video", codecs=[VP8], extensions=MAP)
    for number in (1, 2, 3, 5):
        b.receive(packet(number, ssrc=100).serialize(), 1.0)
    b.receive(Bye([100]).serialize(), 1.1)
    b.take_events()
    b.take_packets()
    for number in (4, 5):
        b.receive(packet(number, ssrc=100).serialize(), 1.2)
    assert (b.take_packets(), b.take_events(), b.drops["after-bye"]) == ([], [], 2)
    b.receive(packet(7, ssrc=100).serialize(), 1.3)  # its sender goes on
    assert len(b.take_packets()) == 1
    assert b.take_events() == [StreamStarted(2, "", 100)]
    b.receive(Bye([100]).serialize(), 2.0)
    b.receive(packet(4, ssrc=100).serialize(), 4.1)  # too late to be a straggler
    assert len(b.take_packets()) == 1
    b.close(5.0)


def test_a_sender_report_before_the_first_packet_counts_if_the_ssrc_was_described() -> None:
    b = make()
    b.set_receiver(2, mid="0", kind="video", codecs=[VP8], extensions=MAP, ssrcs=[100])
    for ssrc in (99, 100):
        b.receive(SenderReport(ssrc, 0x1234_5678_9ABC_DEF0, 7000).serialize(), 1.0)
    b.receive(packet(1, ssrc=100, timestamp=7000).serialize(), 1.5)
    assert b.sender_report_of(2) is not None
    captured = b.capture_time(2, 7000)
    assert captured == pytest.approx(0x12345678 - 2_208_988_800 + 0x9ABCDEF0 / (1 << 32), abs=1e-3)
    now = b.deadline
    (block,) = [
        block
        for data in b.flush(now)[1]
        for each in parse_compound(data)
        if isinstance(each, ReceiverReport)
        for block in each.reports
    ]
    assert (block.last_sender_report, block.delay_since_last) == (0x5678_9ABC, int((now - 1.0) * 65536))
    b.set_receiver(2, mid="0", kind="video", codecs=[VP8], extensions=MAP, ssrcs=[7])
    b.receive(SenderReport(7, 0x1234_5678_9ABC_DEF0, 7000).serialize(), now)
    b.receive(Bye([7]).serialize(), now)
    b.receive(packet(1, ssrc=7).serialize(), now)
    assert b.sender_report_of(2) is None


def test_early_reports_and_farewells_are_remembered_within_a_bound() -> None:
    b = make()
    for first in range(1, 1001, 10):  # a section has ten new ones at once, and no more
        ssrcs = range(first, first + 10)
        b.set_receiver(first, mid=str(first), kind="video", codecs=[VP8], extensions=MAP, ssrcs=ssrcs)
    for ssrc in range(1, 1001):
        b.receive(SenderReport(ssrc, 1 << 32, 0).serialize(), 1.0)
    assert len(b._inbound._early_reports) == 64
    for ssrc in range(1, 1001):
        b.receive(packet(9, ssrc=ssrc).serialize(), 1.0)
        b.receive(Bye([ssrc]).serialize(), 1.0)
    assert len(b._inbound._ended) == 64
    b.receive(packet(8, ssrc=1000).serialize(), 1.0)
    assert b.drops["after-bye"] == 1


def test_a_request_that_waits_is_not_sent_once_nack_was_negotiated_away() -> None:
    a, b = pair()
    for number in (1, 5):
        b.receive(a.send(1, packet(number), 1.0), 1.0)
    b.tick(1.021)
    silent = CodecSpec(payload_type=96, name="VP8", clock_rate=90000)
    b.set_receiver(2, mid="0", kind="video", codecs=[silent], extensions=MAP)
    assert not [each for data in b.flush(1.03)[1] for each in parse_compound(data) if isinstance(each, Nack)]


def test_reduced_size_is_what_was_agreed_and_what_the_options_allow() -> None:
    for allowed, agreed in ((True, True), (True, False), (False, True)):
        a, b = pair(reduced_size=allowed)
        b.set_reduced_size(agreed=agreed)
        b.receive(a.send(1, packet(1), 1.0), 1.0)
        b.request_key_frame(2, 1.0)
        (datagram,) = b.flush(1.0)[1]
        kinds = [type(each).__name__ for each in parse_compound(datagram)]
        wanted = ["Pli"] if allowed and agreed else ["ReceiverReport", "SourceDescription", "Pli"]
        assert kinds == wanted
        b.send_rtcp(Pli(1, 2))
        (datagram,) = b.flush(1.0)[1]
        assert [type(each).__name__ for each in parse_compound(datagram)] == wanted


def test_a_receiver_that_allows_no_mixture_gets_one_form_only() -> None:
    """RFC 8285 section 4.1.2."""
    names = {4: MID, 1: AUDIO_LEVEL, 7: "urn:x", 8: "urn:y"}
    values = [(7, b"x" * 16), (7, b"x" * 17), (8, b""), (7, b"x" * 3)]
    for extra, profile, mid in (({}, 0xBEDE, "0"), ({20: "urn:z"}, 0x1000, "0"), ({}, 0x1000, "m" * 17)):
        left_out = 2 if profile == 0xBEDE else 0
        source = HeaderExtensionMap(names | extra)
        a = make()
        a.set_sender(1, mid=mid, kind="video", ssrc=100, rtx_ssrc=101, codecs=[VP8], extensions=source, mixed=False)
        sent = []
        for number, (identifier, value) in enumerate(values):
            given = packet(number)
            source.set(given, AUDIO_LEVEL, b"\x80")
            source.set(given, source.uri_of(identifier) or "", value)
            sent.append(RtpPacket.parse(a.send(1, given, 1.0)))
        a.receive(Nack(5, 100, [0, 1]).serialize(), 1.0)
        sent += map(RtpPacket.parse, a.flush(1.0)[0])
        assert [each.extension_profile for each in sent] == [profile] * 6
        assert [source.get(each, AUDIO_LEVEL) for each in sent] == [b"\x80"] * 6
        assert {source.get(each, MID) for each in sent} == {mid.encode()}
        assert [source.get(each, "urn:x") is not None for each in sent[:4]] == [True, not left_out, False, True]
        assert a.stats(1.0).outbound[0].extensions_left_out == left_out
