"""The SACK chunk (RFC 9260 section 3.3.4), read plainly; see :mod:`pystack.sctp.wire.fast` for the hot path."""

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from pystack.errors import DecodeError
from pystack.sctp.wire.packet import ChunkType, encode_chunk

__all__ = ["SACK_OVERHEAD", "SackChunk"]

_FIXED = Struct("!LLHH")
SACK_OVERHEAD: Final = 4 + _FIXED.size


@attrs.define
class SackChunk:
    """What the receiver has.

    Attributes:
        cumulative_tsn: everything up to here has arrived; 32 bits as on the wire.
        a_rwnd: bytes that the receiver has room for.
        gaps: ``(start, end)`` offsets from ``cumulative_tsn``, both inclusive, 16 bits each.
        duplicates: TSNs that arrived again since the last SACK.
    """

    cumulative_tsn: int
    a_rwnd: int
    gaps: list[tuple[int, int]] = attrs.field(factory=list)
    duplicates: list[int] = attrs.field(factory=list)

    def encode(self) -> bytes:
        """The chunk; it never needs padding."""
        body = _FIXED.pack(self.cumulative_tsn, self.a_rwnd, len(self.gaps), len(self.duplicates))
        body += b"".join(start.to_bytes(2, "big") + end.to_bytes(2, "big") for start, end in self.gaps)
        body += b"".join(tsn.to_bytes(4, "big") for tsn in self.duplicates)
        return encode_chunk(ChunkType.SACK, 0, body)

    @classmethod
    def decode(cls, flags: int, body: bytes) -> SackChunk:
        """Read the body of a chunk; nothing of it is applied before all of it is read.

        Raises:
            DecodeError: shorter than its counts say, or a gap that ends before it starts or starts at 0.
        """
        if len(body) < _FIXED.size:
            raise DecodeError("SACK too short")
        cumulative, a_rwnd, gap_count, duplicate_count = _FIXED.unpack_from(body)
        at = _FIXED.size
        if len(body) < at + 4 * (gap_count + duplicate_count):
            raise DecodeError("SACK counts")
        gaps: list[tuple[int, int]] = []
        for _ in range(gap_count):
            start, end = int.from_bytes(body[at : at + 2], "big"), int.from_bytes(body[at + 2 : at + 4], "big")
            if start == 0 or end < start:
                raise DecodeError("SACK gap")
            gaps.append((start, end))
            at += 4
        duplicates: list[int] = []
        for _ in range(duplicate_count):
            duplicates.append(int.from_bytes(body[at : at + 4], "big"))
            at += 4
        return cls(cumulative, a_rwnd, gaps, duplicates)
