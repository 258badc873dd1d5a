"""Media of other stacks for node, sent back to them: werift compares the bytes, libwebrtc decodes the pictures."""

from __future__ import annotations

import pytest

from pystack import DataChannel
from tests.interop.browser.echo import Echo, until
from tests.interop.node.node_peer import meet
from tests.interop.other_peer import OtherPeer, Ours, negotiate, talk

pytestmark = pytest.mark.component("node-peers")
WHO = pytest.mark.parametrize("who", ["we offer", "they offer"])


@WHO
def test_werift_gets_back_what_it_sent_byte_for_byte(who):
    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        echoes: list[Echo] = []
        for kind in ("audio", "video"):
            if who == "we offer":
                echoes.append(Echo(ours.peer.add_transceiver(kind), "VP8" if kind == "video" else None))
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
