"""What the receiver of our stream reports, checked and put right (requirements row 36).

Real receivers miss roll-overs, start to count anew, and sometimes report what was never sent. A report that lags by
whole roll-overs is realigned, and realigned back when the receiver corrects itself; one that is ahead of what was
sent is dropped. Called by the send stream for each report block about it.
"""

from __future__ import annotations

from typing import Final

from pystack.rtp.streams.report_windows import ReportWindow, ReportWindows

__all__ = ["PeerReports"]

LIMIT: Final = 1 << 32
CYCLE: Final = 1 << 16


class PeerReports:
    """The receiver's view of one of our streams.

    Args:
        limit: how many numbers behind what was sent a report may be.

    Attributes:
        accepted: reports that were believed.
        ignored: reports about what lies before the start, or of a stream that has not started.
        runaway: reports ahead of what was sent, or too far behind.
        out_of_order: reports older than the last.
        highest: the extended sequence number that the receiver has reached; -1 before the first report.
        misalignment: how many numbers in whole roll-overs the receiver is behind in counting.
        lost: packets lost in total, extended beyond its 24 bits.
        fraction_lost: of the last report, 0 to 1.
        jitter: of the last report, in timestamp units.
        round_trip_time: of the last report that allowed to measure it, in seconds.
        total_round_trip_time: the sum of all that were measured, and ``round_trips`` their number.
        heard_at: when the last report that was believed came, in monotonic seconds.
    """

    __slots__ = (
        "_base",
        "_cycles",
        "_last_raw",
        "_limit",
        "_lost_raw",
        "_previous",
        "_start",
        "_windows",
        "accepted",
        "fraction_lost",
        "heard_at",
        "highest",
        "ignored",
        "jitter",
        "lost",
        "misalignment",
        "out_of_order",
        "round_trip_time",
        "round_trips",
        "runaway",
        "total_round_trip_time",
    )

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._start = -1
        self._base = 0
        self._cycles = 0
        self._previous = -1
        self._last_raw = -1
        self._lost_raw = 0
        self._windows = ReportWindows()
        self.accepted = 0
        self.ignored = 0
        self.runaway = 0
        self.out_of_order = 0
        self.highest = -1
        self.misalignment = 0
        self.lost = 0
        self.fraction_lost = 0.0
        self.jitter = 0
        self.round_trip_time: float | None = None
        self.total_round_trip_time = 0.0
        self.round_trips = 0
        self.heard_at = 0.0

    def start(self, first: int) -> None:
        """The stream's first packet has the extended number ``first``."""
        self._start = first
        self._base = first & ~0xFFFF

    def stop(self) -> None:
        """The stream ended: reports that still come are ignored."""
        self._start = -1

    def handle(
        self,
        raw_highest: int,
        sent_highest: int,
        *,
        fraction_lost: int = 0,
        cumulative_lost: int = 0,
        jitter: int = 0,
        round_trip_time: float | None = None,
        now: float = 0.0,
    ) -> str:
        """Take one report; return why it was not believed, nothing if it was.

        What is not believed changes nothing but a count.

        Args:
            raw_highest: the 32-bit extended highest sequence number as reported.
            sent_highest: the highest extended number sent.
            fraction_lost: in 1/256.
            cumulative_lost: 24 bits, signed.
            jitter: in timestamp units.
            round_trip_time: seconds, if the report allowed to measure it.
            now: when it came.

        Returns:
            ``early`` (about what lies before the start, or of a stream that has not started or has ended),
            ``runaway`` (ahead of what was sent, or too far behind), ``old`` (older than the last), or nothing.
        """
        aligned = self._align(raw_highest, sent_highest)
        if isinstance(aligned, str):
            return aligned
        self._cycles, self.misalignment = aligned
        self._previous = self._cycles + raw_highest + self.misalignment
        self.highest = self._previous + self._base
        self.accepted += 1
        self.fraction_lost = fraction_lost / 256
        self.jitter = jitter
        self._follow_lost(cumulative_lost)
        if round_trip_time is not None:
            self.round_trip_time = round_trip_time
            self.total_round_trip_time += round_trip_time
            self.round_trips += 1
        self._windows.report(now, self.highest, self.lost, jitter, round_trip_time)
        return ""

    def window(self, observer: str) -> ReportWindow | None:
        """What was reported since this observer asked last; see :meth:`ReportWindows.take`."""
        return self._windows.take(observer)

    def forget(self, observer: str) -> None:
        """An observer asks no more; harmless when it never did."""
        self._windows.forget(observer)

    def _align(self, raw: int, sent_highest: int) -> tuple[int, int] | str:
        """The wraps of the 32-bit number and the misalignment that explain ``raw``; a reason, counted, if none do."""
        if self._start < 0:
            self.ignored += 1
            return "early"
        known = self._previous >= 0
        cycles, misalignment = self._cycles, self.misalignment
        if known and raw < self._last_raw and raw - self._last_raw & 0xFFFFFFFF < 0x80000000:
            cycles += 1 << 32
        absolute = cycles + raw + misalignment + self._base
        if absolute < self._start:
            # A receiver that missed its first roll-over, with a number below that of the start.
            if not known or not self._start <= absolute + CYCLE <= sent_highest:
                self.ignored += 1
                return "early"
            misalignment += CYCLE
            absolute += CYCLE
        self._last_raw = raw
        if absolute > sent_highest and misalignment:
            # The receiver has corrected its count: take back as many roll-overs as needed.
            back = min(misalignment, -(-(absolute - sent_highest) // CYCLE) * CYCLE)
            misalignment -= back
            absolute -= back
        gap = sent_highest - absolute
        if not 0 <= gap <= self._limit:
            self.runaway += 1
            return "runaway"
        if absolute - self._base != self._previous and gap >= CYCLE:
            missed = gap // CYCLE * CYCLE
            misalignment += missed
            absolute += missed
        if absolute - self._base < self._previous:
            self.out_of_order += 1
            return "old"
        return cycles, misalignment

    def _follow_lost(self, cumulative: int) -> None:
        # 24 bits on the wire: a forward step of less than half of them that looks smaller has wrapped.
        step = cumulative - self._lost_raw & 0xFFFFFF
        if step >= 0x800000:
            step -= 0x1000000
        self.lost += step
        self._lost_raw = cumulative
