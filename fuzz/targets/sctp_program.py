"""Two associations back to back; the input is a program of what they and the network between them do.

What was promised: no exception; what arrives is what was sent (reliable messages all of them and, where ordered, in
order, unless an association reports its end; others at most once); each refusal is answered once; no more is held than
the budgets say; nothing happens after the end.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from math import inf
from typing import Any, Final

import attrs

from fuzz.target import Program, Target, check
from pystack.base import Ended, SeededRandomness
from pystack.errors import Closed, LocalError
from pystack.sctp import Association, AssociationOptions, AssociationState, MessageReceived, Writable

_START: Final = 1000.0
_STREAMS: Final = 4
_RELIABLE, _LIMITED = 0, 1
_CHANCES: Final = (0, 1, 2)


@attrs.define(eq=False)
class _Side:
    """One association, what was asked of it, and what came of that."""

    core: Association
    name: str
    wire: deque[bytes] = attrs.field(factory=deque)  # sent, not delivered
    reads: bool = True
    unread: list[tuple[int, int]] = attrs.field(factory=list)
    sent: dict[int, list[bytes]] = attrs.field(factory=lambda: {n: [] for n in range(_STREAMS)})
    loose: Counter[bytes] = attrs.field(factory=Counter)  # unordered and reliable
    limited: Counter[bytes] = attrs.field(factory=Counter)  # may be given up
    got: dict[int, list[bytes]] = attrs.field(factory=lambda: {n: [] for n in range(_STREAMS)})
    got_loose: Counter[bytes] = attrs.field(factory=Counter)
    got_limited: Counter[bytes] = attrs.field(factory=Counter)
    refused: set[int] = attrs.field(factory=set)
    ends: int = 0
    number: int = 0

    def send(self, stream: int, size: int, how: int, now: float) -> None:
        kind = (how & 1) + 2 * (how >> 1 & 1)  # unordered, limited
        self.number += 1
        head = bytes([kind]) + f"{self.name}{self.number:06}".encode()
        data = head + bytes(i & 0xFF for i in range(size))
        limits: dict[str, Any] = {}
        if kind & 2:
            limits = {"lifetime": 0.3} if how & 4 else {"max_retransmits": how >> 3 & 3}
        try:
            taken = self.core.send(stream, data, now, ppid=53, ordered=not kind & 1, **limits)
        except (Closed, LocalError):
            return
        if not taken:
            self.refused.add(stream)
        elif kind & 2:
            self.limited[data] += 1
        elif kind & 1:
            self.loose[data] += 1
        else:
            self.sent[stream].append(data)

    def hear(self, other: _Side, now: float) -> None:
        """Take events and check each against what the other side sent."""
        for event in self.core.take_events():
            check(not self.ends, "an event after the end")
            if isinstance(event, Ended):
                self.ends += 1
            elif isinstance(event, Writable):
                check(event.stream in self.refused, "Writable without a refusal")
                self.refused.remove(event.stream)
            elif isinstance(event, MessageReceived):
                self._message(event, other)
                if self.reads:
                    self.core.consume(event.stream, len(event.data), now)
                else:
                    self.unread.append((event.stream, len(event.data)))

    def _message(self, event: MessageReceived, other: _Side) -> None:
        data = bytes(event.data)
        if data[0] & 2:
            self.got_limited[data] += 1
            check(self.got_limited[data] <= other.limited[data], "a limited message twice or out of nothing")
        elif data[0] & 1:
            self.got_loose[data] += 1
            check(self.got_loose[data] <= other.loose[data], "an unordered message twice or out of nothing")
        else:
            come = self.got[event.stream]
            come.append(data)
            wanted = other.sent[event.stream]
            check(len(come) <= len(wanted) and data == wanted[len(come) - 1], "an ordered message out of order")

    def read_all(self, now: float) -> None:
        self.reads = True
        for stream, size in self.unread:
            self.core.consume(stream, size, now)
        self.unread.clear()


def run(data: bytes) -> None:
    program = Program(data)
    sides = tuple(_make(name, program.word()) for name in "ab")
    a, b = sides
    now = _START
    aborted = False
    for _ in range(400):
        if not program:
            break
        word = program.byte()
        me, other = sides[word >> 4 & 1], sides[1 - (word >> 4 & 1)]
        aborted |= word & 15 == 11
        now = _step(word & 15, word >> 5, me, other, program, now)
        for one, two in ((a, b), (b, a)):
            one.hear(two, now)
            _check_bounds(one)
    now = _finish(a, b, now)
    if not a.ends and not b.ends:
        for one, two in ((a, b), (b, a)):
            check(one.got == two.sent, "ordered messages are missing")
            check(+one.got_loose == +two.loose, "unordered messages are missing")
            check(not one.refused, "a refusal was never answered")
    for one, two in ((a, b), (b, a)):
        one.core.abort(now)
        one.hear(two, now)
        check(one.ends == 1, "not exactly one end")
        check(one.core.deadline == inf, "a timer after the end")
        one.core.flush(now)
        one.core.receive(b"\x13\x88\x13\x88" + bytes(20), now)
        check(not one.core.flush(now) and not one.core.take_events(), "not silent after the end")


def _make(name: str, chosen: int) -> _Side:
    options = AssociationOptions(
        mtu=(512, 1191)[chosen & 1],
        zero_checksum=bool(chosen & 2),
        blocking_writes=bool(chosen & 4),
        partial_reliability=not chosen & 8,
        stream_reset=not chosen & 16,
        receive_window=(8192, 65536)[chosen >> 5 & 1],
        max_message_size=8000,
        send_buffer=(4096, 1 << 20)[chosen >> 6 & 1],
        stream_send_buffer=(2048, 1 << 20)[chosen >> 7 & 1],
        interleaving=not chosen & 0x100,
        rack=not chosen & 0x200,
        tail_loss_probe=not chosen & 0x400,
        scheduler="priority" if chosen & 0x800 else "round-robin",
        max_association_retransmits=5,
        max_init_retransmits=4,
        shutdown_guard=100.0,
    )
    return _Side(Association(options, SeededRandomness(f"{name} {chosen}")), name)


def _step(what: int, more: int, me: _Side, other: _Side, program: Program, now: float) -> float:
    core = me.core
    with suppress(LocalError, Closed):
        if what == 0:
            core.connect(now)
        elif what in {1, 2}:
            me.send(more % _STREAMS, program.word() % 7000 if what == 1 else program.byte(), program.byte(), now)
        elif what == 3:
            me.wire.extend(core.flush(now, more + 1 if more else inf))
        elif what == 4:
            for _ in range(min(len(me.wire), more + 1)):
                other.core.receive(me.wire.popleft(), now)
        elif what == 5 and me.wire:  # overtakes
            me.wire.rotate(-more)
            other.core.receive(me.wire.popleft(), now)
        elif what == 6 and me.wire:
            me.wire.popleft()
        elif what == 7 and me.wire:
            other.core.receive(me.wire[more % len(me.wire)], now)
        elif what == 8 and core.deadline < inf:
            now = max(now, core.deadline)
            core.tick(now)
        elif what == 9:
            now += (0.001, 0.02, 0.1, 0.2, 0.5, 1.0, 5.0, 60.0)[more]
            me.core.tick(now)
            other.core.tick(now)
        elif what == 10:
            if more < 4:
                core.reset([more], now)
            elif more == 7:
                core.shutdown(now)
        elif what == 11:
            if more == 7:
                core.abort(now)
        elif what == 12 and me.wire:
            packet = bytearray(me.wire.popleft())
            packet[program.byte() % len(packet)] ^= 1 << more
            if packet[8:12] != bytes(4):  # else nobody would notice: the packet is lost instead
                other.core.receive(bytes(packet), now)
        elif what == 13:
            _exchange(me, other, now)
        elif what == 14:
            me.reads = bool(more & 1)
            if me.reads:
                me.read_all(now)
        elif what == 15:
            core.receive(program.take(more * 4), now)
    return now


def _exchange(me: _Side, other: _Side, now: float) -> None:
    for one, two in ((me, other), (other, me)):
        one.wire.extend(one.core.flush(now))
        while one.wire:
            two.core.receive(one.wire.popleft(), now)


def _check_bounds(side: _Side) -> None:
    core, options = side.core, side.core._options
    stats = core.stats()
    check(0 <= stats.buffered <= options.send_buffer + 8000, "more queued than the budget and a message")
    check(stats.flight >= 0, "a flight below nothing")
    check(stats.receive_window >= -options.mtu or side.ends, "more held than the window")
    check(len(side.wire) < 5000, "talks too much")


def _finish(a: _Side, b: _Side, now: float) -> float:
    """The network is good now and everybody reads: within bounds everything arrives, or an end is told."""
    with suppress(LocalError, Closed):
        a.core.connect(now)
    for side in (a, b):
        side.read_all(now)
    until = now + 1000
    for _ in range(5000):
        _exchange(a, b, now)
        for one, two in ((a, b), (b, a)):
            one.hear(two, now)
        if a.ends or b.ends or (_quiet(a) and _quiet(b)):
            return now
        if a.wire or b.wire or a.core.flush(now, 0):
            continue
        now = max(now, min(a.core.deadline, b.core.deadline))
        check(now <= until, f"does not come to rest: {a.core.state.value}, {b.core.state.value}")
        a.core.tick(now)
        b.core.tick(now)
    check(False, "never comes to rest")
    return now


def _quiet(side: _Side) -> bool:
    stats = side.core.stats()
    return side.core.state is AssociationState.ESTABLISHED and not stats.outstanding and not stats.buffered


def _seeds() -> Iterator[bytes]:
    up = bytes([0, 13, 13])
    for chosen in (0, 1, 2, 4, 8, 0x60, 0xE0, 0xFF, 0x700, 0x8E1):
        head = chosen.to_bytes(2, "big") * 2
        yield head + up
        yield head + up + bytes([1, 0x10, 0, 0, 0x11, 0x10, 0, 0, 13, 3, 4, 0x13, 0x14, 8, 13])
        yield head + up + bytes([0x21, 20, 0, 1, 0x41, 20, 0, 2, 0x22, 9, 7, 3, 5, 6, 7, 12, 40, 8, 13, 8, 13])
        yield head + up + bytes([1, 25, 0, 0, 0x0A, 0x1A, 13, 13, 2, 5, 0, 0xEA, 13, 8, 13])
        yield head + up + bytes([14, 0x1E, 1, 25, 0, 0, 1, 25, 0, 0, 1, 25, 0, 0, 13, 13, 8, 0x18, 13, 0x3E, 13])
        yield head + up + bytes([0x01, 5, 0, 0, 3, 6, 8, 3, 6, 8, 3, 4, 0xEB, 13])


TARGETS = {"sctp-program": Target(name="sctp-program", run=run, seeds=_seeds, packages=("pystack.sctp",), max_size=600)}
