"""What is odd about a received stream, told to whoever watches it; never more often than once a second and kind.

Both statistics of a stream, the full ones of its media and the small ones of its retransmissions, tell through an
object like this, and it names the receiver: whoever watches that hears of both (requirements row 37).
"""

from __future__ import annotations

from math import inf
from typing import Final

from pystack.rtp.events import AnomalyKind, StreamAnomaly
from pystack.rtp.streams.tray import EventTray

__all__ = ["Anomalies"]

INTERVAL: Final = 1.0


class Anomalies:
    """The oddities of one SSRC.

    Args:
        receiver_id: whose it is.
        rid: its simulcast name.
        ssrc: the source.
        repair: whether it carries retransmissions.
        events: where to tell.

    Attributes:
        count: how many there were, told or merged.
    """

    __slots__ = ("_events", "_identity", "_merged", "_told", "count")

    def __init__(self, receiver_id: int, rid: str, ssrc: int, events: EventTray, *, repair: bool = False) -> None:
        self._identity = receiver_id, rid, ssrc, repair
        self._events = events
        self._told: dict[AnomalyKind, float] = {}
        self._merged: dict[AnomalyKind, int] = {}
        self.count = 0

    def tell(self, kind: AnomalyKind, before: int, after: int, now: float) -> None:
        """Something odd: ``before`` and ``after`` are as :class:`~pystack.rtp.StreamAnomaly` says for its kind."""
        self.count += 1
        if now < self._told.get(kind, -inf) + INTERVAL:
            self._merged[kind] = self._merged.get(kind, 0) + 1
            return
        self._told[kind] = now
        receiver_id, rid, ssrc, repair = self._identity
        self._events.append(
            StreamAnomaly(receiver_id, rid, ssrc, repair, kind, before, after, now, self._merged.pop(kind, 0))
        )
