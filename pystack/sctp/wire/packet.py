"""The packet: common header, CRC32c, and the walk over its chunks (RFC 9260 sections 3.1, 3.2 and 6.8).

This is the plain reading, one chunk at a time into values. The hot path of an established association is
:mod:`pystack.sctp.wire.fast`; a property test proves both equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from struct import Struct
from typing import Final, TypeAlias

import attrs
from crc32c import crc32c

from pystack.errors import DecodeError

__all__ = ["CHUNK_HEADER", "HEADER_SIZE", "ChunkType", "Packet", "RawChunk", "checksum", "encode_chunk", "iter_chunks"]

HEADER_SIZE: Final = 12
_HEADER = Struct("!HHL")
_CHECKSUM = Struct("<L")
CHUNK_HEADER = Struct("!BBH")
_ZERO = bytes(4)

RawChunk: TypeAlias = tuple[int, int, bytes]
"""``(type, flags, body)`` of one chunk; unknown types are kept as they are, so that re-encoding is lossless."""


class ChunkType(IntEnum):
    """Chunk types that this stack knows (RFC 9260 section 3.2, 3758, 6525, 8260)."""

    DATA = 0
    INIT = 1
    INIT_ACK = 2
    SACK = 3
    HEARTBEAT = 4
    HEARTBEAT_ACK = 5
    ABORT = 6
    SHUTDOWN = 7
    SHUTDOWN_ACK = 8
    ERROR = 9
    COOKIE_ECHO = 10
    COOKIE_ACK = 11
    ECNE = 12
    CWR = 13
    SHUTDOWN_COMPLETE = 14
    I_DATA = 64
    RE_CONFIG = 130
    FORWARD_TSN = 192
    I_FORWARD_TSN = 194


def checksum(packet: bytes) -> int:
    """CRC32c of a packet with its checksum field read as zero (RFC 9260 section 6.8)."""
    return crc32c(packet[12:], crc32c(_ZERO, crc32c(packet[:8])))


def encode_chunk(kind: int, flags: int, body: bytes) -> bytes:
    """One chunk with its header, padded to four bytes; the length field does not count the padding."""
    return CHUNK_HEADER.pack(kind, flags, 4 + len(body)) + body + bytes(-len(body) & 3)


def iter_chunks(body: bytes) -> Iterator[RawChunk]:
    """Walk the chunks of a packet's body.

    The last chunk's padding may be missing, and up to three stray bytes at the end are ignored.

    Raises:
        DecodeError: a length field is below 4 or points past the end.
    """
    at, end = 0, len(body)
    while at + 4 <= end:
        kind, flags, length = CHUNK_HEADER.unpack_from(body, at)
        if length < 4 or at + length > end:
            raise DecodeError("chunk length")
        yield kind, flags, body[at + 4 : at + length]
        at += length + (-length & 3)


@attrs.define
class Packet:
    """A whole packet as values.

    Attributes:
        source_port, destination_port: 16 bits each; 5000 by custom in WebRTC.
        tag: verification tag, 32 bits; 0 only with INIT.
        chunks: see :data:`RawChunk`.
    """

    source_port: int
    destination_port: int
    tag: int
    chunks: list[RawChunk]

    def encode(self, *, zero_checksum: bool = False) -> bytes:
        """The bytes of the packet; with ``zero_checksum`` the field stays zero (RFC 9653)."""
        return build_packet(
            self.source_port,
            self.destination_port,
            self.tag,
            (encode_chunk(*chunk) for chunk in self.chunks),
            zero_checksum=zero_checksum,
        )

    @classmethod
    def decode(cls, data: bytes, *, accept_zero: bool = False) -> Packet:
        """Read a packet.

        Raises:
            DecodeError: too short, a wrong checksum (a zero one passes with ``accept_zero``), a bad chunk length.
        """
        if len(data) < HEADER_SIZE + 4:
            raise DecodeError("packet too short")
        source, destination, tag = _HEADER.unpack_from(data)
        (given,) = _CHECKSUM.unpack_from(data, 8)
        if not (accept_zero and given == 0) and given != checksum(data):
            raise DecodeError("checksum")
        return cls(source, destination, tag, list(iter_chunks(data[HEADER_SIZE:])))


def build_packet(
    source_port: int, destination_port: int, tag: int, chunks: Iterable[bytes], *, zero_checksum: bool = False
) -> bytes:
    """A packet around chunks that are encoded already."""
    head = _HEADER.pack(source_port, destination_port, tag)
    body = b"".join(chunks)
    value = 0 if zero_checksum else crc32c(body, crc32c(_ZERO, crc32c(head)))
    return head + _CHECKSUM.pack(value) + body
