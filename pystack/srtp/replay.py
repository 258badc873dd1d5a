"""The replay window of one SSRC (RFC 3711 section 3.3.2), and with it the highest index, which holds the roll-over.

It is asked only after a packet proved authentic, so a forger cannot move it. The receiver calls it per packet.
"""

from __future__ import annotations

from typing import Final

from pystack.base import RangeSet
from pystack.srtp.hot import Opener

__all__ = ["FRESH", "OLD", "REPLAYED", "ReplayWindow"]

FRESH: Final = 1
REPLAYED: Final = 0
OLD: Final = -1


def _nothing(packet: bytes, header_length: int, index: int) -> bytes | None:
    """A window of SRTCP, whose packets are opened by the cipher itself, opens nothing."""
    return None


class ReplayWindow:
    """Which of the ``size`` highest packet indices have been seen: those that are missing are kept, as intervals.

    Packets come almost in order, and then nothing is kept at all.

    Attributes:
        highest: the highest index admitted; its upper bits are the roll-over counter. The receiver moves it on by one
            itself when the very next packet comes.
        open: what opens the packets of this SSRC; it lives here so that a packet costs one look-up.
    """

    __slots__ = ("_missing", "_size", "highest", "open")

    def __init__(self, size: int, first: int, open_: Opener = _nothing) -> None:
        self._size = size
        self.open = open_
        self._missing = RangeSet()
        # The first packet to come need not be the first that was sent, and itself is not seen yet.
        self._missing.add_range(first - size + 1, first + 1)
        self.highest = first

    def admit(self, index: int) -> int:
        """Record ``index``; return ``FRESH``, ``REPLAYED``, or ``OLD`` when it lies below the window."""
        highest = self.highest
        if index > highest:
            self.highest = index
            if index > highest + 1:
                self._missing.add_range(max(highest + 1, index - self._size + 1), index)
                self._missing.remove_below(index - self._size + 1)
            return FRESH
        if index <= highest - self._size:
            return OLD
        if index not in self._missing:
            return REPLAYED
        self._missing.remove_range(index, index + 1)
        return FRESH
