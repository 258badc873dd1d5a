"""The retransmission time-out (RFC 9260 sections 6.3.1 to 6.3.3)."""

from __future__ import annotations

from pystack.sctp.options import AssociationOptions

__all__ = ["RetransmissionTimeout"]


class RetransmissionTimeout:
    """Smoothed round-trip time and the time-out that follows from it.

    Attributes:
        value: the present time-out in seconds, back-off included.
        srtt: smoothed round-trip time in seconds, ``None`` before the first sample.
        rttvar: its variation in seconds.
    """

    __slots__ = ("_maximum", "_minimum", "rttvar", "srtt", "value")

    def __init__(self, options: AssociationOptions) -> None:
        self._minimum = options.rto_min
        self._maximum = options.rto_max
        self.value = options.rto_initial
        self.srtt: float | None = None
        self.rttvar = 0.0

    def sample(self, rtt: float) -> None:
        """Learn from one round trip; takes any back-off away (section 6.3.1, rules C2 to C7)."""
        rtt = max(rtt, 0.0)
        if self.srtt is None:
            self.srtt = rtt
            self.rttvar = rtt / 2
        else:
            self.rttvar += (abs(self.srtt - rtt) - self.rttvar) / 4
            self.srtt += (rtt - self.srtt) / 8
        self.value = min(max(self.srtt + 4 * self.rttvar, self._minimum), self._maximum)

    def back_off(self) -> None:
        """An expiry: twice as long, up to the maximum (section 6.3.3, rule E2)."""
        self.value = min(2 * self.value, self._maximum)
