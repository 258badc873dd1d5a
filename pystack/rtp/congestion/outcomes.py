"""Reads transport-wide feedback against what was sent: what became of each packet, once, in the order of sending.

A number that was told already is not told again, and what a lost feedback packet would have told is not known: neither
counts as lost (requirements C-19). The reference time is 24 bits of 64 ms, and wraps every twelve days.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from pystack.rtp.congestion.sent import MASK, SIZE, SentPackets
from pystack.rtp.rtcp.transport import TICK, TICKS_PER_REFERENCE, TransportFeedback

__all__ = ["Outcome", "OutcomeReader"]

Outcome: TypeAlias = tuple[float, "float | None", int]
"""When it went, when it came (on the peer's clock; ``None``: it did not), and its octets."""

_WRAP: Final = 1 << 24
_FAR: Final = 0x8000


class OutcomeReader:
    """The place where the feedback of one transport has got to."""

    __slots__ = ("_next", "_reference")

    def __init__(self) -> None:
        self._next: int | None = None
        self._reference: int | None = None

    def read(self, feedback: TransportFeedback, sent: SentPackets) -> list[Outcome]:
        """Say what is new in ``feedback``. Hot: once for each packet that was sent."""
        ticks = self._unwrap(feedback.reference_time) * TICKS_PER_REFERENCE
        number, deltas = feedback.base_sequence, feedback.deltas
        skip = 0 if self._next is None else (self._next - number) & 0xFFFF
        if skip >= _FAR:
            skip = 0  # feedback between was lost
        elif len(deltas) <= skip:
            return []
        self._next = number + len(deltas) & 0xFFFF
        # Only what was sent, and is still known, means anything.
        behind = (sent.following - number) & 0xFFFF
        begin = max(skip, behind - SIZE)
        times, octets = sent.times, sent.octets
        outcomes: list[Outcome] = []
        if not times:
            return outcomes
        for delta in deltas[:begin]:
            if delta is not None:
                ticks += delta
        for at, delta in enumerate(deltas[begin:behind], number + 1 + begin):
            went = times[at & MASK]
            if delta is None:
                came = None
            else:
                ticks += delta
                came = ticks * TICK
            if went >= 0:
                outcomes.append((went, came, octets[at & MASK]))
        return outcomes

    def _unwrap(self, reference: int) -> int:
        known = self._reference
        if known is not None:
            reference = known + ((reference - known + _WRAP // 2) % _WRAP - _WRAP // 2)
        self._reference = reference
        return reference
