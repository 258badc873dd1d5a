"""Media of other stacks for node, sent back to them: werift compares the bytes, libwebrtc decodes the pictures."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pystack import DataChannel
from pystack.base.rand import SeededRandomness
from tests.interop.browser.echo import Echo, until
from tests.interop.changing_tracks import add_and_remove_tracks
from tests.interop.node.node_peer import meet
from tests.interop.other_peer import PATIENCE, Offerer, OtherPeer, Ours, negotiate, talk

pytestmark = pytest.mark.component("node-peers")
WHO = pytest.mark.parametrize("who", ["we offer", "they offer"])


@WHO
def test_werift_gets_back_what_it_sent_byte_for_byte(who):
    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        echoes: list[Echo] = []
        for kind in ("audio", "video"):
            if who == "we offer":
                echoes.append(Echo(ours.peer.add_transceiver(kind), ["VP8"] if kind == "video" else ()))
            await other.ask("send", kind=kind)
        await negotiate(ours, other, who, lambda: echoes.extend(Echo(each) for each in ours.peer.transceivers))

        async def came() -> bool:
            heard = await other.ask("media")
            return all(len(heard[kind]) >= 50 for kind in ("audio", "video"))

        await until(came, f"{[each.packets for each in echoes]} came here")
        heard = await other.ask("media")
        for kind in ("audio", "video"):
            numbers = [int(each[-4:], 16) for each in heard[kind]]
            assert all(each.startswith("100000009d012a") for each in heard[kind])
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "in order and without a loss"
        assert not echoes[1].unread

    meet("werift", who, body)


@WHO
def test_libwebrtc_decodes_what_it_encoded(who):
    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        echoes: list[Echo] = []
        for kind in ("audio", "video"):
            if who == "we offer":
                echoes.append(Echo(ours.peer.add_transceiver(kind)))
            await other.ask("send", kind=kind)
        await negotiate(ours, other, who, lambda: echoes.extend(Echo(each) for each in ours.peer.transceivers))

        async def decoded() -> bool:
            heard = await other.ask("media")
            return heard["loudest"] > 2000 and heard["pictures"].get("320x240", 0) >= 20

        await until(decoded, f"nothing is decoded; {[each.packets for each in echoes]} came")
        video = next(each for each in echoes if each.transceiver.kind == "video")
        assert not video.unread
        assert min(video.frames) in video.key_frames

    meet("roamhq", who, body)


@WHO
def test_ice_restarts_and_the_channel_goes_on(who):
    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        await talk(first, other, (1000,))
        await negotiate(ours, other, who, restart=True)
        before = ours.peer.get_stats()
        await talk(first, other, (1000, 262144))
        assert ours.peer.connection_state == "connected"
        assert before["P"]["dataChannelsOpened"] == ours.peer.get_stats()["P"]["dataChannelsOpened"]

    meet("roamhq", who, body)


@WHO
def test_what_is_lost_of_a_video_is_asked_for_and_comes_both_ways(who):
    """werift repairs by retransmission as we do: of a tenth that is lost each way, next to nothing is missing."""

    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        echo = await video(ours, other, who)
        relay = ours.relay
        assert relay is not None

        async def came() -> bool:
            return len((await other.ask("media"))["video"]) >= 50

        await until(came, f"{echo.packets} came here")
        before = len((await other.ask("media"))["video"])
        relay.loss = 0.1
        async with asyncio.timeout(PATIENCE):
            while len((await other.ask("media"))["video"]) < before + 300:  # noqa: ASYNC110 - a process's numbers
                await asyncio.sleep(0.2)
        relay.loss = 0.0
        await asyncio.sleep(0.5)  # the last ones are asked for
        numbers = [int(each[-4:], 16) for each in (await other.ask("media"))["video"]]
        lost = set(range(numbers[0], max(numbers))) - set(numbers)
        print(f"{len(lost)} of {len(numbers)} missing for good; {relay.lost} of {relay.passed} lost on the way")
        assert relay.lost["up"] > 20
        assert relay.lost["down"] > 20
        assert len(lost) <= 3
        theirs = {each["type"]: each for each in await other.ask("stats") if each.get("kind") == "video"}
        received, sent = statistics(ours)
        assert received["retransmittedPacketsReceived"] > 10
        assert sent["retransmittedPacketsSent"] > 10
        assert sent["nackCount"] > 10
        assert theirs["outbound-rtp"]["nackCount"] > 10
        assert theirs["outbound-rtp"]["retransmittedPacketsSent"] >= received["retransmittedPacketsReceived"]

    meet("werift", who, body, seed=11, randomness=SeededRandomness(11))


@WHO
def test_key_frames_are_asked_for_both_ways(who):
    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        asked = asyncio.Event()
        echo = await video(ours, other, who)
        echo.transceiver.sender.on_key_frame_request = lambda *_: asked.set()

        async def came() -> bool:
            return len((await other.ask("media"))["video"]) >= 5

        await until(came, f"{echo.packets} came here")
        before = len(other.all("pli"))
        echo.transceiver.receiver.request_key_frame()
        await other.wait("pli", count=before + 1)
        await other.ask("pli", kind="video")
        async with asyncio.timeout(PATIENCE):
            await asked.wait()
        assert statistics(ours)[1]["pliCount"] == 1

    meet("werift", who, body)


@WHO
def test_tracks_are_added_and_removed_ten_times(who):
    meet("werift", who, add_and_remove_tracks(who, 10))


async def video(ours: Ours, other: OtherPeer, who: Offerer) -> Echo:
    """Have their video come, and send it back."""
    found = [Echo(ours.peer.add_transceiver("video"), ["VP8"])] if who == "we offer" else []
    await other.ask("send", kind="video")
    await negotiate(ours, other, who, lambda: found.append(Echo(ours.peer.transceivers[-1])))
    return found[0]


def statistics(ours: Ours) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of the one video stream that comes, and of the one that goes."""
    stats = list(ours.peer.get_stats().values())
    (received,) = [each for each in stats if each["type"] == "inbound-rtp"]
    (sent,) = [each for each in stats if each["type"] == "outbound-rtp"]
    return received, sent
