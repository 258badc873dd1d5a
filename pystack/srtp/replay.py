"""The replay window of one SSRC (RFC 3711 section 3.3.2), and with it the highest index, which holds the roll-over.

It is asked only after a packet proved authentic, so a forger cannot move it. The receiver calls it per packet.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FRESH", "OLD", "REPLAYED", "ReplayWindow"]

FRESH: Final = 1
REPLAYED: Final = 0
OLD: Final = -1


class ReplayWindow:
    """Which of the ``size`` highest packet indices have been seen: one integer as a bitmap.

    Attributes:
        highest: the highest index admitted; its upper bits are the roll-over counter.
    """

    __slots__ = ("_mask", "_seen", "_size", "highest")

    def __init__(self, size: int, first: int) -> None:
        self._size = size
        self._mask = (1 << size) - 1
        self._seen = 0
        self.highest = first

    def admit(self, index: int) -> int:
        """Record ``index``; return ``FRESH``, ``REPLAYED``, or ``OLD`` when it lies below the window."""
        ahead = index - self.highest
        if ahead > 0:
            self.highest = index
            self._seen = ((self._seen << ahead) | 1) & self._mask if ahead < self._size else 1
            return FRESH
        if ahead <= -self._size:
            return OLD
        bit = 1 << -ahead
        if self._seen & bit:
            return REPLAYED
        self._seen |= bit
        return FRESH
