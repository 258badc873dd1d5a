"""A peer of somebody else's, and what every one of them must do with ours, whatever it runs in."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

from pystack import Configuration, DataChannel, DataChannelAdded, PeerConnection, SessionDescription
from tests.interop.lossy_relay import LossyRelay

PATIENCE = 30.0
SIZES = (1, 1000, 65536, 262144)
KINDS: dict[str, dict[str, Any]] = {
    "ordered": {},
    "unordered": {"ordered": False},
    "counted": {"max_retransmits": 2},  # by them; werift writes every partially reliable channel as ordered
    "timed": {"ordered": False, "max_packet_life_time": 5000},
}
NAMES = {"ordered": "ordered", "max_retransmits": "maxRetransmits", "max_packet_life_time": "maxPacketLifeTime"}

Offerer = Literal["we offer", "they offer"]


def pattern(size: int, seed: int) -> bytes:
    """The same bytes as ``pattern`` in ``peer.mjs``."""
    return bytes((at * 31 + seed * 7 + (at >> 8)) & 255 for at in range(size))


class OtherPeer(ABC):
    """Requests by name, and what happened by itself in ``events``, each ``{"event": ..., ...}``."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._came = asyncio.Event()
        self._reader: asyncio.Task[None]

    @abstractmethod
    async def ask(self, op: str, **arguments: Any) -> Any:
        """Have something done over there."""

    async def wait(
        self, event: str, *, count: int = 1, patience: float | None = PATIENCE, **like: Any
    ) -> dict[str, Any]:
        """Wait until ``count`` events of this kind have come, and return the last."""
        async with asyncio.timeout(patience):
            while True:
                self._came.clear()
                found = self.all(event, **like)
                if len(found) >= count:
                    return found[count - 1]
                assert not self._reader.done(), "the other peer is gone"
                await self._came.wait()

    def all(self, event: str, **like: Any) -> list[dict[str, Any]]:
        """The events of this kind that have come."""
        wanted = {"event": event, **like}
        return [each for each in self.events if wanted.items() <= each.items()]


class Ours:
    """Our connection, with the channels that the other side opened; with a relay, all goes through it."""

    def __init__(self, address: str = "127.0.0.1", relay: LossyRelay | None = None, **settings: Any) -> None:
        self.relay = relay
        self.peer = PeerConnection(
            Configuration(loopback=True, address_filter=lambda each: each == address, **settings)
        )
        self.announced: asyncio.Queue[DataChannel] = asyncio.Queue()
        self.peer.listen(
            lambda event: self.announced.put_nowait(event.channel) if isinstance(event, DataChannelAdded) else None
        )

    @classmethod
    @asynccontextmanager
    async def open(cls, address: str = "127.0.0.1", seed: int | None = None, **settings: Any) -> AsyncIterator[Ours]:
        """As long as the context lasts; with a ``seed``, a relay stands between and harms nothing yet."""
        async with contextlib.AsyncExitStack() as stack:
            relay = None if seed is None else await stack.enter_async_context(LossyRelay.open(seed, address))
            ours = cls(address, relay, **settings)
            await stack.enter_async_context(ours.peer)
            yield ours

    async def description(self) -> str:
        """What the other side is told of us, with all candidates."""
        await self.peer.wait_gathered(timeout=10)
        assert self.peer.local_description is not None
        sdp = self.peer.local_description.sdp
        return sdp if self.relay is None else self.relay.rewrite(sdp)

    async def hear(self, kind: Literal["offer", "answer"], sdp: str) -> None:
        """Take what the other side tells."""
        heard = sdp if self.relay is None else self.relay.conceal(sdp)
        await self.peer.set_remote_description(SessionDescription(kind, heard))

    async def next_channel(self) -> DataChannel:
        async with asyncio.timeout(PATIENCE):
            return await self.announced.get()


async def connect(ours: Ours, other: OtherPeer, who: Offerer) -> DataChannel:
    """Negotiate; the offerer opens the first channel, and ours of that channel is returned, open."""
    if who == "we offer":
        channel = ours.peer.create_data_channel("first")
        await negotiate(ours, other, who)
    else:
        await other.ask("open", label="first")
        await negotiate(ours, other, who)
        channel = await ours.next_channel()
        assert channel.label == "first"
    await channel.wait_open(timeout=PATIENCE)
    await other.wait("open", label="first")
    return channel


