"""libwebrtc as a library for node (`@roamhq/wrtc`): data of all kinds, and media that its own decoders judge."""

from __future__ import annotations

import pytest

from pystack import DataChannel
from tests.interop.browser.echo import Echo, until
from tests.interop.node.node_peer import meet
from tests.interop.other_peer import OtherPeer, Ours, close_and_open_again, talk, talk_on_every_kind, they_end, we_end
from tests.interop.test_browser_media import negotiate

pytestmark = pytest.mark.component("node-peers")
WHO = pytest.mark.parametrize("who", ["we offer", "they offer"])


@WHO
def test_messages_of_all_kinds_and_sizes_both_ways(who):
    meet("roamhq", who, talk_on_every_kind)


@WHO
def test_channels_close_from_either_side_and_open_again(who):
    meet("roamhq", who, close_and_open_again)


@WHO
@pytest.mark.parametrize("end", [they_end, we_end])
def test_the_connection_ends_from_either_side(who, end):
    meet("roamhq", who, end)


@WHO
def test_what_it_encodes_comes_back_and_is_decoded(who):
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
