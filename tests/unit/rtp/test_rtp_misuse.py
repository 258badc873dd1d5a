"""What cannot be sent is refused by its field's name, and has used up no number."""

from __future__ import annotations

from typing import Any

import pytest

from pystack.base import SeededRandomness
from pystack.errors import InvalidArgument
from pystack.rtp import (
    ABS_SEND_TIME,
    MID,
    TRANSPORT_SEQUENCE,
    Bye,
    CodecSpec,
    Fir,
    HeaderExtensionMap,
    Nack,
    Pli,
    ReceiverReport,
    Remb,
    ReportBlock,
    RtpPacket,
    RtpSession,
    RtpSessionOptions,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    UnknownRtcp,
    parse_compound,
)

WHOLE = HeaderExtensionMap({4: MID, 3: TRANSPORT_SEQUENCE, 2: ABS_SEND_TIME})
LONG = HeaderExtensionMap({4: MID, 30: TRANSPORT_SEQUENCE, 2: ABS_SEND_TIME})


def make(extensions: HeaderExtensionMap = WHOLE) -> RtpSession:
    session = RtpSession(RtpSessionOptions(), SeededRandomness(1))
    codec = CodecSpec(payload_type=96, name="VP8", clock_rate=90000)
    session.set_sender(1, mid="0", kind="video", ssrc=100, codecs=[codec], extensions=extensions, cname="a")
    return session


def packet(number: int, **fields: Any) -> RtpPacket:
    given = {"payload_type": 96, "sequence_number": number, "timestamp": number, "payload": b"data"}
    return RtpPacket(**{**given, **fields})


def transport_number(data: bytes, extensions: HeaderExtensionMap) -> int:
    value = extensions.get(RtpPacket.parse(data), TRANSPORT_SEQUENCE)
    assert value is not None
    return int.from_bytes(value, "big")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"timestamp": -1}, "timestamp is 0 to 4294967295"),
    ({"timestamp": 1 << 32}, "timestamp is 0 to 4294967295"),
    ({"timestamp": 1.5}, "timestamp is 0 to 4294967295"),
    ({"csrcs": tuple(range(16))}, "csrcs is a tuple of at most 15"),
    ({"csrcs": (1 << 32,)}, "csrcs has what is no SSRC"),
    ({"csrcs": 5}, "csrcs is a tuple of at most 15"),
    ({"padding_size": 256}, "padding_size is 0 to 255, not 256"),
    ({"padding_size": -1}, "padding_size is 0 to 255, not -1"),
    ({"payload": "text"}, "payload is bytes, not str"),
    ({"payload": None}, "payload is bytes, not NoneType"),
    ({"payload": bytes(65480)}, "fits into no UDP datagram, which takes 65491"),
    ({"payload": bytes(70000)}, "fits into no UDP datagram"),
    ({"payload_type": "96"}, "payload_type is 0 to 127, not '96'"),
    ({"payload_type": 96.0}, "payload_type is 0 to 127, not 96.0"),
    ({"payload_type": 300}, "payload_type is 0 to 127, not 300"),
]


@pytest.mark.parametrize(("fields", "says"), WRONG)
@pytest.mark.parametrize("extensions", [WHOLE, LONG])
@pytest.mark.parametrize("first", [0, 7, 4464])
def test_a_refused_packet_uses_up_no_number_of_the_stream_or_of_the_transport(
    fields: dict[str, Any], says: str, extensions: HeaderExtensionMap, first: int
) -> None:
    session = make(extensions)
    for number in (first, first + 1, first + 5, first + 3):  # the first, the next, one ahead, one that was left out
        with pytest.raises(InvalidArgument, match=says):
            session.send(1, packet(number, **fields), 1.0)
        sent = session.send(1, packet(number), 1.0)
        assert sent, number
        if number == first:
            base = transport_number(sent, extensions)
        assert session.send(1, packet(number), 1.0) == b""  # each once
    after = session.send(1, packet(first + 6), 1.0)
    assert transport_number(after, extensions) == (base + 4) & 0xFFFF
    assert session.stats(1.0).outbound[0].refused == 4


@pytest.mark.parametrize("number", [-1, 70000, 1.5, "1", None, 65536 + 8])
def test_a_number_that_is_none_is_refused(number: Any) -> None:
    session = make()
    for before in ([], [packet(7)]):
        for each in before:
            assert session.send(1, each, 1.0)
        with pytest.raises(InvalidArgument, match="sequence_number is 0 to 65535"):
            session.send(1, packet(number, timestamp=1), 1.0)
    assert session.send(1, packet(8), 1.0)


def test_what_is_no_packet_is_refused() -> None:
    wrong: Any
    for wrong in (None, b"\x80", 5):
        with pytest.raises(InvalidArgument, match=f"packet is an RtpPacket, not {type(wrong).__name__}"):
            make().send(1, wrong, 1.0)


def test_an_extension_without_elements_is_of_whole_words() -> None:
    session = make(HeaderExtensionMap())
    with pytest.raises(InvalidArgument, match="extension is of whole words of 4 bytes, not of 5 bytes"):
        session.send(1, packet(1, extension_profile=0x1234, extension=b"abcde"), 1.0)
    with pytest.raises(InvalidArgument, match="extension is bytes, not str"):
        session.send(1, packet(1, extension_profile=0x1234, extension="abcd"), 1.0)
    with pytest.raises(InvalidArgument, match="extension_profile is NO_EXTENSION or 0 to 65535, not 70000"):
        session.send(1, packet(1, extension_profile=70000, extension=b"abcd"), 1.0)
    assert RtpPacket.parse(session.send(1, packet(1, extension_profile=0x1234, extension=b"abcd"), 1.0)).extension


