"""A peer that holds the keys and lies: what it sends is authentic, and damaged only where no cipher can tell.

The laws of :mod:`pystack.testing.laws` damage datagrams, and DTLS and SRTP drop those. Here one side is a whole
connection of ours whose SCTP packets, RTP and RTCP are changed before they are protected: chunks of every type in every
order, out of earlier packets and made up, with a right checksum. Whatever comes of it, the honest side raises nothing,
its waits end, it closes in time, and nothing of it stays.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from pystack.dtls import Certificate
from pystack.errors import DecodeError, InvalidArgument, StackError
from pystack.peer import Configuration, DataChannel, DataChannelAdded, PeerConnection, TrackAdded
from pystack.rtp import RtpPacket
from pystack.sctp import AssociationOptions
from pystack.sctp.wire.packet import ChunkType, Packet
from pystack.session import SessionOptions
from pystack.testing.link import LinkOptions
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

CERTIFICATE = Certificate.generate(1.7e9)
KINDS = [*map(int, ChunkType), 63, 127, 191, 255]
SECONDS = 40


class Liar:
    """Changes what a connection is about to protect.

    Attributes:
        lying: whether it does, and how often.
        told: packets that it changed.
    """

    def __init__(self, connection: PeerConnection, random: Random) -> None:
        self.random = random
        self.lying = 0.0
        self.told = 0
        self._seen: list[tuple[int, int, bytes]] = []
        session: Any = connection._session
        flush = session.channels.flush
        session.channels.flush = lambda now, limit=1e9: [
            lie for data in flush(now, limit) for lie in self._retell(data)
        ]
        protect_media = session._secure

        def secure(event: Any, now: float) -> None:
            protect_media(event, now)
            session._protect = _LyingProtection(session._protect, self)

        session._secure = secure

    def _retell(self, data: bytes) -> list[bytes]:
        try:
            packet = Packet.decode(data, accept_zero=True)
        except DecodeError:  # pragma: no cover  # what we build ourselves can be read
            return [data]
        self._seen = [*self._seen[-200:], *packet.chunks]
        if self.random.random() >= self.lying:
            return [data]
        self.told += 1
        if ChunkType.RE_CONFIG in [kind for kind, _, _ in packet.chunks] or self.random.random() < 0.02:
            packet.chunks.append((ChunkType.ABORT, 0, b""))  # the last word follows on a question, in one packet
            return [packet.encode()]
        out = []
        for _ in range(self.random.choice((1, 1, 1, 2, 5))):
            chunks = list(packet.chunks)
            for _ in range(self.random.randrange(1, 5)):
                self._change(chunks)
            packet = Packet(packet.source_port, packet.destination_port, packet.tag, chunks[:12])
            out.append(packet.encode())
        return out if self.random.random() < 0.7 else [*out, data]

    def _change(self, chunks: list[tuple[int, int, bytes]]) -> None:
        random = self.random
        at = random.randrange(len(chunks) + 1)
        match random.randrange(6):
            case 0:
                chunks.insert(at, random.choice(self._seen) if self._seen else (0, 3, random.randbytes(20)))
            case 1:
                chunks.insert(at, (random.choice(KINDS), random.randrange(256), random.randbytes(random.randrange(40))))
            case 2:
                random.shuffle(chunks)
            case 3 if chunks:
                del chunks[random.randrange(len(chunks))]
            case _ if chunks:
                at = random.randrange(len(chunks))
                kind, flags, body = chunks[at]
                if random.random() < 0.3:
                    flags = random.randrange(256)
                chunks[at] = kind, flags, self.damage(body)

    def damage(self, data: bytes) -> bytes:
        """Flip, cut, or put an edge of a number somewhere."""
        random = self.random
        if not data:
            return random.randbytes(4)
        at = random.randrange(len(data))
        match random.randrange(4):
            case 0:
                return data[:at]
            case 1:
                return (
                    data[:at]
                    + random.choice((b"\0\0", b"\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0"))
                    + data[at + 2 :]
                )
            case 2:
                return data[:at] + random.randbytes(random.randrange(8)) + data[at:]
            case _:
                return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]


class _LyingProtection:
    """An SRTP sender that is given other packets than the session thinks."""

    def __init__(self, real: Any, liar: Liar) -> None:
        self._real = real
        self._liar = liar

    def _lies(self) -> bool:
        lies = self._liar.random.random() < self._liar.lying
        self._liar.told += lies
        return lies

    def protect_parts(self, header: bytes, payload: bytes, ssrc: int, sequence_number: int) -> bytes:
        if self._lies():
            if self._liar.random.random() < 0.5:
                payload = self._liar.damage(payload)
            else:  # the first twelve bytes are what SRTP itself reads
                header = header[:12] + self._liar.damage(header[12:]) if len(header) > 12 else header
        return bytes(self._real.protect_parts(header, payload, ssrc, sequence_number))

    def protect(self, packet: bytes) -> bytes:
        if self._lies():
            with suppress(InvalidArgument):  # what is no RTP any more cannot be protected
                return bytes(self._real.protect(packet[:12] + self._liar.damage(packet[12:])))
        return bytes(self._real.protect(packet))

    def protect_rtcp(self, packet: bytes) -> bytes:
        if self._lies():
            packet = packet[:8] + self._liar.damage(packet[8:])
            if self._liar.random.random() < 0.5:
                packet = (
                    bytes([packet[0] ^ self._liar.random.randrange(32), self._liar.random.randrange(192, 224)])
                    + packet[2:]
                )
        return bytes(self._real.protect_rtcp(packet))


async def use(connection: PeerConnection, random: Random) -> None:
    """What an application does, with all its waits; ends when the connection does, whatever else happens."""
    async with asyncio.TaskGroup() as group:

        async def read(channel: DataChannel) -> None:
            with suppress(StackError):
                async for _ in channel:
                    pass

        async def receive(track: Any) -> None:
            with suppress(StackError):
                async for _ in track.receiver:
                    pass

        async def chat(channel: DataChannel) -> None:
            with suppress(StackError):
                for _ in range(200):
                    await channel.write(random.randbytes(random.choice((0, 1, 100, 3000, 40_000))))
                    await asyncio.sleep(random.random() / 5)
                await channel.close()

        async def film() -> None:
            sender = next((one.sender for one in connection.transceivers if one.kind == "video"), None)
            for number in range(800):
                if connection.reason is not None or sender is None:
                    return
                kind = sender.codecs[0].payload_type if sender.codecs else 0
                picture = bytes([0x10, number % 20 != 0]) + bytes(700)  # VP8, a key frame each second
                sender.write(
                    RtpPacket(payload_type=kind, sequence_number=number, timestamp=number * 3000, payload=picture)
                )
                await asyncio.sleep(0.05)

        def hear(event: object) -> None:
            if isinstance(event, DataChannelAdded):
                group.create_task(read(event.channel))
                group.create_task(chat(event.channel))
            elif isinstance(event, TrackAdded):
                group.create_task(receive(event.transceiver))

        stop = connection.listen(hear)
        group.create_task(film())
        with suppress(StackError):
            for number in range(SECONDS):
                channel = connection.create_data_channel(
                    f"{number}",
                    **random.choice(({}, {"ordered": False}, {"max_retransmits": 0}, {"max_packet_life_time": 200})),
                )
                group.create_task(read(channel))
                group.create_task(chat(channel))
                await asyncio.sleep(1.0)
        stop()


def meet_a_liar(seed: int) -> int:
    """One call with it; return how many lies were told."""
    random = Random(seed)
    configuration = Configuration(
        certificate=CERTIFICATE,
        session=SessionOptions(
            association=AssociationOptions(send_buffer=100_000, stream_send_buffer=50_000, interleaving=seed % 2 == 0)
        ),
    )
    told = 0
    owner: weakref.ref[PeerConnection] | None = None

    async def main() -> None:
        nonlocal told, owner
        network = MemoryNetwork(LinkOptions(delay=0.01, loss=random.choice((0.0, 0.05))), seed=seed)
        async with peer_pair(network, configuration, seed=seed) as (honest, crooked):
            owner = weakref.ref(honest)
            liar = Liar(crooked, random)
            for one in (honest, crooked):
                one.add_track("video")
            first, _ = honest.create_data_channel("first"), crooked.create_data_channel("first")
            await negotiate(*((honest, crooked) if seed % 3 else (crooked, honest)))
            with suppress(StackError):
                if seed % 4:
                    await first.wait_open(timeout=10)
                liar.lying = random.choice((0.003, 0.01, 0.05, 0.5))
            async with asyncio.timeout(4 * SECONDS):
                both = asyncio.gather(use(honest, random), use(crooked, random))
                await asyncio.sleep(SECONDS)
                honest.get_stats()
                async with asyncio.timeout(20):
                    await honest.close()
                await crooked.close()
                await both
            told = liar.told

    run(main(), limit=1000)
    gc.collect()
    assert owner is not None
    assert owner() is None, gc.get_referrers(owner())
    return told


@pytest.mark.parametrize("seed", range(12))
def test_a_peer_that_lies_ends_nothing_but_itself(seed: int) -> None:
    assert meet_a_liar(seed) > 0


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_thousand_peers_that_lie() -> None:
    assert sum(meet_a_liar(seed) for seed in range(100, 2100)) > 2000
