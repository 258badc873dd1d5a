"""The congestion window (RFC 9260 section 7.2), counted in user bytes, and the burst limit (section 6.1, rule D)."""

from __future__ import annotations

from math import inf

from pystack.sctp.options import AssociationOptions

__all__ = ["CongestionWindow"]


class CongestionWindow:
    """Slow start, congestion avoidance, and what a loss does to them.

    Attributes:
        window: bytes that may be in flight.
        threshold: below or at it slow start, above it congestion avoidance; ``inf`` before the first loss.
        allowance: bytes of new data that may depart before the next acknowledgement, whatever the window says. Spent
            by departures and granted by acknowledgements and expiries only, so that asking twice gives nothing more.
    """

    __slots__ = ("_burst", "_growth", "_initial", "_maximum", "_mtu", "_partial", "allowance", "threshold", "window")

    def __init__(self, options: AssociationOptions) -> None:
        self._mtu = options.mtu
        self._initial = options.initial_window * options.mtu
        self._burst = options.max_burst * options.mtu
        self._growth = options.slow_start_growth * options.mtu
        self._maximum = max(options.max_congestion_window, self._initial)
        self.begin()

    def begin(self) -> None:
        """Start as on a path that nothing is known of."""
        self._partial = 0
        self.window = self._initial
        self.threshold: float = inf
        self.allowance = self._initial

    def acknowledged(self, acked: int, flight_before: int, *, advanced: bool, recovering: bool, idle: bool) -> None:
        """A SACK acknowledged ``acked`` bytes for the first time (sections 7.2.1 and 7.2.2).

        Args:
            acked: user bytes newly acknowledged.
            flight_before: bytes in flight before this SACK; growth needs a window that was in use.
            advanced: the cumulative TSN moved.
            recovering: in fast recovery, where the window does not grow.
            idle: nothing is outstanding any more.
        """
        self.allowance = min(self.allowance + self._burst, self.window + self._burst)
        if idle:
            self.allowance = max(self.allowance, self._initial)
        if advanced and not recovering:
            used = flight_before + self._mtu >= self.window
            if self.window <= self.threshold:
                if used:
                    self._set(self.window + min(acked, self._growth))
            else:
                self._partial += acked
                if self._partial >= self.window and used:
                    self._partial -= self.window
                    self._set(self.window + self._mtu)
                elif not used:
                    self._partial = min(self._partial, self.window)
        if idle:
            self._partial = 0

    def _set(self, window: int) -> None:
        self.window = min(window, self._maximum)

    def lost(self) -> None:
        """Loss seen by reports: half the window (section 7.2.3), once per fast recovery."""
        self.threshold = max(self.window // 2, 4 * self._mtu)
        self.window = int(self.threshold)
        self._partial = 0

    def timed_out(self) -> None:
        """T3 expired: one packet (section 7.2.3)."""
        self.threshold = max(self.window // 2, 4 * self._mtu)
        self.window = self._mtu
        self._partial = 0
        self.allowance = max(self.allowance, self._burst)

    def idled(self, periods: int) -> None:
        """Nothing was sent for so many time-outs: halve for each, down to the initial window (section 7.2.1)."""
        if periods > 0 and self.window > self._initial:
            self.window = max(self.window >> min(periods, 32), self._initial)
            self._partial = 0
