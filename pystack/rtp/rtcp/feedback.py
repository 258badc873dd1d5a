"""Requests to the sender of a stream: NACK, PLI (RFC 4585 section 6) and FIR (RFC 5104 section 4.3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

import attrs

from pystack.errors import DecodeError
from pystack.rtp.rtcp.frame import frame

__all__ = ["Fir", "Nack", "Pli"]

_SSRCS = Struct("!LL")
_PAIR = Struct("!HH")
_ENTRY = Struct("!LBxxx")
_NEAR = tuple(tuple(bit + 1 for bit in range(8) if mask >> bit & 1) for mask in range(256))
"""How far ahead the bits of one byte of a mask are."""


@attrs.define
class Nack:
    """Generic NACK, packet type 205, format 1.

    Attributes:
        sender_ssrc: who asks.
        media_ssrc: the stream.
        sequence_numbers: what is missing, 16 bits each, in the order of the packet.
    """

    sender_ssrc: int
    media_ssrc: int
    sequence_numbers: list[int] = attrs.field(factory=list)

    def serialize(self) -> bytes:
        """Write the packet; numbers that lie within 16 of each other share a pair of number and mask."""
        pairs = b"".join([_PAIR.pack(base, mask) for base, mask in _pack(self.sequence_numbers)])
        return frame(1, 205, _SSRCS.pack(self.sender_ssrc, self.media_ssrc) + pairs)

    @classmethod
    def parse(cls, body: bytes) -> Nack:
        """Parse the part after the RTCP header.

        Raises:
            DecodeError: it is not two SSRCs and whole pairs.
        """
        if len(body) < 8 or len(body) % 4:
            raise DecodeError("RTCP NACK: bad length")
        sender, media = _SSRCS.unpack_from(body)
        numbers = []
        for at in range(8, len(body), 4):
            base, mask = _PAIR.unpack_from(body, at)
            numbers.append(base)
            if mask:
                numbers += [base + ahead & 0xFFFF for ahead in _NEAR[mask & 0xFF]]
                numbers += [base + 8 + ahead & 0xFFFF for ahead in _NEAR[mask >> 8]]
        return cls(sender, media, numbers)


@attrs.define
class Pli:
    """Picture loss indication, packet type 206, format 1: send a key frame of ``media_ssrc``."""

    sender_ssrc: int
    media_ssrc: int

    def serialize(self) -> bytes:
        """Write the packet."""
        return frame(1, 206, _SSRCS.pack(self.sender_ssrc, self.media_ssrc))

    @classmethod
    def parse(cls, body: bytes) -> Pli:
        """Parse the part after the RTCP header.

        Raises:
            DecodeError: it is too short.
        """
        if len(body) < 8:
            raise DecodeError("RTCP PLI: too short")
        return cls(*_SSRCS.unpack_from(body))


@attrs.define
class Fir:
    """Full intra request, packet type 206, format 4.

    Attributes:
        sender_ssrc: who asks.
        media_ssrc: 0 by the RFC; kept as it came.
        entries: ``(ssrc, number)`` per stream; a repeated request keeps its number, a new one counts up modulo 256.
    """

    sender_ssrc: int
    media_ssrc: int = 0
    entries: list[tuple[int, int]] = attrs.field(factory=list)

    def serialize(self) -> bytes:
        """Write the packet."""
        entries = b"".join([_ENTRY.pack(ssrc, number) for ssrc, number in self.entries])
        return frame(4, 206, _SSRCS.pack(self.sender_ssrc, self.media_ssrc) + entries)

    @classmethod
    def parse(cls, body: bytes) -> Fir:
        """Parse the part after the RTCP header.

        Raises:
            DecodeError: it is not two SSRCs and whole entries.
        """
        if len(body) < 8 or len(body) % 8:
            raise DecodeError("RTCP FIR: bad length")
        sender, media = _SSRCS.unpack_from(body)
        return cls(sender, media, [_ENTRY.unpack_from(body, at) for at in range(8, len(body), 8)])


def _pack(numbers: Iterable[int]) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    base = mask = -1
    for number in numbers:
        distance = (number - base) & 0xFFFF
        if base >= 0 and 1 <= distance <= 16:
            mask |= 1 << (distance - 1)
            continue
        if base >= 0:
            pairs.append((base, mask))
        base, mask = number, 0
    if base >= 0:
        pairs.append((base, mask))
    return pairs
