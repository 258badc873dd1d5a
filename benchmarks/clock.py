"""CPU time of this process, and of a piece of work repeated until it is long enough to be measured."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable

__all__ = ["cpu_seconds", "microseconds_each"]


def cpu_seconds() -> float:
    """User and system time of this process so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def microseconds_each(work: Callable[[], int], *, repeats: int = 7, least: float = 0.05) -> float:
    """CPU microseconds of one operation; ``work`` does a batch and returns how many it did.

    The best of some repeats, each at least ``least`` seconds long: noise only ever adds.
    """
    work()
    best = float("inf")
    for _ in range(repeats):
        gc.collect()
        done = 0
        start = time.process_time()
        while (spent := time.process_time() - start) < least:
            done += work()
        best = min(best, spent / done)
    return best * 1e6
