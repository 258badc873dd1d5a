"""When each numbered packet of the transport went, and how large it was, for a while.

Two rings of plain numbers: nothing is made per packet. Called by the send streams for each packet, retransmissions and
padding included.
"""

from __future__ import annotations

from typing import Final

__all__ = ["SentPackets"]

_SIZE: Final = 4096
_MASK: Final = _SIZE - 1


class SentPackets:
    """The latest 4,096 packets by transport-wide number.

    Attributes:
        following: the number after the latest, 16 bits.
    """

    __slots__ = ("_octets", "_times", "following")

    def __init__(self, following: int) -> None:
        self.following = following
        self._times = [-1.0] * _SIZE
        self._octets = [0] * _SIZE

    def note(self, following: int, octets: int, now: float) -> None:
        """A packet of so many octets went; ``following`` is the number of the next one. Hot."""
        if following == self.following:
            return  # it has no number: its section did not agree to the extension
        self.following = following
        at = following & _MASK
        self._times[at] = now
        self._octets[at] = octets

    def get(self, number: int) -> tuple[float, int] | None:
        """When the packet with this 16-bit number went, and its octets; ``None`` if it did not, or long ago."""
        behind = (self.following - number) & 0xFFFF
        if not 0 < behind <= _SIZE:
            return None
        at = (number + 1) & _MASK
        time = self._times[at]
        return None if time < 0 else (time, self._octets[at])
