"""The RTP header: fields, padding, CSRCs, extensions; round trips and damage."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.errors import DecodeError
from pystack.rtp import NO_EXTENSION, RtpPacket
from pystack.testing.strategies import mutated, noise

BROWSERS = Path(__file__).parents[2] / "vectors" / "rtp" / "browsers.hex"
RECORDED = [bytes.fromhex(each) for each in BROWSERS.read_text().split()]

packets = st.builds(
    RtpPacket,
    payload_type=st.integers(0, 127),
    marker=st.booleans(),
    sequence_number=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    ssrc=st.integers(0, 0xFFFFFFFF),
    csrcs=st.lists(st.integers(0, 0xFFFFFFFF), max_size=15).map(tuple),
    payload=st.binary(max_size=60),
    padding_size=st.sampled_from((0, 0, 1, 4, 255)),
)


def with_extension(packet: RtpPacket, profile: int, words: list[bytes]) -> RtpPacket:
    packet.extension_profile, packet.extension = profile, b"".join(words)
    return packet


extended = st.builds(
    with_extension,
    packets,
    st.sampled_from((0, 0xBEDE, 0x1000, 0x100F, 0xFFFF)),
    st.lists(st.binary(min_size=4, max_size=4), max_size=20),
)


def test_every_field_has_its_place() -> None:
    data = bytes.fromhex("b2e0123489abcdef01020304aabbccdd11223344bede000110ff00007061796c6f6164000003")
    packet = RtpPacket.parse(data, 5.0)
    assert packet.payload_type == 96
    assert packet.marker is True
    assert packet.sequence_number == 0x1234
    assert packet.timestamp == 0x89ABCDEF
    assert packet.ssrc == 0x01020304
    assert packet.csrcs == (0xAABBCCDD, 0x11223344)
    assert packet.extension_profile == 0xBEDE
    assert packet.extension == b"\x10\xff\0\0"
    assert packet.payload == b"payload"
    assert packet.padding_size == 3
    assert packet.arrival == 5.0
    assert packet.serialize() == data
    assert "seq=4660" in repr(packet)


def test_packets_are_equal_by_their_bytes() -> None:
    one = RtpPacket(sequence_number=1, payload=b"x")
    assert one == RtpPacket(sequence_number=1, payload=b"x", arrival=9.0)
    assert one != RtpPacket(sequence_number=2, payload=b"x")
    assert one != "packet"


@settings(deadline=None)
@given(packets | extended)
def test_what_is_written_is_read(packet: RtpPacket) -> None:
    data = packet.serialize()
    read = RtpPacket.parse(data)
    for name in RtpPacket.__slots__:
        assert getattr(read, name) == getattr(packet, name), name
    assert read.serialize() == data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "shorter"),
        (b"\x80" * 11, "shorter"),
        (b"\x40" + bytes(11), "version"),
        (b"\x81" + bytes(11), "CSRC"),
        (b"\x90" + bytes(14), "extension header"),
        (b"\x90" + bytes(11) + b"\xbe\xde\0\1", "extension runs"),
        (b"\xa0" + bytes(11), "padding"),
        (b"\xa0" + bytes(11) + b"\x02", "padding"),
        (b"\xa0" + bytes(11) + b"ab\0", "padding"),
    ],
)
def test_what_cannot_be_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        RtpPacket.parse(data)


@settings(deadline=None, max_examples=200)
@given(mutated(RECORDED) | noise(100))
def test_damage_is_read_or_refused_and_nothing_else(data: bytes) -> None:
    try:
        packet = RtpPacket.parse(data)
    except DecodeError:
        return
    again = packet.serialize()
    assert len(again) == len(data)
    assert RtpPacket.parse(again) == packet


@settings(deadline=None)
@given((packets | extended).map(RtpPacket.serialize) | noise(60))
def test_the_fast_parser_equals_its_plain_twin(data: bytes) -> None:
    def outcome(parse: Callable[..., RtpPacket]) -> object:
        try:
            packet = parse(data, 3.0, None)
        except DecodeError as error:
            return str(error)
        return [getattr(packet, name) for name in RtpPacket.__slots__]

    assert outcome(RtpPacket.parse) == outcome(RtpPacket._parse_plain)


@pytest.mark.parametrize("data", RECORDED, ids=lambda data: data[:12].hex())
def test_what_browsers_send_is_read_and_written_the_same(data: bytes) -> None:
    packet = RtpPacket.parse(data)
    # The bytes of padding are not kept.
    assert packet.serialize()[: len(data) - packet.padding_size] == data[: len(data) - packet.padding_size]
    assert packet.extension_profile == NO_EXTENSION or len(packet.extension) % 4 == 0
