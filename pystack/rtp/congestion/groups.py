"""Packets in groups: how long they wait on the way, how many are lost, and how fast they go and come.

Single packets say little: a radio link holds some back for tens of milliseconds with nothing congested. The shortest
wait within a group of thirty and more, or of half a second, is what all of them had to wait (requirements C-19).

The peer's clock is not ours, so only differences of one-way times mean anything: the wait is the time beyond the
shortest that was seen in the last half minute. That window also forgets what the two clocks drift apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log10
from typing import Final

import attrs

from pystack.rtp.congestion.outcomes import Outcome

__all__ = ["Group", "Grouper"]

PACKETS: Final = 30
SPAN: Final = 0.5
BASE_WINDOW: Final = 15.0
"""Half of the time for which the shortest way is remembered."""
LEAST_SPAN: Final = 0.1
_LEAST_RATE: Final = 30.0


@attrs.frozen
class Group:
    """Some packets that went one after the other.

    Attributes:
        begin, end: when the first and the last of them went, in seconds.
        packets, lost: how many went, and how many of them did not come.
        octets: of those that came.
        first_arrival, last_arrival: on the peer's clock; 0 where none came.
        queuing_delay: seconds that all of them waited.
    """

    begin: float
    end: float
    packets: int
    lost: int
    octets: int
    first_arrival: float
    last_arrival: float
    queuing_delay: float

    @property
    def weighted_loss(self) -> float:
        """The share of lost packets, weighted by how many there are a second; 0 where they are too few to tell."""
        span = self.end - self.begin
        rate = self.packets / span if span >= LEAST_SPAN else 0.0
        return self.lost / self.packets * log10(rate) if rate >= _LEAST_RATE else 0.0


_EMPTY: Final[tuple[float, float, int, int, int, float, float, float]] = (0.0, 0.0, 0, 0, 0, inf, -inf, inf)
"""An open group: begin, end, packets, lost, octets, first and last arrival, and the shortest way."""


class Grouper:
    """Makes groups of outcomes; an open one waits for more."""

    __slots__ = ("_base", "_base_at", "_base_before", "_open")

    def __init__(self) -> None:
        self._open = _EMPTY
        self._base = self._base_before = inf
        self._base_at = -inf

    def add(self, outcomes: Sequence[Outcome]) -> list[Group]:
        """Take outcomes in the order of sending; return the groups that are complete by them. Hot."""
        complete: list[Group] = []
        begin, end, packets, lost, octets, first, last, shortest = self._open
        for went, came, size in outcomes:
            if packets and went - begin > SPAN:
                complete.append(self._close(begin, end, packets, lost, octets, first, last, shortest))
                packets = 0
            if not packets:
                begin, _, _, lost, octets, first, last, shortest = _EMPTY
                begin = went
            end = went
            packets += 1
            if came is None:
                lost += 1
            else:
                octets += size
                if came < first:  # noqa: PLR1730 - hot, here and below
                    first = came
                if came > last:  # noqa: PLR1730
                    last = came
                if came - went < shortest:  # noqa: PLR1730
                    shortest = came - went
            if packets >= PACKETS and went - begin >= LEAST_SPAN:
                complete.append(self._close(begin, end, packets, lost, octets, first, last, shortest))
                packets = 0
        self._open = begin, end, packets, lost, octets, first, last, shortest
        return complete

    def _close(
        self, begin: float, end: float, packets: int, lost: int, octets: int, first: float, last: float, shortest: float
    ) -> Group:
        if lost == packets:
            return Group(begin, end, packets, lost, 0, 0.0, 0.0, 0.0)
        if end - self._base_at > BASE_WINDOW:
            self._base_before, self._base, self._base_at = self._base, inf, end
        self._base = min(self._base, shortest)
        return Group(begin, end, packets, lost, octets, first, last, shortest - min(self._base, self._base_before))
