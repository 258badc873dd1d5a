"""FORWARD-TSN (RFC 3758 section 3.2) and I-FORWARD-TSN (RFC 8260 section 2.3.1): "do not wait up to here"."""

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from pystack.errors import DecodeError
from pystack.sctp.wire.packet import ChunkType, encode_chunk

__all__ = ["FORWARD_OVERHEAD", "ForwardTsnChunk", "IForwardTsnChunk"]

_TSN = Struct("!L")
_SKIP = Struct("!HH")
_ISKIP = Struct("!HHL")
FORWARD_OVERHEAD: Final = 8


@attrs.define
class ForwardTsnChunk:
    """Moves the peer's cumulative TSN over messages that were given up.

    Attributes:
        cumulative_tsn: the new cumulative TSN, as on the wire.
        skips: ``(stream, ssn)``: the highest sequence number given up on each ordered stream.
    """

    cumulative_tsn: int
    skips: list[tuple[int, int]] = attrs.field(factory=list)

    def encode(self) -> bytes:
        """The chunk; it never needs padding."""
        body = _TSN.pack(self.cumulative_tsn) + b"".join(_SKIP.pack(stream, ssn) for stream, ssn in self.skips)
        return encode_chunk(ChunkType.FORWARD_TSN, 0, body)

    @classmethod
    def decode(cls, body: bytes) -> ForwardTsnChunk:
        """Read the body of a chunk.

        Raises:
            DecodeError: too short, or not a whole number of entries.
        """
        if len(body) < 4 or len(body) & 3:
            raise DecodeError("FORWARD-TSN length")
        return cls(_TSN.unpack_from(body)[0], list(_SKIP.iter_unpack(body[4:])))


@attrs.define
class IForwardTsnChunk:
    """The same where messages interleave.

    Attributes:
        cumulative_tsn: the new cumulative TSN, as on the wire.
        skips: ``(stream, unordered, mid)``: the highest message identifier given up, of each kind on each stream.
    """

    cumulative_tsn: int
    skips: list[tuple[int, bool, int]] = attrs.field(factory=list)

    def encode(self) -> bytes:
        """The chunk; it never needs padding."""
        body = _TSN.pack(self.cumulative_tsn) + b"".join(
            _ISKIP.pack(stream, unordered, mid) for stream, unordered, mid in self.skips
        )
        return encode_chunk(ChunkType.I_FORWARD_TSN, 0, body)

    @classmethod
    def decode(cls, body: bytes) -> IForwardTsnChunk:
        """Read the body of a chunk.

        Raises:
            DecodeError: too short, or not a whole number of entries.
        """
        if len(body) < 4 or (len(body) - 4) % _ISKIP.size:
            raise DecodeError("I-FORWARD-TSN length")
        skips = [(stream, bool(flags & 1), mid) for stream, flags, mid in _ISKIP.iter_unpack(body[4:])]
        return cls(_TSN.unpack_from(body)[0], skips)
