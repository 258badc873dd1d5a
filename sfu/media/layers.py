"""Which simulcast layer a subscriber gets: the best that is being sent and not above what it wants.

Layers are known by what packets arrive, not by what was announced. A better layer is taken as soon as its packets
arrive; one that falls silent is given up after a while. The switch itself waits for a key frame (``media.downtrack``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Final

__all__ = ["BEST", "STALE", "LayerSelector", "low_to_high"]

BEST: Final = 99
"""A ceiling above every layer."""

STALE: Final = 2.0
"""Seconds without a packet after which a layer counts as gone, while others are being sent."""

_MOST: Final = 8
"""Names of layers that are told apart."""

_KNOWN: Final[Mapping[str, int]] = {
    "q": 0, "h": 1, "f": 2,
    "r0": 0, "r1": 1, "r2": 2,
    "0": 0, "1": 1, "2": 2,
    "lo": 0, "l": 0, "mid": 1, "m": 1, "hi": 2,
}  # fmt: skip


def low_to_high(rids: Sequence[str]) -> tuple[str, ...]:
    """Order layers by the meaning of their names; names without one keep the order of the offer."""
    if all(rid in _KNOWN for rid in rids):
        return tuple(sorted(rids, key=lambda rid: _KNOWN[rid]))
    return tuple(rids)


class LayerSelector:
    """Knows which layers of one track are being sent, and which of them is best below a subscriber's ceiling."""

    __slots__ = ("_look_at", "_rank", "_seen")

    def __init__(self, rids: Sequence[str]) -> None:
        self._rank = {rid: rank for rank, rid in enumerate(low_to_high(rids))}
        self._seen: dict[str, float] = {}  # alive ones alone
        self._look_at = -inf

    def seen(self, rid: str, now: float) -> bool:
        """A packet of a layer arrived; return whether a layer came or went. Hot."""
        if now <= self._look_at and rid in self._seen:
            self._seen[rid] = now
            return False
        return self._look(rid, now)

    def best(self, ceiling: int) -> str:
        """The best layer that is being sent and not above ``ceiling`` (0 is the lowest); else the lowest.

        ``""`` while none was seen.
        """
        fitting = self._fitting(ceiling)
        if fitting:
            return max(fitting, key=self._rank.__getitem__)
        return min(self._seen, key=self._rank.__getitem__, default="")

    def ladder(self, ceiling: int) -> list[str]:
        """The layers that are being sent and not above ``ceiling``, lowest first; the lowest of all if none is."""
        return sorted(self._fitting(ceiling), key=self._rank.__getitem__) or [self.best(ceiling)]

    def rank(self, rid: str) -> int:
        """Where a layer stands, 0 being the lowest that was announced."""
        return self._rank.get(rid, -1)

    def _fitting(self, ceiling: int) -> list[str]:
        return [rid for rid in self._seen if self._rank[rid] <= ceiling]

    @property
    def sent(self) -> tuple[str, ...]:
        """The layers that are being sent."""
        return tuple(self._seen)

    @property
    def alone(self) -> bool:
        """Whether not more than one layer is being sent."""
        return len(self._seen) < 2

    def _look(self, rid: str, now: float) -> bool:
        if rid not in self._rank:
            if len(self._rank) >= _MOST:
                return False  # nobody sends that many; do not let a peer fill the table
            self._rank[rid] = -1  # not announced: worse than every announced layer
        before = set(self._seen)
        self._seen[rid] = now
        for silent in [each for each, at in self._seen.items() if now - at > STALE]:
            del self._seen[silent]
        self._look_at = min(self._seen.values()) + STALE
        return self._seen.keys() != before
