"""Packets of LiveKit's data tracks: frames of bytes, cut into packets that may be lost, on the channel ``_data_track``.

Twelve bytes of header in network byte order, perhaps a block of extensions, then the payload, which nobody here looks
at. A server changes the *handle*, which tells a receiver what track a packet is of; everything else passes as it came.

=====  =====================================================================
bytes  what
=====  =====================================================================
0      version (3 bits), start of a frame, end of a frame, extensions follow
1      reserved
2, 3   handle
4, 5   sequence number
6, 7   frame number
8-11   timestamp
=====  =====================================================================

An extension block begins with its length in 32-bit words less one, its own two bytes included; then identifier, length
and value of each extension, and zeros up to a word.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

import attrs

from pystack.errors import DecodeError, InvalidArgument

__all__ = ["DATA_TRACK", "FramePacket", "check_packet", "redirect"]

DATA_TRACK: Final = "_data_track"
"""The label of the channel that carries these packets."""

_HEADER: Final = Struct("!BxHHHL")
_START: Final = 0x10
_FINAL: Final = 0x08
_EXTENDED: Final = 0x04
_SIZE: Final = 12


@attrs.frozen(kw_only=True)
class FramePacket:
    """One packet, taken apart.

    Attributes:
        handle: what the track is called on this channel, 16 bits.
        sequence_number: of the packet, 16 bits.
        frame_number: of the frame that it is a part of, 16 bits.
        timestamp: of the frame, in units of 1/90000 s, 32 bits.
        start, final: the first and the last packet of its frame.
        extensions: pairs of identifier (1 to 255) and value (at most 255 bytes), in order.
        payload: a part of the frame.
    """

    handle: int
    sequence_number: int
    frame_number: int
    timestamp: int
    start: bool = False
    final: bool = False
    extensions: tuple[tuple[int, bytes], ...] = ()
    payload: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> FramePacket:
        """Take a packet apart.

        Raises:
            DecodeError: it is cut short, of another version, or its extensions do not fit.
        """
        end, extensions = _layout(data)
        first, handle, sequence_number, frame_number, timestamp = _HEADER.unpack_from(data)
        return cls(
            handle=handle,
            sequence_number=sequence_number,
            frame_number=frame_number,
            timestamp=timestamp,
            start=bool(first & _START),
            final=bool(first & _FINAL),
            extensions=extensions,
            payload=data[end:],
        )

    def serialize(self) -> bytes:
        """The bytes that parse as this, as few as possible.

        Raises:
            InvalidArgument: an extension has an identifier outside 1 to 255, or more than 255 bytes.
        """
        first = self.start * _START | self.final * _FINAL | bool(self.extensions) * _EXTENDED
        header = _HEADER.pack(first, self.handle, self.sequence_number, self.frame_number, self.timestamp)
        return b"".join((header, _pack_extensions(self.extensions), self.payload))

    def with_extension(self, identifier: int, value: bytes) -> FramePacket:
        """Make a packet like this with one more extension; one of the same identifier is replaced where it is."""
        table = dict(self.extensions)
        table[identifier] = value
        return attrs.evolve(self, extensions=tuple(table.items()))


def check_packet(data: bytes) -> int:
    """The handle of a packet that may be forwarded. Called per packet.

    Raises:
        DecodeError: as :meth:`FramePacket.parse`.
    """
    if len(data) >= _SIZE and data[0] & 0xE4 == 0:  # version 0 and no extensions, as nearly all are
        return data[2] << 8 | data[3]
    _layout(data)
    return data[2] << 8 | data[3]


def redirect(data: bytes, handle: int) -> bytes:
    """The same packet under another handle; every other bit stays as it is, reserved ones too."""
    return b"".join((data[:2], handle.to_bytes(2, "big"), data[4:]))


def _layout(data: bytes) -> tuple[int, tuple[tuple[int, bytes], ...]]:
    """Where the payload begins, and the extensions before it."""
    size = len(data)
    if size < _SIZE:
        raise DecodeError(f"{size} bytes are no packet of a data track")
    if data[0] >> 5:
        raise DecodeError(f"version {data[0] >> 5} of data tracks is not known")
    if not data[0] & _EXTENDED:
        return _SIZE, ()
    if size < _SIZE + 2:
        raise DecodeError("the extensions are cut short")
    end = _SIZE + 4 * ((data[12] << 8 | data[13]) + 1)
    if end > size:
        raise DecodeError("the extensions reach beyond the packet")
    extensions = []
    at = _SIZE + 2
    while at < end and data[at]:
        if at + 2 > end or at + 2 + data[at + 1] > end:
            raise DecodeError("an extension reaches beyond its block")
        following = at + 2 + data[at + 1]
        extensions.append((data[at], data[at + 2 : following]))
        at = following
    return end, tuple(extensions)


def _pack_extensions(extensions: tuple[tuple[int, bytes], ...]) -> bytes:
    if not extensions:
        return b""
    parts = []
    for identifier, value in extensions:
        if not 0 < identifier < 256 or len(value) > 255:
            raise InvalidArgument(f"extension {identifier} with {len(value)} bytes cannot be written")
        parts.append(bytes((identifier, len(value))) + value)
    block = b"".join(parts)
    words = (2 + len(block) + 3) // 4
    return (words - 1).to_bytes(2, "big") + block.ljust(4 * words - 2, b"\0")
