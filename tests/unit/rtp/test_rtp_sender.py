"""Outgoing packets: headers, extensions, what is refused, history, retransmissions, sender reports."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.rtp import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    MID,
    NO_EXTENSION,
    ORIENTATION,
    RID,
    TRANSPORT_SEQUENCE,
    CodecSpec,
    HeaderExtensionMap,
    RtpPacket,
    parse_abs_send_time,
)
from pystack.rtp.clock import middle, ntp_time, round_trip, wall_time
from pystack.rtp.extensions import ONE_BYTE, TWO_BYTE, elements, write
from pystack.rtp.streams.history import PacketHistory
from pystack.rtp.streams.rtx import unwrap
from pystack.rtp.streams.sender import SendStream
from pystack.rtp.streams.writer import ExtensionWriter, TransportSequence

VP8 = CodecSpec(payload_type=96, name="VP8", clock_rate=90000, rtcp_fb=("nack",), rtx_payload_type=97)
OPUS = CodecSpec(payload_type=111, name="opus", clock_rate=48000)
OURS = HeaderExtensionMap({4: MID, 3: TRANSPORT_SEQUENCE, 2: ABS_SEND_TIME, 1: AUDIO_LEVEL})
THEIRS = HeaderExtensionMap({1: MID, 9: AUDIO_LEVEL, 13: ORIENTATION})


def make(
    extensions: HeaderExtensionMap = OURS, *, rtx: bool = False, mid: str = "0", first_number: int = 500
) -> SendStream:
    stream = SendStream(1, "video", 0xAAAA, "cname", PacketHistory(64, 100_000, 2.0), TransportSequence(first_number))
    stream.start_rtx(0xBBBB if rtx else None, 7)
    stream.configure(mid, [VP8, OPUS], extensions, 1000.0)
    return stream


def send(stream: SendStream, packet: RtpPacket, now: float = 10.0, **overrides: object) -> RtpPacket | None:
    names = ("payload_type", "sequence_number", "timestamp", "marker", "payload")
    parts = stream.send_parts(packet, now, *(overrides.get(name) for name in names))  # type: ignore[arg-type]
    if parts is None:
        return None
    header, payload, ssrc, sequence_number = parts
    sent = RtpPacket.parse(header + payload)
    assert (sent.ssrc, sent.sequence_number) == (ssrc, sequence_number)
    return sent


def packet(number: int = 100, **fields: object) -> RtpPacket:
    return RtpPacket(**({"payload_type": 96, "sequence_number": number, "timestamp": 7, "payload": b"data"} | fields))  # type: ignore[arg-type]


def test_the_stream_is_ours_and_the_overrides_win() -> None:
    stream = make(HeaderExtensionMap())
    original = packet(ssrc=1, marker=True)
    sent = send(stream, original)
    assert sent is not None
    assert (sent.ssrc, sent.payload_type, sent.timestamp, sent.marker, sent.payload) == (0xAAAA, 96, 7, True, b"data")
    assert sent.extension_profile == NO_EXTENSION
    sent = send(stream, original, payload_type=111, sequence_number=101, timestamp=8, marker=False, payload=b"other")
    assert sent is not None
    assert (sent.payload_type, sent.timestamp, sent.marker, sent.payload) == (111, 8, False, b"other")
    assert original.ssrc == 1
    assert (stream.packets, stream.octets, stream.header_octets) == (2, 9, 24)


def test_own_elements_are_written_and_others_translated() -> None:
    stream = make()
    profile, body = write([(1, b"9"), (9, b"\x85"), (13, b"\1")])
    sent = send(stream, packet(extension_profile=profile, extension=body, extension_map=THEIRS))
    assert sent is not None
    values = dict(elements(sent.extension_profile, sent.extension))
    assert sent.extension_profile == ONE_BYTE
    assert set(values) == {4, 3, 2, 1}
    assert (values[4], values[3], values[1]) == (b"0", (500).to_bytes(2, "big"), b"\x85")
    assert parse_abs_send_time(values[2]) == pytest.approx(1010 % 64, abs=1e-5)
    sent = send(stream, packet(101))
    assert sent is not None
    assert dict(elements(ONE_BYTE, sent.extension))[3] == (501).to_bytes(2, "big")


def test_ids_are_the_senders_own_without_a_map() -> None:
    profile, body = write([(1, b"\x05"), (4, b"mine"), (8, b"unknown")])
    sent = send(make(), packet(extension_profile=profile, extension=body))
    assert sent is not None
    assert {number: value for number, value in elements(ONE_BYTE, sent.extension) if number not in {2, 3}} == {
        4: b"0",
        1: b"\x05",
    }


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        ({}, NO_EXTENSION),
        ({4: MID}, ONE_BYTE),
        ({3: TRANSPORT_SEQUENCE}, ONE_BYTE),
        ({2: ABS_SEND_TIME}, ONE_BYTE),
        ({2: ABS_SEND_TIME, 3: TRANSPORT_SEQUENCE}, ONE_BYTE),
        ({20: ABS_SEND_TIME, 3: TRANSPORT_SEQUENCE, 30: MID}, TWO_BYTE),
    ],
)
def test_every_choice_of_own_elements(extensions: dict[int, str], expected: int) -> None:
    which = HeaderExtensionMap(extensions)
    sent = send(make(which), packet())
    assert sent is not None
    assert sent.extension_profile == expected
    assert {number for number, _ in elements(sent.extension_profile, sent.extension)} == set(extensions)


def test_a_long_element_moves_all_to_the_two_byte_form() -> None:
    source = HeaderExtensionMap({5: "x", 6: AUDIO_LEVEL})
    stream = make(HeaderExtensionMap({4: MID, 3: TRANSPORT_SEQUENCE, 2: ABS_SEND_TIME, 1: "x", 7: AUDIO_LEVEL}))
    profile, body = write([(5, bytes(30)), (6, b"\5")])
    sent = send(stream, packet(extension_profile=profile, extension=body, extension_map=source))
    assert sent is not None
    assert sent.extension_profile == TWO_BYTE
    values = dict(elements(TWO_BYTE, sent.extension))
    assert (values[1], values[7], values[4]) == (bytes(30), b"\5", b"0")
    # And a short one too, where our own do not fit the one-byte form.
    stream = make(HeaderExtensionMap({40: MID, 7: AUDIO_LEVEL}))
    profile, body = write([(6, b"\5")])
    sent = send(stream, packet(extension_profile=profile, extension=body, extension_map=source))
    assert sent is not None
    assert elements(sent.extension_profile, sent.extension) == [(40, b"0"), (7, b"\5")]


def test_a_profile_without_elements_travels_alone_or_not_at_all() -> None:
    stream = make(HeaderExtensionMap())
    odd = packet(extension_profile=0x4242, extension=b"oddd")
    sent = send(stream, odd)
    assert sent is not None
    assert (sent.extension_profile, sent.extension) == (0x4242, b"oddd")
    sent = send(make(), odd)
    assert sent is not None
    assert sent.extension_profile == ONE_BYTE


def test_a_rid_is_written_where_it_was_negotiated() -> None:
    writer = ExtensionWriter(HeaderExtensionMap({1: MID, 2: RID}), "0", TransportSequence(0), 0.0, rid="hi")
    assert elements(*writer.write(True, b"", 0.0)) == [(1, b"0"), (2, b"hi")]


def test_csrcs_and_padding_are_kept() -> None:
    sent = send(make(), packet(csrcs=(1, 2), padding_size=4))
    assert sent is not None
    assert (sent.csrcs, sent.padding_size, sent.payload) == ((1, 2), 4, b"data")


def test_what_is_refused() -> None:
    stream = make()
    assert send(stream, packet(payload_type=55)) is None
    assert send(stream, packet(100)) is not None
    assert send(stream, packet(100)) is None
    assert send(stream, packet(99)) is None
    assert send(stream, packet(105)) is not None
    assert send(stream, packet(103)) is not None
    assert send(stream, packet(103)) is None
    assert send(stream, packet(101)) is not None
    assert send(stream, packet(105 + 32768)) is None
    assert (stream.refused, stream.packets) == (5, 4)


@settings(deadline=None)
@given(st.lists(st.integers(-30, 40), max_size=80))
def test_a_sequence_number_goes_out_once(steps: list[int]) -> None:
    stream = make()
    number = 65000
    seen: set[int] = set()
    for step in steps:
        number += step
        sent = send(stream, packet(number & 0xFFFF))
        assert (sent is not None) == (number not in seen and (not seen or number > min(seen)))
        if sent is not None:
            seen.add(number)


def test_a_retransmission_without_rtx_is_the_same_bytes() -> None:
    stream = make()
    header, payload, *_ = stream.send_parts(packet(csrcs=(5,)), 10.0, None, None, None, None, None) or (b"", b"")
    stream.handle_nack([100, 99, 4000], 10.0, 0.07)
    assert stream.wants_retransmission
    assert stream.retransmit(10.0) == header + payload
    assert stream.retransmit(10.0) is None
    assert (stream.nacks, stream.retransmitted_packets, stream.retransmitted_octets) == (3, 1, 4)


@pytest.mark.parametrize("extensions", [OURS, HeaderExtensionMap(), HeaderExtensionMap({20: MID, 1: AUDIO_LEVEL})])
def test_a_retransmission_by_rtx(extensions: HeaderExtensionMap) -> None:
    stream = make(extensions, rtx=True)
    profile, body = write([(extensions.audio_level or 9, b"\x05")])
    original = send(stream, packet(marker=True, csrcs=(5,), padding_size=3, extension_profile=profile, extension=body))
    assert original is not None
    stream.handle_nack([100], 10.0, 0.07)
    data = stream.retransmit(11.0)
    assert data is not None
    repair = RtpPacket.parse(data)
    assert (repair.ssrc, repair.payload_type, repair.sequence_number, repair.marker) == (0xBBBB, 97, 7, True)
    assert repair.payload == b"\x00\x64data"
    values = dict(elements(repair.extension_profile, repair.extension))
    assert values.get(extensions.audio_level) == (b"\x05" if extensions.audio_level else None)
    if extensions is OURS:
        assert values[3] == (501).to_bytes(2, "big")
    unwrapped = unwrap(repair, 96, 0xAAAA)
    assert unwrapped is not None
    assert (unwrapped.ssrc, unwrapped.payload_type, unwrapped.sequence_number) == (0xAAAA, 96, 100)
    assert (unwrapped.payload, unwrapped.timestamp, unwrapped.marker) == (b"data", 7, True)


def test_a_packet_is_sent_again_three_times_and_not_too_often() -> None:
    stream = make()
    send(stream, packet())
    asked = 0
    for now in (10.0, 10.05, 10.099, 10.1, 10.3, 10.5):
        stream.handle_nack([100, 100], now, 0.07)
        while stream.retransmit(now):
            asked += 1
    assert asked == 3
    send(stream, packet(101))
    stream.handle_nack([101], 10.0, 0.01)
    stream.handle_nack([101], 10.0, 0.01)
    assert stream.retransmit(10.0)
    stream.handle_nack([101], 10.019, 0.01)
    assert stream.retransmit(10.019) is None
    stream.handle_nack([101], 10.021, 0.01)
    assert stream.retransmit(10.021)


def test_what_is_too_old_is_not_sent_again() -> None:
    stream = make()
    send(stream, packet(), 10.0)
    stream.handle_nack([100], 11.9, 0.07)
    assert stream.retransmit(12.1) is None
    stream.handle_nack([100], 12.1, 0.07)
    assert not stream.wants_retransmission
    stream.expire(13.0)
    send(stream, packet(101), 13.0)
    stream.end()
    stream.handle_nack([101], 13.0, 0.07)
    assert not stream.wants_retransmission


def test_a_sender_report_tells_both_clocks() -> None:
    stream = make()
    send(stream, packet(timestamp=90_000), 10.0)
    report = stream.sender_report(10.5, 1000.0)
    assert report.ssrc == 0xAAAA
    assert wall_time(report.ntp_time) == pytest.approx(1010.5)
    assert report.rtp_timestamp == 90_000 + 45_000
    assert (report.packet_count, report.octet_count) == (1, 4)
    assert not stream.sent
    send(stream, packet(101, payload_type=111, timestamp=0xFFFFFFFF), 11.0)
    assert stream.sender_report(12.0, 0.0).rtp_timestamp == 47_999
    assert stream.clock_rate == 48000
    stream.set_clock(5, 11.0)
    assert stream.sender_report(11.5, 0.0).rtp_timestamp == 5 + 24_000


def test_a_stream_without_codecs_still_has_a_clock() -> None:
    stream = SendStream(1, "video", 1, "", PacketHistory(4, 100, 1.0), TransportSequence(0))
    assert stream.clock_rate == 90000


def test_ntp_times_and_round_trips() -> None:
    assert wall_time(ntp_time(1_700_000_000.25)) == pytest.approx(1_700_000_000.25)
    sent = ntp_time(1000.0)
    assert round_trip(ntp_time(1000.3), middle(sent), int(0.2 * 65536)) == pytest.approx(0.1, abs=1e-3)
    assert round_trip(ntp_time(1000.3), 0, 0) is None
    assert round_trip(ntp_time(1000.3), middle(sent), int(0.3001 * 65536)) == 0.0
    assert round_trip(ntp_time(1100.0), middle(sent), 0) is None
