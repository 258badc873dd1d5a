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


class Grouper:
    """Makes groups of outcomes; an open one waits for more."""

    __slots__ = ("_base", "_base_at", "_base_before", "_open")

    def __init__(self) -> None:
        self._open: list[Outcome] = []
        self._base = self._base_before = inf
        self._base_at = -inf

    def add(self, outcomes: Sequence[Outcome]) -> list[Group]:
        """Take outcomes in the order of sending; return the groups that are complete by them."""
        complete: list[Group] = []
        waiting = self._open
        for outcome in outcomes:
            if waiting and outcome[0] - waiting[0][0] > SPAN:
                self._close(complete)
            waiting.append(outcome)
            if len(waiting) >= PACKETS and outcome[0] - waiting[0][0] >= LEAST_SPAN:
                self._close(complete)
        return complete

    def _close(self, complete: list[Group]) -> None:
        packets = self._open.copy()
        self._open.clear()
        begin, end = packets[0][0], packets[-1][0]
        arrivals = [arrival for _, arrival, _ in packets if arrival is not None]
        shortest = min((arrival - went for went, arrival, _ in packets if arrival is not None), default=None)
        if shortest is not None:
            self._learn(shortest, end)
        complete.append(
            Group(
                begin,
                end,
                len(packets),
                len(packets) - len(arrivals),
                sum(octets for _, arrival, octets in packets if arrival is not None),
                min(arrivals, default=0.0),
                max(arrivals, default=0.0),
                0.0 if shortest is None else shortest - min(self._base, self._base_before),
            )
        )

    def _learn(self, way: float, now: float) -> None:
        if now - self._base_at > BASE_WINDOW:
            self._base_before, self._base, self._base_at = self._base, inf, now
        self._base = min(self._base, way)
