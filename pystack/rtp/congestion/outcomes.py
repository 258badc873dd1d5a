"""Reads transport-wide feedback against what was sent: what became of each packet, once, in the order of sending.

A number that was told already is not told again, and what a lost feedback packet would have told is not known: neither
counts as lost (requirements C-19). So whatever is claimed, each packet that was sent is looked at once, and feedback
that begins with what never went is nothing. The reference time is 24 bits of 64 ms, and wraps every twelve days.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from pystack.rtp.congestion.sent import MASK, SIZE, SentPackets
from pystack.rtp.rtcp.transport import TICK, TICKS_PER_REFERENCE, TransportFeedback

__all__ = ["Outcome", "OutcomeReader"]

Outcome: TypeAlias = tuple[float, "float | None", int]
"""When it went, when it came (on the peer's clock; ``None``: it did not), and its octets."""

_WRAP: Final = 1 << 24


class OutcomeReader:
    """The place where the feedback of one transport has got to."""

    __slots__ = ("_next", "_reference")

    def __init__(self) -> None:
        self._next: int | None = None
        self._reference: int | None = None

    def read(self, feedback: TransportFeedback, sent: SentPackets) -> list[Outcome]:
        """Say what is new in ``feedback``. Hot: once for each packet that was sent."""
        number, deltas = feedback.base_sequence, feedback.deltas
        following = sent.following
        behind = sent.behind(number)
        # How many of the latest were not told yet; of what is older nothing is known any more.
        untold = SIZE if self._next is None else min((following - self._next) & 0xFFFF, SIZE)
        begin, end = max(0, behind - untold), min(len(deltas), behind)
        if begin >= end:
            return []
        self._next = number + end & 0xFFFF
        ticks = self._unwrap(feedback.reference_time) * TICKS_PER_REFERENCE
        came: list[float | None] = [None] * (end - begin)
        for offset, delta in zip(deltas.offsets, deltas.values, strict=True):
            ticks += delta
            if begin <= offset < end:
                came[offset - begin] = ticks * TICK
        times, octets = sent.times, sent.octets
        outcomes: list[Outcome] = []
        if times:
            for at, each in enumerate(came, number + 1 + begin):
                went = times[at & MASK]
                if went >= 0:
                    outcomes.append((went, each, octets[at & MASK]))
        return outcomes

    def _unwrap(self, reference: int) -> int:
        known = self._reference
        if known is not None:
            reference = known + ((reference - known + _WRAP // 2) % _WRAP - _WRAP // 2)
        self._reference = reference
        return reference
