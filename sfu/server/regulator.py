"""Keeps the downlinks of one room going on asyncio: made when a path is full, looked at while something is limited."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from pystack import Congestion
from sfu.media import Downlink, RouteTable

__all__ = ["Regulator"]

_LOOK: Final = 0.1
_PROBE: Final = 0.02
"""Seconds between two looks, and while padding is sent."""


class Regulator:
    """The downlinks of one room.

    Args:
        routes: what flows to whom.
        congestion: how the path to a subscriber is now; ``None`` if it is not there any more.
    """

    def __init__(self, routes: RouteTable, congestion: Callable[[str], Congestion | None]) -> None:
        self._routes = routes
        self._congestion = congestion
        self._loop = asyncio.get_running_loop()
        self._downlinks: dict[str, Downlink] = {}
        self._timer: asyncio.TimerHandle | None = None

    def changed(self, subscriber: str, congestion: Congestion) -> None:
        """The path to a subscriber is in another state, or takes less than was known."""
        if congestion.state != "congested":
            return
        downlink = self._downlinks.setdefault(subscriber, Downlink())
        downlink.congested(congestion, self._routes.flows(subscriber), self._loop.time())
        self._arm()

    def forget(self, subscriber: str) -> None:
        """The subscriber left."""
        self._downlinks.pop(subscriber, None)

    def close(self) -> None:
        """The room has ended."""
        self._downlinks.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def limited(self) -> int:
        """How many paths do not take everything."""
        return sum(each.active for each in self._downlinks.values())

    def stats(self, subscriber: str) -> dict[str, Any]:
        """What the debug page shows of the path to one subscriber."""
        downlink, congestion = self._downlinks.get(subscriber), self._congestion(subscriber)
        told: dict[str, Any] = {"congestion": congestion.state if congestion is not None else "none", "takes_bps": None}
        if downlink is not None:
            told["takes_bps"] = None if downlink.capacity_bps is None else round(downlink.capacity_bps)
            told |= {"probes": downlink.probes, "failed_probes": downlink.failures}
        return told

    def _look(self) -> None:
        self._timer = None
        now = self._loop.time()
        for subscriber, downlink in list(self._downlinks.items()):
            congestion = self._congestion(subscriber)
            if congestion is not None and downlink.active:
                downlink.tick(congestion, self._routes.flows(subscriber), now)
        self._arm()

    def _arm(self) -> None:
        active = [each for each in self._downlinks.values() if each.active]
        if active and self._timer is None:
            pause = _PROBE if any(each.probing for each in active) else _LOOK
            self._timer = self._loop.call_later(pause, self._look)
