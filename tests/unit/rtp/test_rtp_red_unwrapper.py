"""Redundant audio unwrapped: every packet once, lost ones from copies (RFC 2198)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.rtp import CodecSpec, RedBlock, RedUnwrapper, RtpPacket, build_red
from pystack.rtp.payload.red_unwrapper import REMEMBERED

CODECS = (
    CodecSpec(payload_type=111, name="opus", clock_rate=48000, channels=2),
    CodecSpec(payload_type=63, name="red", clock_rate=48000, channels=2, fmtp={"111/111": ""}),
)
FIRST = 65_500


def spoken(number: int) -> bytes:
    return b"%d" % number


def plain(number: int) -> RtpPacket:
    return RtpPacket(
        payload_type=111,
        sequence_number=FIRST + number & 0xFFFF,
        timestamp=(number - 20) * 960 & 0xFFFFFFFF,
        ssrc=7,
        payload=spoken(number),
    )


def redundant(number: int, copies: int = 2) -> RtpPacket:
    packet = plain(number)
    blocks = [RedBlock(111, 960 * back, spoken(number - back)) for back in range(copies, 0, -1)]
    packet.payload_type = 63
    packet.payload = build_red([*blocks, RedBlock(111, 0, packet.payload)])
    return packet


def facts(packets: list[RtpPacket]) -> list[tuple[int, int, int, bytes]]:
    return [(each.payload_type, each.sequence_number, each.timestamp, each.payload) for each in packets]


def test_without_loss_each_packet_comes_out_as_it_was() -> None:
    red = RedUnwrapper()
    out = [each for number in range(10) for each in red.unwrap(redundant(number), CODECS)]
    assert facts(out) == facts([plain(number) for number in range(10)])
    assert (red.recovered, red.copies, red.duplicates, red.malformed) == (0, 20, 0, 0)


def test_what_was_lost_is_brought_back_by_the_next_packet() -> None:
    red = RedUnwrapper()
    out = [each for number in (0, 1, 4, 5) for each in red.unwrap(redundant(number), CODECS)]
    assert facts(out) == facts([plain(number) for number in range(6)])
    assert red.recovered == 2


def test_a_packet_behind_its_copy_is_a_duplicate() -> None:
    red = RedUnwrapper()
    for number in (0, 2):
        red.unwrap(redundant(number), CODECS)
    assert red.unwrap(redundant(1), CODECS) == []
    assert red.unwrap(plain(2), CODECS) == []
    assert (red.recovered, red.duplicates) == (1, 2)


@settings(max_examples=200)
@given(st.lists(st.booleans(), min_size=1, max_size=120), st.integers(0, 3), st.lists(st.integers(0, 119), max_size=20))
def test_each_packet_comes_once_and_a_loss_only_where_all_copies_are_lost(
    arrives: list[bool], copies: int, again: list[int]
) -> None:
    red = RedUnwrapper()
    sent = [redundant(number, copies) for number in range(len(arrives))]
    order = [number for number, came in enumerate(arrives) if came]
    late = [number for number in again if number < len(sent) and arrives[number]]
    out = [each for number in [*order, *late] for each in red.unwrap(RtpPacket.parse(sent[number].serialize()), CODECS)]
    first = order[0] if order else 0
    brought = {number - back for number in order for back in range(copies + 1) if number - back >= first}
    assert facts(out) == facts([plain(number) for number in sorted(brought)])
    assert red.duplicates == len(late)


@given(st.lists(st.tuples(st.sampled_from([63, 111, 0]), st.binary(max_size=40), st.integers(0, 2**32 - 1))))
def test_anything_may_come_and_memory_is_bounded(packets: list[tuple[int, bytes, int]]) -> None:
    red = RedUnwrapper()
    for payload_type, payload, timestamp in packets:
        red.unwrap(RtpPacket(payload_type=payload_type, payload=payload, timestamp=timestamp), CODECS)
    assert len(red._seen) == len(red._order) <= REMEMBERED


@pytest.mark.parametrize("payload", [b"", b"\xef\x00", b"\xef\x0f\x00\x10\x6f"])
def test_what_cannot_be_read_is_counted(payload: bytes) -> None:
    red = RedUnwrapper()
    assert red.unwrap(RtpPacket(payload_type=63, payload=payload), CODECS) == []
    assert red.malformed == 1
