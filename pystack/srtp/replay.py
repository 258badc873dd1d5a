"""The replay window of one SSRC (RFC 3711 section 3.3.2), and with it the highest index, which holds the roll-over.

It is asked only after a packet proved authentic, so a forger cannot move it. The receiver calls it per packet.
"""

from __future__ import annotations

from typing import Final

from pystack.base import RangeSet
from pystack.srtp.cipher import PacketCipher
from pystack.srtp.hot import Opener

__all__ = ["FRESH", "OLD", "REPLAYED", "OpeningWindow", "ReplayWindow"]

FRESH: Final = 1
REPLAYED: Final = 0
OLD: Final = -1


class ReplayWindow:
    """Which of the ``size`` highest packet indices have been seen: those that are missing are kept, as intervals.

    Packets come almost in order, and then nothing is kept at all.

    Attributes:
        roll_over: the upper bits of the highest index admitted.
        following: its lower 16 bits and one: the number of the very next packet while the roll-over counter stays,
            65,536 when it will not. The receiver moves it on by one itself when that packet comes.
    """

    __slots__ = ("_missing", "_size", "following", "roll_over")

    def __init__(self, size: int, first: int) -> None:
        self._size = size
        self._missing = RangeSet()
        # The first packet to come need not be the first that was sent, and itself is not seen yet.
        self._missing.add_range(first - size + 1, first + 1)
        self.roll_over = first >> 16
        self.following = (first & 0xFFFF) + 1

    @property
    def highest(self) -> int:
        """The highest index admitted."""
        return (self.roll_over << 16) + self.following - 1

    def admit(self, index: int) -> int:
        """Record ``index``; return ``FRESH``, ``REPLAYED``, or ``OLD`` when it lies below the window."""
        highest = self.highest
        if index > highest:
            self.roll_over = index >> 16
            self.following = (index & 0xFFFF) + 1
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


class OpeningWindow(ReplayWindow):
    """The window of an SSRC of RTP, and what opens its packets: so that a packet costs one look-up.

    Attributes:
        open: opens packets under the roll-over counter of the highest index.
    """

    __slots__ = ("_cipher", "_ssrc", "open")

    def __init__(self, size: int, first: int, cipher: PacketCipher, ssrc: int) -> None:
        super().__init__(size, first)
        self._cipher = cipher
        self._ssrc = ssrc
        self.open: Opener = cipher.opener(ssrc, self.roll_over)

    def open_at(self, packet: bytes, header_length: int, index: int) -> bytes | None:
        """Open a packet of any index; ``None`` if it is not authentic."""
        return self._cipher.open(packet, header_length, self._ssrc, index)

    def admit(self, index: int) -> int:
        """See :meth:`ReplayWindow.admit`."""
        roll_over = self.roll_over
        verdict = super().admit(index)
        if self.roll_over != roll_over:
            self.open = self._cipher.opener(self._ssrc, self.roll_over)
        return verdict
