"""The laws of a core, on the RTP session: a sender and a receiver of audio and simulcast video, back to back."""

from math import inf
from typing import Any

from hypothesis import strategies as st

from pystack.base import SeededRandomness
from pystack.errors import LOCAL
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
from pystack.rtp.rtcp import Bye, Fir, Nack, Pli, ReceiverReport, Remb, ReportBlock, SenderReport, TransportFeedback
from pystack.testing.laws import START, Command, CoreLaws, Scenario, Side
from pystack.testing.strategies import mutated, noise

MAP = HeaderExtensionMap({4: MID, 3: TRANSPORT_SEQUENCE, 2: ABS_SEND_TIME, 1: AUDIO_LEVEL, 10: RID, 11: REPAIRED_RID})
VP8 = CodecSpec(
    payload_type=96, name="VP8", clock_rate=90000, rtcp_fb=("nack", "nack pli", "ccm fir"), rtx_payload_type=97
)
OPUS = CodecSpec(payload_type=111, name="opus", clock_rate=48000)
MTU = 548


class Datagrams:
    """An RtpSession with the five members of a core: what it flushes goes out in one list.

    Media that the commands send goes into the next flush too, as the session layer above would do it.
    """

    def __init__(self, rtp: RtpSession) -> None:
        self.rtp = rtp
        self.sent: list[bytes] = []

    @property
    def deadline(self) -> float:
        return self.rtp.deadline

    def receive(self, data: bytes, now: float) -> None:
        self.rtp.receive(data, now)

    def tick(self, now: float) -> None:
        self.rtp.tick(now)

    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        cut = len(self.sent) if limit == inf else int(limit)
        out, self.sent = self.sent[:cut], self.sent[cut:]
        if len(out) < limit:
            media, control = self.rtp.flush(now, limit - len(out))
            out += control + media
        return out

    def take_events(self) -> list[Any]:
        return [*self.rtp.take_packets(), *self.rtp.take_events()]

    def send(self, drawn: tuple[int, int, int], now: float) -> None:
        sender_id, number, size = drawn
        packet = RtpPacket(
            payload_type=111 if sender_id == 1 else 96,
            sequence_number=number,
            timestamp=number * 900,
            marker=number % 3 == 0,
            payload=bytes(size),
        )
        if data := self.rtp.send(sender_id, packet, now):
            self.sent.append(data)


def make_side(seed: str) -> Datagrams:
    rtp = RtpSession(RtpSessionOptions(ntp_offset=1e9, mtu=MTU, max_packets=64), SeededRandomness(seed))
    configure(rtp, None, START)
    return Datagrams(rtp)


def configure(rtp: RtpSession, _: object, now: float) -> None:
    rtp.set_sender(1, mid="a", kind="audio", ssrc=100, codecs=[OPUS], extensions=MAP)
    rtp.set_sender(2, mid="v", kind="video", ssrc=200, rtx_ssrc=201, codecs=[VP8], extensions=MAP)
    rtp.set_receiver(1, mid="a", kind="audio", codecs=[OPUS], extensions=MAP)
    rtp.set_receiver(2, mid="v", kind="video", codecs=[VP8], extensions=MAP)
    rtp.set_receiver(3, mid="s", kind="video", codecs=[VP8], extensions=MAP, rids=("q", "h"))


def samples() -> list[bytes]:
    layered = RtpPacket(ssrc=300, payload_type=96, sequence_number=7, payload=b"layer")
    MAP.set(layered, MID, b"s")
    MAP.set(layered, RID, b"h")
    MAP.set(layered, TRANSPORT_SEQUENCE, b"\1\2")
    far = RtpPacket(ssrc=100, payload_type=111, sequence_number=50_000)
    block = ReportBlock(200, 10, 1, 500)
    return [
        layered.serialize(),
        far.serialize(),
        SenderReport(100, 1 << 60, 5, 6, 7, [block]).serialize(),
        ReceiverReport(9, [block]).serialize() + Bye([300]).serialize(),
        Nack(9, 200, [0, 1, 2, 3, 40]).serialize(),
        Pli(9, 200).serialize() + Fir(9, 0, [(200, 1)]).serialize(),
        Remb(9, 1_000_000, [200]).serialize(),
        TransportFeedback(9, 200, 3, 5, 0, [1, None, 300]).serialize(),
    ]


class TestRtpSessionLaws(CoreLaws):
    def make(self, seed: int) -> Scenario:
        sides = [make_side(f"{seed} {name}") for name in "ab"]
        for side in sides:
            for number in range(3):
                side.send((1, number, 10), START)
                side.send((2, 65534 + number & 0xFFFF, 100), START)
        sent = st.tuples(st.sampled_from((1, 2)), st.integers(0, 12) | st.integers(0, 65535), st.integers(0, 400))
        return Scenario(
            sides=[Side(name, side, limit=MTU) for name, side in zip("ab", sides, strict=True)],
            commands=[
                Command("send", lambda core, drawn, now: core.send(drawn, now), sent),
                Command(
                    "key frame",
                    lambda core, drawn, now: core.rtp.request_key_frame(*drawn[:1], now, drawn[1]),
                    st.tuples(st.integers(1, 4), st.sampled_from(("", "q", "h"))),
                ),
                Command("key frame came", lambda core, _, now: core.rtp.key_frame_arrived(2)),
                Command("replay", lambda core, data, now: core.rtp.record_replay(data, now), noise()),
                Command("remove sender", lambda core, which, _: core.rtp.remove_sender(which), st.integers(1, 3)),
                Command("remove receiver", lambda core, which, _: core.rtp.remove_receiver(which), st.integers(1, 3)),
                Command("configure", lambda core, _, now: configure(core.rtp, None, now)),
                Command("round trip", lambda core, value, _: core.rtp.set_round_trip_time(value), st.floats(0, 5)),
                Command("stats", lambda core, _, now: core.rtp.stats(now)),
                Command("close", lambda core, _, now: core.rtp.close(now)),
            ],
            end=lambda core, now: core.rtp.close(now, LOCAL),
            feeds=st.sampled_from(samples()) | mutated(samples()) | noise(),
            memory=256 * 1024,
        )
