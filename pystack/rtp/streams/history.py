"""Sent packets, kept for a while in case they are asked for again; bounded by number, bytes and age.

The payload is kept by reference, so in a fan-out all subscribers share one copy of it; only the header, which differs,
is each one's own. Called by the send stream.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

__all__ = ["PacketHistory", "SentPacket"]

SentPacket: TypeAlias = list[Any]
"""``[extended number, sent at, header, payload, times sent again, last sent again at]``."""

NUMBER: Final = 0
SENT_AT: Final = 1
HEADER: Final = 2
PAYLOAD: Final = 3
TIMES: Final = 4
AGAIN_AT: Final = 5


class PacketHistory:
    """A ring over extended sequence numbers.

    Args:
        capacity: packets; rounded up to a power of two.
        max_bytes: payload and header bytes.
        max_age: seconds.

    Attributes:
        size: bytes held now.
    """

    __slots__ = ("_mask", "_max_age", "_max_bytes", "_newest", "_oldest", "_ring", "size")

    def __init__(self, capacity: int, max_bytes: int, max_age: float) -> None:
        slots = 1 << max(0, capacity - 1).bit_length()
        self._mask = slots - 1
        self._ring: list[SentPacket | None] = [None] * slots
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._oldest = 0
        self._newest = -1
        self.size = 0

    def add(self, number: int, now: float, header: bytes, payload: bytes) -> None:
        """Keep a packet. Hot. Numbers may come out of order; one that comes again replaces the first."""
        if number > self._newest:
            if self._newest < 0:
                self._oldest = number
            self._newest = number
            if number - self._oldest > self._mask:
                self._drop_below(number - self._mask)
        elif number < self._oldest:
            return
        if self._ring[number & self._mask] is not None:
            self._remove(number)
        self._ring[number & self._mask] = [number, now, header, payload, 0, 0.0]
        self.size += len(header) + len(payload)
        if self.size > self._max_bytes:
            self._shrink()

    def get(self, number: int, now: float) -> SentPacket | None:
        """The packet ``number``; ``None`` when it was never kept, or is gone, or is too old."""
        if not self._oldest <= number <= self._newest:
            return None
        kept = self._ring[number & self._mask]
        if kept is None or kept[NUMBER] != number or now - kept[SENT_AT] > self._max_age:
            return None
        return kept

    def expire(self, now: float) -> None:
        """Forget what is too old."""
        ring, mask = self._ring, self._mask
        while self._oldest <= self._newest:
            kept = ring[self._oldest & mask]
            if kept is not None:
                if now - kept[SENT_AT] <= self._max_age:
                    return
                self._remove(self._oldest)
            self._oldest += 1

    def clear(self) -> None:
        """Forget everything."""
        self._drop_below(self._newest + 1)

    def _drop_below(self, bound: int) -> None:
        if bound - self._oldest > self._mask:
            self._ring = [None] * (self._mask + 1)
            self.size = 0
        else:
            for number in range(self._oldest, bound):
                self._remove(number)
        self._oldest = bound

    def _shrink(self) -> None:
        while self.size > self._max_bytes and self._oldest <= self._newest:
            self._remove(self._oldest)
            self._oldest += 1

    def _remove(self, number: int) -> None:
        kept = self._ring[number & self._mask]
        if kept is not None:
            self.size -= len(kept[HEADER]) + len(kept[PAYLOAD])
            self._ring[number & self._mask] = None
