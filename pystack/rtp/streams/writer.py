"""Builds the header extension of outgoing packets: what a sender says for itself, and what it forwards.

The sender's own elements are the mid, the transport-wide number and the absolute send time. What is constant is made
once; per packet it is one ``Struct.pack``. Called by the send stream.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

import attrs

from pystack.rtp.extensions import (
    ABS_SEND_TIME,
    MID,
    ONE_BYTE,
    REPAIRED_RID,
    RID,
    TRANSPORT_SEQUENCE,
    TWO_BYTE,
    HeaderExtensionMap,
    elements,
    encode,
    fits_one_byte,
)

__all__ = ["ExtensionWriter", "LeftOut", "TransportSequence"]

_NUMBER = Struct("!BH").pack
_TIME = Struct("!L").pack
_BOTH = Struct("!BHL").pack
_PLAIN = Struct("!BBHLL").pack
_EXTENDED = Struct("!BBHLLHH").pack
_PROFILE = Struct("!HH").pack
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
_MAX_FORWARDED = 255
"""Bytes of forwarded elements for which a header is packed in one go."""


class TransportSequence:
    """The transport-wide sequence number, shared by all senders of one transport.

    Attributes:
        next: the number of the next packet, 16 bits.
    """

    __slots__ = ("next",)

    def __init__(self, first: int) -> None:
        self.next = first

    def take(self) -> int:
        """Use up one number."""
        number = self.next
        self.next = (number + 1) & 0xFFFF
        return number


@attrs.define
class LeftOut:
    """How many elements were left out, over all writers of a stream."""

    count: int = 0


class ExtensionWriter:
    """Writes extensions in the ids of one map.

    Args:
        target: the map of the media section.
        mid: the name of the media section; written when its extension was negotiated.
        rid: the simulcast name; the same.
        repaired_rid: the name of the stream that is repaired, for retransmissions.
        transport: the transport-wide number.
        ntp_offset: seconds since 1970 minus ``now``.
        mixed: whether both forms may alternate (RFC 8285 section 4.1.2). If not, the two-byte form is that of all
            packets when an id of the map or a name needs it; else the one-byte form is, and what does not fit is left
            out.
        left_out: counts what was.
    """

    __slots__ = (
        "_constant",
        "_left_out",
        "_number_head",
        "_offset",
        "_one_byte",
        "_only_short",
        "_packs",
        "_prefix",
        "_target",
        "_time_head",
        "_transport",
    )

    def __init__(
        self,
        target: HeaderExtensionMap,
        mid: str,
        transport: TransportSequence,
        ntp_offset: float,
        *,
        rid: str = "",
        repaired_rid: str = "",
        mixed: bool = True,
        left_out: LeftOut | None = None,
    ) -> None:
        self._target = target
        self._left_out = left_out or LeftOut()
        self._transport = transport
        self._offset = ntp_offset
        names = ((MID, mid), (RID, rid), (REPAIRED_RID, repaired_rid))
        self._constant = [(target.id_of(uri), name.encode()) for uri, name in names if name and target.id_of(uri)]
        number, time = target.id_of(TRANSPORT_SEQUENCE), target.id_of(ABS_SEND_TIME)
        short = fits_one_byte(self._constant) and all(identifier < 15 for identifier, _ in target.entries)
        self._only_short = short and not mixed
        self._one_byte = short or (mixed and fits_one_byte(self._constant) and number < 15 and time < 15)
        self._prefix = encode(self._constant, one_byte=True) if self._one_byte else b""
        self._number_head = number << 4 | 1 if number else 0
        self._time_head = (time << 4 | 2) << 24 if time else 0
        self._packs: dict[int, tuple[Callable[..., bytes], bytes]] = {}

    def header(
        self, second: int, sequence_number: int, timestamp: int, ssrc: int, short: bool, forwarded: bytes, now: float
    ) -> bytes:
        """A whole header without CSRCs: the fixed part and the extension in one ``Struct.pack``. Hot.

        Args:
            second: marker and payload type.
            sequence_number: 16 bits.
            timestamp: 32 bits.
            ssrc: 32 bits.
            short: whether ``forwarded`` is in one-byte form.
            forwarded: the elements of others in the ids of this map, without padding.
            now: for the absolute send time.
        """
        known = self._packs.get(len(forwarded))
        if known is None or not short:
            return self._header_plain(second, sequence_number, timestamp, ssrc, short, forwarded, now)
        pack, constant = known
        if self._number_head:
            transport = self._transport
            number = transport.next
            if self._time_head:
                time = int((now + self._offset) * 262144) & 0xFFFFFF | self._time_head
                header = pack(0x90, second, sequence_number, timestamp, ssrc, constant, number, time, forwarded)
            else:
                header = pack(0x90, second, sequence_number, timestamp, ssrc, constant, number, forwarded)
            transport.next = (number + 1) & 0xFFFF  # what could not be packed has used up none
            return header
        if self._time_head:
            time = int((now + self._offset) * 262144) & 0xFFFFFF | self._time_head
            return pack(0x90, second, sequence_number, timestamp, ssrc, constant, time, forwarded)
        if constant:
            return pack(0x90, second, sequence_number, timestamp, ssrc, constant, forwarded)
        return _PLAIN(0x80, second, sequence_number, timestamp, ssrc)

    def _header_plain(
        self, second: int, sequence_number: int, timestamp: int, ssrc: int, short: bool, forwarded: bytes, now: float
    ) -> bytes:
        """The plain twin of :meth:`header`, which also makes the ``Struct`` for the next time."""
        before = self._transport.next
        try:
            profile, body = self.write(short, forwarded, now)
            if not body:
                header = _PLAIN(0x80, second, sequence_number, timestamp, ssrc)
            else:
                header = _EXTENDED(0x90, second, sequence_number, timestamp, ssrc, profile, len(body) >> 2) + body
        except Exception:
            self._transport.next = before
            raise
        if short and self._one_byte and len(forwarded) <= _MAX_FORWARDED:
            self._packs[len(forwarded)] = self._pack_of(len(forwarded))
        return header

    def _pack_of(self, size: int) -> tuple[Callable[..., bytes], bytes]:
        """The ``Struct`` for ``size`` forwarded bytes, and what of the extension is the same in each packet."""
        number = bytes((self._number_head,)) if self._number_head else b""
        own = len(self._prefix) + 3 * bool(number) + 4 * bool(self._time_head)
        padding = -(own + size) & 3
        words = (own + size + padding) >> 2
        constant = _PROFILE(ONE_BYTE, words) + self._prefix + number if words else b""
        form = f"!BBHLL{len(constant)}s{'H' if number else ''}{'L' if self._time_head else ''}{size}s{padding}x"
        return Struct(form).pack, constant

    def write(self, short: bool, forwarded: bytes, now: float) -> tuple[int, bytes]:
        """Return profile and body; an empty body means that no extension is needed. Hot.

        Args:
            short: whether ``forwarded`` is in one-byte form.
            forwarded: the elements of others in the ids of this map, without padding.
            now: for the absolute send time.
        """
        if not short and self._only_short:
            forwarded = self._shorten(forwarded)
        elif not (short and self._one_byte):
            return self._write_two_byte(short, forwarded, now)
        if self._number_head:
            transport = self._transport
            number = transport.next
            transport.next = (number + 1) & 0xFFFF
            if self._time_head:
                time = int((now + self._offset) * 262144) & 0xFFFFFF
                own = _BOTH(self._number_head, number, self._time_head | time)
            else:
                own = _NUMBER(self._number_head, number)
            body = self._prefix + own + forwarded
        elif self._time_head:
            time = int((now + self._offset) * 262144) & 0xFFFFFF
            body = self._prefix + _TIME(self._time_head | time) + forwarded
        else:
            body = self._prefix + forwarded
        return ONE_BYTE, body + _PADDING[len(body) & 3]

    @property
    def number(self) -> int:
        """The transport-wide number of the next packet; set it back when one was not sent after all."""
        return self._transport.next

    @number.setter
    def number(self, number: int) -> None:
        self._transport.next = number

    def _shorten(self, forwarded: bytes) -> bytes:
        """Two-byte elements, which are our own and so well formed, in one-byte form as far as they fit it."""
        found = elements(TWO_BYTE, forwarded)
        kept = [each for each in found if fits_one_byte((each,))]
        self._left_out.count += len(found) - len(kept)
        return encode(kept, one_byte=True)

    def _write_two_byte(self, short: bool, forwarded: bytes, now: float) -> tuple[int, bytes]:
        target = self._target
        own = list(self._constant)
        if target.transport_sequence:
            own.append((target.transport_sequence, self._transport.take().to_bytes(2, "big")))
        if target.abs_send_time:
            time = int((now + self._offset) * 262144) & 0xFFFFFF
            own.append((target.abs_send_time, time.to_bytes(3, "big")))
        body = encode(own, one_byte=False) + (_lengthen(forwarded) if short else forwarded)
        return TWO_BYTE, body + _PADDING[len(body) & 3]


def _lengthen(forwarded: bytes) -> bytes:
    """One-byte elements, which are our own and so well formed, in two-byte form."""
    parts: list[bytes] = []
    at = 0
    while at < len(forwarded):
        length = (forwarded[at] & 0x0F) + 1
        parts.append(bytes((forwarded[at] >> 4, length)) + forwarded[at + 1 : at + 1 + length])
        at += 1 + length
    return b"".join(parts)
