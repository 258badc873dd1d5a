"""How many SCTP chunks of each kind went each way."""

from __future__ import annotations

from collections import Counter

from pystack import Trace

__all__ = ["ChunkCounter"]


class ChunkCounter(Trace):
    """Counts the SCTP chunks that pass our association, by direction and type."""

    def __init__(self) -> None:
        self.chunks: Counter[tuple[str, int]] = Counter()

    def packet(self, now: float, layer: str, direction: str, data: bytes) -> None:
        """Walk the chunks of an SCTP packet."""
        at = 12
        while layer == "sctp" and at + 4 <= len(data):
            self.chunks[direction, data[at]] += 1
            length = max(4, int.from_bytes(data[at + 2 : at + 4], "big"))
            at += length + (-length & 3)

    def state(self, now: float, layer: str, before: str, after: str) -> None:
        """Not counted."""

    def timer(self, now: float, layer: str, name: str) -> None:
        """Not counted."""

    def dropped(self, now: float, layer: str, why: str) -> None:
        """Not counted."""
