"""Requests for key frames, merged and throttled, in whichever direction they travel.

The first request goes at once. Those that follow within the interval are merged into one at its end, unless a key
frame came first. Called by the session's inbound part (to the sender of media) and outbound part (from its
receivers).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import inf
from typing import Any, Generic, TypeVar

__all__ = ["KeyFrameRequests"]

K = TypeVar("K", bound=Hashable)


class KeyFrameRequests(Generic[K]):
    """A throttle per key. Keys are bounded by whoever uses it, which removes those that end.

    Attributes:
        deadline: when a merged request is due; ``inf`` when none waits.
        merged: how many requests were merged into another.
    """

    __slots__ = ("_last", "_ready", "_waiting", "deadline", "merged")

    def __init__(self) -> None:
        self._last: dict[K, float] = {}
        self._waiting: dict[K, float] = {}
        self._ready: dict[K, None] = {}
        self.deadline = inf
        self.merged = 0

    def request(self, key: K, now: float, interval: float) -> None:
        """Somebody wants a key frame of ``key``."""
        last = self._last.get(key, -inf)
        if key in self._ready or key in self._waiting:
            self.merged += 1
        elif now >= last + interval:
            self._last[key] = now
            self._ready[key] = None
        else:
            self.merged += 1
            self._waiting[key] = last + interval
            self.deadline = min(self.deadline, last + interval)

    def arrived(self, key: K) -> None:
        """A key frame of ``key`` came: what was asked for meanwhile is answered."""
        if self._waiting.pop(key, None) is not None:
            self.deadline = min(self._waiting.values(), default=inf)

    def tick(self, now: float) -> None:
        """Make what is due ready."""
        if now < self.deadline:
            return
        for key, at in list(self._waiting.items()):
            if at <= now:
                del self._waiting[key]
                self._last[key] = now
                self._ready[key] = None
        self.deadline = min(self._waiting.values(), default=inf)

    def take(self) -> list[K]:
        """Return the keys to ask for now, in the order of their requests."""
        if not self._ready:
            return []
        ready = list(self._ready)
        self._ready.clear()
        return ready

    def remove(self, gone: Callable[[K], bool]) -> None:
        """Forget the keys that are gone."""
        tables: tuple[dict[K, Any], ...] = (self._last, self._waiting, self._ready)
        for table in tables:
            for key in [each for each in table if gone(each)]:
                del table[key]
        self.deadline = min(self._waiting.values(), default=inf)
