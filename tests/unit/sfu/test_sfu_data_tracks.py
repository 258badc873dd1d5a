"""Data tracks (requirements row 25): packets, what may wait for a slow receiver, tables of tracks and handles."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from pystack.errors import DecodeError, InvalidArgument
from sfu.data import Backlog, FramePacket, check_packet, redirect
from sfu.data.backlog import LATENCY, LEAST, MOST
from sfu.tracks import MAX_DATA_TRACKS, DataTracks, Handles

Reason = rtc.RequestResponse

HEADER = "0102 0304 0506 0708090A"
VECTORS = [
    (f"1400 {HEADER} 0001 01045041 5F78 AA", {"start": True, "extensions": ((1, b"PA_x"),), "payload": b"\xaa"}),
    (
        f"1C00 {HEADER} 0002 0103616263 09020102 00 BB",
        {"start": True, "final": True, "extensions": ((1, b"abc"), (9, b"\1\2")), "payload": b"\xbb"},
    ),
    (f"1800 {HEADER}", {"start": True, "final": True}),
    (f"0000 {HEADER} CCDD", {"payload": b"\xcc\xdd"}),
]

packets = st.builds(
    FramePacket,
    handle=st.integers(0, 0xFFFF),
    sequence_number=st.integers(0, 0xFFFF),
    frame_number=st.integers(0, 0xFFFF),
    timestamp=st.integers(0, 0xFFFFFFFF),
    start=st.booleans(),
    final=st.booleans(),
    extensions=st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=255)), max_size=4).map(tuple),
    payload=st.binary(max_size=50),
)


@pytest.mark.parametrize(("text", "more"), VECTORS)
def test_ac25_1_vectors(text, more):
    data = bytes.fromhex(text.replace(" ", ""))
    packet = FramePacket(handle=0x0102, sequence_number=0x0304, frame_number=0x0506, timestamp=0x0708090A, **more)
    assert FramePacket.parse(data) == packet
    assert packet.serialize() == data


@given(packets)
def test_ac25_1_what_is_written_reads_back_and_is_as_short_as_can_be(packet):
    data = packet.serialize()
    assert FramePacket.parse(data) == packet
    block = sum(2 + len(value) for _, value in packet.extensions)
    assert len(data) == 12 + (-(-(2 + block) // 4) * 4 if packet.extensions else 0) + len(packet.payload)


def test_ac25_1_an_empty_block_is_four_bytes():
    data = bytes.fromhex(f"0400 {HEADER} 00000000 EE".replace(" ", ""))
    assert FramePacket.parse(data).payload == b"\xee"
    assert check_packet(data) == 0x0102


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "0 bytes"),
        ("18 00 0102 0304 0506 070809", "11 bytes"),
        ("14 00 0102 0304 0506 0708090A", "cut short"),
        ("14 00 0102 0304 0506 0708090A 00", "cut short"),
        ("14 00 0102 0304 0506 0708090A 0001 0104", "beyond the packet"),
        ("14 00 0102 0304 0506 0708090A FFFF 0104 5041", "beyond the packet"),
        ("14 00 0102 0304 0506 0708090A 0000 0101", "beyond its block"),
        ("14 00 0102 0304 0506 0708090A 0001 0103 61626309", "beyond its block"),
        ("14 00 0102 0304 0506 0708090A 0001 0102 6162 0005", None),
        ("14 00 0102 0304 0506 0708090A 0001 0103 616263 09", "beyond its block"),
        ("38 00 0102 0304 0506 0708090A", "version 1"),
    ],
)
def test_ac25_2_what_does_not_fit_is_refused(text, why):
    data = bytes.fromhex(text.replace(" ", ""))
    if why is None:
        assert check_packet(data) == 0x0102
        return
    for read in (FramePacket.parse, check_packet):
        with pytest.raises(DecodeError, match=why):
            read(data)


@given(st.binary(max_size=80))
def test_ac25_2_nothing_else_is_ever_raised(data):
    try:
        packet = FramePacket.parse(data)
    except DecodeError:
        with pytest.raises(DecodeError):
            check_packet(data)
    else:
        assert check_packet(data) == packet.handle
        assert FramePacket.parse(packet.serialize()) == packet


def test_ac25_3_a_lone_identifier_at_the_end_of_its_block_is_an_error():
    with pytest.raises(DecodeError, match="beyond its block"):
        FramePacket.parse(bytes.fromhex("140001020304050607080 90A 0001 0103616263 09".replace(" ", "")))


def test_ac25_4_an_extension_is_replaced_where_it_is():
    packet = FramePacket(
        handle=1, sequence_number=2, frame_number=3, timestamp=4, extensions=((7, b"a"), (200, b"unknown"))
    )
    assert packet.with_extension(7, b"bc").extensions == ((7, b"bc"), (200, b"unknown"))
    assert packet.with_extension(1, b"PA").extensions[-1] == (1, b"PA")


@pytest.mark.parametrize("extension", [(0, b""), (256, b""), (1, bytes(256))])
def test_ac25_5_what_cannot_be_written_is_refused(extension):
    packet = FramePacket(handle=1, sequence_number=2, frame_number=3, timestamp=4, extensions=(extension,))
    with pytest.raises(InvalidArgument, match="cannot be written"):
        packet.serialize()


@given(packets, st.integers(0, 0xFFFF), st.integers(0, 3), st.integers(0, 255))
def test_ac25_7_only_the_handle_changes(packet, handle, low, reserved):
    data = bytearray(packet.serialize())
    data[0] |= low
    data[1] = reserved
    out = redirect(bytes(data), handle)
    assert check_packet(out) == handle
    assert out[:2] + out[4:] == bytes(data[:2] + data[4:])


def test_ac25_14_a_slow_receiver_costs_at_most_a_tenth_of_a_second():
    backlog, waiting, now, rate = Backlog(), 0.0, 0.0, 8000.0  # 64 kbit/s
    oldest = 0.0
    admitted = 0
    for step in range(4000):
        now = step * 0.005
        waiting = max(0.0, waiting - rate * 0.005)
        if backlog.admit(1000, int(waiting), now):
            waiting += 1000
            admitted += 1
        if now > 5:
            oldest = max(oldest, waiting / rate)
    assert backlog.limit == LEAST
    assert oldest <= LEAST / rate
    assert admitted * 1000 >= 0.95 * rate * now, "what it takes, it gets"


def test_ac25_14_a_fast_receiver_loses_nothing():
    backlog, waiting = Backlog(), 0.0
    for step in range(4000):
        waiting = max(0.0, waiting - 2e6 * 0.005)
        for _ in range(3):
            assert backlog.admit(3000, int(waiting), step * 0.005)
            waiting += 3000
    assert backlog.limit > LEAST


def test_one_large_packet_always_goes_when_nothing_waits():
    assert Backlog().admit(2 * MOST, 0, 0.0)
    backlog = Backlog()
    assert [backlog.admit(16_000, 16_000 * number, 0.0) for number in range(20)].count(True) == MOST // 16_000
    assert LATENCY == 0.1


def asked(handle=1, name="n", **more):
    return rtc.PublishDataTrackRequest(pub_handle=handle, name=name, **more)


def test_ac25_9_each_refusal_has_its_reason():
    tracks = DataTracks()
    assert tracks.refusal(asked()) is None
    track = tracks.publish(asked(encryption=models.Encryption.GCM), "DTR_1")
    assert (track.info.sid, track.info.name, track.info.pub_handle) == ("DTR_1", "n", 1)
    assert track.info.encryption == models.Encryption.GCM
    cases = {
        Reason.INVALID_HANDLE: [asked(0), asked(0x10000)],
        Reason.INVALID_NAME: [asked(2, ""), asked(2, "x" * 257)],
        Reason.DUPLICATE_HANDLE: [asked(1, "other")],
        Reason.DUPLICATE_NAME: [asked(2, "n")],
    }
    for reason, requests in cases.items():
        for request in requests:
            assert tracks.refusal(request)[0] == reason
    assert tracks.refusal(asked(2, "x" * 256)) is None
    for number in range(2, MAX_DATA_TRACKS + 1):
        tracks.publish(asked(number, f"n{number}"), f"DTR_{number}")
    assert tracks.refusal(asked(1000, "more"))[0] == Reason.LIMIT_EXCEEDED
    assert tracks.knows("DTR_1")
    assert tracks.unpublish(1).sid == "DTR_1"
    assert tracks.unpublish(1) is None
    assert not tracks.knows("DTR_1")


def test_ac25_10_handles_begin_at_1_skip_0_and_are_never_given_twice():
    handles = Handles()
    assert handles.set(["a", "b"])
    assert not handles.set(["b", "a"])
    assert (handles["a"], handles["b"]) == (1, 2)
    assert handles.set(["b", "c"])
    assert (handles["b"], handles["c"]) == (2, 3)
    for number in range(0xFFFF + 10):
        handles.set(["b", "c", f"t{number}"])
        given_out = [handles[track] for track in ("b", "c", f"t{number}")]
        assert 0 not in given_out
        assert len(set(given_out)) == 3
    assert (handles["b"], handles["c"], len(handles)) == (2, 3, 3)


@given(st.lists(st.sets(st.sampled_from("abcdefgh")), max_size=30))
def test_handles_stay_as_long_as_their_track(steps):
    handles = Handles()
    for before, after in itertools.pairwise([set(), *steps]):
        known = {track: handles[track] for track in before}
        assert handles.set(after) == (before != after)
        assert {track: handles[track] for track in before & after} == {track: known[track] for track in before & after}
        assert len({handles[track] for track in after}) == len(after) == len(handles)
