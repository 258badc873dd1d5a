"""The four bytes in front of every RTCP packet (RFC 3550 section 6.4.1)."""

from __future__ import annotations

from struct import Struct

from pystack.errors import InvalidArgument

__all__ = ["HEADER", "frame"]

HEADER = Struct("!BBH")


def frame(count: int, packet_type: int, body: bytes) -> bytes:
    """Put the header in front of ``body``; one that is not of whole words is padded, and says so.

    Raises:
        InvalidArgument: the count has more than its 5 bits.
    """
    if not 0 <= count <= 31:
        raise InvalidArgument(f"an RTCP packet of type {packet_type} counts 31 entries at most, not {count}")
    lacking = -len(body) & 3
    if not lacking:
        return HEADER.pack(0x80 | count, packet_type, len(body) // 4) + body
    padded = body + bytes(lacking - 1) + bytes((lacking,))
    return HEADER.pack(0xA0 | count, packet_type, len(padded) // 4) + padded
