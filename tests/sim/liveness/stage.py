"""A stage for ends: two connections of which one is full of waiters, and a loop that counts its turns.

Support for the liveness tests; no test in itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from typing import Any, TypeVar

import attrs

from pystack.datachannel import ChannelOptions
from pystack.dtls import Certificate
from pystack.errors import Closed, Reason, WouldBlock
from pystack.peer import Configuration, DataChannel, DataChannelAdded, PeerConnection, PeerConnectionClosed, PeerEvent
from pystack.sctp import AssociationOptions
from pystack.session import SessionOptions
from pystack.testing.link import LinkOptions
from pystack.testing.loop import VirtualLoop
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

T = TypeVar("T")

CERTIFICATE = Certificate.generate(1_700_000_000.0)
"""One for all connections of the liveness tests: making it is the dearest part of a connection."""


class TurnLoop(VirtualLoop):
    """A virtual loop that counts its turns."""

    turns = 0

    def _run_once(self) -> None:
        self.turns += 1
        super()._run_once()  # type: ignore[misc]

    def timers(self) -> list[asyncio.TimerHandle]:
        """Timers that are still to come."""
        return [handle for handle in self._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]


def current() -> TurnLoop:
    """The running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, TurnLoop)
    return loop


def play(main: Coroutine[Any, Any, T], *, limit: float = 3600.0) -> T:
    """As :func:`pystack.testing.run`, on a :class:`TurnLoop`; what nobody saw fails."""
    loop = TurnLoop(limit=limit)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        result = runner.run(main)
    assert not loop.unhandled, loop.unhandled
    return result


def kind(reason: Reason | None) -> str:
    """A reason's name, for tables."""
    return "-" if reason is None else reason if isinstance(reason, str) else type(reason).__name__


@attrs.define
class Exit:
    """How and when a waiter left."""

    how: str
    turn: int
    at: float


class Owner:
    """What an application has around a connection: it holds it, and is called back by everything."""

    def __init__(self, connection: PeerConnection, ready: dict[str, Exit]) -> None:
        self.connection = connection
        self.exits = ready
        self.lows = 0
        self.heard: list[PeerEvent] = []
        self.on_failed: Reason | None = None
        connection.listen(self.hear)

    def hold(self, *channels: DataChannel) -> None:
        for channel in channels:
            channel.on_buffered_amount_low = self.low
            channel.on_close = partial(self.note_end, f"end of {channel.label}")
            channel.handle_closing = partial(self._note_closing, channel)  # type: ignore[method-assign]

    def note(self, name: str, how: str) -> None:
        loop = current()
        self.exits[name] = Exit(how, loop.turns, loop.time())

    def hear(self, event: PeerEvent) -> None:
        self.heard.append(event)
        if isinstance(event, PeerConnectionClosed):
            self.note("end of connection", kind(event.reason))
        if self.on_failed is not None and getattr(event, "state", "") == "failed":
            self.connection.abort(self.on_failed)

    def low(self) -> None:
        self.lows += 1

    def note_end(self, name: str, reason: Reason) -> None:
        self.note(name, kind(reason))

    def _note_closing(self, channel: DataChannel, reason: Reason) -> None:
        if channel.ready_state in {"connecting", "open"}:
            self.note(f"closing of {channel.label}", kind(reason))
        type(channel).handle_closing(channel, reason)

    def wait(self, name: str, waiting: Coroutine[Any, Any, object]) -> asyncio.Task[None]:
        """Run a waiter and note how it leaves."""
        return asyncio.create_task(self._wait(name, waiting), name=name)

    async def _wait(self, name: str, waiting: Coroutine[Any, Any, object]) -> None:
        try:
            await waiting
            how = "returned"
        except Closed as end:
            how = f"Closed({kind(end.reason)})"
        except TimeoutError:
            how = "TimeoutError"
        self.note(name, how)


async def collect(channel: DataChannel) -> None:
    async for _ in channel:
        pass


async def listen(connection: PeerConnection) -> None:
    async for _ in connection.events():
        pass


