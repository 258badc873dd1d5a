"""Renegotiation: a track of the other side comes and goes, again and again, in one section."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from pystack import DataChannel
from tests.interop.browser.echo import until
from tests.interop.other_peer import Offerer, OtherPeer, Ours, negotiate, talk

__all__ = ["add_and_remove_tracks", "stop_the_owner"]


def add_and_remove_tracks(
    who: Offerer, turns: int
) -> Callable[[Ours, OtherPeer, DataChannel], Coroutine[Any, Any, None]]:
    """Each turn they send a video, it comes, and the offerer stops it."""

    async def body(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
        sections = set()
        for turn in range(turns):
            if who == "we offer":
                ours.peer.add_transceiver("video", direction="recvonly")
            index = await other.ask("send", kind="video")
            await _see_it_flow(ours, other, who, turn)
            sections.add((await ours.description()).count("\nm="))
            if who == "we offer":
                ours.peer.transceivers[-1].stop()
            else:
                await other.ask("stop", index=index)
            await negotiate(ours, other, who)
            assert not ours.peer.transceivers
        assert sections == {2}  # data, and one section that is used again and again
        await talk(first, other, (1000,))

    return body


async def stop_the_owner(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
    """The section that owns the transport is stopped, others come and go; the transport stays, and so does the data."""
    for turn in range(3):
        ours.peer.transceivers[0].stop()
        await negotiate(ours, other, "we offer")
        assert not ours.peer.transceivers
        await talk(first, other, (1000,))
        ours.peer.add_transceiver("video", direction="recvonly")
        await other.ask("send", kind="video")
        await _see_it_flow(ours, other, "we offer", turn)
        assert re.findall(r"m=(\w+) 9", await ours.description()) == ["audio", "application", "video"]
    assert other.all("state", state="connected") == other.all("state", state="connected")[:1]


async def _see_it_flow(ours: Ours, other: OtherPeer, who: Offerer, turn: int) -> None:
    packets: Counter[int] = Counter()

    def listen() -> None:
        receiver = ours.peer.transceivers[-1].receiver
        receiver.on_packet = lambda packet, rid: packets.update([packet.payload_type])

    await negotiate(ours, other, who, listen)
    listen()

    async def flowing() -> bool:
        return packets.total() >= 5

    await until(flowing, f"nothing flows in turn {turn}")
