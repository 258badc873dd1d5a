"""Protect and unprotect: round trips, roll-over, replay, drops, bounds."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.errors import InvalidArgument, LocalProtocolError
from pystack.srtp import SrtpReceiver, SrtpSender, profile
from pystack.srtp.cipher import make_cipher
from pystack.srtp.index import estimate, header_length
from pystack.srtp.keys import derive_rtp
from pystack.srtp.replay import FRESH, OLD, REPLAYED, ReplayWindow
from pystack.srtp.sent_streams import MAX_SEALERS, SentStreams
from pystack.srtp.streams import StreamWindows

PROFILES = (1, 7, 8)


def pair(number: int, **options: int) -> tuple[SrtpSender, SrtpReceiver]:
    which = profile(number)
    key, salt = bytes(range(which.key_length)), bytes(range(100, 100 + which.salt_length))
    return SrtpSender(number, key, salt), SrtpReceiver(number, key, salt, **options)


def rtp(
    sequence_number: int, ssrc: int = 7, payload: bytes = b"payload", first: int = 0x80, more: bytes = b""
) -> bytes:
    return struct.pack("!BBHLL", first, 96, sequence_number & 0xFFFF, 0, ssrc) + more + payload


def rtcp(ssrc: int = 7, body: bytes = b"bodybody") -> bytes:
    return struct.pack("!BBHL", 0x80, 201, 1 + len(body) // 4, ssrc) + body


@pytest.mark.parametrize("number", PROFILES)
@pytest.mark.parametrize(
    "packet",
    [
        rtp(1),
        rtp(1, payload=b""),
        rtp(1, first=0x82, more=b"csrccsrc"),
        rtp(1, first=0x90, more=b"\xbe\xde\0\1abcd"),
        rtp(1, first=0x91, more=b"csrc\x10\0\0\2abcdefgh"),
    ],
)
def test_round_trip_with_every_header_form(number: int, packet: bytes) -> None:
    sender, receiver = pair(number)
    sealed = sender.protect(packet)
    assert len(sealed) == len(packet) + sender.profile.rtp_overhead
    assert sealed[: header_length(packet)] == packet[: header_length(packet)]
    assert receiver.unprotect(sealed) == packet


@pytest.mark.parametrize("number", PROFILES)
def test_rtcp_round_trip_and_replay(number: int) -> None:
    sender, receiver = pair(number)
    sealed = [sender.protect_rtcp(rtcp()) for _ in range(3)]
    assert len(sealed[0]) == len(rtcp()) + sender.profile.rtcp_overhead
    assert len(set(sealed)) == 3
    assert [receiver.unprotect_rtcp(each) for each in sealed] == [rtcp()] * 3
    assert receiver.unprotect_rtcp(sealed[1]) is None
    assert receiver.drops["replay"] == 1


@pytest.mark.parametrize("number", PROFILES)
def test_roll_over_is_followed_on_both_sides(number: int) -> None:
    sender, receiver = pair(number)
    for index in range(65000, 65000 + 3 * 65536, 1021):
        assert receiver.unprotect(sender.protect(rtp(index))) == rtp(index)
    assert sender.roll_over(7) == 3
    assert sender.roll_over(8) == 0


@pytest.mark.parametrize("number", PROFILES)
def test_late_packets_around_the_roll_over_keep_their_own_index(number: int) -> None:
    sender, receiver = pair(number)
    sealed = [sender.protect(rtp(index)) for index in range(65530, 65545)]
    order = [0, 14, 3, 7, 1, 13, 2, 6, 5, 4, 8, 12, 11, 9, 10]
    assert sorted(order) == list(range(15))
    for at in order:
        assert receiver.unprotect(sealed[at]) == rtp(65530 + at)


def test_sending_the_same_bytes_again_gives_the_same_bytes() -> None:
    sender, _ = pair(7)
    once = sender.protect(rtp(65535))
    sender.protect(rtp(65536))
    assert sender.protect(rtp(65535)) == once


def test_a_stream_whose_first_packets_before_the_wrap_were_lost_is_still_understood() -> None:
    sender, receiver = pair(7)
    sender.protect(rtp(65535))
    assert receiver.unprotect(sender.protect(rtp(65536))) == rtp(0)
    assert receiver.unprotect(sender.protect(rtp(65537))) == rtp(1)


@pytest.mark.parametrize("number", PROFILES)
def test_an_authentic_replay_is_dropped_counted_and_visible(number: int) -> None:
    sender, receiver = pair(number)
    sealed = [sender.protect(rtp(index)) for index in range(10)]
    for each in sealed:
        receiver.unprotect(each)
    assert not receiver.last_was_replay
    assert receiver.unprotect(sealed[4]) is None
    assert receiver.last_was_replay
    assert receiver.replayed == rtp(4)
    assert receiver.drops["replay"] == 1
    assert receiver.unprotect(sender.protect(rtp(10))) == rtp(10)
    assert receiver.replayed is None


def test_the_replay_window_reaches_back_1023_packets_and_no_further() -> None:
    sender, receiver = pair(7)
    late = [sender.protect(rtp(index)) for index in range(2)]
    sender.protect(rtp(2))
    receiver.unprotect(sender.protect(rtp(1024)))
    assert receiver.unprotect(late[1]) == rtp(1)
    assert receiver.unprotect(late[0]) is None
    assert receiver.drops["old"] == 1
    assert receiver.last_was_replay


def test_a_packet_from_before_the_start_is_old_for_the_receiver_and_refused_by_the_sender() -> None:
    sender, receiver = pair(7)
    receiver.unprotect(sender.protect(rtp(0)))
    with pytest.raises(LocalProtocolError):
        sender.protect(rtp(65535))
    assert receiver.unprotect(rtp(65535, payload=bytes(30))) is None
    assert receiver.drops["old"] == 1


@pytest.mark.parametrize("number", PROFILES)
def test_forged_packets_leave_nothing_but_a_count(number: int) -> None:
    sender, receiver = pair(number)
    for ssrc in range(50):
        assert receiver.unprotect(rtp(40000, ssrc, bytes(40))) is None
        assert receiver.unprotect_rtcp(rtcp(ssrc, bytes(36) + b"\x80\0\0\1" + bytes(12) + b"\x80\0\0\1")) is None
    assert receiver.drops["auth"] == 100 - receiver.drops["unencrypted"]
    assert receiver.stream_count == 0
    # A forger cannot move the index of a live stream either.
    receiver.unprotect(sender.protect(rtp(5)))
    assert receiver.unprotect(rtp(30000, payload=bytes(40))) is None
    assert receiver.unprotect(sender.protect(rtp(6))) == rtp(6)


@pytest.mark.parametrize("number", PROFILES)
def test_short_and_malformed_packets_are_counted_by_reason(number: int) -> None:
    sender, receiver = pair(number)
    assert receiver.unprotect(b"") is None
    assert receiver.unprotect(sender.protect(rtp(1, payload=b""))[:-1]) is None
    assert receiver.unprotect_rtcp(b"\x80" * 11) is None
    assert receiver.drops["short"] == 3
    assert receiver.unprotect(rtp(1, first=0x40, payload=bytes(60))) is None
    assert receiver.unprotect(rtp(1, first=0x8F, payload=bytes(20))) is None
    assert receiver.unprotect(rtp(1, first=0x90, more=b"\xbe\xde\xff\xff", payload=bytes(20))) is None
    assert receiver.unprotect_rtcp(b"\0" * 60) is None
    assert receiver.drops["malformed"] == 4
    assert receiver.unprotect_rtcp(b"\x80" + bytes(60)) is None
    assert receiver.drops["unencrypted"] == 1
    with pytest.raises(InvalidArgument):
        sender.protect(b"\x80")
    with pytest.raises(InvalidArgument):
        sender.protect_rtcp(b"\x80")


def test_streams_are_bounded_and_the_used_ones_survive_a_flood() -> None:
    sender, receiver = pair(7, max_streams=32)
    for round_number in range(200):
        assert receiver.unprotect(sender.protect(rtp(round_number, 1))) == rtp(round_number, 1)
        assert receiver.unprotect(sender.protect(rtp(0, 1000 + round_number))) is not None
        assert receiver.stream_count <= 32
    assert receiver.unprotect(sender.protect(rtp(199, 1))) is None
    assert receiver.drops["replay"] == 1


def test_keys_must_fit_the_profile() -> None:
    with pytest.raises(InvalidArgument, match="16-byte key"):
        SrtpSender(7, bytes(15), bytes(12))
    with pytest.raises(InvalidArgument):
        SrtpReceiver(8, bytes(32), bytes(14))
    with pytest.raises(InvalidArgument, match="profile 2"):
        SrtpSender(2, bytes(16), bytes(14))


def test_rtcp_stops_when_the_keys_are_used_up() -> None:
    sender, receiver = pair(7)
    sender._rtcp_index = 0x7FFFFFFF
    assert receiver.unprotect_rtcp(sender.protect_rtcp(rtcp())) == rtcp()
    with pytest.raises(LocalProtocolError):
        sender.protect_rtcp(rtcp())


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 65535), st.lists(st.integers(-3000, 3000), min_size=1, max_size=60))
def test_the_inlined_index_equals_the_plain_twin(start: int, steps: list[int]) -> None:
    sender, receiver = pair(7)
    index = start
    receiver.unprotect(sender.protect(rtp(start)))
    seen = {start}
    for step in steps:
        index = max(0, index + step)
        if sender.index_of(7, index & 0xFFFF) != index:
            continue  # further than half the space from the newest: not the same packet any more
        plain = receiver.unprotect(sender.protect(rtp(index)))
        if index in seen or index <= max(seen) - 1024:
            assert plain is None
        else:
            assert plain == rtp(index)
            seen.add(index)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(0, 3000), max_size=100), st.integers(64, 1024))
def test_the_window_equals_a_set(indices: list[int], size: int) -> None:
    window = ReplayWindow(size, indices[0] if indices else 0)
    seen: set[int] = set()
    for index in indices:
        verdict = window.admit(index)
        if seen and index <= max(seen) - size:
            assert verdict == OLD
        else:
            assert verdict == (REPLAYED if index in seen else FRESH)
            seen.add(index)


@settings(deadline=None)
@given(st.integers(0, 1 << 48), st.integers(0, 0xFFFF))
def test_the_estimate_is_the_nearest_index(highest: int, sequence_number: int) -> None:
    index = estimate(highest, sequence_number)
    assert index & 0xFFFF == sequence_number
    assert abs(index - highest) <= 0x8000


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=100), st.sampled_from(PROFILES))
def test_arbitrary_bytes_are_dropped_and_counted(data: bytes, number: int) -> None:
    _, receiver = pair(number)
    assert receiver.unprotect(data) is None
    assert receiver.unprotect_rtcp(data) is None
    assert sum(receiver.drops.values()) == 2


@settings(deadline=None, max_examples=100)
@given(st.data(), st.sampled_from(PROFILES))
def test_a_flipped_bit_anywhere_is_not_accepted(data: st.DataObject, number: int) -> None:
    sender, receiver = pair(number)
    receiver.unprotect(sender.protect(rtp(100)))
    sealed = bytearray(sender.protect(rtp(101)))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    assert receiver.unprotect(bytes(sealed)) is None
    control = bytearray(sender.protect_rtcp(rtcp()))
    bit = data.draw(st.integers(0, 8 * len(control) - 1))
    control[bit // 8] ^= 1 << bit % 8
    assert receiver.unprotect_rtcp(bytes(control)) is None


def test_windows_of_two_generations() -> None:
    windows: StreamWindows[ReplayWindow] = StreamWindows(4)
    made = {ssrc: ReplayWindow(64, 0) for ssrc in range(6)}
    for ssrc in range(4):
        windows.add(ssrc, made[ssrc])
    assert windows.find(0) is made[0]  # comes back from the old generation, and ends that of 2 and 3
    assert windows.find(1) is None
    assert windows.find(2) is made[2]
    assert len(windows) <= 4


@pytest.mark.parametrize(
    ("packet", "expected"), [(b"\x80" * 11, -1), (b"\0" * 12, -1), (rtp(0, first=0x90, payload=b""), -1)]
)
def test_header_length_of_what_is_not_rtp(packet: bytes, expected: int) -> None:
    assert header_length(packet) == expected


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(PROFILES),
    st.integers(0, 0xFFFFFFFF),
    st.lists(st.tuples(st.integers(0, (1 << 48) - 1), st.binary(max_size=40), st.binary(max_size=200)), max_size=8),
)
def test_what_runs_per_packet_equals_its_plain_twin(
    number: int, ssrc: int, packets: list[tuple[int, bytes, bytes]]
) -> None:
    which = profile(number)
    cipher = make_cipher(which, derive_rtp(which, bytes(which.key_length), bytes(which.salt_length)))
    for index, header, payload in packets:
        seal, open_ = cipher.sealer(ssrc, index >> 16), cipher.opener(ssrc, index >> 16)
        low = index & 0xFFFF
        sealed = seal(header, payload, low)
        assert sealed == cipher.seal(header, payload, ssrc, index)
        assert open_(sealed, len(header), low) == cipher.open(sealed, len(header), ssrc, index) == header + payload
        for wrong in (sealed[:-1] + bytes((sealed[-1] ^ 1,)), bytes((sealed[0] ^ 1,)) + sealed[1:]):
            assert open_(wrong, len(header), low) is None
            assert cipher.open(wrong, len(header), ssrc, index) is None
        assert cipher.opener(ssrc, index >> 16 ^ 1)(sealed, len(header), low) is None


@pytest.mark.parametrize("number", PROFILES)
def test_tracks_that_come_and_go_leave_an_integer_and_go_on_where_they_were(number: int) -> None:
    sender, receiver = pair(number, max_streams=1 << 20)
    ssrcs = range(1, 1001)
    for ssrc in ssrcs:
        for sequence_number in (0xFFFF, 0x10000 + ssrc % 3):
            packet = rtp(sequence_number, ssrc)
            assert receiver.unprotect(sender.protect(packet)) == packet
    assert sender.sealer_count <= MAX_SEALERS
    assert sender.roll_over(5000) == 0
    for ssrc in reversed(ssrcs):
        assert (sender.roll_over(ssrc), sender.index_of(ssrc, 9)) == (1, 0x10009)
        packet = rtp(0x10000 + ssrc % 3 + 1, ssrc)
        assert receiver.unprotect(sender.protect(packet)) == packet
    assert sender.sealer_count <= MAX_SEALERS


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 40000)), max_size=60))
def test_streams_that_are_put_away_equal_streams_that_stay(sent: list[tuple[int, int]]) -> None:
    which = profile(7)
    cipher = make_cipher(which, derive_rtp(which, bytes(16), bytes(12)))
    small, large = SentStreams(4), SentStreams(1000)
    at: dict[int, int] = {}
    for ssrc, step in sent:
        number = at[ssrc] = at.get(ssrc, 0xFFF0) + step % 0x7FFF
        sealed = [
            (each.young.get(ssrc) or each.start(ssrc, number & 0xFFFF, cipher)).place(b"h" * 12, b"p", number & 0xFFFF)
            for each in (small, large)
        ]
        assert sealed[0] == sealed[1]
        assert small.highest(ssrc) == large.highest(ssrc)
        assert small.sealers <= 4
    assert [small.highest(ssrc) for ssrc in at] == [large.highest(ssrc) for ssrc in at]
