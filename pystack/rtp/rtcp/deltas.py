"""What became of a range of transport-wide numbers, kept by what arrived.

Each number that arrived takes a byte and more on the wire, but a run of 8,191 that did not takes two. So only those
that arrived are held, and a feedback packet costs what its bytes are, whatever count it claims. Held by
:class:`pystack.rtp.rtcp.TransportFeedback`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

__all__ = ["Deltas"]


class Deltas(Sequence["int | None"]):
    """One entry per number: ``None`` if it did not arrive. Made all at once only for who walks it.

    Attributes:
        offsets: which arrived, ascending.
        values: the delta of each of them.
    """

    __slots__ = ("_count", "offsets", "values")

    def __init__(self, count: int, offsets: list[int], values: list[int]) -> None:
        self._count = count
        self.offsets = offsets
        self.values = values

    @staticmethod
    def of(each: Iterable[int | None]) -> Deltas:
        """From one entry per number; what is made already stays."""
        if isinstance(each, Deltas):
            return each
        entries = list(each)
        offsets = [offset for offset, delta in enumerate(entries) if delta is not None]
        return Deltas(len(entries), offsets, [delta for delta in entries if delta is not None])

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int | None]:
        at = 0
        for offset, value in zip(self.offsets, self.values, strict=True):
            while at < offset:
                yield None
                at += 1
            yield value
            at += 1
        for _ in range(at, self._count):
            yield None

    @overload
    def __getitem__(self, index: int) -> int | None: ...
    @overload
    def __getitem__(self, index: slice) -> list[int | None]: ...
    def __getitem__(self, index: int | slice) -> int | list[int | None] | None:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(self._count))]
        index = range(self._count)[index]
        at = bisect_left(self.offsets, index)
        return self.values[at] if at < len(self.offsets) and self.offsets[at] == index else None

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Deltas):
            return (self._count, self.offsets, self.values) == (other._count, other.offsets, other.values)
        return list(self) == other if isinstance(other, list) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        came = ", ".join(f"{offset}: {value}" for offset, value in zip(self.offsets, self.values, strict=True))
        return f"<{len(self.offsets)} of {self._count} arrived: {{{came}}}>"
