"""Fills packets: what goes into one, and in which order (RFC 9260 sections 6.1, 6.2 and 6.10).

Control first, then an acknowledgement, FORWARD-TSN, what was lost, and new data. The packer alone knows how long a
packet may be, so nothing that leaves is longer. Called by ``Association.flush``: hot.
"""

from __future__ import annotations

from pystack.sctp.options import AssociationOptions
from pystack.sctp.outbox import Outbox
from pystack.sctp.rx.acker import Acker
from pystack.sctp.states import Lifecycle
from pystack.sctp.tx.retransmit import Retransmitter
from pystack.sctp.tx.scheduler import Scheduler
from pystack.sctp.wire.fast import Seal

__all__ = ["Packer"]


class Packer:
    """Makes packets of what the other parts have.

    Attributes:
        seal: closes packets to the peer; replaced when the peer's tag is known.
    """

    __slots__ = ("_acker", "_capacity", "_lifecycle", "_outbox", "_retransmitter", "_scheduler", "seal")

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
        self.seal = Seal(options.local_port, options.remote_port, 0)

    def fill(self, now: float, limit: float) -> list[bytes]:
        """Everything that may go now, in at most ``limit`` packets; empty when there is nothing."""
        acker, outbox, scheduler, retransmitter = self._acker, self._outbox, self._scheduler, self._retransmitter
        packets: list[bytes] = []
        sends = self._lifecycle.sends
        close = self.seal.close
        capacity = self._capacity
        while len(packets) < limit:
            fresh = sends and scheduler.ready()
            again = sends and retransmitter.waiting
            if not (fresh or again or outbox.chunks or acker.due):
                break
            parts: list[bytes] = []
            room = capacity
            while outbox.chunks and len(outbox.chunks[0]) <= room:
                chunk = outbox.chunks.pop(0)
                parts.append(chunk)
                room -= len(chunk)
            if outbox.chunks and len(outbox.chunks[0]) > capacity:
                outbox.chunks.pop(0)  # a reply that no packet can carry
                outbox.drop("reply-too-long", now)
            if room >= acker.size:
                sack = acker.take(bundled=fresh or again)
                if sack is not None:
                    parts.append(sack)
                    room -= len(sack)
            if again:
                forward = retransmitter.take_forward(room)
                if forward is not None:
                    parts.append(forward)
                    room -= len(forward)
                while (wire := retransmitter.next_lost(room, now)) is not None:
                    parts.append(wire)
                    room -= len(wire)
            if fresh:
                while (wire := scheduler.next_chunk(room, now)) is not None:
                    parts.append(wire)
                    room -= len(wire)
                    if room < 20:
                        break
            if not parts:
                break
            if sends and len(retransmitter.outstanding):
                retransmitter.departed(now)
            packets.append(close(parts[0] if len(parts) == 1 else b"".join(parts)))
        return packets