async def negotiate(
    ours: Ours, other: OtherPeer, who: Offerer, prepare: Callable[[], None] = lambda: None, *, restart: bool = False
) -> None:
    """One round; ``prepare`` runs between their offer and our answer."""
    if who == "we offer":
        await ours.peer.set_local_description(await ours.peer.create_offer(ice_restart=restart))
        await ours.hear("answer", await other.ask("answer", sdp=await ours.description()))
    else:
        await ours.hear("offer", await other.ask("offer", iceRestart=restart))
        prepare()
        await ours.peer.set_local_description()
        await other.ask("accept", sdp=await ours.description())


async def talk(channel: DataChannel, other: OtherPeer, sizes: tuple[int, ...] = SIZES) -> None:
    """Text and bytes of all sizes, both ways."""
    label = channel.label
    before = len(other.all("message", label=label))
    await channel.write("text: äß€")
    assert (await other.wait("message", label=label, count=before + 1))["body"] == "text: äß€"
    await other.ask("text", label=label, text="zurück: äß€")
    assert await channel.read(timeout=PATIENCE) == "zurück: äß€"
    for seed, size in enumerate(sizes):
        data = pattern(size, seed)
        await channel.write(data, timeout=PATIENCE)
        heard = await other.wait("message", label=label, count=before + 2 + seed)
        assert (heard["text"], heard["size"]) == (False, size)
        assert heard["sha256"] == hashlib.sha256(data).hexdigest()
        await other.ask("bytes", label=label, size=size, seed=seed)
        assert await channel.read(timeout=PATIENCE) == data


async def talk_on_every_kind(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
    """Ordered, unordered and both forms of partial reliability; some opened by us and some by them."""
    await talk(first, other)
    for number, (kind, parameters) in enumerate(KINDS.items()):
        if number % 2:
            channel = ours.peer.create_data_channel(kind, protocol="p", **parameters)
            announced = await other.wait("channel", label=kind)
            assert announced["protocol"] == "p"
        else:
            named = {NAMES[name]: value for name, value in parameters.items()}
            await other.ask("open", label=kind, protocol="p", **named)
            channel = await ours.next_channel()
            assert (channel.label, channel.protocol) == (kind, "p")
            assert channel.ordered == parameters.get("ordered", True)
            assert channel.max_retransmits == parameters.get("max_retransmits")
            assert channel.max_packet_life_time == parameters.get("max_packet_life_time")
        await channel.wait_open(timeout=PATIENCE)
        await other.wait("open", label=kind)
        await talk(channel, other)


async def close_and_open_again(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
    """Each side closes channels of both sides; new ones take their places, and the connection stays."""
    for turn in range(3):
        label = f"ours {turn}"
        channel = ours.peer.create_data_channel(label)
        await channel.wait_open(timeout=PATIENCE)
        await other.wait("open", label=label)
        await talk(channel, other, (10,))
        if turn % 2:
            await other.ask("close", label=label)
            await until_closed(channel)
        else:
            await channel.close(timeout=PATIENCE)
        assert channel.ready_state == "closed"
        await other.wait("closed", label=label)
    for turn in range(3):
        label = f"theirs {turn}"
        await other.ask("open", label=label)
        channel = await ours.next_channel()
        assert channel.label == label
        await other.wait("open", label=label)
        await talk(channel, other, (10,))
        if turn % 2:
            await channel.close(timeout=PATIENCE)
        else:
            await other.ask("close", label=label)
            await until_closed(channel)
        assert channel.ready_state == "closed"
        await other.wait("closed", label=label)
    await talk(first, other, (10,))


async def until_closed(channel: DataChannel) -> None:
    async with asyncio.timeout(PATIENCE):
        async for _ in channel:  # ends with the channel, in good order
            pass
    await channel.close(timeout=PATIENCE)  # theirs to ask for; this waits until both directions are done


async def they_end(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
    """They close the connection: our channel ends, and so does every wait on it."""
    reading = asyncio.ensure_future(until_closed(first))
    await other.ask("end")
    with contextlib.suppress(Exception):  # whether it counts as good order is theirs to choose
        await reading
    async with asyncio.timeout(PATIENCE):
        while first.ready_state != "closed":  # noqa: ASYNC110 - whichever layer says it
            await asyncio.sleep(0.02)


async def we_end(ours: Ours, other: OtherPeer, first: DataChannel) -> None:
    """We close the connection: they hear of it by their channel or by their state."""
    await ours.peer.close(timeout=5)
    async with asyncio.timeout(PATIENCE):
        while not heard_of_it(other):  # noqa: ASYNC110 - one of two events
            await asyncio.sleep(0.02)


def heard_of_it(other: OtherPeer) -> bool:
    ended = {"closed", "disconnected", "failed"}
    return bool(other.all("closed", label="first")) or any(each["state"] in ended for each in other.all("state"))
