"""The I-DATA chunk (RFC 8260 section 2.1), read plainly; see :mod:`pystack.sctp.wire.fast` for the hot path."""

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from pystack.errors import DecodeError
from pystack.sctp.wire.data import BEGIN
from pystack.sctp.wire.packet import ChunkType, encode_chunk

__all__ = ["IDATA_OVERHEAD", "IDataChunk"]

IDATA_OVERHEAD: Final = 20
_BODY = Struct("!LHHLL")


@attrs.define
class IDataChunk:
    """One fragment of a user message, or all of it, that may travel among fragments of other messages.

    Attributes:
        flags: any of BEGIN, END, UNORDERED, IMMEDIATE.
        tsn: transmission sequence number as on the wire, 32 bits.
        stream: stream identifier, 16 bits.
        mid: message identifier, 32 bits; ordered and unordered messages of a stream are counted apart.
        ppid: payload protocol identifier of a first fragment; 0 in every other.
        fsn: fragment sequence number, 32 bits; 0 in a first fragment.
        payload: at least one byte.
    """

    flags: int
    tsn: int
    stream: int
    mid: int
    ppid: int
    fsn: int
    payload: bytes

    def encode(self) -> bytes:
        """The padded chunk; PPID and FSN share a field."""
        last = self.ppid if self.flags & BEGIN else self.fsn
        body = _BODY.pack(self.tsn, self.stream, 0, self.mid, last) + self.payload
        return encode_chunk(ChunkType.I_DATA, self.flags, body)

    @classmethod
    def decode(cls, flags: int, body: bytes) -> IDataChunk:
        """Read the body of a chunk.

        Raises:
            DecodeError: shorter than its fixed part. An empty payload is decoded, because it has its own answer.
        """
        if len(body) < _BODY.size:
            raise DecodeError("I-DATA too short")
        tsn, stream, _, mid, last = _BODY.unpack_from(body)
        ppid, fsn = (last, 0) if flags & BEGIN else (0, last)
        return cls(flags, tsn, stream, mid, ppid, fsn, body[_BODY.size :])
