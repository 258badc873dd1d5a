"""Every way to end, times every kind of waiter, times both modes of the gate (rule L7; requirements AC7.1, 7.2, 7.8).

The stage: a connection with a waiter of every kind, none of which can go on, because its peer does not read. Then it
ends, in one way after the other. Each waiter must leave in the turn of the loop in which its end is known, and say
why; then nobody may hold the owner. The table of ``docs/explanation/liveness.md`` is :data:`WAYS`, and
``test_liveness_page.py`` compares the two.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from pystack.errors import Closed, TransportLost
from tests.sim.liveness.stage import (
    WAITERS,
    Exit,
    Owner,
    Stage,
    current,
    full_of_waiters,
    lose,
    play,
)

LOST = TransportLost("the path is gone")

OF_CHANNELS = ("writer", "writable", "opener", "reader", "iterator", "closer")
OF_CONNECTION = ("wait_connected", "wait_gathered", "receiver", "events", "wait_closed")
BOUND = {  # what tells a waiter of its end: the first of these
    "writer": ("closing of left", "end of left"),
    "writable": ("closing of left", "end of left"),
    "opener": ("closing of late", "end of late"),
    "reader": ("closing of left", "end of left"),
    "iterator": ("closing of left", "end of left"),
    "closer": ("end of filler",),
}


# ---- ways to end


async def _local_channel_close(stage: Stage) -> None:
    stage.left.begin_close()
    stage.sink.on_message = lambda message: None  # the peer reads again, so that the reset can follow the data


async def _peer_channel_close(stage: Stage) -> None:
    stage.right.begin_close()
    stage.sink.on_message = lambda message: None


async def _close(stage: Stage) -> None:
    await stage.one.close()


async def _abort(stage: Stage) -> None:
    stage.one.abort()


async def _peer_close(stage: Stage) -> None:
    await stage.other.close()


async def _peer_abort(stage: Stage) -> None:
    stage.other.abort()


async def _association_abort_by_peer(stage: Stage) -> None:
    stage.other._session.channels.abort(current().time())
    stage.other._driver.soon()


async def _error_counter(stage: Stage) -> None:
    lose(stage.one, *(bytes([first]) for first in range(20, 64)))  # consent still flows: nobody else will notice
    lose(stage.other, *(bytes([first]) for first in range(64)))


async def _close_notify(stage: Stage) -> None:
    lose(stage.other, b"\0", b"\x17")
    stage.other.abort()


async def _fatal_alert(stage: Stage) -> None:
    session = stage.other._session
    assert session._engine is not None
    session._engine.abort(current().time())
    session._absorb_dtls(current().time())  # the alert is its farewell
    stage.other._driver.soon()


async def _ice_failed(stage: Stage) -> None:
    stage.owner.on_failed = LOST
    transport: Any = stage.one._ice
    transport._heard = current().time()
    stage.network.black_hole()


async def _path_lost(stage: Stage) -> None:
    stage.owner.on_failed = LOST
    stage.one._ice._become("failed")  # type: ignore[attr-defined]  # as a closed mux says it


async def _shutdown(stage: Stage) -> None:
    stage.one._session.channels.shutdown(current().time())
    stage.one._driver.soon()
    stage.sink.on_message = lambda message: None


async def _peer_shutdown(stage: Stage) -> None:
    stage.other._session.channels.shutdown(current().time())
    stage.other._driver.soon()
    stage.sink.on_message = lambda message: None


async def _watchdog(stage: Stage) -> None:
    async def hangs() -> None:
        await asyncio.Event().wait()

    stage.tasks.append(stage.owner.wait("operation", stage.one._operations.run("set local description", hangs)))


async def _path_never_writable(stage: Stage) -> None:
    transport: Any = stage.one._ice
    transport.send = lambda batch: 0
    await stage.one.close()


@attrs.frozen
class Way:
    """A way to end, and how each waiter leaves; what is not named leaves as ``rest`` says."""

    what: str
    do: Callable[[Stage], Awaitable[None]]
    rest: str
    other: dict[str, str] = attrs.field(factory=dict)
    connection_lives: bool = False

    def expected(self, waiter: str) -> str:
        """How the waiter leaves, ``waits`` if it does not."""
        if waiter in self.other:
            return self.other[waiter]
        if self.connection_lives and waiter in OF_CONNECTION:
            return "waits"
        if waiter in {"closer", "events", "wait_closed"}:
            return "returned"
        if waiter == "iterator" and self.rest in {"local", "PeerClosed"}:
            return "returned"
        return f"Closed({self.rest})"


_REACHED = {"opener": "returned", "closer": "returned"}  # what the others wait for comes true, when the peer reads
WAYS = (
    Way("the channel is closed here", _local_channel_close, "local", _REACHED, True),
    Way("the peer closes the channel", _peer_channel_close, "PeerClosed", _REACHED, True),
    Way("`close()`", _close, "local"),
    Way("`abort()`", _abort, "local"),
    Way(
        "the peer's `close()`, though it never read",
        _peer_close,
        "PeerClosed",
    ),
    Way(
        "the peer's `abort()`",
        _peer_abort,
        "PeerAborted",
        {
            "wait_connected": "Closed(PeerClosed)",
            "wait_gathered": "Closed(PeerClosed)",
            "receiver": "Closed(PeerClosed)",
        },
    ),
    Way("SCTP ABORT alone", _association_abort_by_peer, "PeerAborted", {}, True),
    Way("SCTP's error counter", _error_counter, "TransportLost", {}, True),
    Way("DTLS close_notify alone", _close_notify, "PeerClosed"),
    Way("a fatal DTLS alert", _fatal_alert, "PeerAborted"),
    Way("ICE failed, and the application aborts", _ice_failed, "TransportLost"),
    Way("the path is lost (a closed mux), likewise", _path_lost, "TransportLost"),
    Way("the association is shut down here", _shutdown, "local", {}, True),
    Way("the peer shuts the association down", _peer_shutdown, "PeerClosed", {}, True),
    Way("the watchdog of a negotiation operation", _watchdog, "TransportLost"),
    Way("`close()` on a path that is never writable", _path_never_writable, "local"),
)


def crossing_table() -> str:
    """:data:`WAYS` as a Markdown table; the page has it word for word."""
    columns = [waiter for waiter in WAITERS if waiter != "writable"]  # which always leaves as a writer does
    rows = [["ends by", *(f"`{column}`" for column in columns)], ["---"] * (1 + len(columns))]
    rows += [[way.what, *(way.expected(column) for column in columns)] for way in WAYS]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _known(exits: dict[str, Exit], waiter: str) -> Exit:
    """When the end of what this waiter waits for was known."""
    marks = BOUND.get(waiter, ("failed", "end of connection"))
    return next(exits[mark] for mark in marks if mark in exits)


@pytest.mark.parametrize("blocking", [False, True], ids=["budget", "blocking"])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.do.__name__.strip("_"))
def test_every_waiter_ends_in_the_turn_in_which_the_end_is_known(way: Way, blocking: bool) -> None:
    exits: dict[str, Exit] = {}

    async def main() -> weakref.ref[Owner]:
        async with full_of_waiters(blocking=blocking, exits=exits) as stage:
            begin = current().time()
            await way.do(stage)
            await asyncio.sleep(700)
            assert {name: exits[name].how if name in exits else "waits" for name in WAITERS} == {
                name: way.expected(name) for name in WAITERS
            }
            for name in WAITERS:
                if exits.get(name) is not None and way.other.get(name) != "returned" and way.expected(name) != "waits":
                    known = _known(exits, name)
                    assert exits[name].at == known.at, f"{name} left {exits[name].at - known.at} s late"
                    assert exits[name].turn - known.turn <= 2, name
            if not way.connection_lives:
                assert stage.one.reason is not None
                assert _known(exits, "wait_closed").at - begin <= 17
            stage.one.abort()
            left_over = [task for task in stage.tasks if not task.done()]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not [task.get_name() for task in left_over if not task.done()]
            for channel in (stage.left, stage.filler, stage.late):
                assert channel.ready_state == "closed"
                with pytest.raises(Closed):
                    await channel.write(b"late")
                with pytest.raises(Closed):
                    channel.write_nowait(b"late")
                with pytest.raises(Closed):
                    await channel.writable()
                with pytest.raises(Closed):
                    await channel.read()
                with pytest.raises(Closed):
                    await channel.wait_open()
                await channel.close()
            owner = weakref.ref(stage.owner)
            connection = weakref.ref(stage.one)
            lows = stage.owner.lows
            stage.tasks.clear()
            stage.owner = stage.one = stage.left = stage.filler = stage.late = None  # type: ignore[assignment]
            del channel, left_over
            await asyncio.sleep(600)
            held = owner()
            assert held is None or held.lows == lows  # nobody calls after the end
            del held
            refs.append(connection)
        assert not current().timers()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return owner

    refs: list[weakref.ref[Any]] = []
    owner = play(main())
    gc.collect()
    assert owner() is None
    assert refs[0]() is None
