"""An RTP session that receives whatever gets through SRTP, while it sends and reports.

Input: pieces: a byte that says how (wait, send, ask) and a datagram of RTP or RTCP.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from math import inf
from typing import Final

from fuzz.recorded import recorded
from fuzz.search import packed
from fuzz.target import Program, Target, check, piece
from pystack.base import Ended, SeededRandomness
from pystack.errors import LOCAL, DecodeError, LocalError
from pystack.rtp import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    MID,
    REPAIRED_RID,
    RID,
    TRANSPORT_SEQUENCE,
    CodecSpec,
    HeaderExtensionMap,
    RtpPacket,
    RtpSession,
    RtpSessionOptions,
)
from pystack.rtp.rtcp import parse_compound
from pystack.testing.laws import footprint

_MAP: Final = HeaderExtensionMap(
    {4: MID, 3: TRANSPORT_SEQUENCE, 2: ABS_SEND_TIME, 1: AUDIO_LEVEL, 10: RID, 11: REPAIRED_RID}
)
_VP8: Final = CodecSpec(
    payload_type=96, name="VP8", clock_rate=90000, rtcp_fb=("nack", "nack pli", "ccm fir"), rtx_payload_type=97
)
_OPUS: Final = CodecSpec(payload_type=111, name="opus", clock_rate=48000)
_MTU: Final = 548
_HELD: Final = 600_000


def _session() -> RtpSession:
    session = RtpSession(RtpSessionOptions(ntp_offset=1e9, mtu=_MTU, max_packets=64), SeededRandomness(1))
    session.set_sender(1, mid="a", kind="audio", ssrc=100, codecs=[_OPUS], extensions=_MAP)
    session.set_sender(2, mid="v", kind="video", ssrc=200, rtx_ssrc=201, codecs=[_VP8], extensions=_MAP)
    session.set_receiver(1, mid="a", kind="audio", codecs=[_OPUS], extensions=_MAP)
    session.set_receiver(2, mid="v", kind="video", codecs=[_VP8], extensions=_MAP)
    session.set_receiver(3, mid="s", kind="video", codecs=[_VP8], extensions=_MAP, rids=("q", "h"))
    return session


def run(data: bytes) -> None:
    program = Program(data)
    session = _session()
    now = 1000.0
    ends = 0
    for number in range(128):
        if not program:
            break
        how = program.byte()
        if how & 1 and session.deadline < inf:
            now = max(now, session.deadline)
            session.tick(now)
        if how & 2:
            _send(session, how >> 2, number, now)
        if how & 0x80:
            now += 0.02
        session.receive(program.piece(), now)
        ends += _settle(session, now)
    check(footprint(session) < _HELD, "holds too much")
    for _ in range(20):
        if session.deadline == inf:
            break
        check(session.deadline > now - 1e-9, "a deadline that does not move on")
        now = max(now, session.deadline)
        session.tick(now)
        ends += _settle(session, now)
    session.close(now, LOCAL)
    ends += _settle(session, now)
    check(ends <= 1 and session.deadline == inf, "not one end and then silence")


def _send(session: RtpSession, what: int, number: int, now: float) -> None:
    with suppress(LocalError):
        if what & 15 < 12:
            sender = 1 + (what & 1)
            payload_type = 111 if sender == 1 else 96
            session.send(sender, RtpPacket(payload_type=payload_type, sequence_number=number, payload=bytes(50)), now)
        elif what & 15 == 12:
            session.request_key_frame(2, now)
        elif what & 15 == 13:
            session.request_key_frame(3, now, "h")
        elif what & 15 == 14:
            session.remove_receiver(3)
        else:
            session.stats(now)


def _settle(session: RtpSession, now: float) -> int:
    media, control = session.flush(now)
    check(len(media) + len(control) < 1000, "talks too much")
    for packet in media:
        check(len(packet) <= 1500, "a packet that is too large")
        RtpPacket.parse(packet)
    for packet in control:
        check(len(packet) <= _MTU, "RTCP above the MTU")
        with suppress(DecodeError):
            parse_compound(packet)
            continue
        check(False, "RTCP that cannot be read")
    session.take_packets()
    return sum(isinstance(event, Ended) for event in session.take_events())


def _seeds() -> Iterator[bytes]:
    packet = RtpPacket(ssrc=300, payload_type=96, sequence_number=7, payload=b"layer")
    _MAP.set(packet, MID, b"s")
    _MAP.set(packet, RID, b"h")
    _MAP.set(packet, TRANSPORT_SEQUENCE, b"\1\2")
    stream = []
    for number in (7, 8, 10, 11, 300, 65000):
        packet.sequence_number = number
        stream.append(b"\x80" + piece(packet.serialize()))
    yield b"".join(stream) + b"\1\0\0" * 4
    packet.payload_type = 97
    yield b"".join(stream[:3]) + b"\1" + piece(packet.serialize())
    video = RtpPacket(ssrc=400, payload_type=96, sequence_number=65534, payload=b"x" * 20)
    _MAP.set(video, MID, b"v")
    first = b"\0" + piece(video.serialize())
    video.sequence_number = 3
    yield first + b"\x80" + piece(video.serialize()) + b"\1\0\0" * 3 + b"\x32\0\0\1\0\0"
    for data in [*recorded("rtcp"), *packed("rtcp")]:
        yield b"\6\0\0" * 3 + first + b"\0" + piece(data) + b"\1\0\0"


TARGETS = {"rtp-session": Target(name="rtp-session", run=run, seeds=_seeds, packages=("pystack.rtp",))}
