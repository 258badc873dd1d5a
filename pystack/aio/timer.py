"""One lazily re-armed timer handle for everything that a driver waits for.

Deadlines move later far more often than they come true. So a later deadline leaves the armed handle alone; when the
handle fires too early it arms itself again for what is left. Only an earlier deadline costs a cancellation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

from pystack.aio.clock import clock_of

__all__ = ["LazyTimer"]

_RESOLUTION = 1e-4


class LazyTimer:
    """Calls ``callback(now)`` when the deadline that was last set has come."""

    __slots__ = ("_armed_at", "_callback", "_clock", "_deadline", "_handle", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[float], None]) -> None:
        self._loop = loop
        self._clock = clock_of(loop)
        self._callback: Callable[[float], None] | None = callback
        self._handle: asyncio.TimerHandle | None = None
        self._armed_at = inf
        self._deadline = inf

    def set(self, deadline: float) -> None:
        """Fire at ``deadline`` (absolute seconds, ``inf`` for never) instead of what was set. O(1) if it is later."""
        self._deadline = deadline
        if deadline < self._armed_at and self._callback is not None:
            if self._handle is not None:
                self._handle.cancel()
            self._armed_at = deadline
            self._handle = self._loop.call_at(deadline, self._fire)

    def close(self) -> None:
        """Never fire again, and let the callback go."""
        self._deadline = inf
        self._callback = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
            self._armed_at = inf

    def _fire(self) -> None:
        self._handle = None
        self._armed_at = inf
        deadline, callback = self._deadline, self._callback
        if callback is None or deadline == inf:
            return
        now = max(self._clock(), self._loop.time())
        if now < deadline:
            if deadline - now > _RESOLUTION:
                self.set(deadline)  # it moved later meanwhile
                return
            now = deadline  # the loop rounded; a core must not see its deadline ahead of it
        self._deadline = inf
        callback(now)
