"""Pacers: one that lets everything through, and a leaky bucket, against what a bucket promises."""

from math import inf
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.base import SeededRandomness
from pystack.dtls import Certificate, SeededProvider
from pystack.errors import InvalidArgument
from pystack.rtp import CodecSpec, HeaderExtensionMap, RtpPacket
from pystack.session import LeakyBucket, Pacer, Session, SessionOptions
from pystack.session.media import MediaQueue

VP8 = CodecSpec(payload_type=96, name="VP8", clock_rate=90000)


def connected(options: SessionOptions) -> list[Session]:
    """Two sessions after the handshake; the first one sends a stream."""
    roles: tuple[Literal["client", "server"], ...] = ("client", "server")
    providers = [SeededProvider(SeededRandomness(role)) for role in roles]
    certificates = [Certificate.generate(1.7e9, provider) for provider in providers]
    sessions = [
        Session(certificates[side], options, SeededRandomness(side), provider=providers[side]) for side in (0, 1)
    ]
    for side, session in enumerate(sessions):
        session.start(roles[side], (("sha-256", certificates[1 - side].fingerprint()),), 1.0)
    for _ in range(8):
        for side, session in enumerate(sessions):
            for data in session.flush(1.0):
                sessions[1 - side].receive(data, 1.0)
    sessions[0].rtp.set_sender(1, mid="0", kind="video", ssrc=7, codecs=[VP8], extensions=HeaderExtensionMap())
    return sessions


def test_a_session_hands_the_pacers_deadline_up_and_media_goes_when_it_comes() -> None:
    session, _ = connected(SessionOptions(pacer=lambda: LeakyBucket(1000, 250, age=10.0)))
    for number in range(10):
        packet = RtpPacket(payload_type=96, sequence_number=number, payload=bytes(100 - 12 - 16))
        assert session.send_rtp(1, packet, 2.0)
    media = [data for data in session.flush(2.0) if len(data) == 100]
    assert len(media) == 3
    gone = len(media)
    now = 2.0
    while gone < 10:
        assert session.deadline <= session.pacer.deadline
        now = session.deadline
        session.tick(now)
        gone += sum(len(data) == 100 for data in session.flush(now))
    # What is beyond the burst, and a report on the way.
    assert 2.0 + (1000 - 250 - 100) / 1000 <= now <= 2.8
    assert session.dropped() == {}


def popped(pacer: Pacer, now: float, room: float = inf) -> list[bytes]:
    out: list[bytes] = []
    pacer.pop_into(out, now, room)
    return out


def test_the_default_lets_everything_through_and_has_no_time() -> None:
    pacer: Pacer = MediaQueue(1.0, 10)
    for number in range(5):
        (pacer.push_control if number == 3 else pacer.push)(bytes((number,)), 1.0)
    pacer.tick(1.0)
    assert (pacer.deadline, len(pacer)) == (inf, 5)
    assert popped(pacer, 1.0) == [bytes((number,)) for number in range(5)]


def test_a_bucket_spreads_what_is_beyond_its_burst() -> None:
    pacer = LeakyBucket(1000, 250)
    for number in range(6):
        pacer.push(bytes((number,)) * 100, 1.0)
    # The burst, and the packet that makes it run over.
    assert [each[0] for each in popped(pacer, 1.0)] == [0, 1, 2]
    assert pacer.deadline == pytest.approx(1.05)
    assert popped(pacer, 1.04) == []
    at = pacer.deadline
    pacer.tick(at)
    assert [each[0] for each in popped(pacer, at)] == [3]
    assert pacer.deadline == pytest.approx(1.15)
    assert [each[0] for each in popped(pacer, pacer.deadline)] == [4]
    assert [each[0] for each in popped(pacer, pacer.deadline)] == [5]
    assert pacer.deadline == inf


def test_control_goes_first_at_once_and_its_bytes_count() -> None:
    pacer = LeakyBucket(1000, 100)
    for number in range(4):
        pacer.push(bytes((number,)) * 100, 1.0)
    pacer.push_control(b"report" * 50, 1.0)
    assert [each[:1] for each in popped(pacer, 1.0)] == [b"r", b"\0", b"\1"]
    assert pacer.deadline == pytest.approx(1.4)


def test_what_waits_too_long_is_dropped_whoever_makes_it_wait() -> None:
    pacer = LeakyBucket(1000, 100, age=0.15)
    for number in range(6):
        pacer.push(bytes((number,)) * 100, 1.0)
    assert [each[0] for each in popped(pacer, 1.0, 1)] == [0]
    assert popped(pacer, 1.2) == []
    assert (pacer.dropped_late, len(pacer), pacer.deadline) == (5, 0, inf)


def test_a_full_bucket_loses_the_oldest() -> None:
    pacer = LeakyBucket(1000, 1, limit=3)
    for number in range(6):
        pacer.push(bytes((number,)) * 100, 1.0)
        pacer.push_control(bytes((100 + number,)), 1.0)
    assert pacer.dropped_full == 6
    assert [each[0] for each in popped(pacer, 1.0)] == [103, 104, 105]
    assert len(pacer) == 3
    pacer.clear()
    assert (len(pacer), pacer.deadline, popped(pacer, 9.0)) == (0, inf, [])


def test_another_rate_holds_from_now_on() -> None:
    pacer = LeakyBucket(1000, 100)
    for number in range(3):
        pacer.push(bytes((number,)) * 100, 1.0)
    assert pacer.deadline == pytest.approx(1.1)
    pacer.set_rate(100, 1.0)
    assert pacer.deadline == pytest.approx(2.0)
    for wrong in (0, -1.0):
        with pytest.raises(InvalidArgument):
            pacer.set_rate(wrong, 1.0)


@pytest.mark.parametrize("bounds", [(0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0)])
def test_a_bucket_needs_bounds(bounds: tuple[int, int, int, int]) -> None:
    with pytest.raises(InvalidArgument):
        LeakyBucket(*bounds)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(("push", "wait", "deadline")), st.integers(1, 1500), st.floats(0, 0.3))),
    st.integers(100, 5000),
)
def test_in_no_span_goes_more_than_the_rate_and_the_burst_and_order_is_kept(
    steps: list[tuple[str, int, float]], burst: int
) -> None:
    rate = 10_000
    pacer = LeakyBucket(rate, burst, age=1000.0)
    now = 5.0
    pushed: list[bytes] = []
    gone: list[tuple[float, bytes]] = []
    for what, size, wait in [*steps, *[("deadline", 1, 0.0)] * (len(steps) + 1)]:
        if what == "push":
            pushed.append(len(pushed).to_bytes(2, "big") + bytes(size))
            pacer.push(pushed[-1], now)
        elif what == "wait":
            now += wait
        elif pacer.deadline < inf:
            before = pacer.deadline
            now = max(now, before)
            pacer.tick(now)
            assert pacer.deadline > before
        gone += [(now, packet) for packet in popped(pacer, now)]
    assert [packet for _, packet in gone] == pushed
    for start in range(len(gone)):
        total = 0
        for at, packet in gone[start:]:
            total += len(packet)
            # The last packet of a span may make the bucket run over.
            assert total - len(packet) <= burst + rate * (at - gone[start][0]) + 1e-3
