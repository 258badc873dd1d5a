"""Random schedules over two associations: what was taken arrives once and in order, what was refused is answered, and
everything ends once (rules L2, L3, L6, L10 on the core itself; ``docs/explanation/liveness.md``)."""

from __future__ import annotations

import gc
import weakref
from collections import deque
from math import inf
from typing import Any

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pystack.base import SeededRandomness
from pystack.errors import LOCAL, Closed, LocalProtocolError
from pystack.sctp import (
    Association,
    AssociationOptions,
    Ended,
    Established,
    MessageReceived,
    OutgoingResetDone,
    OutgoingResetFailed,
    Restarted,
    Writable,
)
from pystack.testing.link import LinkOptions
from pystack.testing.pair import Pair
from pystack.testing.world import Node
from tests.sim.liveness.schedules import Tally, run_schedules

TALLY = Tally("association")
STREAMS = 3
LONGEST = 720.0 + 60.0
"""Seconds after which a dead path has been noticed in any case while something is under way."""

sides = st.sampled_from("ab")
streams = st.integers(0, STREAMS - 1)
rarely = st.integers(0, 9).map(lambda drawn: drawn == 7)
sizes = st.sampled_from((1, 40, 900, 1200, 5000, 16_000))


@attrs.define
class Way:
    """One direction of one stream, as the two applications see it."""

    taken: deque[bytes] = attrs.field(factory=deque)
    refused: int = 0
    answered: int = 0


