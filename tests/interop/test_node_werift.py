"""werift, a stack in TypeScript: both roles, messages of all kinds, every way to close."""

from __future__ import annotations

import pytest

from pystack import DataChannel
from tests.interop.browser.echo import Echo, until
from tests.interop.node.node_peer import meet
from tests.interop.other_peer import OtherPeer, Ours, close_and_open_again, talk_on_every_kind, they_end, we_end
from tests.interop.test_browser_media import negotiate

pytestmark = pytest.mark.component("node-peers")
WHO = pytest.mark.parametrize("who", ["we offer", "they offer"])


@WHO
def test_messages_of_all_kinds_and_sizes_both_ways(who):
    meet("werift", who, talk_on_every_kind)


@WHO
def test_channels_close_from_either_side_and_open_again(who):
    meet("werift", who, close_and_open_again)


@WHO
@pytest.mark.parametrize("end", [they_end, we_end])
def test_the_connection_ends_from_either_side(who, end):
    meet("werift", who, end)


@WHO
def test_media_there_and_back_byte_for_byte(who):
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
