"""Sent packets, kept for a while in case they are asked for again; bounded by number, bytes and age.

The payload is kept by reference, so in a fan-out all subscribers share one copy of it; only the header, which differs,
is each one's own. Many histories share one :class:`HistoryBudget`: of all their packets, the oldest go first.
Called by the send stream.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final, TypeAlias

from pystack.errors import InvalidArgument

__all__ = ["HistoryBudget", "PacketHistory", "SentPacket"]

SentPacket: TypeAlias = list[Any]
"""``[extended number, sent at, header, payload, times sent again, last sent again at, share, history]``; the history is
``None`` once the packet is forgotten."""

NUMBER: Final = 0
SENT_AT: Final = 1
HEADER: Final = 2
PAYLOAD: Final = 3
TIMES: Final = 4
AGAIN_AT: Final = 5
SHARE: Final = 6
HISTORY: Final = 7

OVERHEAD: Final = 300
"""What a kept packet costs beside its bytes: lists, the header's object, places in rings."""


class HistoryBudget:
    """Bytes that all histories which share it may hold together.

    One for each session unless said; an SFU makes one for all. A payload that goes to many subscribers, one after the
    other, counts once. Not for use from several threads.

    Args:
        max_bytes: headers, payloads and what keeping them costs.
        max_age: seconds after which a packet is forgotten, whoever sent it.

    Raises:
        InvalidArgument: a bound is not positive.

    Attributes:
        size: bytes held now.
        dropped: packets forgotten because there was no room for them any more.
    """

    __slots__ = ("_last", "_max_age", "_max_bytes", "_order", "_share", "dropped", "size")

    def __init__(self, max_bytes: int = 16_000_000, max_age: float = 3.0) -> None:
        if max_bytes <= 0 or max_age <= 0:
            raise InvalidArgument("a budget needs room for something, for some time")
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._order: deque[SentPacket] = deque()
        self._last: bytes = b""
        self._share: list[int] = [0, 0]
        self.size = 0
        self.dropped = 0

    def __len__(self) -> int:
        """Packets that are watched, forgotten ones that are not the oldest included."""
        return len(self._order)

    def take(self, kept: SentPacket, payload: bytes, size: int, now: float) -> None:
        """A history keeps a packet of ``size`` bytes. Hot. The oldest ones may be forgotten for it."""
        share = self._share
        if payload is self._last and share[1]:
            share[1] += 1
            self.size += size - share[0] + OVERHEAD
        else:
            self._last = payload
            # What the payload costs, and how many hold it: the last one gives the bytes back.
            share = self._share = [len(payload), 1]
            self.size += size + OVERHEAD
        kept[SHARE] = share
        order = self._order
        order.append(kept)
        oldest = order[0]
        if self.size > self._max_bytes or now - oldest[SENT_AT] > self._max_age or oldest[HISTORY] is None:
            self.expire(now)

    def release(self, kept: SentPacket) -> None:
        """A history forgets a packet."""
        share = kept[SHARE]
        share[1] -= 1
        self.size -= len(kept[HEADER]) + OVERHEAD
        if not share[1]:
            self.size -= share[0]

    def expire(self, now: float) -> None:
        """Forget what is too old, or too much, of all histories; the oldest first."""
        order = self._order
        while order:
            oldest = order[0]
            history = oldest[HISTORY]
            if history is not None:
                if now - oldest[SENT_AT] <= self._max_age:
                    if self.size <= self._max_bytes:
                        return
                    self.dropped += 1
                history.forget(oldest)
            order.popleft()
        self._last = b""

    def sweep(self) -> None:
        """Let go of the oldest packets that their histories have forgotten."""
        order = self._order
        while order and order[0][HISTORY] is None:
            order.popleft()
        if not order:
            self._last = b""


class PacketHistory:
    """A ring over extended sequence numbers.

    Args:
        capacity: packets; rounded up to a power of two.
        max_bytes: payload and header bytes.
        max_age: seconds.
        budget: what it shares with others; one of its own if ``None``.

    Attributes:
        size: bytes held now.
        dropped: packets forgotten because there was no room here; those of the budget count there.
    """

    __slots__ = ("_budget", "_mask", "_max_age", "_max_bytes", "_newest", "_oldest", "_ring", "dropped", "size")

    def __init__(self, capacity: int, max_bytes: int, max_age: float, budget: HistoryBudget | None = None) -> None:
        self._mask = (1 << max(0, capacity - 1).bit_length()) - 1
        # Most streams are young or slow: the ring is made at the first packet.
        self._ring: list[SentPacket | None] = []
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._budget = budget if budget is not None else HistoryBudget(2**62, max_age)
        self._oldest = 0
        self._newest = -1
        self.size = 0
        self.dropped = 0

    @property
    def capacity(self) -> int:
        """How many packets it can hold."""
        return self._mask + 1

    @property
    def oldest_at(self) -> float | None:
        """When the oldest packet was sent that is still here; ``None`` when there is none."""
        ring, mask = self._ring, self._mask
        while self._oldest <= self._newest:
            kept = ring[self._oldest & mask]
            if kept is not None:
                return float(kept[SENT_AT])
            self._oldest += 1
        return None

    def add(self, number: int, now: float, header: bytes, payload: bytes) -> None:
        """Keep a packet. Hot. Numbers may come out of order; one that comes again replaces the first."""
        mask = self._mask
        slot = number & mask
        newest = self._newest
        if number > newest:
            self._newest = number
            if newest < 0:
                self._oldest = number
                self._ring = [None] * (mask + 1)
            elif number - self._oldest > mask:
                if number == newest + 1:
                    self._oldest = number - mask  # what it pushes out lies in its slot
                else:
                    self._drop_below(number - mask)
        elif number < self._oldest:
            return
        ring = self._ring
        if ring[slot] is not None:
            self._remove(number)
        ring[slot] = kept = [number, now, header, payload, 0, 0.0, None, self]
        size = len(header) + len(payload)
        self.size += size
        self._budget.take(kept, payload, size, now)
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

    def newest(self, now: float, count: int) -> list[SentPacket]:
        """Up to ``count`` of the packets sent last, the newest first."""
        found: list[SentPacket] = []
        for number in range(self._newest, self._oldest - 1, -1):
            if len(found) >= count:
                break
            kept = self.get(number, now)
            if kept is not None:
                found.append(kept)
        return found

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

    def forget(self, kept: SentPacket) -> None:
        """The budget has no room for this packet of ours any more."""
        self._remove(kept[NUMBER])

    def clear(self) -> None:
        """Forget everything."""
        self._drop_below(self._newest + 1)
        self._ring = []
        self._newest = -1
        self._budget.sweep()

    def _drop_below(self, bound: int) -> None:
        for number in range(self._oldest, min(bound, self._oldest + self._mask + 1)):
            self._remove(number)
        self._oldest = bound

    def _shrink(self) -> None:
        while self.size > self._max_bytes and self._oldest <= self._newest:
            if self._ring[self._oldest & self._mask] is not None:
                self.dropped += 1
            self._remove(self._oldest)
            self._oldest += 1

    def _remove(self, number: int) -> None:
        kept = self._ring[number & self._mask]
        if kept is None:
            return
        self._ring[number & self._mask] = None
        self.size -= len(kept[HEADER]) + len(kept[PAYLOAD])
        self._budget.release(kept)
        kept[HISTORY] = None
        kept[HEADER] = kept[PAYLOAD] = b""
