"""Random schedules over two peer connections, driven as an application drives them (rules L1 to L7, L9 to L11).

Each rule does one thing that an application, a user or a network may do; the model knows which messages were taken and
until when each waiter may wait. What is checked is the promise of ``docs/explanation/liveness.md``: whatever is awaited
ends, what was taken arrives once and in order, an end is told once, and nothing stays behind.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine
from functools import partial
from math import inf
from typing import Any

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pystack.base import SeededRandomness
from pystack.errors import Closed, LocalProtocolError, Reason, TransportLost, WouldBlock
from pystack.peer import (
    ConnectionStateChanged,
    DataChannel,
    DataChannelAdded,
    PeerConnection,
    PeerConnectionClosed,
    PeerEvent,
)
from pystack.testing.link import LinkOptions
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate
from tests.sim.liveness.schedules import Tally, run_schedules
from tests.sim.liveness.stage import TurnLoop, configuration

TALLY = Tally("connection")
MOST = 5
PATIENCE = 10.0  # of opening and closing channels, as by default

rarely = st.integers(0, 11).map(lambda drawn: drawn == 7)
sides = st.sampled_from((0, 1))
picks = st.integers(0, 1 << 16)
sizes = st.sampled_from((12, 60, 1000, 3000, 16_000))


@attrs.define(eq=False)
class Waiter:
    """Somebody who waits, and until when at the latest if only the clock can end it."""

    name: str
    task: asyncio.Task[Any]
    until: float
    channel: End | None = None


@attrs.define(eq=False)
class End:
    """One end of a channel, as its application sees it."""

    side: int
    channel: DataChannel
    far: End | None = None
    taken: list[bytes] = attrs.field(factory=list)
    read: list[bytes] = attrs.field(factory=list)
    ends: int = 0
    deadline: float = inf
    reads: bool = False


class ConnectionMachine(RuleBasedStateMachine):
    """Two connections on a network, and everybody who waits on them."""

    # ---- plumbing

    def go(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    async def settle(self) -> None:
        for _ in range(4):
            await asyncio.sleep(0)

    def wait(
        self, name: str, work: Coroutine[Any, Any, Any], seconds: float | None, end: End | None = None
    ) -> asyncio.Task[Any]:
        until = inf if seconds is None else self.loop.time() + seconds
        task = self.loop.create_task(self._absorb(work), name=name)
        self.waiters.append(Waiter(name, task, until, end))
        return task

    async def _absorb(self, work: Coroutine[Any, Any, Any]) -> str:
        try:
            await work
        except Closed:
            return "Closed"
        except TimeoutError:
            return "TimeoutError"
        except LocalProtocolError:
            return "LocalProtocolError"
        return "returned"

    def end_of(self, side: int, pick: int) -> End | None:
        mine = [end for end in self.ends if end.side == side]
        return mine[pick % len(mine)] if mine else None

    # ---- beginning

    @initialize(
        seed=st.integers(0, 1 << 16),
        blocking=st.booleans(),
        delay=st.sampled_from((0.0, 0.01, 0.1)),
        cut=st.sampled_from((None, None, None, 0.02, 0.1, 0.5)),
    )
    def begin(self, seed: int, blocking: bool, delay: float, cut: float | None) -> None:
        TALLY.schedules += 1
        self.loop = TurnLoop(limit=1e7)
        self.runner = asyncio.Runner(loop_factory=lambda: self.loop)
        self.waiters: list[Waiter] = []
        self.ends: list[End] = []
        self.closed = [0, 0]
        self.number = 0
        self.hole = self.holed = self.gone = self.finishing = False
        self.go(self._begin(seed, blocking, delay, cut))

    async def _begin(self, seed: int, blocking: bool, delay: float, cut: float | None) -> None:
        self.network = MemoryNetwork(LinkOptions(delay=delay), seed=seed)
        base = attrs.evolve(configuration(blocking=blocking), mux=self.network)
        base = attrs.evolve(base, session=attrs.evolve(base.session, channels=type(base.session.channels)()))
        self.connections = [
            PeerConnection(attrs.evolve(base, randomness=SeededRandomness(f"{seed}/{side}"))) for side in (0, 1)
        ]
        for side, connection in enumerate(self.connections):
            connection.listen(partial(self.hear, side))
        self.add(0, self.connections[0].create_data_channel("first"))
        await negotiate(*self.connections)
        for side, connection in enumerate(self.connections):
            self.wait(f"{side}: wait_connected", connection.wait_connected(), None)
            self.wait(f"{side}: wait_closed", connection.wait_closed(), None)
        await asyncio.sleep(1.5 if cut is None else cut)  # some schedules begin in the middle of the handshakes

    def add(self, side: int, channel: DataChannel) -> End:
        end = End(side, channel)
        for other in self.ends:
            if other.side != side and other.channel.label == channel.label:
                end.far, other.far = other, end
        self.ends.append(end)
        channel.on_close = partial(self.told, end)
        if self.finishing:
            self.read_all(end)
        return end

    def read_all(self, end: End) -> None:
        if not end.reads:
            end.reads = True
            self.wait(f"iterator of {end.channel.label}", self._iterate(end), None, end)

    def told(self, end: End, reason: Reason) -> None:
        end.ends += 1

    def hear(self, side: int, event: PeerEvent) -> None:
        assert not self.closed[side], f"{event} after the end"
        if isinstance(event, DataChannelAdded):
            self.add(side, event.channel)
        elif isinstance(event, PeerConnectionClosed):
            self.closed[side] += 1
        elif event == ConnectionStateChanged("failed"):
            self.loop.call_soon(partial(self.give_up, side))  # what an application does, bounded by its own patience

    def give_up(self, side: int) -> None:
        if self.connections:
            self.connections[side].abort(TransportLost("ICE failed"))

    # ---- channels

    @rule(side=sides, wait=st.booleans())
    def open(self, side: int, wait: bool) -> None:
        if len(self.ends) >= 2 * MOST:
            return
        self.go(self._open(side, wait))

    async def _open(self, side: int, wait: bool) -> None:
        connection = self.connections[side]
        self.number += 1
        try:
            end = self.add(side, connection.create_data_channel(f"channel {self.number}"))
        except (Closed, LocalProtocolError):
            return
        if wait:
            self.wait(f"opener of {end.channel.label}", end.channel.wait_open(), None, end)
        await self.settle()

    def message(self, end: End, size: int) -> bytes:
        self.number += 1
        return (b"%s %d " % (end.channel.label.encode(), self.number)).ljust(size, b".")

    async def _write(self, end: End, data: bytes, timeout: float | None) -> None:
        await end.channel.write(data, timeout=timeout)
        end.taken.append(data)

    @rule(side=sides, pick=picks, size=sizes, timeout=st.sampled_from((None, None, 0.0, 0.3, 5.0)))
    def write(self, side: int, pick: int, size: int, timeout: float | None) -> None:
        if end := self.end_of(side, pick):
            self.go(self._start_writing(end, size, timeout, 1))

    @rule(side=sides, pick=picks, size=sizes, count=st.integers(2, 15), timeout=st.sampled_from((None, None, 0.3, 5.0)))
    def write_many(self, side: int, pick: int, size: int, count: int, timeout: float | None) -> None:
        if end := self.end_of(side, pick):
            self.go(self._start_writing(end, size, timeout, count))

    async def _start_writing(self, end: End, size: int, timeout: float | None, count: int) -> None:
        for _ in range(count):
            data = self.message(end, size)
            self.wait(f"writer on {end.channel.label}", self._write(end, data, timeout), timeout, end)
        await self.settle()

    @rule(side=sides, pick=picks, size=sizes)
    def write_nowait(self, side: int, pick: int, size: int) -> None:
        if end := self.end_of(side, pick):
            self.go(self._write_nowait(end, size))

    async def _write_nowait(self, end: End, size: int) -> None:
        data = self.message(end, size)
        before = end.channel.buffered_amount
        waiting = any(
            waiter.channel is end and waiter.name.startswith("writer") and not waiter.task.done()
            for waiter in self.waiters
        )
        try:
            end.channel.write_nowait(data)
        except WouldBlock:
            TALLY.refused += 1
            assert end.channel.buffered_amount == before
            self.wait(f"writable on {end.channel.label}", end.channel.writable(), None, end)
        except Closed:
            pass
        else:
            assert not waiting, "overtook those who wait"
            end.taken.append(data)
        await self.settle()

    @rule(side=sides, pick=picks, seconds=st.sampled_from((None, 0.0, 0.2, 2.0)))
    def change_deadline(self, side: int, pick: int, seconds: float | None) -> None:
        end = self.end_of(side, pick)
        if end is not None:
            end.deadline = inf if seconds is None else self.loop.time() + seconds
            self.go(self._change_deadline(end, None if seconds is None else end.deadline))

    async def _change_deadline(self, end: End, at: float | None) -> None:
        end.channel.set_write_deadline(at)
        await self.settle()

    async def _read(self, end: End, timeout: float | None) -> None:
        self.got(end, await end.channel.read(timeout=timeout))

    async def _iterate(self, end: End) -> None:
        async for message in end.channel:
            self.got(end, message)

    def got(self, end: End, message: bytes | str) -> None:
        assert isinstance(message, bytes)
        TALLY.delivered += 1
        end.read.append(message)

    @rule(side=sides, pick=picks, timeout=st.sampled_from((None, 0.5, 5.0)))
    def read(self, side: int, pick: int, timeout: float | None) -> None:
        if end := self.end_of(side, pick):
            self.wait(f"reader of {end.channel.label}", self._read(end, timeout), timeout, end)
            self.go(self.settle())

    @rule(side=sides, pick=picks)
    def iterate(self, side: int, pick: int) -> None:
        end = self.end_of(side, pick)
        if end is not None:
            self.go(self._start_iterating(end))

    async def _start_iterating(self, end: End) -> None:
        self.read_all(end)
        await self.settle()

    @rule(pick=picks)
    def cancel(self, pick: int) -> None:
        waiting = [waiter for waiter in self.waiters if not waiter.task.done() and waiter.channel is not None]
        if waiting:
            victim = waiting[pick % len(waiting)]
            if victim.name.startswith("iterator") and victim.channel is not None:
                victim.channel.reads = False
            victim.task.cancel()
            self.go(self.settle())

    @rule(side=sides, pick=picks, chance=rarely, timeout=st.sampled_from((0.1, 5.0)))
    def close_channel(self, side: int, pick: int, chance: bool, timeout: float) -> None:
        end = self.end_of(side, pick)
        if end is not None and chance:
            self.wait(f"closer of {end.channel.label}", end.channel.close(timeout=timeout), timeout, end)
            self.go(self.settle())

    # ---- the network, and time

    @rule(
        loss=st.sampled_from((0.0, 0.02, 0.2)),
        duplicate=st.sampled_from((0.0, 0.1)),
        reorder=st.sampled_from((0.0, 0.1)),
        both=st.booleans(),
    )
    def damage(self, loss: float, duplicate: float, reorder: float, both: bool) -> None:
        for connection in self.connections[: 1 + both]:
            link = _link(connection)
            link.options = attrs.evolve(link.options, loss=loss, duplicate=duplicate, reorder=reorder)

    @precondition(lambda self: not self.hole)
    @rule(seconds=st.sampled_from((0.0, 0.5, 5.0, 12.0)))
    def black_hole(self, seconds: float) -> None:
        self.hole = self.holed = True
        self.network.black_hole()
        self.go(asyncio.sleep(seconds))

    @precondition(lambda self: self.hole and not self.gone)
    @rule()
    def heal(self) -> None:
        self.hole = False
        self.network.heal()

    @rule(seconds=st.sampled_from((0.0, 0.005, 0.05, 0.3, 2.0, 6.0)))
    def let_pass(self, seconds: float) -> None:
        self.go(asyncio.sleep(seconds))

    @rule(side=sides)
    def tick_early(self, side: int) -> None:
        async def work() -> None:
            driver = self.connections[side]._driver
            if not driver.ended:
                driver._core.tick(driver.now())
                driver.pump()

        self.go(work())

    # ---- ends

    @rule(side=sides, chance=rarely, timeout=st.sampled_from((None, 0.1, 3.0)))
    def close(self, side: int, chance: bool, timeout: float | None) -> None:
        if chance:
            patience = 2.0 if timeout is None else timeout
            # A second caller waits for the end that the first one bounds.
            others = [waiter for waiter in self.waiters if waiter.name == f"{side}: close"]
            patience = max([patience, *(waiter.until - self.loop.time() for waiter in others)])
            self.wait(f"{side}: close", self.connections[side].close(timeout=timeout), patience)
            self.go(self.settle())

    @rule(side=sides, chance=rarely)
    def abort(self, side: int, chance: bool) -> None:
        if chance:
            self.go(self._call(self.connections[side].abort))
            self.nobody_waits_on(side)

    @rule(side=sides, chance=rarely)
    def crash(self, side: int, chance: bool) -> None:
        """It is gone, and says nothing."""
        if chance:
            self.hole = self.holed = self.gone = True
            self.network.black_hole()
            self.go(self._call(self.connections[side].abort))
            self.nobody_waits_on(side)

    async def _call(self, what: Callable[[], object]) -> None:
        what()
        await self.settle()

    def nobody_waits_on(self, side: int) -> None:
        assert self.closed[side] == 1
        for waiter in self.waiters:
            mine = waiter.name.startswith(f"{side}:") if waiter.channel is None else waiter.channel.side == side
            assert waiter.task.done() or not mine, f"{waiter.name} still waits after the end"

    # ---- what always holds

    @invariant()
    def holds(self) -> None:
        TALLY.steps += 1
        assert not self.loop.unhandled, self.loop.unhandled
        now = self.loop.time()
        waiting = []
        for waiter in self.waiters:
            if waiter.task.done():
                if not waiter.task.cancelled():
                    error = waiter.task.exception()
                    assert error is None, (waiter.name, error)
                continue
            bound = waiter.until
            if waiter.channel is not None and waiter.name.startswith("wri"):
                bound = min(bound, waiter.channel.deadline)
            assert now <= bound + 1e-3, f"{waiter.name} should have left {now - bound:.3f} s ago"
            waiting.append(waiter)
        self.waiters = waiting
        for end in self.ends:
            assert end.ends == (end.channel.ready_state == "closed"), "the end of a channel is told once"
            if end.far is not None:
                assert end.read == end.far.taken[: len(end.read)] or self.ahead(end), "lost, twice or out of order"

    def ahead(self, end: End) -> bool:
        """A writer is told a little after its message was taken, and the reader may be faster."""
        assert end.far is not None
        return end.far.taken == end.read[: len(end.far.taken)] and any(
            waiter.channel is end.far and not waiter.task.done() for waiter in self.waiters
        )

    # ---- the end of the schedule

    def teardown(self) -> None:
        if not hasattr(self, "runner"):
            return
        TALLY.holes += self.holed
        TALLY.ended += any(self.closed)
        try:
            if hasattr(self, "connections"):
                self.go(self._finish())
                assert not self.loop.unhandled, self.loop.unhandled
                assert not self.loop.timers(), self.loop.timers()
                refs = [weakref.ref(thing) for thing in (*self.connections, *(end.channel for end in self.ends))]
                self.connections.clear()
                self.ends.clear()
                self.waiters.clear()
                del self.network
                if TALLY.schedules % 25 == 0:
                    gc.collect()
                    assert not [ref() for ref in refs if ref() is not None]
        finally:
            self.runner.close()

    async def _finish(self) -> None:
        for connection in self.connections:
            link = _link(connection)
            link.options = attrs.evolve(link.options, loss=0.0, duplicate=0.0, reorder=0.0)
        if not self.gone:
            self.network.heal()
            self.hole = False
        self.finishing = True
        for end in self.ends:
            end.channel.set_write_deadline(None)
            end.deadline = inf
            self.read_all(end)
        await asyncio.sleep(200)
        self.holds()
        if not any(self.closed) and all(c.connection_state == "connected" for c in self.connections):
            for end in self.ends:
                if end.channel.ready_state == "open" and end.far is not None and end.far.channel.ready_state == "open":
                    late = [w.name for w in self.waiters if w.channel is end and w.name.startswith("wri")]
                    assert not late, f"the peer reads, and still wait: {late}"
                    assert end.far.read == end.taken, "taken, and never delivered"
                else:
                    assert end.channel.ready_state in {"closed", "open"}, "neither open nor closed"
        # Whatever is still there now loses its peer: ICE notices, the application gives up.
        self.network.black_hole()
        await asyncio.sleep(25)
        for side in (0, 1):
            if not self.closed[side]:
                # Nothing was under way, so the application had no reason to be told: it closes.
                await self.connections[side].close(timeout=1)
            assert self.closed[side] == 1
        await self.settle()
        self.holds()
        assert not self.waiters, [waiter.name for waiter in self.waiters]
        assert asyncio.all_tasks() == {asyncio.current_task()}


def _link(connection: PeerConnection) -> Any:
    transport: Any = connection._ice
    return transport.link


def test_random_schedules_over_two_connections() -> None:
    run_schedules(ConnectionMachine, TALLY, 200)


@pytest.mark.long
@pytest.mark.timeout(0)
def test_twenty_thousand_schedules_over_two_connections() -> None:
    run_schedules(ConnectionMachine, TALLY, 20_000, shrink=True)
