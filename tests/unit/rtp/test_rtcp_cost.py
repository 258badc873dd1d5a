"""A datagram of RTCP costs in proportion to its bytes, whatever its counts and its runs claim."""

from __future__ import annotations

import tracemalloc
from struct import pack

from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.base import SeededRandomness
from pystack.rtp import CodecSpec, HeaderExtensionMap, RtpPacket, RtpSession, RtpSessionOptions
from pystack.rtp.congestion.outcomes import OutcomeReader
from pystack.rtp.congestion.sent import SIZE, SentPackets
from pystack.rtp.rtcp import TransportFeedback

PER_BYTE = 256
"""Bytes of memory that one received byte may cost: a number of a NACK mask is an object of its own."""
FLOOR = 40_000
"""Events and the like; a thirteenth of what one feedback of 24 bytes once took."""
VP8 = CodecSpec(payload_type=96, name="VP8", clock_rate=90000, rtcp_fb=("nack", "nack pli", "ccm fir"))
EXTENSIONS = HeaderExtensionMap({3: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"})


def framed(count: int, packet_type: int, body: bytes) -> bytes:
    body += bytes(-len(body) & 3)
    return pack("!BBH", 0x80 | count, packet_type, len(body) // 4) + body


def feedback(base: int, count: int, chunks: list[int], rest: bytes) -> bytes:
    return framed(
        15, 205, pack("!LLHHL", 1, 100, base, count, 0) + b"".join(pack("!H", each) for each in chunks) + rest
    )


u16 = st.integers(0, 0xFFFF)
runs_of_nothing = st.integers(1, 0x1FFF)
feedbacks = st.one_of(
    st.builds(feedback, u16, u16, st.lists(st.one_of(runs_of_nothing, u16), max_size=12), st.binary(max_size=40)),
    st.builds(feedback, st.integers(0, 700), st.just(0xFFFF), st.just([0x1FFF] * 9), st.just(b"")),
    st.builds(feedback, u16, st.just(0x1FFF), st.sampled_from([[0x1FFF], [0x3FFF], [0x5FFF]]), st.just(b"")),
)
nacks = st.lists(st.tuples(u16, u16), max_size=60).map(
    lambda pairs: framed(1, 205, pack("!LL", 1, 100) + b"".join(pack("!HH", *pair) for pair in pairs))
)
others = st.builds(framed, st.integers(0, 31), st.integers(200, 207), st.binary(max_size=100))
compounds = st.lists(st.one_of(feedbacks, nacks, others), min_size=1, max_size=30).map(b"".join)


def sending(*, watch: bool) -> RtpSession:
    session = RtpSession(RtpSessionOptions(watch_congestion=watch), SeededRandomness(1))
    session.set_sender(7, mid="0", kind="video", ssrc=100, codecs=[VP8], extensions=EXTENSIONS)
    for number in range(700):
        packet = RtpPacket(payload_type=96, sequence_number=number, timestamp=number, payload=b"x")
        assert session.send_parts(7, packet, number / 1000) is not None
    return session


@settings(deadline=None, max_examples=60)
@given(st.booleans(), compounds)
def test_rtcp_takes_memory_in_proportion_to_its_bytes(watch: bool, data: bytes) -> None:
    session = sending(watch=watch)
    tracemalloc.start()
    try:
        session.receive_rtcp(data, 1.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= PER_BYTE * len(data) + FLOOR + 300 * 700  # what was sent is told once more, by an outcome each


def test_a_few_bytes_of_feedback_cannot_stand_for_65535_packets_each() -> None:
    session = sending(watch=False)
    data = feedback(0, 0xFFFF, [0x1FFF] * 9, b"") * 26
    tracemalloc.start()
    try:
        session.receive_rtcp(data, 1.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * len(data)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_no_feedback_makes_us_look_at_more_than_was_sent(data: st.DataObject) -> None:
    sent, reader = SentPackets(0), OutcomeReader()
    number = told = 0
    for _ in range(data.draw(st.integers(1, 12))):
        for _ in range(data.draw(st.integers(0, 40))):
            number += 1
            sent.note(number & 0xFFFF, 100, number / 100)
        base = data.draw(st.one_of(u16, st.integers(0, 80)))
        deltas = [None] * data.draw(st.sampled_from([1, 20, 5000])) + [4]
        told += len(reader.read(TransportFeedback(1, 2, base, 0, 0, deltas), sent))
        assert told <= number


def test_feedback_about_what_was_never_sent_does_not_make_the_rest_told_again() -> None:
    sent, reader = SentPackets(0), OutcomeReader()
    for number in range(100):
        sent.note(number + 1, 100, number / 100)
    assert len(reader.read(TransportFeedback(1, 2, 0, 0, 0, [None] * 100), sent)) == 100
    assert reader.read(TransportFeedback(1, 2, 100 + 0x7FFF, 0, 0, [4]), sent) == []
    assert reader.read(TransportFeedback(1, 2, 0, 0, 0, [None] * 100), sent) == []


def test_feedback_is_read_again_after_a_long_time_without_any() -> None:
    sent, reader = SentPackets(0), OutcomeReader()
    sent.note(1, 100, 0.0)
    assert len(reader.read(TransportFeedback(1, 2, 0, 0, 0, [4]), sent)) == 1
    for number in range(1, 40_000):
        sent.note(number + 1, 100, number / 100)
    assert len(reader.read(TransportFeedback(1, 2, 39_990, 0, 0, [4] * 10), sent)) == 10
    assert len(sent.times) == SIZE


def test_feedback_about_what_was_never_sent_is_counted() -> None:
    session = sending(watch=True)
    session.receive_rtcp(feedback(5000, 3, [3], b""), 1.0)
    assert session.drops == {"feedback-unsent": 1}


def test_a_nack_that_asks_for_more_than_is_kept_is_cut_short_and_counted() -> None:
    session = sending(watch=False)
    pairs = b"".join(pack("!HH", 17 * each & 0xFFFF, 0xFFFF) for each in range(280))
    session.receive_rtcp(framed(1, 205, pack("!LL", 1, 100) + pairs), 1.0)
    assert session.drops == {"nack-excess": 280 * 17 - 512}
    media, _ = session.flush(1.0)
    assert media  # what it asked for first is sent again


def test_a_number_that_a_nack_names_often_is_looked_for_once() -> None:
    session = sending(watch=False)
    session.receive_rtcp(framed(1, 205, pack("!LL", 1, 100) + pack("!HH", 600, 0xFFFF) * 280), 1.0)
    assert not session.drops
    media, _ = session.flush(1.0)
    assert len(media) == 17
