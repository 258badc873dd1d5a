"""What to ask for again, and when (RFC 4585 section 6.2.1; the constants are requirements C-12).

A number is asked for after a short wait, because most gaps are reordering, then at growing distances of a round trip,
five times at most. Called by the receive stream; its deadline travels up to the session.
"""

from __future__ import annotations

from math import inf
from typing import Final

__all__ = ["NackQueue"]

CAPACITY: Final = 100
TRIES: Final = 5
FIRST_WAIT: Final = 0.020
MAX_WAIT: Final = 0.400
GROWTH: Final = 1.25
LIFETIME: Final = 120.0

_ADDED, _TRIES, _NEXT = 0, 1, 2


class NackQueue:
    """The missing packets of one stream, by extended sequence number.

    Attributes:
        deadline: when :meth:`due` has something to say; ``inf`` when nothing is missing.
        requested: how many numbers were asked for, repetitions included.
        abandoned: how many were given up.
    """

    __slots__ = ("_entries", "abandoned", "deadline", "requested")

    def __init__(self) -> None:
        self._entries: dict[int, list[float]] = {}
        self.deadline = inf
        self.requested = 0
        self.abandoned = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, start: int, stop: int, now: float) -> None:
        """Numbers ``[start, stop)`` are missing since ``now``; of more than fit, the oldest are given up."""
        entries = self._entries
        first = max(start, stop - CAPACITY)
        self.abandoned += first - start
        for number in range(first, stop):
            entries[number] = [now, 0, now + FIRST_WAIT]
        while len(entries) > CAPACITY:
            del entries[next(iter(entries))]
            self.abandoned += 1
        self.deadline = min(self.deadline, now + FIRST_WAIT)

    def remove(self, number: int) -> None:
        """``number`` has come."""
        if self._entries.pop(number, None) is not None and not self._entries:
            self.deadline = inf

    def clear(self) -> None:
        """Nothing is wanted any more."""
        self._entries.clear()
        self.deadline = inf

    def due(self, now: float, round_trip_time: float) -> list[int]:
        """Return the numbers to ask for now, ascending, and plan their next time. Costs one step per entry."""
        wanted: list[int] = []
        gone: list[int] = []
        self.deadline = inf
        for number, entry in self._entries.items():
            if entry[_NEXT] <= now:
                if now - entry[_ADDED] > LIFETIME:
                    gone.append(number)
                    self.abandoned += 1
                    continue
                wanted.append(number)
                entry[_TRIES] += 1
                if entry[_TRIES] >= TRIES:
                    gone.append(number)
                    continue
                wait = round_trip_time * GROWTH ** (entry[_TRIES] - 1)
                entry[_NEXT] = now + min(MAX_WAIT, max(FIRST_WAIT, wait))
            self.deadline = min(self.deadline, entry[_NEXT])
        for number in gone:
            del self._entries[number]
        self.requested += len(wanted)
        wanted.sort()
        return wanted
