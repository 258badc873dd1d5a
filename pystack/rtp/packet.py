"""One RTP packet (RFC 3550 section 5.1): parse and serialize.

Made per packet, so it is a plain slots class filled without ``__init__``. The header extension stays raw bytes;
:mod:`pystack.rtp.extensions` reads and rewrites it in place. Called by the RTP session and by applications.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from pystack.errors import DecodeError

if TYPE_CHECKING:
    from pystack.rtp.extensions import HeaderExtensionMap

__all__ = ["NO_EXTENSION", "RtpPacket"]

NO_EXTENSION: Final = -1
"""``extension_profile`` of a packet without a header extension."""

_FIXED = Struct("!BBHLL")
_EXTENSION = Struct("!HH")
_EXTENDED = Struct("!BBHLLHH").unpack_from
_CSRCS = tuple(Struct(f"!{count}L") for count in range(16))


class RtpPacket:
    """An RTP packet.

    Attributes:
        payload_type: 0 to 127.
        marker: the M bit.
        sequence_number: 16 bits.
        timestamp: 32 bits, in units of the codec's clock.
        ssrc: 32 bits.
        csrcs: contributing sources, at most 15.
        extension_profile: the 16 bits "defined by profile" (``0xBEDE``: one-byte elements, ``0x1000`` to ``0x100F``:
            two-byte elements), ``NO_EXTENSION`` when there is no header extension.
        extension: the raw body of the header extension; whole 32-bit words.
        payload: the payload without padding.
        padding_size: bytes of padding after the payload, 0 to 255.
        arrival: when it was received, in monotonic seconds; 0.0 for a packet that was made here.
        extension_map: what the ids of ``extension`` mean; ``None``: they are the sender's own ids.
    """

    __slots__ = (
        "arrival",
        "csrcs",
        "extension",
        "extension_map",
        "extension_profile",
        "marker",
        "padding_size",
        "payload",
        "payload_type",
        "sequence_number",
        "ssrc",
        "timestamp",
    )

    def __init__(
        self,
        *,
        payload_type: int = 0,
        marker: bool = False,
        sequence_number: int = 0,
        timestamp: int = 0,
        ssrc: int = 0,
        csrcs: tuple[int, ...] = (),
        extension_profile: int = NO_EXTENSION,
        extension: bytes = b"",
        payload: bytes = b"",
        padding_size: int = 0,
        arrival: float = 0.0,
        extension_map: HeaderExtensionMap | None = None,
    ) -> None:
        self.payload_type = payload_type
        self.marker = marker
        self.sequence_number = sequence_number
        self.timestamp = timestamp
        self.ssrc = ssrc
        self.csrcs = csrcs
        self.extension_profile = extension_profile
        self.extension = extension
        self.payload = payload
        self.padding_size = padding_size
        self.arrival = arrival
        self.extension_map = extension_map

    @classmethod
    def parse(cls, data: bytes, arrival: float = 0.0, extension_map: HeaderExtensionMap | None = None) -> RtpPacket:
        """Parse one datagram. Hot.

        The bytes of the padding are not kept, only their number.

        Raises:
            DecodeError: it is not RTP version 2, or a length runs past the end.
        """
        size = len(data)
        if size < 16:
            return cls._parse_plain(data, arrival, extension_map)
        first, second, sequence_number, timestamp, ssrc, profile, words = _EXTENDED(data)
        if first == 0x90:
            stop = 16 + 4 * words
            if stop > size:
                raise DecodeError("RTP: extension runs past the end")
            packet = cls.__new__(cls)
            packet.extension_profile = profile
            packet.extension = data[16:stop]
            packet.payload = data[stop:]
        elif first == 0x80:
            packet = cls.__new__(cls)
            packet.extension_profile = NO_EXTENSION
            packet.extension = b""
            packet.payload = data[12:]
        else:
            return cls._parse_plain(data, arrival, extension_map)
        packet.csrcs = ()
        packet.padding_size = 0
        packet.payload_type = second & 0x7F
        packet.marker = second > 0x7F
        packet.sequence_number = sequence_number
        packet.timestamp = timestamp
        packet.ssrc = ssrc
        packet.arrival = arrival
        packet.extension_map = extension_map
        return packet

    @classmethod
    def _parse_plain(cls, data: bytes, arrival: float, extension_map: HeaderExtensionMap | None) -> RtpPacket:
        """The plain twin of :meth:`parse`, which reads every header."""
        size = len(data)
        if size < 12:
            raise DecodeError("RTP: shorter than its header")
        first, second, sequence_number, timestamp, ssrc = _FIXED.unpack_from(data)
        if first >> 6 != 2:
            raise DecodeError("RTP: not version 2")
        csrcs: tuple[int, ...] = ()
        offset = 12
        if first & 0x0F:
            offset += 4 * (first & 0x0F)
            if offset > size:
                raise DecodeError("RTP: CSRC list runs past the end")
            csrcs = _CSRCS[first & 0x0F].unpack_from(data, 12)
        profile, extension = NO_EXTENSION, b""
        if first & 0x10:
            if offset + 4 > size:
                raise DecodeError("RTP: extension header runs past the end")
            profile, words = _EXTENSION.unpack_from(data, offset)
            start = offset + 4
            offset = start + 4 * words
            if offset > size:
                raise DecodeError("RTP: extension runs past the end")
            extension = data[start:offset]
        padding = data[-1] if first & 0x20 else 0
        if first & 0x20 and not 0 < padding <= size - offset:
            raise DecodeError("RTP: bad padding")
        return cls(
            payload_type=second & 0x7F,
            marker=second > 0x7F,
            sequence_number=sequence_number,
            timestamp=timestamp,
            ssrc=ssrc,
            csrcs=csrcs,
            extension_profile=profile,
            extension=extension,
            payload=data[offset : size - padding],
            padding_size=padding,
            arrival=arrival,
            extension_map=extension_map,
        )

    def serialize(self) -> bytes:
        """Write the packet as it goes on the wire."""
        padding = bytes(self.padding_size - 1) + bytes((self.padding_size,)) if self.padding_size else b""
        return b"".join((self.serialize_header(), self.payload, padding))

    def serialize_header(self) -> bytes:
        """Write the part in front of the payload."""
        first = 0x80 | len(self.csrcs)
        if self.padding_size:
            first |= 0x20
        extended = self.extension_profile != NO_EXTENSION
        if extended:
            first |= 0x10
        fixed = _FIXED.pack(
            first,
            self.payload_type | 0x80 if self.marker else self.payload_type,
            self.sequence_number,
            self.timestamp,
            self.ssrc,
        )
        if self.csrcs:
            fixed += _CSRCS[len(self.csrcs)].pack(*self.csrcs)
        if extended:
            fixed += _EXTENSION.pack(self.extension_profile, len(self.extension) // 4) + self.extension
        return fixed

    def __eq__(self, other: object) -> bool:
        """Equal on the wire; when and from where it came does not count."""
        if not isinstance(other, RtpPacket):
            return NotImplemented
        return self.serialize() == other.serialize()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"RtpPacket(ssrc={self.ssrc:#010x}, payload_type={self.payload_type}, seq={self.sequence_number}, "
            f"timestamp={self.timestamp}, marker={self.marker}, payload={len(self.payload)} bytes)"
        )
