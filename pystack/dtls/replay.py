"""The window that tells a new record from a repeated one (RFC 6347 section 4.1.2.6).

A bit mask behind the highest number seen, bit 0 being that number itself. Only authenticated records may be marked.
The hot path of :mod:`pystack.dtls.records` reads and writes ``top`` and ``mask`` itself when records come in order.
"""

from __future__ import annotations

__all__ = ["ReplayWindow"]


class ReplayWindow:
    """Remembers the last ``size`` record numbers.

    Attributes:
        top: the highest number marked, -1 at first.
        mask: bit *n* is set if ``top - n`` was marked.
        full: a mask of ``size`` ones.
    """

    __slots__ = ("_size", "full", "mask", "top")

    def __init__(self, size: int) -> None:
        self._size = size
        self.full = (1 << size) - 1
        self.top = -1
        self.mask = 0

    def fresh(self, number: int) -> bool:
        """Tell whether ``number`` is new, and not so old that nobody can tell."""
        behind = self.top - number
        if behind < 0:
            return True
        return behind < self._size and not self.mask >> behind & 1

    def mark(self, number: int) -> None:
        """Remember a number that was :meth:`fresh`."""
        ahead = number - self.top
        if ahead <= 0:
            self.mask |= 1 << -ahead
        elif ahead >= self._size:  # never shift by what a peer chose: it may be 2**48
            self.top, self.mask = number, 1
        else:
            self.top, self.mask = number, (self.mask << ahead | 1) & self.full
