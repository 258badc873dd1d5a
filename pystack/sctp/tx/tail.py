"""The tail-loss probe (RFC 8985 section 7, for TSNs): nothing follows the end of what was sent to show that it is lost.

When nothing was heard for about two round trips, the last chunk is sent once more, with the I bit so that the answer
comes at once. The answer shows what else is missing, long before T3. T3 is left as it is: a path that is dead is found
dead no later for the probe, so one is only sent when there is time for its answer before T3. Called by
``retransmit.py``.
"""

from __future__ import annotations

from math import inf
from typing import Final

from pystack.sctp.options import AssociationOptions
from pystack.sctp.tx.outstanding import ACKED, IN_FLIGHT, Outstanding, SentChunk
from pystack.sctp.tx.rto import RetransmissionTimeout

__all__ = ["TailProbe"]

_LOOK_BACK: Final = 64
_SHORTEST: Final = 0.01


class TailProbe:
    """When to probe, with what, and what the answer means.

    Attributes:
        at: when to probe, ``inf`` for never.
        waiting: the chunk that should go now as a probe.
    """

    __slots__ = ("_delay", "_mtu", "_probed", "_rto", "_sent_at", "at", "waiting")

    def __init__(self, options: AssociationOptions, rto: RetransmissionTimeout) -> None:
        self._delay = options.sack_delay
        self._mtu = options.mtu
        self._rto = rto
        self.begin()

    def begin(self) -> None:
        """No probe is due or under way."""
        self.at = inf
        self.waiting: SentChunk | None = None
        self._probed: SentChunk | None = None
        self._sent_at = 0.0

    def arm(self, outstanding: Outstanding, now: float, t3_at: float) -> None:
        """Something was sent or acknowledged, and more is in flight: wait from now."""
        round_trip = self._rto.srtt
        if round_trip is None or self._probed is not None:
            self.at = inf
            return
        at = now + max(2 * round_trip, _SHORTEST)
        if outstanding.flight <= self._mtu:
            at += self._delay  # a single packet is acknowledged late
        self.at = at if at + round_trip < t3_at else inf

    def choose(self, outstanding: Outstanding, *, limited: bool) -> None:
        """It is time: the last chunk in flight is the probe, unless its message may not be sent again."""
        self.at = inf
        for chunk in reversed(outstanding.span(outstanding.next_tsn - _LOOK_BACK, outstanding.next_tsn)):
            if chunk.state == IN_FLIGHT:
                if not limited or chunk.message.max_retransmits < 0:
                    self.waiting = chunk
                return

    def departs(self, room: int, now: float) -> SentChunk | None:
        """The probe, if it is still in flight and fits."""
        chunk = self.waiting
        if chunk is None or len(chunk.wire) > room:
            return None
        self.waiting = None
        if chunk.state != IN_FLIGHT:
            return None
        self._probed = chunk
        self._sent_at = now
        return chunk

    def answered(self, now: float, shortest: float, *, duplicates: bool) -> bool:
        """After each acknowledgement: whether the probe repaired a loss that nothing else has noticed."""
        chunk = self._probed
        if chunk is None or chunk.state == IN_FLIGHT:
            return False
        self._probed = None
        # The first copy had arrived if the second one is a duplicate, or the answer is too early to be to the second.
        return chunk.state == ACKED and not duplicates and now - self._sent_at >= shortest
