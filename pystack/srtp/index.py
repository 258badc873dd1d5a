"""The 48-bit packet index: which roll-over a 16-bit sequence number belongs to (RFC 3711 section 3.3.1)."""

from __future__ import annotations

__all__ = ["estimate", "header_length"]


def estimate(highest: int, sequence_number: int) -> int:
    """The index nearest to ``highest`` whose low 16 bits are ``sequence_number``; negative lies before the start."""
    return highest + (((sequence_number - highest + 0x8000) & 0xFFFF) - 0x8000)


def header_length(packet: bytes) -> int:
    """Bytes of an RTP header with its CSRCs and extension, or -1 when it is not RTP or runs past the end.

    The SRTP layer needs no more of RTP than this: what is in clear, and where the payload begins.
    """
    size = len(packet)
    if size < 12 or packet[0] >> 6 != 2:
        return -1
    length = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        if size < length + 4:
            return -1
        length += 4 + 4 * (packet[length + 2] << 8 | packet[length + 3])
    return length if length <= size else -1
