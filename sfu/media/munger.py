"""One subscriber's sequence numbers and timestamps: continuous, whatever is switched behind them.

A receiver must see one stream. While one source is forwarded, both numbers are shifted by constants; at a switch (to
another layer, or after a pause) the constants change so that the next packet follows the last one sent: the next
sequence number, and a timestamp as much later as time has passed. Packets of the new source from before the switch
are refused, because their numbers are taken.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Munger"]

_GUARD: Final = 1000
"""Packets after a switch during which late ones from before it are refused."""


class Munger:
    """Shifts the numbers of one outgoing stream.

    It belongs to the outgoing stream (one SSRC), and outlives the tracks that are sent on it one after the other.

    Attributes:
        clock_rate: timestamps per second.
        sequence_number: the newest number sent.
        timestamp: of that packet.
    """

    __slots__ = (
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

    def translate(self, sequence_number: int, timestamp: int, now: float) -> tuple[int, int] | None:
        """The outgoing numbers of a packet; ``None`` if it is from before the switch."""
        if self._guard:
            self._guard -= 1
            if (sequence_number - self._first) & 0x8000:
                return None
        outgoing = (sequence_number + self._shift) & 0xFFFF
        moved = (timestamp + self._time_shift) & 0xFFFFFFFF
        if 0 < (outgoing - self.sequence_number) & 0xFFFF < 0x8000:
            self.sequence_number = outgoing
            self.timestamp = moved
            self._sent_at = now
        return outgoing, moved
