"""One subscriber's sequence numbers and timestamps: continuous, whatever is switched behind them.

A receiver must see one stream. While one source is forwarded, both numbers are shifted by constants; at a switch (to
another layer, or after a pause) the constants change so that the next packet follows the last one sent: the next
sequence number, and a timestamp as much later as time has passed. Packets of the new source from before the switch
are refused, because their numbers are taken. Packets that are left out on purpose leave no gap either.
"""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["Munger"]

_GUARD: Final = 1000
"""Packets after a switch during which late ones from before it are refused."""
_CUTS: Final = 64
"""Runs of packets left out that are remembered, for packets from before that come late."""
_FAR: Final = 0x4000
"""Packets after the latest cut from which on none from before it is waited for."""


class Munger:
    """Shifts the numbers of one outgoing stream.

    It belongs to the outgoing stream (one SSRC), and outlives the tracks that are sent on it one after the other.

    Attributes:
        clock_rate: timestamps per second.
        sequence_number: the newest number sent.
        timestamp: of that packet.
    """

    __slots__ = (
        "_cuts",
        "_first",
        "_guard",
        "_sent_at",
        "_shift",
        "_started",
        "_time_shift",
        "clock_rate",
        "sequence_number",
        "timestamp",
    )

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self._started = False
        self._shift = 0
        self._time_shift = 0
        self._first = 0
        self._guard = 0
        self._cuts: deque[tuple[int, int]] = deque(maxlen=_CUTS)  # (first number after it, shift before it)
        self._sent_at = 0.0
        self.sequence_number = 0
        self.timestamp = 0

    def switch(self, sequence_number: int, timestamp: int, now: float) -> None:
        """The packet with these numbers is the first of another source, or after a pause."""
        if self._started:
            self._shift = (self.sequence_number + 1 - sequence_number) & 0xFFFF
            passed = max(1, round((now - self._sent_at) * self.clock_rate))
            self._time_shift = (self.timestamp + passed - timestamp) & 0xFFFFFFFF
        else:
            self._started = True
            self.sequence_number = (sequence_number - 1) & 0xFFFF
            self.timestamp = timestamp
        self._first = sequence_number
        self._guard = _GUARD
        self._cuts.clear()

    def leave_out(self, sequence_number: int) -> None:
        """Do not send this packet: those after it close the gap. One that comes late leaves its gap open."""
        following = (sequence_number + 1) & 0xFFFF
        ahead = (sequence_number + self._shift - self.sequence_number) & 0xFFFF
        if not 0 < ahead < 0x8000 or (self._cuts and (sequence_number - self._cuts[-1][0]) & 0x8000):
            return
        if self._cuts and self._cuts[-1][0] == sequence_number:
            self._cuts[-1] = following, self._cuts[-1][1]
        else:
            self._cuts.append((following, self._shift))
        self._shift = (self._shift - 1) & 0xFFFF

    def translate(self, sequence_number: int, timestamp: int, now: float) -> tuple[int, int] | None:
        """The outgoing numbers of a packet; ``None`` if it is from before the switch."""
        if self._guard:
            self._guard -= 1
            if (sequence_number - self._first) & 0x8000:
                return None
        shift = self._shift
        if self._cuts:
            age = (sequence_number - self._cuts[-1][0]) & 0xFFFF
            if age & 0x8000:
                shift = self._shift_before(sequence_number)
            elif age > _FAR:
                self._cuts.clear()
        outgoing = (sequence_number + shift) & 0xFFFF
        moved = (timestamp + self._time_shift) & 0xFFFFFFFF
        if 0 < (outgoing - self.sequence_number) & 0xFFFF < 0x8000:
            self.sequence_number = outgoing
            self.timestamp = moved
            self._sent_at = now
        return outgoing, moved

    def _shift_before(self, sequence_number: int) -> int:
        """The shift that held for a packet from before the latest cut."""
        shift = self._shift
        for first_after, before in reversed(self._cuts):
            if not (sequence_number - first_after) & 0x8000:
                break
            shift = before
        return shift
