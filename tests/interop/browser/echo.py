"""Sending a page's packets back to it, and reading what the page makes of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pystack import DecodeError, Transceiver
from pystack.rtp.payload import describer
from tests.interop.other_peer import PATIENCE, OtherPeer

__all__ = ["Echo", "inbound", "until"]


class Echo:
    """Sends everything that one section receives back on it.

    ``codecs`` are names in the order in which we prefer them; all of our own when there is none.

    Attributes:
        packets: how many came, by rid.
        payload_types: with which payload types.
        key_frames: timestamps at which the payloads say that a key frame begins.
        frames: timestamps at which any frame or NAL unit begins.
        unread: payloads that could not be described.
    """

    def __init__(self, transceiver: Transceiver, codecs: Sequence[str] = ()) -> None:
        self.transceiver = transceiver
        self.packets: Counter[str] = Counter()
        self.payload_types: Counter[int] = Counter()
        self.key_frames: set[int] = set()
        self.frames: set[int] = set()
        self.unread: list[bytes] = []
        transceiver.direction = "sendrecv"
        transceiver.sender.set_track("echo", ["echoes"])
        if codecs:
            order = sorted(
                (each for each in transceiver.codecs if each.name in codecs), key=lambda each: codecs.index(each.name)
            )
            transceiver.set_codec_preferences(order)
        transceiver.receiver.on_packet = self._pass_on
        transceiver.sender.on_key_frame_request = transceiver.receiver.request_key_frame

    def _pass_on(self, packet: Any, rid: str) -> None:
        self.packets[rid] += 1
        self.payload_types[packet.payload_type] += 1
        self._describe(packet)
        self.transceiver.sender.write(packet)

    def _describe(self, packet: Any) -> None:
        names = {each.payload_type: each.name for each in self.transceiver.receiver.codecs}
        describe = describer(names.get(packet.payload_type, ""))
        if describe is None:
            return
        try:
            found = describe(packet.payload)
        except DecodeError:
            self.unread.append(packet.payload[:40])
            return
        if found.starts:
            self.frames.add(packet.timestamp)
        if found.key_frame:
            self.key_frames.add(packet.timestamp)


async def until(condition: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Poll the page until something is true of it."""
    last: Any = None
    try:
        async with asyncio.timeout(PATIENCE):
            while not (last := await condition()):  # noqa: ASYNC110 - a page's numbers ring no bell
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"{what}; last: {last!r}") from None
    return last


async def inbound(other: OtherPeer, kind: str) -> list[dict[str, Any]]:
    """What the page says of the streams that it receives, each with the name of its codec."""
    stats = await other.ask("stats")
    codecs = {each["id"]: each["mimeType"].split("/")[1] for each in stats if each["type"] == "codec"}
    return [
        {**each, "codec": codecs.get(each.get("codecId"), "")}
        for each in stats
        if each["type"] == "inbound-rtp" and each["kind"] == kind
    ]
