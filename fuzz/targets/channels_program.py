"""Our data channels on both sides of a bad network; the input is a program of what users and network do.

Reliable channels lose nothing, keep their order and never mix; whatever is refused or closed is told exactly once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from math import inf
from typing import Final

from fuzz.target import Program, Target, check
from pystack.base import Ended, SeededRandomness
from pystack.datachannel import (
    ChannelAnnounced,
    ChannelClosed,
    ChannelMessage,
    ChannelOptions,
    ChannelWritable,
    DataChannels,
)
from pystack.errors import Closed, LocalError, LocalProtocolError
from pystack.sctp import Association, AssociationOptions

_LIMITS: Final[tuple[dict[str, int | float], ...]] = ({}, {}, {"max_retransmits": 0}, {"max_lifetime": 0.5})


class _Side:
    """One side and the account of its channels, which are known by their labels on both sides."""

    def __init__(self, name: str, tight: bool) -> None:
        options = AssociationOptions(
            send_buffer=8192 if tight else 1 << 20,
            stream_send_buffer=4096 if tight else 1 << 20,
            max_association_retransmits=5,
            max_init_retransmits=4,
        )
        self.name = name
        self.association = Association(options, SeededRandomness(name))
        self.core = DataChannels(self.association, ChannelOptions(max_channels=32))
        self.wire: deque[bytes] = deque()
        self.channels: list[int] = []
        self.labels: dict[int, str] = {}
        self.exact: dict[str, bool] = {}  # by label: reliable and ordered
        self.sent: dict[str, list[bytes]] = {}
        self.got: dict[str, list[bytes]] = {}
        self.refused: set[int] = set()
        self.closed: set[int] = set()
        self.touched: set[str] = set()  # labels that were closed by somebody
        self.ends = 0

    def open(self, how: int, now: float) -> None:
        label = f"{self.name}{len(self.channels)}"
        limit = _LIMITS[how >> 1 & 3]
        handle = self.core.open(label, now, ordered=not how & 1, **limit)  # type: ignore[arg-type]
        self._know(handle, label)
        self.exact[label] = not how & 1 and not limit

    def _know(self, handle: int, label: str) -> None:
        check(handle not in self.labels, "a handle twice")
        if label != "gone":
            self.channels.append(handle)
        self.labels[handle] = label
        self.sent[label] = []
        self.got[label] = []

    def send(self, handle: int, size: int, now: float) -> None:
        label = self.labels[handle]
        data = f"{label} {len(self.sent[label])} ".encode() + bytes(size)
        if self.core.send(handle, data, now):
            self.sent[label].append(data)
        else:
            self.refused.add(handle)

    def hear(self, other: _Side, now: float) -> None:
        for event in self.core.take_events():
            check(not self.ends, "an event after the end")
            check(getattr(event, "handle", 0) not in self.closed, "an event of a channel that is closed")
            if isinstance(event, Ended):
                self.ends += 1
            elif isinstance(event, ChannelAnnounced):
                try:
                    label = self.core.info(event.handle).label
                except LocalProtocolError:  # the association ended in the same breath
                    label = "gone"
                self._know(event.handle, label)
            elif isinstance(event, ChannelWritable):
                check(event.handle in self.refused, "writable without a refusal")
                self.refused.remove(event.handle)
            elif isinstance(event, ChannelClosed):
                self.closed.add(event.handle)
                self.refused.discard(event.handle)
                self.touched.add(self.labels[event.handle])
            elif isinstance(event, ChannelMessage):
                self._message(event, other)
                self.core.consume(event.handle, len(event.data), now)

    def _message(self, event: ChannelMessage, other: _Side) -> None:
        label = self.labels[event.handle]
        if label == "gone":
            return
        data = bytes(event.data)
        check(data.split(b" ")[0] == label.encode(), "a message of another channel")
        come, wanted = self.got[label], other.sent[label]
        come.append(data)
        if other.exact.get(label, self.exact.get(label)):
            check(len(come) <= len(wanted) and data == wanted[len(come) - 1], "a message is lost or out of order")
        else:
            check(come.count(data) <= wanted.count(data), "a message twice or out of nothing")


def run(data: bytes) -> None:
    program = Program(data)
    how = program.byte()
    a, b = _Side("a", bool(how & 1)), _Side("b", bool(how & 2))
    now = 1000.0
    for index, side in enumerate((a, b)):
        if not how & 4:
            side.core.start(index == 0, now)
    for _ in range(300):
        if not program:
            break
        word = program.byte()
        me, other = (a, b) if not word & 0x80 else (b, a)
        now = _step(word & 15, word >> 4 & 7, me, other, program, now)
        a.hear(b, now)
        b.hear(a, now)
    now = _finish(a, b, now)
    if not a.ends and not b.ends:
        for one, two in ((a, b), (b, a)):
            check(not one.refused, "a refusal was never answered")
            for label, wanted in one.sent.items():
                if one.exact.get(label) and label not in one.touched | two.touched:
                    check(two.got.get(label, []) == wanted, "messages are missing")
    for one, two in ((a, b), (b, a)):
        one.core.abort(now)
        one.hear(two, now)
        check(one.ends == 1, "not exactly one end")
        check(set(one.labels) == one.closed, "a channel outlives its association")
        check(one.core.deadline == inf, "a timer after the end")


def _step(what: int, more: int, me: _Side, other: _Side, program: Program, now: float) -> float:
    core = me.core
    with suppress(LocalError, Closed):
        if what == 0:
            me.open(more, now)
        elif what in {1, 2, 3} and me.channels:
            handle = me.channels[program.byte() % len(me.channels)]
            if what == 3:
                core.close(handle, now)
            else:
                me.send(handle, program.word() % 9000 if what == 1 else program.byte(), now)
        elif what == 4:
            me.wire.extend(core.flush(now, more + 1 if more else inf))
        elif what == 5:
            for _ in range(min(len(me.wire), more + 1)):
                other.core.receive(me.wire.popleft(), now)
        elif what == 6 and me.wire:
            me.wire.rotate(-more)
            other.core.receive(me.wire.popleft(), now)
        elif what == 7 and me.wire:
            me.wire.popleft()
        elif what == 8 and me.wire:
            other.core.receive(me.wire[more % len(me.wire)], now)
        elif what == 9 and core.deadline < inf:
            now = max(now, core.deadline)
            core.tick(now)
        elif what == 10:
            now += (0.001, 0.02, 0.1, 0.5, 1.0, 5.0, 10.5, 60.0)[more]
            core.tick(now)
            other.core.tick(now)
        elif what in {11, 12}:
            _exchange(me, other, now)
        elif what == 13:
            core.start(me.name == "a", now)
        elif what == 14 and more == 7:
            core.shutdown(now)
        elif what == 15 and more == 7:
            core.abort(now)
    return now


def _exchange(me: _Side, other: _Side, now: float) -> None:
    for one, two in ((me, other), (other, me)):
        one.wire.extend(one.core.flush(now))
        while one.wire:
            two.core.receive(one.wire.popleft(), now)


def _finish(a: _Side, b: _Side, now: float) -> float:
    for side in (a, b):
        with suppress(LocalError, Closed):
            side.core.start(side is a, now)
    until = now + 1000
    quiet = 0
    for _ in range(5000):
        _exchange(a, b, now)
        a.hear(b, now)
        b.hear(a, now)
        if a.ends or b.ends:
            return now
        stats = [side.association.stats() for side in (a, b)]
        quiet = quiet + 1 if not any(each.outstanding or each.buffered for each in stats) else 0
        if quiet > 12:
            return now
        now = max(now, min(a.core.deadline, b.core.deadline))
        check(now <= until, "does not come to rest")
        a.core.tick(now)
        b.core.tick(now)
    check(False, "never comes to rest")
    return now


def _seeds() -> Iterator[bytes]:
    for how in (0, 1, 3, 4, 7):
        head = bytes([how, 11, 11])
        yield head + bytes([0, 0x80, 11, 11, 2, 0, 5, 0x82, 0, 5, 11, 11, 3, 0, 11, 11, 0x83, 1, 11, 11, 0, 0x80, 11])
        yield head + bytes([0x30, 0x50, 0x70, 1, 0, 9, 9, 1, 1, 9, 9, 4, 0x26, 7, 8, 5, 9, 9, 3, 1, 12, 0x6A, 12])
        yield head + bytes([0, 1, 0, 30, 0, 1, 0, 30, 0, 1, 0, 30, 0, 3, 0, 4, 7, 5, 9, 11, 0xEE, 11, 9, 11])
        yield bytes([how, 0, 0x80, 2, 0, 1, 13, 0x8D, 11, 11, 0xF3, 0, 11, 0x7F])


TARGETS = {
    "channels-program": Target(
        name="channels-program",
        run=run,
        seeds=_seeds,
        packages=("pystack.datachannel", "pystack.sctp"),
        max_size=600,
    )
}
