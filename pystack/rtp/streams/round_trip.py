"""How long a round trip of this transport takes; shared by everything that paces itself by it."""

from __future__ import annotations

from typing import Final

__all__ = ["RoundTrip"]

NEWEST_SHARE: Final = 0.75  # requirements C-12


class RoundTrip:
    """A smoothed round-trip time.

    Attributes:
        value: seconds; the default until one was measured.
        measured: whether one was.
    """

    __slots__ = ("measured", "value")

    def __init__(self, default: float) -> None:
        self.value = default
        self.measured = False

    def update(self, seconds: float) -> None:
        """Take one measurement."""
        self.value = seconds if not self.measured else NEWEST_SHARE * seconds + (1 - NEWEST_SHARE) * self.value
        self.measured = True
