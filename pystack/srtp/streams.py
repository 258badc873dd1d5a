"""Replay windows by SSRC, bounded: a peer that floods us with SSRCs cannot make them grow.

Two generations: the young one takes newcomers and everything that is looked up; when it is half the bound it becomes
the old one, and what stayed in the old one until then is forgotten. So eviction is by disuse, and costs nothing per
packet. Called by the receiver, which adds an SSRC only after a packet of it proved authentic.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from pystack.srtp.replay import ReplayWindow

__all__ = ["StreamWindows"]

Window = TypeVar("Window", bound=ReplayWindow)


class StreamWindows(Generic[Window]):
    """At most ``limit`` replay windows.

    Attributes:
        young: the generation that the hot path may look into directly.
    """

    __slots__ = ("_half", "_old", "young")

    def __init__(self, limit: int) -> None:
        self._half = max(1, limit // 2)
        self._old: dict[int, Window] = {}
        self.young: dict[int, Window] = {}

    def __len__(self) -> int:
        return len(self.young) + len(self._old)

    def find(self, ssrc: int) -> Window | None:
        """Return the window of ``ssrc`` and keep it young, or ``None`` if it is not known."""
        window = self.young.get(ssrc)
        if window is None:
            window = self._old.pop(ssrc, None)
            if window is not None:
                self.add(ssrc, window)
        return window

    def add(self, ssrc: int, window: Window) -> None:
        """Remember a window; may forget those that nobody used for longest."""
        if len(self.young) >= self._half:
            self._old = self.young
            self.young = {}
        self.young[ssrc] = window
