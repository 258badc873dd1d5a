"""How fast one client may signal: two leaky buckets, one of frames and one of bytes.

A client that sends faster is not refused but read later, so TCP slows it down and nobody else waits for the work that
it makes (every mute or new name is told to the whole room). What SDKs do at their busiest stays far below. Called by
``sfu.server.app`` after each frame.
"""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["BURST_BYTES", "BURST_FRAMES", "BYTES_PER_SECOND", "FRAMES_PER_SECOND", "Pace"]

FRAMES_PER_SECOND: Final = 50.0
BURST_FRAMES: Final = 200.0
BYTES_PER_SECOND: Final = 1024.0 * 1024.0
BURST_BYTES: Final = 4 * BYTES_PER_SECOND


@attrs.define(eq=False)
class Pace:
    """The pace of one client; ``last`` is when it was let in, in monotonic seconds."""

    last: float
    _frames: float = 0.0
    _bytes: float = 0.0

    def take(self, size: int, now: float) -> float:
        """Count one frame of ``size`` bytes; return the seconds to wait before the next one is read."""
        passed = max(0.0, now - self.last)
        self.last = now
        self._frames = max(0.0, self._frames - passed * FRAMES_PER_SECOND) + 1
        self._bytes = max(0.0, self._bytes - passed * BYTES_PER_SECOND) + size
        return max(
            0.0, (self._frames - BURST_FRAMES) / FRAMES_PER_SECOND, (self._bytes - BURST_BYTES) / BYTES_PER_SECOND
        )
