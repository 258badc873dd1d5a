"""Packets into an association in each state; ports, tag and checksum are made right, so that the chunks are read.

Input: a byte for the state, then pieces: a byte that says how (which tag, wait first, what the application does), and
chunks. After it the peer is silent: everything must end within its bounds, and after the end there is nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from math import inf
from typing import Any, Final
from zlib import crc32

from fuzz.recorded import recorded
from fuzz.search import packed
from fuzz.target import Program, Target, check, piece
from fuzz.targets.sctp_states import BUILDERS, NAMES, OPTIONS, Meeting, meet
from pystack.base import Ended
from pystack.errors import Closed, LocalError
from pystack.sctp import Association, AssociationState, MessageReceived
from pystack.sctp.wire.packet import Packet, checksum
from pystack.testing.laws import footprint

__all__ = ["sample_chunks"]

_LONGEST: Final = 2000.0
"""Simulated seconds after which a silent peer must have been noticed: eleven heartbeats of an idle association."""
_HELD: Final = 700_000
"""Bytes that an association of these options may occupy, whatever it was told."""


def run(data: bytes) -> None:
    program = Program(data)
    met = meet(program.byte())
    core = met.core
    seen: list[Any] = []
    taken = 0
    while program and taken < 64:
        taken += 1
        how = program.byte()
        if how & 4 and core.deadline < inf:
            met.now = max(met.now, core.deadline)
            core.tick(met.now)
        if how & 8:
            _act(core, how >> 4, met.now)
        core.receive(_packet(met, how & 3, program.piece()), met.now)
        _settle(met, seen)
    check(sum(isinstance(each, Ended) for each in seen) <= 1, "ended twice")
    if crc32(data) % 16 == 0:
        check(footprint(core) < _HELD, "holds too much")
    _fall_silent(met, seen)


def _packet(met: Meeting, tag: int, chunks: bytes) -> bytes:
    value = met.core._handshake.local_tag
    if tag == 2:
        peer = met.core._handshake.peer
        value = peer.tag if peer is not None else 1
    elif tag == 3 or chunks[:1] == b"\1":
        value = 0
    packet = (5000 << 16 | 5000).to_bytes(4, "big") + value.to_bytes(4, "big") + bytes(4) + chunks
    return packet[:8] + checksum(packet).to_bytes(4, "little") + chunks


def _act(core: Association, what: int, now: float) -> None:
    with suppress(LocalError, Closed):
        if what < 4:
            core.send(
                what, b"user data " * (1 << 2 * what), now, ppid=53, ordered=what != 1, max_retransmits=what or None
            )
        elif what < 6:
            core.send(what, b"for a while", now, ppid=53, lifetime=0.5)
        elif what < 9:
            core.reset([1, what], now)
        elif what < 12:
            core.consume(1, 1000, now)
        elif what == 12:
            core.connect(now)
        elif what == 13:
            core.shutdown(now)
        elif what == 14:
            core.set_low_threshold(1, 100)


def _settle(met: Meeting, seen: list[Any]) -> None:
    core = met.core
    for event in core.take_events():
        seen.append(event)
        if isinstance(event, MessageReceived):
            core.consume(event.stream, len(event.data), met.now)
    for packet in core.flush(met.now):
        check(len(packet) <= OPTIONS.mtu, "a packet above the MTU")
        read = Packet.decode(packet, accept_zero=True)
        check(read.encode(zero_checksum=packet[8:12] == bytes(4)) == packet, "a packet is not written as it is read")
    check(not core.flush(met.now) or core.state is AssociationState.ENDED, "flush does not run dry")
    stats = core.stats()
    check(stats.flight >= 0 and stats.buffered >= 0 and stats.peer_window >= 0, "a number below zero")
    check(stats.buffered <= OPTIONS.send_buffer + 2 * OPTIONS.max_message_size, "more queued than the budget")


def _fall_silent(met: Meeting, seen: list[Any]) -> None:
    core = met.core
    began = met.now
    ticks = 0
    while core.deadline < inf:
        check(core.deadline > met.now or ticks == 0, "a deadline that does not move on")
        met.now = max(met.now, core.deadline)
        core.tick(met.now)
        _settle(met, seen)
        ticks += 1
        check(met.now - began < _LONGEST and ticks < 2000, "a silent peer is not noticed")
    check(core.state in {AssociationState.CLOSED, AssociationState.ENDED}, f"waits for ever in {core.state.value}")
    core.abort(met.now)
    _settle(met, seen)
    started_ended = core.state is AssociationState.ENDED and not any(isinstance(each, Ended) for each in seen)
    ends = sum(isinstance(each, Ended) for each in seen)
    check(ends == 1 or (started_ended and ends == 0), "not exactly one end")
    check(core.deadline == inf, "a timer after the end")
    check(not core.flush(met.now), "talks after the end")


@cache
def sample_chunks() -> tuple[bytes, ...]:
    """The chunks of the packets that peers of all states send, and those of the corpus."""
    found = dict.fromkeys([*(packet[12:] for packet in recorded("sctp")), *packed("sctp-packet")])
    for _, _, build in BUILDERS:
        met = build()
        for _ in range(4):
            for packet in [*met.to_core, *met.peer.flush(met.now)]:
                found[packet[12:]] = None
                with suppress(Closed):
                    met.core.receive(packet, met.now)
            met.to_core.clear()
            for packet in met.core.flush(met.now):
                found[packet[12:]] = None
                met.peer.receive(packet, met.now)
            if met.peer.deadline < inf:
                met.now = max(met.now, met.peer.deadline)
                met.peer.tick(met.now)
        met.peer.abort(met.now)
        found.update(dict.fromkeys(packet[12:] for packet in met.peer.flush(met.now)))
    return tuple(found)


def _seeds() -> Iterator[bytes]:
    """Each state with what its peer would really say next, and with a shutdown, an abort and a restart."""
    for number, (_, _, build) in enumerate(BUILDERS):
        yield bytes([number])
        met = build()
        packets = [*met.to_core, *met.peer.flush(met.now)]
        for _ in range(2):
            if met.peer.deadline < inf:
                met.now = max(met.now, met.peer.deadline)
                met.peer.tick(met.now)
                packets += met.peer.flush(met.now)
        if packets:
            yield bytes([number]) + b"".join(b"\0" + piece(packet[12:]) for packet in packets[:6])
        met.peer.abort(met.now)
        yield bytes([number]) + b"".join(b"\0" + piece(packet[12:]) for packet in met.peer.flush(met.now))
        for chunks in sample_chunks():
            if len(chunks) < 400:
                yield bytes([number, 0]) + piece(chunks)


def _group(data: bytes) -> str:
    return NAMES[data[0] % len(NAMES)] if data else NAMES[0]


TARGETS = {
    "sctp-association": Target(name="sctp-association", run=run, seeds=_seeds, group=_group, packages=("pystack.sctp",))
}
