"""When each numbered packet of the transport went, and how large it was, for a while.

Two rings of plain numbers, 48 KiB together: nothing is made per packet. Called by the send streams for each packet,
retransmissions and padding included.
"""

from __future__ import annotations

from array import array
from typing import Final

__all__ = ["MASK", "SIZE", "SentPackets"]

SIZE: Final = 4096
MASK: Final = SIZE - 1


class SentPackets:
    """The latest 4,096 packets by transport-wide number.

    Attributes:
        following: the number after the latest, 16 bits.
        times, octets: of the packet before each number, at that number's place; -1 where none went.
    """

    __slots__ = ("following", "octets", "times")

    def __init__(self, following: int) -> None:
        self.following = following
        self.times = array("d")
        self.octets = array("I")

    def note(self, following: int, octets: int, now: float) -> None:
        """A packet of so many octets went; ``following`` is the number of the next one. Hot."""
        if following == self.following:
            return  # it has no number: its section did not agree to the extension
        self.following = following
        at = following & MASK
        if not self.times:  # most connections never send any media
            self.times.extend((-1.0,) * SIZE)
            self.octets.extend((0,) * SIZE)
        self.times[at] = now
        self.octets[at] = octets

    def behind(self, number: int) -> int:
        """How far this 16-bit number lies behind the next one; 0 if it lies ahead: such a packet never went."""
        behind = (self.following - number) & 0xFFFF
        return behind if behind < 0x8000 else 0

    def get(self, number: int) -> tuple[float, int] | None:
        """When the packet with this 16-bit number went, and its octets; ``None`` if it did not, or long ago.

        The plain twin of what :class:`pystack.rtp.congestion.outcomes.OutcomeReader` does for many at once.
        """
        behind = (self.following - number) & 0xFFFF
        if not 0 < behind <= SIZE or not self.times:
            return None
        at = (number + 1) & MASK
        time = self.times[at]
        return None if time < 0 else (time, self.octets[at])
