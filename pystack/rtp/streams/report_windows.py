"""What a receiver reported between two questions of an observer: deltas for statistics, quality and bandwidth.

Each observer has a snapshot of its own, so one that asks every second and one that asks every minute do not disturb
each other. A window exists if and only if there is a pair of snapshots (AC36.8): the first question after the first
report opens one, and every later question closes a window and opens the next. Called by :class:`PeerReports`.
"""

from __future__ import annotations

import attrs

from pystack.rtp.streams.observers import MAX_NUMBERS, Observers

__all__ = ["ReportWindow", "ReportWindows"]


@attrs.frozen(kw_only=True)
class ReportWindow:
    """The receiver's view of one stretch of a stream.

    Attributes:
        start: when the report before it came, in monotonic seconds.
        end: when its last report came; equal to ``start`` if none came.
        packets: sequence numbers that the receiver passed.
        lost: packets that it lost more; negative when late ones made up for losses.
        reports: reports that were believed.
        max_jitter: the largest jitter reported, in timestamp units.
        max_round_trip_time: the longest that was measured, in seconds; ``None`` if none was.
    """

    start: float
    end: float
    packets: int
    lost: int
    reports: int
    max_jitter: int
    max_round_trip_time: float | None


@attrs.define
class _Snapshot:
    """Where an observer stood, and the maxima since."""

    at: float
    highest: int
    lost: int
    reports: int
    max_jitter: int = 0
    max_round_trip_time: float | None = None


class ReportWindows:
    """The windows of all observers of one stream."""

    __slots__ = ("_at", "_highest", "_lost", "_observers", "_reports")

    def __init__(self) -> None:
        self._observers: Observers[_Snapshot] = Observers()
        self._at = 0.0
        self._highest = -1
        self._lost = 0
        self._reports = 0

    def report(self, now: float, highest: int, lost: int, jitter: int, round_trip_time: float | None) -> None:
        """A report was believed: what it says, realigned and extended."""
        self._at = now
        self._highest = highest
        self._lost = lost
        self._reports += 1
        for each in self._observers:
            each.max_jitter = max(each.max_jitter, jitter)
            if round_trip_time is not None:
                each.max_round_trip_time = max(each.max_round_trip_time or 0.0, round_trip_time)

    def take(self, observer: str) -> ReportWindow | None:
        """Close the observer's window and open the next.

        Returns:
            ``None`` if this question opens its first window, or there was no report yet to open one at; also if more
            than 65,536 sequence numbers lie between, which is no measurement any more.
        """
        if not self._reports:
            return None
        then = self._observers.exchange(observer, _Snapshot(self._at, self._highest, self._lost, self._reports))
        if then is None or self._highest - then.highest > MAX_NUMBERS:
            return None
        return ReportWindow(
            start=then.at,
            end=self._at,
            packets=self._highest - then.highest,
            lost=self._lost - then.lost,
            reports=self._reports - then.reports,
            max_jitter=then.max_jitter,
            max_round_trip_time=then.max_round_trip_time,
        )

    def forget(self, observer: str) -> None:
        """Drop the snapshot of an observer; harmless when there is none."""
        self._observers.forget(observer)