def test_the_largest_packet_that_fits_is_taken() -> None:
    session = make(HeaderExtensionMap())
    assert len(session.send(1, packet(1, payload=bytes(65491 - 12)), 1.0)) == 65491
    with pytest.raises(InvalidArgument, match="payload: an RTP packet of 65492 bytes"):
        session.send(1, packet(2, payload=bytes(65491 - 11)), 1.0)


def test_a_packet_of_a_peer_that_fits_no_more_is_refused_without_a_word_to_who_forwards_it() -> None:
    session = make()
    came = RtpPacket.parse(packet(1, payload=bytes(65491 - 12)).serialize(), 1.0)
    assert session.send(1, came, 1.0) == b""
    assert session.stats(1.0).outbound[0].refused == 1
    assert session.send(1, packet(1), 1.0)


def test_a_failure_that_no_field_explains_is_no_misuse(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(RtpPacket):
        @property
        def marker(self) -> bool:  # type: ignore[override]
            raise KeyError("a bug")

        @marker.setter
        def marker(self, value: bool) -> None: ...

    odd = Odd(payload_type=96, payload=b"x")
    with pytest.raises(KeyError, match="a bug"):
        make().send(1, odd, 1.0)


RTCP: list[tuple[Any, str]] = [
    (None, "packet is RTCP, such as a Pli or a ReceiverReport, or its bytes, not NoneType"),
    (5, "not int"),
    ("x", "not str"),
    (RtpPacket(), "not RtpPacket"),
    (b"garbage!", "cannot be sent as RTCP"),
    (ReceiverReport(1, [ReportBlock(1)] * 32), "ReceiverReport.reports has at most 31 entries, not 32"),
    (SenderReport(1, reports=[ReportBlock(1)] * 32), "SenderReport.reports has at most 31 entries"),
    (SourceDescription([(1, [(1, b"x")])] * 32), "SourceDescription.chunks has at most 31 entries"),
    (Bye(list(range(32))), "Bye.ssrcs has at most 31 entries"),
    (UnknownRtcp(205, 32), "UnknownRtcp.count is a whole number from 0 to 31, not 32"),
    (UnknownRtcp(100, 1), "UnknownRtcp.packet_type is a whole number from 192 to 223"),
    (UnknownRtcp(204, 0, bytes(69996)), "UnknownRtcp.body has at most 65000 bytes"),
    (bytes((0x80, 204, 0x42, 0x67)) + bytes(4 * 0x4267), "RTCP fit into no UDP datagram"),
    (Remb(1, 1000, list(range(256))), "Remb.ssrcs has at most 255 entries"),
    (Remb(1, -5), "Remb.bitrate_bps"),
    (Remb(1, 1 << 90), "Remb.bitrate_bps"),
    (Pli(-1, 2), "Pli.sender_ssrc"),
    (Pli(1, 1 << 32), "Pli.media_ssrc"),
    (Pli(1, None), "Pli.media_ssrc"),  # type: ignore[arg-type]
    (Nack(1, 2, [70000]), r"Nack.sequence_numbers\[0\]"),
    (Nack(1, 2, [1, 65540]), r"Nack.sequence_numbers\[1\]"),
    (Nack(1, 2, "12"), "Nack.sequence_numbers is a list, not str"),  # type: ignore[arg-type]
    (Fir(1, 2, [(1, 256)]), r"Fir.entries\[0\]\[1\]"),
    (Fir(1, 2, [5]), r"Fir.entries\[0\] is a pair, not 5"),  # type: ignore[list-item]
    (Bye([1], b"x" * 256), "Bye.reason has at most 255 bytes, not 256"),
    (Bye([1], "bye"), "Bye.reason is bytes, not str"),  # type: ignore[arg-type]
    (ReceiverReport(1, [5]), r"ReceiverReport.reports\[0\] is a ReportBlock, not int"),  # type: ignore[list-item]
    (ReceiverReport(1, [ReportBlock(1, cumulative_lost=1 << 23)]), r"ReceiverReport.reports\[0\].cumulative_lost"),
    (TransportFeedback(1, 2, 3, 4, 5, [99999]), r"TransportFeedback.deltas\[0\]"),
]


@pytest.mark.parametrize(("wrong", "says"), RTCP)
def test_rtcp_that_would_go_out_damaged_is_refused_by_its_field(wrong: Any, says: str) -> None:
    session = make()
    with pytest.raises(InvalidArgument, match=says):
        session.send_rtcp(wrong)
    assert session.flush(1.0) == ([], [])


@pytest.mark.parametrize(
    "right",
    [
        ReceiverReport(1, [ReportBlock(each, cumulative_lost=-1) for each in range(31)], b"more"),
        SenderReport(1, (1 << 64) - 1, 2, 3, 4, [ReportBlock(1, 255)] * 31),
        SourceDescription([(each, [(1, b"x" * 255)]) for each in range(31)]),
        Bye(list(range(31)), b"x" * 255),
        UnknownRtcp(204, 31, b"12345678"),
        Remb(1, 0x3FFFF << 63, list(range(255))),
        Nack(1, 2, [0, 65535]),
        Fir(1, 0, [(1, 255)]),
        TransportFeedback(1, 2, 65535, -1, 255, [None, 0, -32768, 32767]),
    ],
)
def test_rtcp_of_ones_own_up_to_its_limits_arrives_as_it_was(right: Any) -> None:
    session = make()
    assert session.send_rtcp(right)
    _, (datagram,) = session.flush(1.0)
    assert right in parse_compound(datagram)
    assert session.send_rtcp(bytearray(right.serialize()))  # type: ignore[arg-type]


def test_a_count_that_has_no_room_in_its_five_bits_is_not_written() -> None:
    with pytest.raises(InvalidArgument, match="type 203 counts 31 entries at most, not 32"):
        Bye(list(range(32))).serialize()
