"""What was received between two questions of an observer: deltas for statistics and quality (requirements C-13).

The twin of :mod:`~pystack.rtp.streams.report_windows` for streams that come. Called by the session when somebody asks;
the receive stream tells it the jitter, once a frame, from the first question on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from pystack.rtp.streams.observers import MAX_NUMBERS, Observers

if TYPE_CHECKING:
    from pystack.rtp.streams.receiver import ReceiveStream

__all__ = ["ReceptionWindow", "ReceptionWindows"]


@attrs.frozen(kw_only=True)
class ReceptionWindow:
    """One stretch of a received stream.

    Attributes:
        start: when it was opened, in monotonic seconds.
        end: when it was closed.
        expected: sequence numbers that the stream passed.
        packets: packets taken, recovered ones included.
        octets: payload bytes of those.
        header_octets: bytes of their headers, and of their padding.
        lost: packets missing more than before; negative when late ones made up for losses.
        duplicates: packets that came again.
        reordered: packets that came late.
        recovered: packets that came as a retransmission.
        nacks: numbers asked for, repetitions included.
        key_frame_requests: PLI and FIR sent.
        restarts: how often the sequence began anew.
        max_jitter: the largest jitter, in seconds.
    """

    start: float
    end: float
    expected: int
    packets: int
    octets: int
    header_octets: int
    lost: int
    duplicates: int
    reordered: int
    recovered: int
    nacks: int
    key_frame_requests: int
    restarts: int
    max_jitter: float


@attrs.define
class _Snapshot:
    """Where an observer stood, and the largest jitter since."""

    at: float
    counts: tuple[int, ...]
    max_jitter: float


class ReceptionWindows:
    """The windows of all observers of one stream."""

    __slots__ = ("_observers",)

    def __init__(self) -> None:
        self._observers: Observers[_Snapshot] = Observers()

    def jitter(self, jitter: float) -> None:
        """The jitter is now this much, in seconds."""
        for each in self._observers:
            each.max_jitter = max(each.max_jitter, jitter)

    def take(self, observer: str, stream: ReceiveStream, now: float) -> ReceptionWindow | None:
        """Close the observer's window and open the next.

        Returns:
            ``None`` if this question opens its first window, or if more than 65,536 sequence numbers lie between.
        """
        counts = _counts(stream)
        then = self._observers.exchange(observer, _Snapshot(now, counts, stream.jitter / stream.clock_rate))
        if then is None:
            return None
        differences = [after - before for after, before in zip(counts, then.counts, strict=True)]
        if differences[0] > MAX_NUMBERS:
            return None
        return ReceptionWindow(
            start=then.at,
            end=now,
            max_jitter=then.max_jitter,
            **dict(zip(_COUNTED, differences, strict=True)),
        )


_COUNTED = (
    "expected",
    "packets",
    "octets",
    "header_octets",
    "lost",
    "duplicates",
    "reordered",
    "recovered",
    "nacks",
    "key_frame_requests",
    "restarts",
)


def _counts(stream: ReceiveStream) -> tuple[int, ...]:
    """The counters in the order of ``_COUNTED``."""
    sequence = stream.sequence
    return (
        sequence.expected,
        stream.packets,
        stream.octets,
        stream.header_octets,
        sequence.lost,
        sequence.duplicates,
        sequence.reordered,
        stream.recovered,
        stream.nacks.requested,
        stream.key_frame_requests,
        sequence.restarts,
    )
