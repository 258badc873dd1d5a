"""Which clock ``now`` is read from: the loop's, so that a loop on virtual time rules everything.

uvloop's ``time()`` has steps of a millisecond and stands still within a turn; it is the same clock as
``time.monotonic``, which is read instead.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

__all__ = ["clock_of"]


def clock_of(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """The clock of this loop, in monotonic seconds; times from it may be given to ``loop.call_at``."""
    return time.monotonic if type(loop).__module__.partition(".")[0] == "uvloop" else loop.time
