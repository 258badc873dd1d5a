"""The DATA chunk (RFC 9260 section 3.3.1), read plainly; see :mod:`pystack.sctp.wire.fast` for the hot path."""

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from pystack.errors import DecodeError
from pystack.sctp.wire.packet import ChunkType, encode_chunk

__all__ = ["BEGIN", "DATA_OVERHEAD", "END", "IMMEDIATE", "UNORDERED", "DataChunk"]

END: Final = 0x01
BEGIN: Final = 0x02
UNORDERED: Final = 0x04
IMMEDIATE: Final = 0x08
DATA_OVERHEAD: Final = 16
_BODY = Struct("!LHHL")


@attrs.define
class DataChunk:
    """One fragment of a user message, or all of it.

    Attributes:
        flags: any of BEGIN, END, UNORDERED, IMMEDIATE.
        tsn: transmission sequence number as on the wire, 32 bits.
        stream: stream identifier, 16 bits.
        ssn: stream sequence number, 16 bits; has no meaning with UNORDERED.
        ppid: payload protocol identifier, 32 bits.
        payload: at least one byte (RFC 9260 section 3.3.1; an empty one is answered by an ABORT).
    """

    flags: int
    tsn: int
    stream: int
    ssn: int
    ppid: int
    payload: bytes

    def encode(self) -> bytes:
        """The padded chunk."""
        body = _BODY.pack(self.tsn, self.stream, self.ssn, self.ppid) + self.payload
        return encode_chunk(ChunkType.DATA, self.flags, body)

    @classmethod
    def decode(cls, flags: int, body: bytes) -> DataChunk:
        """Read the body of a chunk.

        Raises:
            DecodeError: shorter than its fixed part. An empty payload is decoded, because it has its own answer.
        """
        if len(body) < _BODY.size:
            raise DecodeError("DATA too short")
        tsn, stream, ssn, ppid = _BODY.unpack_from(body)
        return cls(flags, tsn, stream, ssn, ppid, body[_BODY.size :])
