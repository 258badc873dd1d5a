"""What a connection tells of a thin path, and how it probes one, on a simulated network."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs
import pytest

from pystack.dtls import Certificate
from pystack.peer import Configuration, PeerConnection
from pystack.rtp import CongestionChanged, RtpPacket, RtpSessionOptions
from pystack.session import SessionOptions
from pystack.testing.link import LinkOptions
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

CONFIGURATION = Configuration(
    certificate=Certificate.generate(1.7e9), session=SessionOptions(rtp=RtpSessionOptions(watch_congestion=True))
)
THIN = LinkOptions(delay=0.02, rate_bps=1_000_000, queue=50_000)


class Video:
    """A video of one connection, sent at any rate."""

    def __init__(self, connection: PeerConnection) -> None:
        self.sender = connection.add_track("video")
        self.number = 0

    async def send(self, seconds: float, rate: float) -> None:
        """Thirty frames a second."""
        payload_type = self.sender.require_codec("VP8").payload_type
        for _ in range(round(seconds * 30)):
            for size in frame(rate):
                self.number += 1
                packet = RtpPacket(
                    payload_type=payload_type,
                    sequence_number=self.number & 0xFFFF,
                    timestamp=self.number * 3000 & 0xFFFFFFFF,
                    payload=b"\x10" + bytes(size),
                    marker=True,
                )
                self.sender.write(packet)
            await asyncio.sleep(1 / 30)


def frame(rate: float) -> list[int]:
    size = round(rate / 8 / 30)
    count = -(-size // 1100)
    return [size // count] * count


def test_a_thin_path_is_told_with_what_it_takes_and_is_free_again_with_less() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(THIN), CONFIGURATION) as (one, other):
            told: list[Any] = []
            one.listen(lambda event: told.append(event.congestion) if isinstance(event, CongestionChanged) else None)
            video = Video(one)
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            await video.send(5, 600_000)
            assert told == []
            assert "availableOutgoingBitrate" not in one.get_stats()["CP"]
            await video.send(4, 1_800_000)
            assert [each.state for each in told][:2] == ["early-warning", "congested"]
            assert one.congestion.state == "congested"
            assert one.congestion.capacity_bps == pytest.approx(1_000_000, rel=0.15)
            assert one.get_stats()["CP"]["availableOutgoingBitrate"] == one.congestion.capacity_bps
            await video.send(8, 500_000)
            assert one.congestion.state == "none"
            assert other.congestion.state == "none"

    run(main())


def test_padding_probes_the_path_and_nobody_above_sees_it() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(THIN), CONFIGURATION) as (one, other):
            video = Video(one)
            assert video.sender.pad(1000) == 0, "nothing is agreed"
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            received = []
            other.transceivers[0].receiver.on_packet = lambda packet, rid: received.append(packet.sequence_number)
            await video.send(3, 300_000)
            before = one.congestion.delivered_bps
            for _ in range(60):
                assert video.sender.pad(1500) >= 1500
                await video.send(1 / 30, 300_000)
            assert one.congestion.delivered_bps > before + 200_000
            assert one.congestion.state == "none"
            for _ in range(60):
                video.sender.pad(6000)
                await video.send(1 / 30, 300_000)
            assert one.congestion.state == "congested"
            await asyncio.sleep(2)
            assert len(received) == len(set(received)), "each packet once"

    run(main())


def test_who_does_not_watch_is_told_nothing() -> None:
    async def main() -> None:
        quiet = attrs.evolve(CONFIGURATION, session=SessionOptions())
        async with peer_pair(MemoryNetwork(THIN), quiet) as (one, other):
            told: list[Any] = []
            one.listen(lambda event: told.append(event) if isinstance(event, CongestionChanged) else None)
            video = Video(one)
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            await video.send(4, 2_000_000)
            assert told == []
            assert one.congestion.state == "none"

    run(main())
