"""Watches the path of one transport: feedback in, its state and what it takes out.

What a full path takes is what arrives. When it is not full, nothing is known but that it takes what is sent, so the
capacity is measured while it is congested only, and lowered only while more is sent than arrives.

Called by :class:`pystack.rtp.RtpSession`.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from pystack.rtp.congestion.detector import SHORT_WAIT, CongestionDetector
from pystack.rtp.congestion.groups import Group, Grouper
from pystack.rtp.congestion.outcomes import OutcomeReader
from pystack.rtp.congestion.sent import SentPackets
from pystack.rtp.congestion.state import Congestion
from pystack.rtp.rtcp.transport import TransportFeedback

__all__ = ["CongestionMonitor"]

WINDOW: Final = 1.0
"""Seconds over which rates are taken."""
SILENCE: Final = 5.0
"""Seconds with nothing heard of what is sent, after which what was is no more."""
_LESS: Final = 0.95
"""A capacity that is less than this part of what was known is news."""
_MORE: Final = 1.05
"""Sent by that much more than arrived: the path holds something back."""


class CongestionMonitor:
    """The congestion of one transport.

    Attributes:
        sent: where the send streams note what goes.
    """

    def __init__(self, following: int) -> None:
        self.sent = SentPackets(following)
        self._reader = OutcomeReader()
        self._grouper = Grouper()
        self._detector = CongestionDetector()
        self._recent: deque[Group] = deque()
        self._capacity: float | None = None

    def handle(self, feedback: TransportFeedback, now: float) -> bool:
        """Take feedback that came ``now``; return whether the state, or the capacity of a full path, is another now."""
        before = self._detector.state, self._capacity
        if self._recent and now - self._recent[-1].end > SILENCE:
            self._recent.clear()
            self._detector = CongestionDetector()
        for group in self._grouper.add(self._reader.read(feedback, self.sent)):
            self._recent.append(group)
            while group.end - self._recent[0].begin > WINDOW and len(self._recent) > 1:
                self._recent.popleft()
            was = self._detector.state
            if self._detector.add(group) == "congested":
                self._measure(fresh=was != "congested")
        return (self._detector.state, self._capacity) != before

    def congestion(self, now: float) -> Congestion:
        """How the path is now."""
        if not self._recent or now - self._recent[-1].end > SILENCE:
            return Congestion(capacity_bps=self._capacity)
        packets = sum(group.packets for group in self._recent)
        return Congestion(
            state=self._detector.state,
            capacity_bps=self._capacity,
            delivered_bps=self._delivered(),
            queuing_delay=self._recent[-1].queuing_delay,
            loss=sum(group.lost for group in self._recent) / packets,
        )

    def _measure(self, *, fresh: bool) -> None:
        delivered = self._delivered()
        still = self._detector.waiting or self._detector.losing
        known = self._capacity
        if fresh or known is None or (still and delivered < known * _LESS and self._sent() > delivered * _MORE):
            self._capacity = delivered

    def _delivered(self) -> float:
        """Bits a second that arrived, over the time in which they did or were sent, whichever is longer.

        Those that waited alone, if any did: what came before the path was full says less.
        """
        came = [group for group in self._recent if group.packets > group.lost]
        if not came:
            return 0.0
        waited = [group for group in came if group.queuing_delay > SHORT_WAIT]
        groups = waited if len(waited) > 1 else came
        span = max(
            max(group.last_arrival for group in groups) - min(group.first_arrival for group in groups),
            groups[-1].end - groups[0].begin,
        )
        return 8 * sum(group.octets for group in groups) / span if span > 0 else 0.0

    def _sent(self) -> float:
        """Bits a second that went, as if what was lost had been of the size of the rest."""
        span = self._recent[-1].end - self._recent[0].begin
        octets = sum(group.octets * group.packets / max(1, group.packets - group.lost) for group in self._recent)
        return 8 * octets / span if span > 0 else 0.0
