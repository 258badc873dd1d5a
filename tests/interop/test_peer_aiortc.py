"""aiortc, an independent stack, against our PeerConnection: both roles, data both ways, media both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pystack import DataChannelAdded, PeerConnection, SessionDescription, TrackAdded

pytestmark = [pytest.mark.component("aiortc"), pytest.mark.filterwarnings("ignore::ResourceWarning")]

MESSAGES = [b"bytes", "text: äß€", b"", "", bytes(range(256)) * 200]


@pytest.fixture(autouse=True)
def _stay_on_loopback(monkeypatch):
    import aioice.ice

    import pystack.aio.ice

    monkeypatch.setattr(pystack.aio.ice, "local_addresses", lambda **_: ["127.0.0.1"])
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


def ours() -> PeerConnection:
    return PeerConnection()


def theirs():
    from aiortc import RTCConfiguration, RTCPeerConnection

    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


async def we_offer(mine: PeerConnection, other) -> None:
    from aiortc import RTCSessionDescription

    await mine.set_local_description()
    await mine.wait_gathered(timeout=5)
    offer = mine.local_description
    await other.setRemoteDescription(RTCSessionDescription(offer.sdp, offer.type))
    await other.setLocalDescription(await other.createAnswer())
    answer = other.localDescription
    await mine.set_remote_description(SessionDescription(answer.type, answer.sdp))


async def they_offer(mine: PeerConnection, other) -> None:
    from aiortc import RTCSessionDescription

    await other.setLocalDescription(await other.createOffer())
    offer = other.localDescription
    await mine.set_remote_description(SessionDescription(offer.type, offer.sdp))
    await mine.set_local_description()
    await mine.wait_gathered(timeout=5)
    answer = mine.local_description
    await other.setRemoteDescription(RTCSessionDescription(answer.sdp, answer.type))


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - aiortc has no event for most of it
            await asyncio.sleep(0.01)


def run(body) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await body

    asyncio.run(bounded())


NEGOTIATE = pytest.mark.parametrize("negotiate", [we_offer, they_offer], ids=["we offer", "they offer"])


@NEGOTIATE
@pytest.mark.parametrize("parameters", [{}, {"ordered": False, "maxRetransmits": 0}, {"maxPacketLifeTime": 500}])
def test_data_both_ways_on_a_channel_that_aiortc_opens(negotiate, parameters):
    async def body():
        other = theirs()
        async with ours() as mine:
            added: list[DataChannelAdded] = []
            mine.listen(lambda event: added.append(event) if isinstance(event, DataChannelAdded) else None)
            if negotiate is we_offer:
                mine.create_data_channel("so that there is a section")
            heard: list[bytes | str] = []
            channel = other.createDataChannel("theirs", protocol="p", **parameters)
            channel.on("message", heard.append)
            await negotiate(mine, other)
            await until(lambda: any(event.channel.label == "theirs" for event in added))
            peer = next(event.channel for event in added if event.channel.label == "theirs")
            assert peer.protocol == "p"
            assert peer.ordered == parameters.get("ordered", True)
            assert peer.max_retransmits == parameters.get("maxRetransmits")
            assert peer.max_packet_life_time == parameters.get("maxPacketLifeTime")
            await until(lambda: channel.readyState == "open")
            for message in MESSAGES:
                channel.send(message)
                assert await peer.read(timeout=10) == message
                await peer.write(message, timeout=10)
                await until(lambda: heard)
                assert heard.pop() == message
            channel.close()
            await until(lambda: peer.ready_state == "closed")
        await other.close()

    run(body())


@NEGOTIATE
def test_data_both_ways_on_a_channel_that_we_open(negotiate):
    async def body():
        other = theirs()
        channels: list = []
        heard: list[bytes | str] = []

        @other.on("datachannel")
        def added(channel):
            channels.append(channel)
            channel.on("message", heard.append)

        if negotiate is they_offer:
            other.createDataChannel("so that there is a section")
        async with ours() as mine:
            channel = mine.create_data_channel("ours", ordered=False, max_retransmits=3)
            await negotiate(mine, other)
            await channel.wait_open(timeout=20)
            await until(lambda: channels)
            [peer] = [channel for channel in channels if channel.label == "ours"]
            assert (peer.ordered, peer.maxRetransmits, peer.maxPacketLifeTime) == (False, 3, None)
            for message in MESSAGES:
                await channel.write(message)
                await until(lambda: heard)
                assert heard.pop() == message
                peer.send(message)
                assert await channel.read(timeout=10) == message
            await channel.close()
            assert channel.ready_state == "closed"
            await until(lambda: peer.readyState == "closed")
        await until(lambda: other.connectionState in {"closed", "failed", "disconnected"})
        await other.close()

    run(body())


@NEGOTIATE
def test_a_megabyte_each_way_at_once(negotiate):
    async def body():
        other = theirs()
        size, count = 16_384, 64
        async with ours() as mine:
            channel = mine.create_data_channel("both", negotiated=True, id=10)
            peer = other.createDataChannel("both", negotiated=True, id=10)
            heard: list[bytes] = []
            peer.on("message", heard.append)
            await negotiate(mine, other)
            await channel.wait_open(timeout=20)
            await until(lambda: peer.readyState == "open")
            for number in range(count):
                peer.send(bytes([number]) * size)

            async def write():
                for number in range(count):
                    await channel.write(bytes([number]) * size)

            async def read():
                for number in range(count):
                    assert await channel.read(timeout=20) == bytes([number]) * size

            await asyncio.gather(write(), read())
            await until(lambda: len(heard) == count)
            assert heard == [bytes([number]) * size for number in range(count)]
        await other.close()

    run(body())


@NEGOTIATE
@pytest.mark.parametrize("kind", ["audio", "video"])
def test_media_comes_from_aiortc_and_goes_back_to_it(negotiate, kind):
    """What aiortc sends is written back packet by packet; it must decode its own frames."""

    async def body():
        from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

        other = theirs()
        frames: list = []
        tracks: list = []
        other.on("track", tracks.append)
        other.addTrack(AudioStreamTrack() if kind == "audio" else VideoStreamTrack())
        async with ours() as mine:
            arrived: list[TrackAdded] = []
            mine.listen(lambda event: arrived.append(event) if isinstance(event, TrackAdded) else None)
            if negotiate is we_offer:
                mine.add_transceiver(kind, track_id="echo", stream_ids=["stream"])
            else:
                # The answerer sends on the section that the offer brings.
                mine.listen(
                    lambda event: (
                        setattr(event.transceiver, "direction", "sendrecv") if isinstance(event, TrackAdded) else None
                    )
                )
            await negotiate(mine, other)
            await until(lambda: arrived and tracks)
            transceiver = arrived[0].transceiver
            count = 0

            def echo(packet, rid):
                nonlocal count
                count += 1
                transceiver.sender.write(packet)

            transceiver.receiver.on_packet = echo
            wanted = 50 if kind == "audio" else 20

            async def decode():
                while len(frames) < wanted:
                    frames.append(await tracks[0].recv())

            async with asyncio.timeout(30):
                await decode()
            assert count >= wanted
            if kind == "video":
                assert (frames[-1].width, frames[-1].height) == (640, 480)
            else:
                assert frames[-1].sample_rate == 48_000
        await other.close()

    run(body())