def configuration(*, blocking: bool = False, **association: Any) -> Configuration:
    """Small windows, so that a peer that does not read stops us soon."""
    small: dict[str, Any] = {
        "receive_window": 20_000,
        "max_message_size": 16_384,
        "send_buffer": 8_000,
        "stream_send_buffer": 8_000,
    }
    return Configuration(
        certificate=CERTIFICATE,
        session=SessionOptions(
            association=AssociationOptions(blocking_writes=blocking, **(small | association)),
            channels=ChannelOptions(open_timeout=1e5, close_timeout=1e5),
        ),
    )


async def open_channels(
    one: PeerConnection, other: PeerConnection, *labels: str
) -> list[tuple[DataChannel, DataChannel]]:
    """Negotiate, with a channel for each label, and wait until both sides have them."""
    ours = [one.create_data_channel(label) for label in labels]
    theirs: dict[str, DataChannel] = {}
    complete = asyncio.get_running_loop().create_future()

    def hear(event: PeerEvent) -> None:
        if isinstance(event, DataChannelAdded):
            theirs[event.channel.label] = event.channel
            if len(theirs) == len(labels) and not complete.done():
                complete.set_result(None)

    stop = other.listen(hear)
    await negotiate(one, other)
    await asyncio.wait_for(complete, 60)
    for channel in ours:
        await channel.wait_open(timeout=60)
    stop()
    return [(channel, theirs[channel.label]) for channel in ours]


async def fill(channel: DataChannel) -> None:
    """Write until nothing is taken any more, because the peer does not read."""
    refused = 0
    while refused < 3:
        try:
            channel.write_nowait(bytes(1000))
            refused = 0
        except WouldBlock:
            refused += 1
            await asyncio.sleep(1)


def lose(connection: PeerConnection, *first_bytes: bytes) -> None:
    """What this side sends is lost if it begins so: 0 is a consent check, 20 to 63 DTLS, and 23 of that is data."""
    transport: Any = connection._ice
    transport.link.lose = lambda number, data: data[:1] in first_bytes


WAITERS = (
    "writer",
    "writable",
    "reader",
    "iterator",
    "opener",
    "closer",
    "wait_connected",
    "wait_gathered",
    "events",
    "wait_closed",
    "receiver",
)


@attrs.define
class Stage:
    """What a way to end is given."""

    network: MemoryNetwork
    one: PeerConnection
    other: PeerConnection
    left: DataChannel
    right: DataChannel
    filler: DataChannel
    sink: DataChannel
    late: DataChannel
    owner: Owner
    tasks: list[asyncio.Task[None]]


@asynccontextmanager
async def full_of_waiters(*, blocking: bool, exits: dict[str, Exit]) -> AsyncIterator[Stage]:
    """Two connections; the first has a waiter of every kind, none of which can go on."""
    network = MemoryNetwork(LinkOptions(delay=0.01), seed="stage")
    async with peer_pair(network, configuration(blocking=blocking)) as (one, other):
        one.add_transceiver("audio")
        (left, right), (filler, sink) = await open_channels(one, other, "left", "filler")
        owner = Owner(one, exits)
        await fill(filler)
        late = one.create_data_channel("late")
        owner.hold(left, filler, late)
        left.buffered_amount_low_threshold = filler.buffered_amount_low_threshold = 1
        tasks = [
            owner.wait("reader", left.read()),
            owner.wait("iterator", collect(left)),
            owner.wait("opener", late.wait_open()),
            owner.wait("events", listen(one)),
            owner.wait("wait_closed", one.wait_closed()),
            owner.wait("receiver", one.transceivers[0].receiver.read()),
        ]
        try:
            left.write_nowait(b"refused")
            raise AssertionError("there was room")
        except WouldBlock:
            pass
        tasks += [
            owner.wait("writer", left.write(b"never")),
            owner.wait("writable", left.writable()),
            owner.wait("closer", filler.close(timeout=1e6)),
        ]
        # The two waiters for a beginning need one that is still to come.
        ice: Any = one._ice
        ice._gathering = "gathering"
        ice._become("disconnected")
        ice._heard = inf  # and it stays so: no consent comes back, and nobody counts the silence
        lose(other, b"\0")
        tasks += [
            owner.wait("wait_connected", one.wait_connected()),
            owner.wait("wait_gathered", one.wait_gathered()),
        ]
        await asyncio.sleep(0.001)
        assert not [name for name in exits if name in WAITERS], exits
        yield Stage(network, one, other, left, right, filler, sink, late, owner, tasks)
