"""Sorted, disjoint intervals of integers: SACK gaps, NACK lists, replay windows.

Received sequence numbers come almost in order, so almost every insertion lands at the end: appending, and merging at
the end, is O(1); anywhere else costs a binary search and a shift of the list. Nothing walks the numbers themselves.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

__all__ = ["RangeSet"]


class RangeSet:
    """A set of integers held as half-open intervals ``[start, stop)``, sorted, disjoint and never touching."""

    __slots__ = ("_starts", "_stops")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []

    def __len__(self) -> int:
        """The number of intervals (not of integers)."""
        return len(self._starts)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The intervals as ``(start, stop)``, ascending."""
        return zip(self._starts, self._stops, strict=True)

    def __contains__(self, value: int) -> bool:
        at = bisect_right(self._starts, value) - 1
        return at >= 0 and value < self._stops[at]

    def __repr__(self) -> str:
        return f"RangeSet({list(self)})"

    def add(self, value: int) -> bool:
        """Add one integer; return whether it is new."""
        starts, stops = self._starts, self._stops
        if not starts or value > stops[-1]:
            starts.append(value)
            stops.append(value + 1)
            return True
        if value == stops[-1]:
            stops[-1] = value + 1
            return True
        if value in self:
            return False
        self.add_range(value, value + 1)
        return True

    def extend(self, value: int) -> bool:
        """Add ``value`` if it comes right behind the last interval; return whether it did."""
        stops = self._stops
        if stops and stops[-1] == value:
            stops[-1] = value + 1
            return True
        return False

    def add_range(self, start: int, stop: int) -> None:
        """Add all of ``[start, stop)``; harmless when it is empty."""
        if start >= stop:
            return
        starts, stops = self._starts, self._stops
        first = bisect_left(stops, start)  # the first interval that reaches or touches `start`
        last = bisect_right(starts, stop)  # one past the last that begins at or before `stop`
        if first < last:
            start = min(start, starts[first])
            stop = max(stop, stops[last - 1])
        starts[first:last] = [start]
        stops[first:last] = [stop]

    def remove_range(self, start: int, stop: int) -> None:
        """Remove all of ``[start, stop)``; what is not there does not matter."""
        if start >= stop or not self._starts:
            return
        starts, stops = self._starts, self._stops
        first = bisect_right(stops, start)
        last = bisect_left(starts, stop)
        if first >= last:
            return
        keep_starts: list[int] = []
        keep_stops: list[int] = []
        if starts[first] < start:
            keep_starts.append(starts[first])
            keep_stops.append(start)
        if stops[last - 1] > stop:
            keep_starts.append(stop)
            keep_stops.append(stops[last - 1])
        starts[first:last] = keep_starts
        stops[first:last] = keep_stops

    def remove_below(self, bound: int) -> None:
        """Forget everything under ``bound``."""
        self.remove_range(self._starts[0] if self._starts else bound, bound)

    def clear(self) -> None:
        """Forget everything."""
        self._starts.clear()
        self._stops.clear()

    @property
    def first(self) -> tuple[int, int]:
        """The lowest interval.

        Raises:
            IndexError: the set is empty.
        """
        return self._starts[0], self._stops[0]

    @property
    def last(self) -> tuple[int, int]:
        """The highest interval.

        Raises:
            IndexError: the set is empty.
        """
        return self._starts[-1], self._stops[-1]

    def pop_first(self) -> tuple[int, int]:
        """Remove and return the lowest interval."""
        return self._starts.pop(0), self._stops.pop(0)

    def count(self) -> int:
        """How many integers are in the set; costs one step per interval."""
        return sum(self._stops) - sum(self._starts)
