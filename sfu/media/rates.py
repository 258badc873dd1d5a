"""How many bits a second each layer of a track has: of the last full second, half and half with what was before.

Encoders keep their rate over seconds, not over one; with key frames, one second is not like another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["LayerRates"]

_WINDOW: Final = 1.0
_GONE: Final = 2.0
"""Seconds without a packet after which all of it is past."""


class LayerRates:
    """Counts what arrives, layer by layer.

    Attributes:
        octets: counted since the window began, by layer; whoever receives adds to it.
        due: when the window ends, in monotonic seconds; then :meth:`turn` is called.
    """

    __slots__ = ("_at", "_rates", "due", "octets")

    def __init__(self) -> None:
        self.octets: dict[str | int, int] = {}
        self.due = 0.0
        self._at = 0.0
        self._rates: Mapping[str | int, float] = {}

    def turn(self, now: float) -> None:
        """The window ends, and the next begins."""
        if self._at:
            known = self._known(now)
            fresh = {layer: 8 * octets / (now - self._at) for layer, octets in self.octets.items()}
            self._rates = {layer: (rate + known.get(layer, rate)) / 2 for layer, rate in fresh.items()}
        self.octets = dict.fromkeys(self.octets, 0)
        self._at = now
        self.due = now + _WINDOW

    def of(self, layer: str | int, now: float) -> float:
        """Bits a second of one layer."""
        return self._known(now).get(layer, 0.0)

    def total(self, now: float) -> float:
        """Bits a second of all of them."""
        return sum(self._known(now).values())

    def _known(self, now: float) -> Mapping[str | int, float]:
        return self._rates if now - self._at < _WINDOW + _GONE else {}
