"""Carries a :class:`~pystack.testing.link.Link` on the running loop, virtual or real: the timer that empties it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

from pystack.testing.link import Link

__all__ = ["LinkCarrier"]


class LinkCarrier:
    """Puts datagrams into a link and delivers them when they have arrived, oldest first.

    Args:
        link: may be damaged at will.
        deliver: called from the loop with what has arrived and the time.
    """

    def __init__(self, link: Link[bytes], deliver: Callable[[list[bytes], float], None]) -> None:
        self.link = link
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def put(self, data: bytes) -> None:
        """Send a datagram."""
        self.link.put(data, len(data), self._loop.time())
        self._arm()

    def _arm(self) -> None:
        at = self.link.deadline
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
            self._timer = None
        if at < inf:
            self._timer = self._loop.call_at(at, self._arrive)

    def _arrive(self) -> None:
        self._timer = None
        now = self._loop.time()
        arrived = self.link.take(now)
        self._arm()
        if arrived:
            self._deliver(arrived, now)

    def close(self) -> None:
        """Deliver nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
