"""The media clock of one received stream: timestamps that never wrap, and how they run against our clock and theirs.

A timestamp is read as the one nearest to where the clock should be by now, so a pause of any length wraps right
(requirements C-13). Sender reports tie it to the sender's wall clock (RFC 3550 section 6.4.1). Called by the receive
stream once per frame, and with each sender report.
"""

from __future__ import annotations

from math import inf
from typing import Final, NamedTuple

from pystack.base.serial import wrap_delta
from pystack.rtp.clock import wall_time
from pystack.rtp.rtcp import SenderReport
from pystack.rtp.streams.anomalies import Anomalies

__all__ = ["Timeline"]

JUMP_FACTOR: Final = 1.5
"""A timestamp that advances by more than this much of the time that passed, and by more than as many seconds, jumps."""
REPORT_SLACK: Final = 60.0
"""Seconds: a sender report that lies further from the stream is of another clock; one that is older is late."""
ADJUST_FOR: Final = 120.0
"""Seconds after the start during which a faster packet may show that the first one was late."""
ADJUST_BY: Final = 15.0
"""Seconds by which the first packet can have been late."""
SKEW: Final = 0.2
"""The share by which the clock may differ from its name before that is odd."""
SKEW_SPAN: Final = 10.0
"""Seconds of reports before the rate of the clock is taken from them."""


class _Mapping(NamedTuple):
    """One sender report: an extended timestamp, the sender's wall clock with it, and when it came."""

    extended: int
    wall: float
    at: float


class Timeline:
    """Timestamps of one SSRC as integers, in units of the codec's clock.

    Args:
        clock_rate: units per second.
        timestamp: that of the first packet.
        now: when it came.
        anomalies: told of jumps and of reports that do not fit.

    Attributes:
        latest: the extended timestamp of the newest frame.
        first_arrival: when the first packet would have come had it been as fast as the fastest, in monotonic seconds.
        measured_rate: units per second by the sender's reports; ``None`` before ten seconds of them.
    """

    __slots__ = (
        "_anomalies",
        "_arrival",
        "_clock_rate",
        "_earliest",
        "_first_mapping",
        "_mapping",
        "_start",
        "first_arrival",
        "latest",
        "measured_rate",
    )

    def __init__(self, clock_rate: int, timestamp: int, now: float, anomalies: Anomalies) -> None:
        self._clock_rate = clock_rate
        self._anomalies = anomalies
        self.latest = timestamp
        self.measured_rate: float | None = None
        self._arrival = self.first_arrival = self._earliest = now
        self._start = timestamp
        self._mapping: _Mapping | None = None
        self._first_mapping: _Mapping | None = None

    def advance(self, timestamp: int, now: float) -> float:
        """A new frame came; return how far it came from its time in units, ``inf`` where the clocks say nothing."""
        rate = self._clock_rate
        passed = (now - self._arrival) * rate
        expected = self.latest + int(passed)
        extended = expected + ((timestamp - expected + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        ahead = extended - self.latest
        distance = abs(passed - ahead)
        if distance >= JUMP_FACTOR * rate:
            # A clock that stood still while nothing was sent is common; one that ran ahead or back is not.
            if ahead < 0 or ahead > JUMP_FACTOR * max(passed, rate):
                self._anomalies.tell("timestamp-jump", self.latest, extended, now)
            self._anchor(extended, now)
            distance = inf
        elif now < self._earliest + ADJUST_FOR:
            first = now - (extended - self._start) / rate
            if first < self.first_arrival and first >= self._earliest - ADJUST_BY:
                self.first_arrival = first
        self.latest = extended
        self._arrival = now
        return distance

    def handle_report(self, report: SenderReport, now: float) -> None:
        """Tie the clock to the sender's; what does not fit the stream is told and changes nothing."""
        if not report.ntp_time:
            return  # it has no wall clock (RFC 3550 section 6.4.1)
        expected = self.latest + int((now - self._arrival) * self._clock_rate)
        extended = expected + wrap_delta(report.rtp_timestamp, expected, 32)
        slack = REPORT_SLACK * self._clock_rate
        if not self.latest - slack <= extended <= expected + slack:
            self._anomalies.tell("report-off", expected, extended, now)
            return
        wall = wall_time(report.ntp_time)
        mapping = _Mapping(extended, wall, now)
        before = self._mapping
        if before is None:
            self._first_mapping = mapping
        elif abs((wall - before.wall) - (now - before.at)) > REPORT_SLACK:
            # Its wall clock was set: what was measured so far says nothing any more.
            self._anomalies.tell("report-clock", int(before.wall), int(wall), now)
            self._first_mapping = mapping
            self.measured_rate = None
        elif wall < before.wall:
            self._anomalies.tell("report-late", int(before.wall), int(wall), now)
            return
        self._mapping = mapping
        self._measure(mapping)

    def capture_time(self, timestamp: int) -> float | None:
        """When ``timestamp`` was on the sender's wall clock, in seconds since 1970; ``None`` without a report."""
        mapping = self._mapping
        if mapping is None:
            return None
        extended = self.latest + wrap_delta(timestamp, self.latest, 32)
        return mapping.wall + (extended - mapping.extended) / self._clock_rate

    def _anchor(self, extended: int, now: float) -> None:
        """A time line begins: what an earlier one said of wall clocks and rates does not hold for it."""
        self._start = extended
        self.first_arrival = self._earliest = now
        self._mapping = self._first_mapping = self.measured_rate = None

    def _measure(self, mapping: _Mapping) -> None:
        first = self._first_mapping
        if first is None or mapping.wall - first.wall < SKEW_SPAN:
            return
        rate = (mapping.extended - first.extended) / (mapping.wall - first.wall)
        self.measured_rate = rate
        if abs(rate - self._clock_rate) > SKEW * self._clock_rate:
            self._anomalies.tell("clock-skew", self._clock_rate, round(rate), mapping.at)
