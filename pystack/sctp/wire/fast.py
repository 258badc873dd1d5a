"""The hot path of the wire: what is built and read once per packet of an established association.

Each function here has a plain twin in this package (named at the function), and a property test proves them equal.
Called by the packer, the acker and ``Association.receive``. The checksum is taken over pieces: the first twelve bytes
of a direction never change, so their share of the CRC is computed once, and neither side copies the body for it.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any, Final

from crc32c import crc32c

__all__ = [
    "MASK32",
    "Seal",
    "encode_data",
    "encode_idata",
    "encode_sack",
    "shift_gaps",
    "unpack_data",
    "unpack_gaps",
    "unpack_idata",
    "unpack_sack",
]

MASK32: Final = 0xFFFFFFFF
_HEADER = Struct("!HHL")
_DATA = Struct("!BBHLHHL")
_IDATA = Struct("!BBHLHHLL")
_SACK = Struct("!BBHLLHH")
_SACK_BODY = Struct("!LLHH")
_CHECKSUM = Struct("<L")
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
_ZERO: Final = bytes(4)

_pack_data = _DATA.pack
_pack_idata = _IDATA.pack
_pack_sack = _SACK.pack
_pack_checksum = _CHECKSUM.pack
_unpack_checksum = _CHECKSUM.unpack_from

unpack_data: Callable[[bytes, int], tuple[Any, ...]] = _DATA.unpack_from
"""``(type, flags, length, tsn, stream, ssn, ppid)`` at an offset; twin of :meth:`DataChunk.decode`."""

unpack_idata: Callable[[bytes, int], tuple[Any, ...]] = _IDATA.unpack_from
"""``(type, flags, length, tsn, stream, reserved, mid, ppid or fsn)``; twin of :meth:`IDataChunk.decode`."""

unpack_sack: Callable[[bytes, int], tuple[Any, ...]] = _SACK_BODY.unpack_from
"""``(cumulative tsn, a_rwnd, gap count, duplicate count)`` behind a chunk header; twin of :meth:`SackChunk.decode`."""


def encode_data(flags: int, tsn: int, stream: int, ssn: int, ppid: int, payload: bytes) -> bytes:
    """A padded DATA chunk; twin of :meth:`DataChunk.encode`."""
    size = len(payload)
    return _pack_data(0, flags, 16 + size, tsn, stream, ssn, ppid) + payload + _PADDING[size & 3]


def encode_idata(flags: int, tsn: int, stream: int, mid: int, last: int, payload: bytes) -> bytes:
    """A padded I-DATA chunk, ``last`` its PPID or FSN; twin of :meth:`IDataChunk.encode`."""
    size = len(payload)
    return _pack_idata(64, flags, 20 + size, tsn, stream, 0, mid, last) + payload + _PADDING[size & 3]


def encode_sack(cumulative_tsn: int, a_rwnd: int, gaps: bytes, duplicates: bytes) -> bytes:
    """A SACK around gap blocks and duplicates that are encoded already; twin of :meth:`SackChunk.encode`."""
    if not gaps and not duplicates:
        return _pack_sack(3, 0, 16, cumulative_tsn, a_rwnd, 0, 0)
    many, few = len(gaps), len(duplicates)
    return _pack_sack(3, 0, 16 + many + few, cumulative_tsn, a_rwnd, many >> 2, few >> 2) + gaps + duplicates


def unpack_gaps(gaps: bytes) -> tuple[int, ...]:
    """Gap blocks as ``(start, end, start, end, ...)`` offsets."""
    return Struct(f"!{len(gaps) >> 1}H").unpack(gaps)


_ONES: Final = int.from_bytes(b"\0\1" * 1024, "big")
_ONES_BITS: Final = 16 * 1024


def shift_gaps(gaps: bytes, by: int) -> bytes:
    """Gap blocks seen from a cumulative TSN that is ``by`` higher; every offset must be above ``by``.

    One subtraction of long integers, because a SACK can carry hundreds of blocks and each advance moves all of them.
    """
    size = len(gaps)
    if 8 * size > _ONES_BITS:
        return b"".join((value - by).to_bytes(2, "big") for value in unpack_gaps(gaps))
    return (int.from_bytes(gaps, "big") - by * (_ONES >> (_ONES_BITS - 8 * size))).to_bytes(size, "big")


class Seal:
    """Closes and opens packets of one direction: ports, tag and checksum in one go; twin of :class:`Packet`.

    Attributes:
        prefix: the first eight bytes of every packet of this direction.
        zero: send checksums of zero, and accept them (RFC 9653).
    """

    __slots__ = ("_base", "prefix", "zero")

    def __init__(self, source_port: int, destination_port: int, tag: int, *, zero: bool = False) -> None:
        self.prefix = _HEADER.pack(source_port, destination_port, tag)
        self._base = crc32c(_ZERO, crc32c(self.prefix))
        self.zero = zero

    def close(self, body: bytes) -> bytes:
        """A packet around whole, padded chunks."""
        if self.zero:
            return self.prefix + _ZERO + body
        return self.prefix + _pack_checksum(crc32c(body, self._base)) + body

    def open(self, packet: bytes) -> bytes | None:
        """The chunks of a packet, or ``None`` if ports, tag or checksum are not what they should be."""
        if packet[:8] != self.prefix or len(packet) < 16:
            return None
        body = packet[12:]
        given = _unpack_checksum(packet, 8)[0]
        if given != crc32c(body, self._base) and not (self.zero and given == 0):
            return None
        return body
