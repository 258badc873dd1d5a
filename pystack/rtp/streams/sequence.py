"""Which packets of one stream have come: extended sequence numbers, losses, duplicates, restarts.

RFC 3550 appendices A.1 and A.3, with requirements C-13: a duplicate never hides a loss, and a stream that starts
again somewhere else is believed after five consecutive packets. Called by the receive stream per packet.
"""

from __future__ import annotations

from typing import Final

from pystack.base import RangeSet

__all__ = ["DUPLICATE", "FRESH", "HELD", "LATE", "RESTARTED", "SequenceTracker"]

FRESH: Final = 1
"""Ahead of everything so far."""
LATE: Final = 2
"""Out of order, and missed until now."""
DUPLICATE: Final = 0
"""Was here before, or is too old to tell."""
HELD: Final = -1
"""Far away from the stream: keep it aside until it is known whether the stream starts again there."""
RESTARTED: Final = -2
"""The fifth in a row over there: the stream starts again with the first of those held, and nothing is admitted yet."""

MAX_DROPOUT: Final = 3000
MAX_HISTORY: Final = 8192
MAX_BEFORE_START: Final = 512
RESTART_AFTER: Final = 5


class SequenceTracker:
    """Follows the 16-bit sequence numbers of one SSRC as plain integers that never wrap.

    Attributes:
        highest: the highest extended number; its low 16 bits are the last wire number, above them count the wraps.
        latest: the extended number that the last :meth:`admit` gave to its packet.
        received: different packets that came, over all restarts.
        duplicates: packets that came again, or too late to tell.
        reordered: packets that came late.
        restarts: how often the stream started again.
    """

    __slots__ = (
        "_base",
        "_consecutive",
        "_expected_before",
        "_expected_prior",
        "_missing",
        "_next_far",
        "_received_prior",
        "duplicates",
        "highest",
        "latest",
        "received",
        "reordered",
        "restarts",
    )

    def __init__(self, first: int) -> None:
        self._base = first
        self.highest = first - 1
        self.latest = first
        self.received = 0
        self.duplicates = 0
        self.reordered = 0
        self.restarts = 0
        self._missing = RangeSet()
        self._expected_before = 0
        self._expected_prior = 0
        self._received_prior = 0
        self._next_far = -1
        self._consecutive = 0

    @property
    def expected(self) -> int:
        """How many packets there must have been, over all restarts."""
        return self._expected_before + self.highest - self._base + 1

    @property
    def far_run(self) -> int:
        """How many of the packets held last came in a row."""
        return self._consecutive

    @property
    def lost(self) -> int:
        """How many of them have not come."""
        return self.expected - self.received

    def admit(self, sequence_number: int) -> int:
        """Take one wire number; return one of the verdicts of this module. Hot: in order it is a few additions."""
        ahead = ((sequence_number - self.highest + 0x8000) & 0xFFFF) - 0x8000
        if ahead == 1:
            self.latest = self.highest = self.highest + 1
            self.received += 1
            return FRESH
        if 0 < ahead <= MAX_DROPOUT:
            before = self.highest
            self.latest = self.highest = before + ahead
            self.received += 1
            self._missing.add_range(before + 1, self.highest)
            self._missing.remove_below(self.highest - MAX_HISTORY)
            return FRESH
        if -MAX_HISTORY < ahead <= 0:
            return self._admit_behind(self.highest + ahead)
        return self._admit_far(sequence_number)

    def restart(self, first: int) -> None:
        """Start again at the wire number ``first``, keeping the counts."""
        self._expected_before += self.highest - self._base + 1
        self._base = first
        self.highest = first - 1
        self._missing.clear()
        self._next_far = -1
        self.restarts += 1

    def forget_far(self) -> None:
        """What was far away was noise: it does not count towards a restart any more."""
        self._next_far = -1

    def take_fraction_lost(self) -> int:
        """The share lost since the last call in 1/256 (RFC 3550 A.3)."""
        expected, received = self.expected, self.received
        of, lost = expected - self._expected_prior, expected - self._expected_prior - (received - self._received_prior)
        self._expected_prior, self._received_prior = expected, received
        return min(255, (lost << 8) // of) if of > 0 and lost > 0 else 0

    def _admit_behind(self, extended: int) -> int:
        self.latest = extended
        if extended < self._base and self._base - extended <= MAX_BEFORE_START:
            # The first packet to arrive was not the first that was sent.
            self._missing.add_range(extended, self._base)
            self._base = extended
        if extended in self._missing:
            self._missing.remove_range(extended, extended + 1)
            self.received += 1
            self.reordered += 1
            return LATE
        self.duplicates += 1
        return DUPLICATE

    def _admit_far(self, sequence_number: int) -> int:
        self._consecutive = self._consecutive + 1 if sequence_number == self._next_far else 1
        self._next_far = (sequence_number + 1) & 0xFFFF
        return RESTARTED if self._consecutive >= RESTART_AFTER else HELD
