"""Data channels whose peer says arbitrary things on arbitrary streams, over two real associations.

Input: pieces of what the peer does on its raw association (messages with any PPID, resets) between what our side does
with its channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from math import inf
from typing import Any, Final

from fuzz.target import Program, Target, check, piece
from pystack.base import Ended, SeededRandomness
from pystack.datachannel import (
    ChannelAnnounced,
    ChannelClosed,
    ChannelMessage,
    ChannelOptions,
    ChannelWritable,
    DataChannels,
    Open,
    write_open,
)
from pystack.errors import Closed, LocalError
from pystack.sctp import Association, AssociationOptions, MessageReceived
from pystack.testing.laws import footprint

_PPIDS: Final = (50, 51, 53, 56, 57, 52, 54, 0)
_OPTIONS: Final = ChannelOptions(max_channels=16)
_HELD: Final = 3_000_000


class _Ours:
    """Our side, and the account of its channels."""

    def __init__(self) -> None:
        self.core = DataChannels(Association(AssociationOptions(), SeededRandomness("ours")), _OPTIONS)
        self.handles: list[int] = []
        self.refused: set[int] = set()
        self.closed: set[int] = set()
        self.ended = 0

    def hear(self, now: float) -> None:
        for event in self.core.take_events():
            check(not self.ended, "an event after the end")
            handle = getattr(event, "handle", None)
            check(handle not in self.closed, "an event of a channel that is closed")
            if isinstance(event, Ended):
                self.ended += 1
            elif isinstance(event, ChannelAnnounced):
                check(event.handle not in self.handles, "announced twice")
                self.handles.append(event.handle)
                with suppress(LocalError):  # the association may have ended in the same breath
                    check(self.core.info(event.handle).id is not None, "announced without a stream")
            elif isinstance(event, ChannelWritable):
                check(event.handle in self.refused, "writable without a refusal")
                self.refused.remove(event.handle)
            elif isinstance(event, ChannelClosed):
                self.closed.add(event.handle)
                self.refused.discard(event.handle)
            elif isinstance(event, ChannelMessage):
                self.core.consume(event.handle, len(event.data), now)

    def act(self, what: int, program: Program, now: float) -> None:
        handle = self.handles[program.byte() % len(self.handles)] if self.handles else 1
        with suppress(LocalError, Closed):
            if what == 0:
                limit = program.byte()
                label = program.take(limit & 7).decode("latin-1")
                self.handles.append(
                    self.core.open(label, now, ordered=not limit & 8, max_retransmits=limit >> 4 or None)
                )
            elif what == 1:
                self.handles.append(self.core.open("agreed", now, negotiated=True, id=program.byte() & 7))
            elif what == 2:
                data = bytes(program.word() % 30000)
                if not self.core.send(handle, data, now):
                    self.refused.add(handle)
            elif what == 3:
                self.core.close(handle, now)
            elif what == 4:
                self.core.set_low_threshold(handle, program.byte())
                self.core.buffered_amount(handle)
            elif what == 5:
                self.core.max_message_size = program.word()


def run(data: bytes) -> None:
    program = Program(data)
    ours = _Ours()
    peer = Association(AssociationOptions(), SeededRandomness("peer"))
    now = 1000.0
    how = program.byte()
    if how & 1:
        ours.core.start(bool(how & 2), now)
        now = _exchange(ours, peer, now)
    for _ in range(200):
        if not program:
            break
        word = program.byte()
        with suppress(LocalError, Closed):
            if word & 0x80:
                peer.send(
                    word & 7,
                    program.piece() or b"\0",
                    now,
                    ppid=_PPIDS[program.byte() & 7],
                    ordered=not word & 0x40,
                )
            elif word & 0x40:
                peer.reset([word & 7], now)
            elif word & 0x20:
                now = _exchange(ours, peer, now, lossy=bool(word & 1))
            elif word & 0x10:
                now += (0.01, 1.0, 6.0, 11.0)[word & 3]
                ours.core.tick(now)
                peer.tick(now)
            elif word == 8:
                ours.core.start(bool(how & 2), now)
            else:
                ours.act(word & 7, program, now)
        ours.hear(now)
    now = _exchange(ours, peer, now)
    check(footprint(ours.core) < _HELD, "holds too much")
    ours.core.abort(now)
    ours.hear(now)
    check(ours.ended == 1, "not exactly one end")
    check(ours.core.deadline == inf, "a timer after the end")
    check(not ours.refused - ours.closed, "a refusal was never answered")
    ours.core.flush(now)
    check(not ours.core.flush(now) and not ours.core.take_events(), "not silent after the end")


def _exchange(ours: _Ours, peer: Association, now: float, *, lossy: bool = False) -> float:
    """Packets to and fro until nobody speaks; ``lossy`` loses every third of ours and waits for timers once."""
    count = 0
    for _ in range(200):
        out: list[Any] = ours.core.flush(now)
        for packet in out:
            count += 1
            if not lossy or count % 3:
                peer.receive(packet, now)
        back = peer.flush(now)
        for packet in back:
            ours.core.receive(packet, now)
        ours.hear(now)
        for event in peer.take_events():
            if isinstance(event, MessageReceived):
                peer.consume(event.stream, len(event.data), now)
        if not out and not back:
            break
    else:
        check(False, "never stops talking")
    return now


def _seeds() -> Iterator[bytes]:
    for how in (1, 3):
        opening = write_open(Open(label="theirs", max_retransmits=2))
        for stream in (0, 1):
            announce = bytes([0x80 | stream]) + piece(opening) + b"\0" + b"\x20"
            yield bytes([how]) + announce
            yield (
                bytes([how])
                + announce
                + b"".join(bytes([0x80 | stream]) + piece(b"some data") + bytes([ppid]) for ppid in range(8))
                + b"\x20\x02\x00\x10\x00\x20"
            )
            yield bytes([how]) + announce + bytes([0x40 | stream, 0x20, 0x40 | stream, 0x20]) + announce
            yield bytes([how]) + bytes([0x80 | stream]) + piece(b"early") + b"\2\x20" + announce + b"\x03\x00\x20"
        yield bytes([how, 0, 0, 3]) + b"abc" + b"\x20\x80\x00\x01\x02\x00\x20\x02\x00\x01\x00\x20\x03\x00\x20\x13"
        yield bytes([how, 1, 0, 3, 0x20, 0x83, 0, 2, 1, 1, 2, 0x20, 2, 0, 0x70, 0, 2, 0, 0x70, 0, 0x21, 0x13, 0x20])
    yield bytes([0, 0, 0, 3]) + b"abc" + bytes([1, 0, 2, 2, 0, 1, 0, 8, 0x20])


TARGETS = {
    "datachannels": Target(name="datachannels", run=run, seeds=_seeds, packages=("pystack.datachannel",), max_size=1000)
}
