"""Protected media on its way down: what waits for the path, and when it is too old to be worth sending.

Sans-IO and bounded twice: by the age of a packet and by their number. The :class:`pystack.session.pacing.Pacer` that
lets everything through, used by the session unless it is given another.
"""

from __future__ import annotations

from collections import deque
from math import inf

__all__ = ["MediaQueue"]


class MediaQueue:
    """A short FIFO of protected packets with the times at which they came.

    Attributes:
        dropped_late: packets dropped because the path was blocked for longer than ``age`` seconds.
        dropped_full: packets dropped, the oldest first, because more than ``limit`` waited.
    """

    __slots__ = ("_age", "_limit", "_waiting", "dropped_full", "dropped_late")

    def __init__(self, age: float, limit: int) -> None:
        self._age = age
        self._limit = limit
        self._waiting: deque[tuple[float, bytes]] = deque()
        self.dropped_late = 0
        self.dropped_full = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def push(self, packet: bytes, now: float) -> None:
        """Queue one packet; the oldest makes room when the queue is full."""
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            self.dropped_full += 1
        self._waiting.append((now, packet))

    def push_control(self, packet: bytes, now: float) -> None:
        """Queue one packet of RTCP, in its order."""
        self.push(packet, now)

    @property
    def deadline(self) -> float:
        """``inf``: what lies here waits for the path, not for a time."""
        return inf

    def tick(self, now: float) -> None:
        """Nothing comes with time."""

    def pop_into(self, out: list[bytes], now: float, room: float) -> None:
        """Move up to ``room`` packets into ``out``, oldest first, dropping those that are too old."""
        waiting = self._waiting
        oldest = now - self._age
        while waiting and room > 0:
            since, packet = waiting.popleft()
            if since < oldest:
                self.dropped_late += 1
                continue
            out.append(packet)
            room -= 1

    def clear(self) -> None:
        """Forget everything."""
        self._waiting.clear()