class AssociationMachine(RuleBasedStateMachine):
    """Two associations; the model knows what was taken, and who is owed an answer."""

    @initialize(
        seed=st.integers(0, 1 << 16),
        blocking=st.booleans(),
        delay=st.sampled_from((0.0, 0.01, 0.2)),
        both=st.booleans(),
        reading=st.booleans(),
    )
    def begin(self, seed: int, blocking: bool, delay: float, both: bool, reading: bool) -> None:
        TALLY.schedules += 1
        options = AssociationOptions(
            receive_window=40_000,
            max_message_size=16_000,
            send_buffer=12_000,
            stream_send_buffer=8_000,
            blocking_writes=blocking,
        )
        self.pair = Pair(
            Association(options, SeededRandomness(f"{seed} a")),
            Association(options, SeededRandomness(f"{seed} b")),
            LinkOptions(delay=delay),
            seed=seed,
        )
        self.nodes: dict[str, Node[Association]] = {"a": self.pair.a, "b": self.pair.b}
        self.ways = {(side, stream): Way() for side in "ab" for stream in range(STREAMS)}
        self.unread: dict[str, list[tuple[int, int]]] = {"a": [], "b": []}
        self.reading = {"a": reading, "b": True}
        self.done: dict[str, list[Any]] = {"a": [], "b": []}
        self.resets: dict[str, int] = {"a": 0, "b": 0}
        self.number = 0
        self.hole = False
        self.gone = self.holed = False
        for side, node in self.nodes.items():
            node.on_event = lambda event, side=side: self.hear(side, event)  # type: ignore[misc]
        self.pair.a.core.connect(self.pair.now)
        if both:
            self.pair.b.core.connect(self.pair.now)

    # ---- what the associations say

    def hear(self, side: str, event: Any) -> None:
        assert not self.done[side], f"{event} after the end"
        other = "b" if side == "a" else "a"
        if isinstance(event, MessageReceived):
            way = self.ways[other, event.stream]
            assert way.taken, "a message that nobody sent"
            assert event.data == way.taken.popleft(), "out of order, twice, or a hole"
            TALLY.delivered += 1
            self.unread[side].append((event.stream, len(event.data)))
            self.read(side)
        elif isinstance(event, Writable):
            way = self.ways[side, event.stream]
            way.answered += 1
            assert way.answered <= way.refused, "an answer that nobody is owed"
        elif isinstance(event, OutgoingResetDone | OutgoingResetFailed):
            self.resets[side] -= len(event.streams)
        elif isinstance(event, Ended):
            self.done[side].append(event)
        else:
            assert not isinstance(event, Restarted)

    def read(self, side: str) -> None:
        if self.reading[side]:
            for stream, size in self.unread[side]:
                self.nodes[side].core.consume(stream, size, self.pair.now)
            self.unread[side].clear()

    # ---- rules

    @rule(side=sides, stream=streams, size=sizes)
    def send(self, side: str, stream: int, size: int) -> None:
        way = self.ways[side, stream]
        if way.refused > way.answered:
            return  # an answer is owed: the layer above does not ask again before
        self.number += 1
        data = (b"%d " % self.number).ljust(size, b".")
        core = self.nodes[side].core
        buffered = core.buffered_amount(stream)
        try:
            taken = core.send(stream, data, self.pair.now, ppid=53)
        except Closed:
            self.pair.world.pump()
            assert self.done[side]
            return
        except LocalProtocolError:
            return  # shutting down
        if taken:
            way.taken.append(data)
            assert core.buffered_amount(stream) == buffered + len(data)
        else:
            TALLY.refused += 1
            way.refused += 1
            assert core.buffered_amount(stream) == buffered, "refused, and yet something was kept"

    @rule(side=sides, stream=streams, count=st.integers(2, 20), size=st.sampled_from((10, 1100)))
    def burst(self, side: str, stream: int, count: int, size: int) -> None:
        for _ in range(count):
            self.send(side, stream, size)

    @rule(side=sides, count=st.integers(2, 9), size=sizes, seconds=st.sampled_from((0.02, 0.5)))
    def stream_on(self, side: str, count: int, size: int, seconds: float) -> None:
        for number in range(count):
            self.send(side, number % STREAMS, size)
            self.pair.run(for_=seconds)

    @rule(side=sides, reading=st.booleans())
    def change_reader(self, side: str, reading: bool) -> None:
        self.reading[side] = reading
        self.read(side)

    @rule(side=sides, stream=streams)
    def reset(self, side: str, stream: int) -> None:
        try:
            self.nodes[side].core.reset([stream], self.pair.now)
        except Closed:
            return

    @rule(seconds=st.sampled_from((0.0, 0.005, 0.05, 0.3, 1.0, 4.0, 30.0)))
    def let_pass(self, seconds: float) -> None:
        self.pair.run(for_=seconds)

    @rule(side=sides)
    def tick_early(self, side: str) -> None:
        core = self.nodes[side].core
        if core.deadline > self.pair.now:
            before = core.deadline
            core.tick(self.pair.now)
            assert core.deadline == before

    @rule(
        loss=st.sampled_from((0.0, 0.02, 0.2)),
        duplicate=st.sampled_from((0.0, 0.1)),
        reorder=st.sampled_from((0.0, 0.1)),
        both=st.booleans(),
    )
    def damage(self, loss: float, duplicate: float, reorder: float, both: bool) -> None:
        for link in (self.pair.there, self.pair.back)[: 1 + both]:
            link.options = attrs.evolve(link.options, loss=loss, duplicate=duplicate, reorder=reorder)

    @precondition(lambda self: not self.hole)
    @rule(seconds=st.sampled_from((0.0, 0.5, 5.0, 60.0)))
    def black_hole(self, seconds: float) -> None:
        self.hole = self.holed = True
        self.pair.black_hole()
        self.pair.run(for_=seconds)

    @precondition(lambda self: self.hole and not self.gone)
    @rule()
    def heal(self) -> None:
        self.hole = False
        self.pair.heal()

    @rule(side=sides, chance=rarely)
    def shutdown(self, side: str, chance: bool) -> None:
        if chance:
            self.nodes[side].core.shutdown(self.pair.now)

    @rule(side=sides, chance=rarely)
    def abort(self, side: str, chance: bool) -> None:
        if chance:
            self.nodes[side].core.abort(self.pair.now)
            self.pair.world.pump()
            assert self.done[side]

    @rule(side=sides, chance=rarely)
    def crash(self, side: str, chance: bool) -> None:
        """It is gone, and says nothing."""
        if chance:
            self.gone = self.hole = self.holed = True
            self.pair.black_hole()
            self.nodes[side].core.abort(self.pair.now)
            self.pair.world.pump()

    # ---- what always holds

    @invariant()
    def bounded(self) -> None:
        TALLY.steps += 1
        self.pair.world.pump()
        for side, node in self.nodes.items():
            stats = node.core.stats()
            if not self.done[side]:
                assert stats.buffered == sum(node.core.buffered_amount(stream) for stream in range(STREAMS))
                assert stats.buffered < 12_000 + 16_000
                # The queue drains as the network lets it; whoever was refused waits only while something is in it.
                owed = any(way.refused > way.answered for key, way in self.ways.items() if key[0] == side)
                assert stats.buffered or not owed, "the queue is empty and somebody still waits"

    def teardown(self) -> None:
        if not hasattr(self, "pair"):
            return
        TALLY.ended += any(self.done.values())
        TALLY.holes += self.holed
        self.reading = {"a": True, "b": True}
        for side in "ab":
            self.read(side)
        for link in (self.pair.there, self.pair.back):
            link.options = attrs.evolve(link.options, loss=0.0, duplicate=0.0, reorder=0.0)
        if not self.gone and not self.done["a"] and not self.done["b"]:
            self.pair.heal()
            self.pair.run(for_=200)  # twice the longest time-out, and what a slow start needs
            if not self.done["a"] and not self.done["b"] and self.pair.a.saw(Established):
                assert not any(way.taken for way in self.ways.values()), "taken, and never delivered"
                assert all(way.refused == way.answered for way in self.ways.values()), "a refusal was not answered"
        # Whatever is still there now loses its peer.
        self.pair.black_hole()
        for side, node in self.nodes.items():
            if not self.done[side]:
                if node.saw(Established):
                    self.send(side, 0, 40)  # somebody has to ask
                    self.pair.run(lambda side=side: self.done[side], for_=LONGEST)  # type: ignore[misc]
                    assert self.done[side][0].reason != LOCAL or node.core.state.value == "ended"
                else:
                    node.core.abort(self.pair.now)
        self.pair.run(for_=600)
        assert all(len(events) == 1 for events in self.done.values())
        refs = []
        for node in self.nodes.values():
            assert node.core.deadline == inf
            assert node.core.flush(self.pair.now) == []
            assert node.core.take_events() == []
            assert node.core.stats().buffered == node.core.stats().outstanding == 0
            node.on_event = None
            refs.append(weakref.ref(node.core))
        assert self.pair.world.deadline == inf
        del node
        self.nodes.clear()
        del self.pair
        if TALLY.schedules % 50 == 0:
            gc.collect()
            assert [ref() for ref in refs] == [None, None]


def test_random_schedules_over_two_associations() -> None:
    run_schedules(AssociationMachine, TALLY, 200)


@pytest.mark.long
@pytest.mark.timeout(0)
def test_twenty_thousand_schedules_over_two_associations() -> None:
    run_schedules(AssociationMachine, TALLY, 20_000, shrink=True)
