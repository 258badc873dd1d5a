"""Which TSNs have arrived (RFC 9260 section 6.2): the cumulative one, the ranges above it, and duplicates.

TSNs are plain integers in here. The gap blocks of the next SACK are kept encoded and only touched where something
changed: arrivals beyond a gap, the usual case while one is open, change the last block, so a SACK costs the same
whatever the number of gaps.
"""

from __future__ import annotations

from itertools import islice
from struct import Struct
from typing import Final

from pystack.base import RangeSet
from pystack.sctp.options import AssociationOptions
from pystack.sctp.wire.fast import MASK32, shift_gaps
from pystack.sctp.wire.sack import SACK_OVERHEAD

__all__ = ["MAX_AHEAD", "TsnTracker"]

MAX_AHEAD: Final = 0xFFFF
"""A SACK cannot report what lies further above the cumulative TSN (16-bit offsets), so it is not taken."""
_MAX_DUPLICATES: Final = 20
_BLOCK = Struct("!HH")
_HALF: Final = 1 << 31


class TsnTracker:
    """Keeps what a SACK says.

    Attributes:
        cumulative: plain; everything up to here has arrived or was skipped.
        ranges: what arrived above it, never touching ``cumulative``.
        gapped: whether there are any; kept beside them because the hot path asks.
        highest: no TSN above it has arrived; kept because what is beyond it needs no search.
        duplicates: TSNs (wire values) that arrived again since the last SACK, bounded.
    """

    __slots__ = ("_gaps", "_max_blocks", "_stale", "cumulative", "duplicates", "gapped", "highest", "ranges")

    def __init__(self, options: AssociationOptions) -> None:
        self._max_blocks = (options.capacity - SACK_OVERHEAD - 4 * _MAX_DUPLICATES) // 4
        self.begin(0)

    def begin(self, initial_tsn: int) -> None:
        """Start before the peer's first TSN."""
        self.cumulative = initial_tsn - 1
        self.ranges = RangeSet()
        self.gapped = False
        self.highest = self.cumulative
        self.duplicates: list[int] = []
        self._gaps = bytearray()
        self._stale = False

    def plain(self, tsn: int) -> int:
        """The plain value of a TSN on the wire, read as the one nearest to the cumulative TSN."""
        return self.cumulative + ((tsn - self.cumulative + _HALF) & MASK32) - _HALF

    def acceptable(self, plain: int) -> bool:
        """Whether that TSN is near enough to be taken."""
        return plain <= self.cumulative + MAX_AHEAD

    def has(self, plain: int) -> bool:
        """Whether that TSN arrived before."""
        return plain <= self.cumulative or plain in self.ranges

    def duplicate(self, tsn: int) -> None:
        """Remember a duplicate for the next SACK, within the bound."""
        if len(self.duplicates) < _MAX_DUPLICATES:
            self.duplicates.append(tsn)

    def add(self, plain: int) -> None:
        """Record a TSN that is new and acceptable."""
        if plain == self.cumulative + 1:
            self.cumulative = plain
            if self.gapped:
                self._absorb(1)
            return
        self.gapped = True
        ranges = self.ranges
        beyond = plain > self.highest
        if beyond:
            self.highest = plain
            if ranges.extend(plain):
                if not self._stale and len(ranges) <= self._max_blocks:
                    self._gaps[-2:] = (plain - self.cumulative).to_bytes(2, "big")
                return
        ranges.add(plain)
        if not beyond or self._stale:
            self._stale = True
        elif len(ranges) <= self._max_blocks:
            offset = plain - self.cumulative
            self._gaps += _BLOCK.pack(offset, offset)

    def skip_to(self, plain: int) -> None:
        """FORWARD-TSN: everything up to ``plain`` counts as arrived (RFC 3758 section 3.6)."""
        self.cumulative = plain
        self.ranges.remove_below(plain + 1)
        self._stale = True
        self._absorb(0)

    def _absorb(self, moved: int) -> None:
        """The cumulative TSN has moved, by ``moved``: it may touch the first range, and all blocks are seen from it."""
        ranges = self.ranges
        whole = not self._stale and len(self._gaps) == 4 * len(ranges)
        if ranges and ranges.first[0] <= self.cumulative + 1:
            before = self.cumulative
            self.cumulative = ranges.pop_first()[1] - 1
            moved += self.cumulative - before
            if whole:
                del self._gaps[:4]
        self.gapped = bool(ranges)
        if whole:
            self._gaps = bytearray(shift_gaps(bytes(self._gaps), moved))
        else:
            self._stale = True

    @property
    def sack_size(self) -> int:
        """The size of a SACK chunk that says all of this."""
        if not self.gapped:
            return SACK_OVERHEAD + 4 * len(self.duplicates)
        return SACK_OVERHEAD + 4 * (min(len(self.ranges), self._max_blocks) + len(self.duplicates))

    def gaps(self) -> bytes:
        """The encoded gap blocks of the next SACK; no more than fit into a packet."""
        if self._stale:
            self._stale = False
            base = self.cumulative
            told = islice(self.ranges, self._max_blocks)
            offsets = [value for start, stop in told for value in (start - base, stop - 1 - base)]
            self._gaps = bytearray(Struct(f"!{len(offsets)}H").pack(*offsets))
        return bytes(self._gaps)

    def take_duplicates(self) -> bytes:
        """The encoded duplicates, once."""
        encoded = b"".join(tsn.to_bytes(4, "big") for tsn in self.duplicates)
        self.duplicates.clear()
        return encoded
