"""Redundant audio unwrapped: every packet once, lost ones from copies (RFC 2198)."""

from __future__ import annotations

from random import Random

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


def altered(packet: RtpPacket, **changes: int) -> RtpPacket:
    copy = RtpPacket.parse(packet.serialize())
    for name, value in changes.items():
        setattr(copy, name, value)
    return copy


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


def test_packets_that_share_a_timestamp_are_all_handed_on() -> None:
    red = RedUnwrapper()
    events = [altered(plain(number), payload_type=101, timestamp=plain(1).timestamp) for number in range(1, 6)]
    out = [each for packet in [redundant(0), *events, redundant(6, 1)] for each in red.unwrap(packet, CODECS)]
    assert [each.sequence_number for each in out] == [FIRST + number & 0xFFFF for number in range(7)]
    assert red.duplicates == 0


def test_the_same_packet_twice_is_a_duplicate_even_if_it_shares_a_timestamp() -> None:
    red = RedUnwrapper()
    events = [altered(plain(number), payload_type=101, timestamp=plain(1).timestamp) for number in (1, 2, 1, 2)]
    assert sum(len(red.unwrap(packet, CODECS)) for packet in events) == 2
    assert red.duplicates == 2


def test_copies_need_not_be_of_adjacent_packets() -> None:
    red = RedUnwrapper()
    out = red.unwrap(plain(0), CODECS)
    packet = plain(5)
    packet.payload_type = 63
    blocks = [RedBlock(111, 960 * back, spoken(5 - back)) for back in (4, 2)]
    packet.payload = build_red([*blocks, RedBlock(111, 0, packet.payload)])
    out += red.unwrap(packet, CODECS)
    assert facts(out) == facts([plain(number) for number in (0, 1, 3, 5)])
    assert red.unwrap(plain(3), CODECS) == []
    assert facts(red.unwrap(plain(2), CODECS)) == facts([plain(2)])


@pytest.mark.parametrize("first", [5, 50])  # before and behind the wrap of sequence numbers
def test_no_copy_brings_what_was_sent_before_the_first_packet(first: int) -> None:
    red = RedUnwrapper()
    heard = ((first, 1), (first + 1, 3), (first + 2, 5))
    out = [each for number, copies in heard for each in red.unwrap(redundant(number, copies), CODECS)]
    assert facts(out) == facts([plain(number) for number, _ in heard])
    assert (red.recovered, red.copies) == (0, 9)


def test_a_copy_for_which_no_packet_is_missing_is_not_handed_on() -> None:
    red = RedUnwrapper()
    out = red.unwrap(plain(0), CODECS)
    packet = plain(1)
    packet.payload_type = 63
    packet.payload = build_red([RedBlock(111, 480, b"another encoding"), RedBlock(111, 0, packet.payload)])
    out += red.unwrap(packet, CODECS)
    assert facts(out) == facts([plain(0), plain(1)])
    assert (red.recovered, red.copies) == (0, 1)


def test_another_source_begins_anew() -> None:
    red = RedUnwrapper()
    red.unwrap(redundant(0), CODECS)
    for number in (2, 3):
        red.unwrap(altered(redundant(number), ssrc=8), CODECS)
    assert red.recovered == 0


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from([0, 480, 960, 960, 960, 2880]), st.sets(st.integers(1, 5))),
        min_size=1,
        max_size=60,
    ),
    st.randoms(use_true_random=False),
)
def test_whatever_the_spacing_nothing_is_lost_doubled_or_out_of_place(
    spoken_at: list[tuple[bool, int, set[int]]], random: Random
) -> None:
    """Pauses, several packets of an event under one timestamp, copies of any earlier packet, a packet out of order."""
    sent: list[RtpPacket] = []
    came: list[int] = []
    timestamp = 0xFFFFF000
    for number, (arrives, step, _) in enumerate(spoken_at):
        timestamp = timestamp + step & 0xFFFFFFFF
        packet = altered(plain(number), timestamp=timestamp, payload_type=111 if step else 101)
        sent.append(packet)
        if arrives:
            came.append(number)
    order = [number for _, number in sorted((number + random.choice((0, 0, 0, 2.5)), number) for number in came)]
    red = RedUnwrapper()
    out: list[RtpPacket] = []
    for number in order:
        _, step, backs = spoken_at[number]
        packet = altered(sent[number])
        copies = [sent[number - back] for back in sorted(backs, reverse=True) if back <= number]
        if step:
            blocks = [RedBlock(111, packet.timestamp - each.timestamp & 0xFFFFFFFF, each.payload) for each in copies]
            blocks = [each for each in blocks if 0 < each.timestamp_offset < 1 << 14]
            packet.payload = build_red([*blocks, RedBlock(111, 0, packet.payload)])
            packet.payload_type = 63
        out += red.unwrap(packet, CODECS)
    payloads = [each.payload for each in out]
    assert len(set(payloads)) == len(payloads)
    assert {spoken(number) for number in came} <= set(payloads)
    if order == came:
        assert len({each.sequence_number for each in out}) == len(out)
        assert all(int(each.payload) >= came[0] for each in out)
    for each in out:
        if each.payload in {spoken(number) for number in came}:
            assert each.sequence_number == FIRST + int(each.payload) & 0xFFFF


@given(st.lists(st.tuples(st.sampled_from([63, 111, 0]), st.binary(max_size=40), st.integers(0, 2**32 - 1))))
def test_anything_may_come_and_memory_is_bounded(packets: list[tuple[int, bytes, int]]) -> None:
    red = RedUnwrapper()
    for payload_type, payload, timestamp in packets:
        red.unwrap(RtpPacket(payload_type=payload_type, payload=payload, timestamp=timestamp), CODECS)
    assert len(red._numbers) <= REMEMBERED
    assert len(red._times) <= REMEMBERED


@pytest.mark.parametrize("payload", [b"", b"\xef\x00", b"\xef\x0f\x00\x10\x6f"])
def test_what_cannot_be_read_is_counted(payload: bytes) -> None:
    red = RedUnwrapper()
    assert red.unwrap(RtpPacket(payload_type=63, payload=payload), CODECS) == []
    assert red.malformed == 1
