"""The out-trays that the parts of one association share: events up, chunks and whole packets down, one end.

Parts call nothing of each other's to speak; they put things here, and the composer's ``flush`` and ``take_events``
carry them out. Both trays for the wire are bounded, because a peer can make us answer without our ever flushing.
"""

from __future__ import annotations

from typing import Final

from pystack.base import Ended, Trace
from pystack.errors import Reason
from pystack.sctp.events import AssociationEvent

__all__ = ["Outbox"]

_MAX_CHUNKS: Final = 64
_MAX_PACKETS: Final = 16


class Outbox:
    """Where the parts leave what should go out.

    Attributes:
        events: for the layer above, oldest first.
        chunks: control chunks, encoded, that travel bundled under the peer's tag.
        packets: whole packets that must travel as they are (INIT, INIT-ACK, farewells).
        farewell: the chunk that says why, for the composer to send last.
        reason: why the association ended; ``None`` while it lives. Set once.
        drops: what was dropped, by cause.
    """

    __slots__ = ("_trace", "chunks", "drops", "events", "farewell", "packets", "reason")

    def __init__(self, trace: Trace | None) -> None:
        self._trace = trace
        self.events: list[AssociationEvent] = []
        self.chunks: list[bytes] = []
        self.packets: list[bytes] = []
        self.farewell: bytes | None = None
        self.reason: Reason | None = None
        self.drops: dict[str, int] = {}

    def chunk(self, encoded: bytes) -> None:
        """Queue a control chunk; beyond the bound it is dropped, since each of them is repeated or asked for again."""
        if len(self.chunks) < _MAX_CHUNKS:
            self.chunks.append(encoded)
        else:
            self.drops["reply-queue-full"] = self.drops.get("reply-queue-full", 0) + 1

    def packet(self, encoded: bytes) -> None:
        """Queue a whole packet, within the bound."""
        if len(self.packets) < _MAX_PACKETS:
            self.packets.append(encoded)
        else:
            self.drops["reply-queue-full"] = self.drops.get("reply-queue-full", 0) + 1

    def drop(self, why: str, now: float) -> None:
        """Count something that was dropped."""
        self.drops[why] = self.drops.get(why, 0) + 1
        if self._trace is not None:
            self._trace.dropped(now, "sctp", why)

    def end(self, reason: Reason, farewell: bytes | None = None) -> None:
        """End the association; the first reason wins. ``farewell`` is an encoded chunk, or nothing is said."""
        if self.reason is not None:
            return
        self.reason = reason
        self.farewell = farewell
        self.chunks.clear()
        self.packets.clear()
        self.events.append(Ended(reason))
