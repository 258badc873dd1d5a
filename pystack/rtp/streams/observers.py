"""Where each of several observers stood when it asked last, so that they do not disturb each other.

Used by what is told as the difference of two questions: report windows of what we send, reception windows of what we
receive.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

__all__ = ["MAX_NUMBERS", "MAX_OBSERVERS", "Observers"]

MAX_NUMBERS: Final = 65536
"""A window that spans more sequence numbers than this says nothing (requirements C-13)."""
MAX_OBSERVERS: Final = 64

T = TypeVar("T")


class Observers(Generic[T]):
    """A snapshot for each observer; at most ``MAX_OBSERVERS``, the oldest give way."""

    __slots__ = ("_snapshots",)

    def __init__(self) -> None:
        self._snapshots: dict[str, T] = {}

    def __iter__(self) -> Iterator[T]:
        return iter(self._snapshots.values())

    def exchange(self, observer: str, snapshot: T) -> T | None:
        """Leave a snapshot and take the one before; ``None`` at the first time."""
        before = self._snapshots.get(observer)
        if before is None and len(self._snapshots) >= MAX_OBSERVERS:
            del self._snapshots[next(iter(self._snapshots))]
        self._snapshots[observer] = snapshot
        return before

    def forget(self, observer: str) -> None:
        """Drop the snapshot of an observer; harmless when there is none."""
        self._snapshots.pop(observer, None)
