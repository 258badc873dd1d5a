"""Fills packets: what goes into one, and in which order (RFC 9260 sections 6.1, 6.2 and 6.10).

Control first, then an acknowledgement, FORWARD-TSN, what was lost, and new data. The packer alone knows how long a
packet may be, so nothing that leaves is longer. Called by ``Association.flush``: hot.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pystack.sctp.options import AssociationOptions
from pystack.sctp.outbox import Outbox
from pystack.sctp.rx.acker import Acker
from pystack.sctp.states import Lifecycle
from pystack.sctp.tx.retransmit import Retransmitter
from pystack.sctp.tx.scheduler import Scheduler
from pystack.sctp.wire.fast import Seal

__all__ = ["Packer"]

_SMALLEST: Final = 20
"""No DATA chunk with user data is smaller, padded."""


class Packer:
    """Makes packets of what the other parts have.

    Attributes:
        seal: closes packets to the peer; replaced when the peer's tag is known.
        next_chunk: gives new data; the scheduler's, or the interleaver's when the peer agreed.
    """

    __slots__ = ("_acker", "_capacity", "_lifecycle", "_outbox", "_retransmitter", "_scheduler", "next_chunk", "seal")

    def __init__(
        self,
        options: AssociationOptions,
        lifecycle: Lifecycle,
        outbox: Outbox,
        acker: Acker,
        retransmitter: Retransmitter,
        scheduler: Scheduler,
    ) -> None:
        self._capacity = options.capacity
        self._lifecycle = lifecycle
        self._outbox = outbox
        self._acker = acker
        self._retransmitter = retransmitter
        self._scheduler = scheduler
        self.next_chunk: Callable[[int, float], bytes | None] = scheduler.next_chunk
        self.seal = Seal(options.local_port, options.remote_port, 0)

    def fill(self, now: float, limit: float) -> list[bytes]:
        """Everything that may go now, in at most ``limit`` packets; empty when there is nothing."""
        acker, outbox, retransmitter = self._acker, self._outbox, self._retransmitter
        next_chunk, ring = self.next_chunk, self._scheduler.ring
        sends = self._lifecycle.sends
        close = self.seal.close
        lost = retransmitter.outstanding.lost
        packets: list[bytes] = []
        while len(packets) < limit:
            if outbox.chunks or acker.due or acker.pending or retransmitter.waiting:
                parts, room = self._begin(now)
            else:  # nothing but new data
                parts, room = [], self._capacity
            if sends and ring and not lost:  # what was lost goes first, also when it has to wait
                while (wire := next_chunk(room, now)) is not None:
                    parts.append(wire)
                    room -= len(wire)
                    if room < _SMALLEST:
                        break
            if not parts:
                break
            packets.append(close(parts[0] if len(parts) == 1 else b"".join(parts)))
        if packets and len(retransmitter.outstanding):
            retransmitter.departed(now)
        return packets

    def _begin(self, now: float) -> tuple[list[bytes], int]:
        """What goes before new data, and the room that is left behind it."""
        acker, outbox, retransmitter = self._acker, self._outbox, self._retransmitter
        parts: list[bytes] = []
        room = self._capacity
        while outbox.chunks:
            size = len(outbox.chunks[0])
            if size > self._capacity:
                outbox.drop("reply-too-long", now)
                outbox.chunks.pop(0)
                continue
            if size > room:
                break
            parts.append(outbox.chunks.pop(0))
            room -= size
        sends = self._lifecycle.sends
        if room >= acker.size:
            sack = acker.take(bundled=sends and (retransmitter.waiting or self._scheduler.ready()))
            if sack is not None:
                parts.append(sack)
                room -= len(sack)
        if sends and retransmitter.waiting:
            forward = retransmitter.take_forward(room)
            if forward is not None:
                parts.append(forward)
                room -= len(forward)
            while (wire := retransmitter.next_lost(room, now)) is not None:
                parts.append(wire)
                room -= len(wire)
        return parts, room
