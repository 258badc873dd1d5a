"""How much may wait in one receiver's channel, so that what waits is never old.

Frames that are late are worth nothing: instead of letting a slow receiver's buffer fill, packets that would wait for
longer than :data:`LATENCY` are not written. How fast the receiver takes them is measured while something waits.
"""

from __future__ import annotations

from typing import Final

__all__ = ["LATENCY", "LEAST", "MOST", "Backlog"]

LATENCY: Final = 0.1
"""Seconds that a packet may wait in the channel."""
LEAST: Final = 8 * 1024
"""Bytes that may wait however slow the receiver is."""
MOST: Final = 256 * 1024
"""Bytes that may wait while it is not known how fast it is: a large frame comes at once."""


class Backlog:
    """The measure of one channel.

    Attributes:
        limit: bytes that may wait now.
    """

    __slots__ = ("_before", "_since", "_written", "limit")

    def __init__(self) -> None:
        self.limit = float(MOST)
        self._written = 0
        self._since: float | None = None
        self._before = 0

    def admit(self, size: int, waiting: int, now: float) -> bool:
        """Whether a packet of ``size`` bytes may be written, when ``waiting`` bytes wait; counts it if so."""
        left = self._written - waiting
        if not waiting:
            self._since, self._before = None, left
            self.limit = MOST
        elif self._since is None:
            self._since, self._before = now, left
        elif now - self._since >= LATENCY:
            rate = (left - self._before) / (now - self._since)
            self.limit = min(max(LEAST, rate * LATENCY), MOST)
            self._since, self._before = now, left
        if waiting and waiting + size > self.limit:
            return False
        self._written += size
        return True
