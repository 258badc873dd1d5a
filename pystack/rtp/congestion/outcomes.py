"""Reads transport-wide feedback against what was sent: what became of each packet, once, in the order of sending.

A number that was told already is not told again, and what a lost feedback packet would have told is not known: neither
counts as lost (requirements C-19). The reference time is 24 bits of 64 ms, and wraps every twelve days.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from pystack.rtp.congestion.sent import SentPackets
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
        """Say what is new in ``feedback``."""
        ticks = self._unwrap(feedback.reference_time) * TICKS_PER_REFERENCE
        number = feedback.base_sequence
        skip = 0 if self._next is None else (self._next - number) & 0xFFFF
        if skip >= _FAR:
            skip = 0  # feedback between was lost
        outcomes: list[Outcome] = []
        for index, delta in enumerate(feedback.deltas):
            if delta is not None:
                ticks += delta
            if index < skip:
                continue
            packet = sent.get(number + index & 0xFFFF)
            if packet is not None:
                outcomes.append((packet[0], None if delta is None else ticks * TICK, packet[1]))
        if len(feedback.deltas) > skip or self._next is None:
            self._next = number + len(feedback.deltas) & 0xFFFF
        return outcomes

    def _unwrap(self, reference: int) -> int:
        known = self._reference
        if known is not None:
            reference = known + ((reference - known + _WRAP // 2) % _WRAP - _WRAP // 2)
        self._reference = reference
        return reference
