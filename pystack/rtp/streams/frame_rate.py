"""How many frames a received video stream brings in a second (requirements C-12), counted without reading any."""

from __future__ import annotations

from typing import Final

__all__ = ["FrameRate"]

SPAN: Final = 1.0
"""Seconds over which frames are counted."""
PAUSE: Final = 2.0
"""Seconds without a frame after which the stream is paused: its rate is 0, and its return starts a new count."""


class FrameRate:
    """The rate over the last whole second that had frames."""

    __slots__ = ("_count", "_latest", "_rate", "_since")

    def __init__(self) -> None:
        self._since = self._latest = 0.0
        self._count = 0
        self._rate = 0.0

    def count(self, now: float) -> None:
        """A frame began."""
        if not self._count or now - self._latest > PAUSE:
            self._since = now
            self._count = 0
            self._rate = 0.0
        elif now - self._since >= SPAN:
            self._rate = self._count / (now - self._since)
            self._since = now
            self._count = 0
        self._count += 1
        self._latest = now

    def value(self, now: float) -> float:
        """Frames per second; 0 while the stream is paused, and before its first second is over."""
        return self._rate if now - self._latest <= PAUSE else 0.0
