"""Which clock ``now`` is read from: the loop's, so that a loop on virtual time rules everything.

uvloop's ``time()`` has steps of a millisecond and stands still within a turn; it is the same clock as
``time.monotonic``, which is read instead.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["clock_of", "wall_offset"]


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """The clock of this loop, in monotonic seconds; times from it may be given to ``loop.call_at``."""
    return time.monotonic if type(loop).__module__.partition(".")[0] == "uvloop" else loop.time


def wall_offset(loop: asyncio.AbstractEventLoop) -> float:
    """What to add to the loop's clock to get seconds since 1970, as of now: for what the wire wants as NTP time.

    A loop on virtual time says so itself, by an attribute of this name: its wall stands as still as its clock.
    """
    virtual: float | None = getattr(loop, "wall_offset", None)
    return time.time() - clock_of(loop)() if virtual is None else virtual
