"""Which simulcast layer is forwarded: the best that is being sent.

Layers are known by what packets arrive, not by what was announced. A better layer is taken as soon as its packets
arrive; one that falls silent is given up after a while. The switch itself waits for a key frame (``media.downtrack``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["STALE", "LayerSelector", "low_to_high"]

STALE: Final = 2.0
"""Seconds without a packet after which a layer counts as gone, while others are being sent."""

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
    """Chooses among the layers of one track.

    Attributes:
        target: the layer to forward; ``""`` until one was seen.
    """

    __slots__ = ("_rank", "_seen", "target")

    def __init__(self, rids: Sequence[str]) -> None:
        self._rank = {rid: rank for rank, rid in enumerate(low_to_high(rids))}
        self._seen: dict[str, float] = {}
        self.target = ""

    def seen(self, rid: str, now: float) -> bool:
        """A packet of a layer arrived; return whether the target has changed."""
        if rid not in self._rank:
            if len(self._rank) >= 8:
                return False  # nobody sends that many; do not let a peer fill the table
            self._rank[rid] = -1  # not announced: worse than every announced layer
        self._seen[rid] = now
        if rid == self.target:
            return False
        if self.target in self._seen and now - self._seen[self.target] <= STALE:
            if self._rank[rid] <= self._rank[self.target]:
                return False
            self.target = rid
            return True
        alive = [each for each, at in self._seen.items() if now - at <= STALE]
        self.target = max(alive, key=lambda each: self._rank[each])
        return True
