"""Events on their way up: oldest first, bounded, because a peer may cause more than anybody takes."""

from __future__ import annotations

from collections.abc import MutableMapping

from pystack.rtp.events import RtpEvent

__all__ = ["EventTray"]


class EventTray:
    """At most ``limit`` events; of more, the oldest are lost, and counted as ``events``."""

    __slots__ = ("_drops", "_events", "_limit")

    def __init__(self, limit: int, drops: MutableMapping[str, int]) -> None:
        self._limit = limit
        self._drops = drops
        self._events: list[RtpEvent] = []

    def append(self, event: RtpEvent) -> None:
        """Add one event."""
        self._events.append(event)
        if len(self._events) > self._limit:
            del self._events[0]
            self._drops["events"] += 1

    def take(self) -> list[RtpEvent]:
        """Return what is there, and forget it."""
        if not self._events:
            return []
        events, self._events = self._events, []
        return events
