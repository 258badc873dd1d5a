"""How long the peer may take, for any number of channels at once.

All waits of one kind are equally long, so in the order in which they began they are sorted already: a queue, and no
timer for each channel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf

__all__ = ["Patience"]


class Patience:
    """Waits of one length, by channel handle.

    Args:
        length: in seconds.
        waits: tells whether a handle still waits; what does not is forgotten on the way.
    """

    __slots__ = ("_length", "_queue", "_waits")

    def __init__(self, length: float, waits: Callable[[int], bool]) -> None:
        self._length = length
        self._waits = waits
        self._queue: deque[tuple[float, int]] = deque()

    def begin(self, handle: int, now: float) -> None:
        """Start a wait; times never go backwards."""
        self._queue.append((now + self._length, handle))

    def expired(self, now: float) -> list[int]:
        """Remove and return the handles whose time is over and that still wait."""
        over = []
        while self._queue and self._queue[0][0] <= now:
            handle = self._queue.popleft()[1]
            if self._waits(handle):
                over.append(handle)
        return over

    def deadline(self) -> float:
        """When the earliest wait is over; ``inf`` for none."""
        while self._queue:
            at, handle = self._queue[0]
            if self._waits(handle):
                return at
            self._queue.popleft()
        return inf

    def clear(self) -> None:
        """Forget all waits."""
        self._queue.clear()
