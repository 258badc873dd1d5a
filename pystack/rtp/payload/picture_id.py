"""The picture id that VP8 and VP9 share: 7 bits, or 15 behind a bit that says so (RFC 7741, RFC 9628 section 4.2)."""

from __future__ import annotations

from typing import Final

from pystack.rtp.payload.description import PayloadDescription

__all__ = ["LONG", "read_picture_id"]

LONG: Final = 0x80
"""The bit of the first byte: a second one follows."""


def read_picture_id(payload: bytes, at: int, found: PayloadDescription) -> int:
    """Read the picture id at ``at`` into ``found``; return where it ends. Raises ``IndexError`` if it is cut short."""
    if payload[at] & LONG:
        found.picture_id = (payload[at] & 0x7F) << 8 | payload[at + 1]
        found.picture_id_bits = 15
        return at + 2
    found.picture_id = payload[at]
    found.picture_id_bits = 7
    return at + 1
