"""RTCP packets: fields, round trips, compounds, damage, and a corpus."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.errors import DecodeError
from pystack.rtp.rtcp import (
    Bye,
    Fir,
    Nack,
    Pli,
    ReceiverReport,
    Remb,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    UnknownRtcp,
    parse_compound,
    serialize_compound,
)
from pystack.testing.strategies import mutated, noise

BROWSERS = Path(__file__).parents[2] / "vectors" / "rtcp" / "browsers.hex"
RECORDED = [bytes.fromhex(each) for each in BROWSERS.read_text().split()]

u8, u16, u32 = st.integers(0, 255), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
words = st.integers(0, 5).flatmap(lambda count: st.binary(min_size=4 * count, max_size=4 * count))
blocks = st.lists(st.builds(ReportBlock, u32, u8, st.integers(-0x800000, 0x7FFFFF), u32, u32, u32, u32), max_size=31)
deltas = st.lists(st.none() | st.integers(0, 255) | st.integers(-0x8000, 0x7FFF), min_size=1, max_size=80) | st.lists(
    st.sampled_from((None, 1)), min_size=1, max_size=200
)
packets = st.one_of(
    st.builds(SenderReport, u32, st.integers(0, 2**64 - 1), u32, u32, u32, blocks, words),
    st.builds(ReceiverReport, u32, blocks, words),
    st.builds(
        SourceDescription,
        st.lists(
            st.tuples(u32, st.lists(st.tuples(st.integers(1, 8), st.binary(max_size=40)), max_size=3)), max_size=5
        ),
    ),
    st.builds(Bye, st.lists(u32, max_size=31), st.binary(max_size=40)),
    st.builds(Nack, u32, u32, st.lists(u16, max_size=40)),
    st.builds(Pli, u32, u32),
    st.builds(Fir, u32, u32, st.lists(st.tuples(u32, u8), max_size=5)),
    st.builds(
        Remb,
        u32,
        st.builds(
            lambda mantissa, exponent: mantissa << exponent, st.integers(1 << 17, (1 << 18) - 1), st.integers(0, 63)
        ),
        st.lists(u32, max_size=5),
    ),
    st.builds(TransportFeedback, u32, u32, u16, st.integers(-0x800000, 0x7FFFFF), u8, deltas),
    st.builds(UnknownRtcp, st.sampled_from((192, 204, 207)), st.integers(0, 31), words),
    st.builds(UnknownRtcp, st.sampled_from((205, 206)), st.sampled_from((2, 3, 5, 14)), words),
)


def comparable(packet: RtcpPacket) -> object:
    if isinstance(packet, Nack):
        return (packet.sender_ssrc, packet.media_ssrc, sorted(set(packet.sequence_numbers)))
    return packet


@settings(deadline=None, max_examples=200)
@given(st.lists(packets, min_size=1, max_size=4))
def test_what_is_written_is_read(written: list[RtcpPacket]) -> None:
    data = serialize_compound(written)
    assert len(data) % 4 == 0
    read = parse_compound(data)
    assert [comparable(each) for each in read] == [comparable(each) for each in written]
    if not any(isinstance(each, Nack) for each in written):
        assert serialize_compound(read) == data


@settings(deadline=None, max_examples=300)
@given(mutated(RECORDED) | noise(200))
def test_damage_is_read_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        read = parse_compound(data)
    except DecodeError:
        return
    again = [comparable(each) for each in parse_compound(serialize_compound(read))]
    assert again == [comparable(each) for each in read]


@pytest.mark.parametrize("data", RECORDED, ids=bytes.hex)
def test_what_browsers_send_is_read_and_written_the_same(data: bytes) -> None:
    assert serialize_compound(parse_compound(data)) == data


def test_sender_report_fields() -> None:
    data = bytes.fromhex(
        "81c8000c 902f9e2e e00b1b2d 80000000 12345678 000000c8 00019000"
        "deadbeef 20fffffe 00010005 00000010 1b2d8000 00008000"
    )
    (report,) = parse_compound(data)
    assert isinstance(report, SenderReport)
    assert report.ssrc == 0x902F9E2E
    assert report.ntp_time == 0xE00B1B2D80000000
    assert report.rtp_timestamp == 0x12345678
    assert (report.packet_count, report.octet_count) == (200, 102400)
    assert report.reports == [ReportBlock(0xDEADBEEF, 32, -2, 0x10005, 16, 0x1B2D8000, 0x8000)]
    assert report.serialize() == data


def test_nack_pairs_a_number_with_a_mask_of_the_next_sixteen() -> None:
    data = Nack(1, 2, [65530, 65531, 10, 11, 500]).serialize()
    assert data == bytes.fromhex("81cd0005 00000001 00000002 fffa8001 000b0000 01f40000")
    (read,) = parse_compound(Nack(1, 2, [100, 101, 116, 117]).serialize())
    assert isinstance(read, Nack)
    assert read.sequence_numbers == [100, 101, 116, 117]
    assert len(read.serialize()) == 20
    assert parse_compound(Nack(1, 2).serialize()) == [Nack(1, 2)]


def test_remb_as_browsers_write_it() -> None:
    data = bytes.fromhex("8fce0005 00000001 00000000 52454d42 010a8000 0000dead")
    assert parse_compound(data) == [Remb(1, 0x28000 << 2, [0xDEAD])]
    assert Remb(1, 0x28000 << 2, [0xDEAD]).serialize() == data
    (read,) = parse_compound(Remb(1, 1_234_567, [7]).serialize())
    assert isinstance(read, Remb)
    assert 1_234_567 * (1 - 2**-17) <= read.bitrate_bps <= 1_234_567
    assert isinstance(parse_compound(b"\x8f\xce\0\2" + bytes(8))[0], UnknownRtcp)


def test_transport_feedback_of_the_draft() -> None:
    """One run of received, a vector of one-bit and one of two-bit statuses."""
    feedback = TransportFeedback(1, 2, 65530, -1, 7, [0] * 20 + [None, 3] * 7 + [300, None, -5, None, 1, 2, 3])
    data = feedback.serialize()
    assert parse_compound(data) == [feedback]
    chunks = [int.from_bytes(data[20 + 2 * at : 22 + 2 * at], "big") for at in range(3)]
    assert chunks[0] == 1 << 13 | 20
    assert chunks[1] == 0x8000 | 0b01010101010101
    assert chunks[2] >> 14 == 3
    arrivals = feedback.arrivals()
    assert arrivals[0] == (65530, -0.064)
    assert [number for number, _ in arrivals[-3:]] == [32, 33, 34]
    assert arrivals[-1][1] == pytest.approx(-0.064 + (21 + 300 - 5 + 6) * 0.00025)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"\x80\xc8\0", "header runs"),
        (b"\x40\xc8\0\0", "version"),
        (b"\x80\xc8\0\1", "packet runs"),
        (b"\xa0\xc9\0\1\0\0\0\0", "padding"),
        (b"\xa0\xc9\0\1\0\0\0\5", "padding"),
        (b"\x80\xc8\0\1\0\0\0\1", "SR"),
        (b"\x81\xc9\0\1\0\0\0\1", "RR"),
        (b"\x81\xca\0\0", "SDES: chunk runs"),
        (b"\x81\xca\0\2\0\0\0\1\1\4ab", "SDES: item"),
        (b"\x81\xca\0\2\0\0\0\1\1\2ab", "SDES: chunk has no end"),
        (b"\x81\xcb\0\0", "BYE: too"),
        (b"\x80\xcb\0\1\4abc", "BYE: reason"),
        (b"\x81\xcd\0\1\0\0\0\1", "NACK"),
        (b"\xa1\xcd\0\3" + bytes(11) + b"\2", "NACK"),
        (b"\x81\xce\0\1\0\0\0\1", "PLI"),
        (b"\x84\xce\0\3" + bytes(12), "FIR"),
        (b"\x8f\xce\0\3" + bytes(8) + b"REMB", "REMB: too short"),
        (b"\x8f\xce\0\4" + bytes(8) + b"REMB\1\0\0\0", "REMB: too short for"),
        (b"\x8f\xcd\0\2" + bytes(8), "too short"),
        (b"\x8f\xcd\0\4" + bytes(10) + b"\0\1\0\0\0\0", "statuses run"),
        (b"\x8f\xcd\0\5" + bytes(10) + b"\0\1" + bytes(8), "empty run"),
        (b"\x8f\xcd\0\5" + bytes(10) + b"\0\1\0\0\0\0\x60\1\0\0", "bad status"),
        (b"\x8f\xcd\0\5" + bytes(10) + b"\0\x0e\0\0\0\0\x40\x0e\0\0", "bad status"),
    ],
)
def test_what_cannot_be_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        parse_compound(data)


def test_padding_of_the_last_packet_is_taken_off() -> None:
    assert parse_compound(b"\xa0\xc9\0\2\0\0\0\1\0\0\0\4") == [ReceiverReport(1)]


def test_an_unknown_packet_goes_through_unchanged() -> None:
    extended_report = bytes.fromhex("80cf0003 00000001 04000001 12345678")
    feedback = Pli(1, 2).serialize()
    read = parse_compound(extended_report + feedback)
    assert read == [UnknownRtcp(207, 0, extended_report[4:]), Pli(1, 2)]
    assert serialize_compound(read) == extended_report + feedback
