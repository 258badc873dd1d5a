"""Datagrams on a stream: whatever the pieces in which it comes, what was framed comes out, and little is held."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pystack.ice import Candidate, Deframer, candidate_priority, frame, tcp_candidate_priority
from pystack.ice.framing import MAX_FRAME


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:stop] for start, stop in pairwise(edges)]


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20), st.lists(st.integers(0, 10_000), max_size=30))
def test_what_was_framed_comes_out_whatever_the_pieces(datagrams: list[bytes], cuts: list[int]) -> None:
    deframer = Deframer()
    stream = frame(datagrams) if datagrams else b""
    assert [data for piece in pieces(stream, cuts) for data in deframer.feed(piece)] == datagrams
    assert deframer.held == 0


@given(st.lists(st.binary(max_size=5000), max_size=50))
def test_any_stream_is_taken_and_no_more_than_one_frame_is_held(chunks: list[bytes]) -> None:
    deframer = Deframer()
    fed = given_out = 0
    for chunk in chunks:
        fed += len(chunk)
        found = deframer.feed(chunk)
        assert all(found)
        given_out += sum(2 + len(data) for data in found)
        assert deframer.held <= MAX_FRAME + 1
        assert fed == given_out + 2 * deframer.empty + deframer.held


def test_the_longest_frame_and_empty_ones() -> None:
    deframer = Deframer()
    longest = bytes(MAX_FRAME)
    assert frame([longest])[:2] == b"\xff\xff"
    assert deframer.feed(b"\0\0" + frame([longest]) + b"\0\0\0") == [longest]
    assert deframer.empty == 2
    assert deframer.held == 1


def test_a_passive_candidate_over_tcp_is_below_every_host_candidate_over_udp() -> None:
    assert tcp_candidate_priority() < candidate_priority("host", 0)
    assert tcp_candidate_priority(8190) < tcp_candidate_priority(8191) == 90 << 24 | (4 << 13 | 8191) << 8 | 255
    written = Candidate(
        foundation="1", transport="tcp", priority=1, host="192.0.2.1", port=7, extensions=(("tcptype", "passive"),)
    ).write()
    assert written == "candidate:1 1 tcp 1 192.0.2.1 7 typ host tcptype passive"
    assert Candidate.parse(written).extension("tcptype") == "passive"
