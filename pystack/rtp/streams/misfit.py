"""Why a packet of the caller's cannot be sent, in words.

Nothing is looked at per packet: what does not fit fails while its header is packed, and only then is it asked here
which field it was. Called by the send stream.
"""

from __future__ import annotations

from typing import Final

from pystack.errors import InvalidArgument
from pystack.rtp.packet import NO_EXTENSION, RtpPacket

__all__ = ["LARGE", "MAX_PACKET", "check_payload_type", "misfit", "refuse_too_large"]

MAX_PACKET: Final = 65507 - 16
"""Bytes of an RTP packet that still fit into a UDP datagram over IPv4 when SRTP has added its 16."""
LARGE: Final = 60000
"""Bytes of a payload from which on the packet is measured: no header is as long as the rest."""
_MAX_PADDING: Final = 255
_MAX_CSRCS: Final = 15


def misfit(
    packet: object,
    payload_type: object,
    sequence_number: object,
    timestamp: object,
    payload: object,
) -> InvalidArgument | None:
    """The error for what is wrong with a packet; ``None`` if nothing is, and the failure was a bug of ours.

    The other arguments are what is sent instead of the packet's own, ``None`` for those that are not.
    """
    if not isinstance(packet, RtpPacket):
        return InvalidArgument(f"packet is an RtpPacket, not {type(packet).__name__}; bytes are sent by write_raw")
    number = packet.sequence_number if sequence_number is None else sequence_number
    instant = packet.timestamp if timestamp is None else timestamp
    content = packet.payload if payload is None else payload
    kind = packet.payload_type if payload_type is None else payload_type
    if not _is_whole(kind, 0x7F):
        return _wrong("payload_type", "0 to 127", kind)
    if not _is_whole(number, 0xFFFF):
        return _wrong("sequence_number", "0 to 65535", number)
    if not _is_whole(instant, 0xFFFFFFFF):
        return _wrong("timestamp", "0 to 4294967295; take it modulo 2**32", instant)
    if not isinstance(content, bytes | bytearray | memoryview):
        return InvalidArgument(f"payload is bytes, not {type(content).__name__}")
    if not _is_whole(packet.padding_size, _MAX_PADDING):
        return _wrong("padding_size", f"0 to {_MAX_PADDING}", packet.padding_size)
    return _wrong_csrcs(packet.csrcs) or _wrong_extension(packet.extension_profile, packet.extension)


def check_payload_type(value: object) -> None:
    """See that a payload type that was not agreed could be one.

    Raises:
        InvalidArgument: it could not.
    """
    if not _is_whole(value, 0x7F):
        raise _wrong("payload_type", "0 to 127", value)


def refuse_too_large(size: int) -> None:
    """See that a packet of ``size`` bytes with its header goes into a datagram.

    Raises:
        InvalidArgument: it does not.
    """
    if size > MAX_PACKET:
        raise InvalidArgument(
            f"payload: an RTP packet of {size} bytes fits into no UDP datagram, which takes {MAX_PACKET}; "
            "payloads of about 1200 bytes pass everywhere"
        )


def _wrong_csrcs(csrcs: object) -> InvalidArgument | None:
    if not isinstance(csrcs, tuple | list) or len(csrcs) > _MAX_CSRCS:
        return _wrong("csrcs", f"a tuple of at most {_MAX_CSRCS}", csrcs)
    for each in csrcs:
        if not _is_whole(each, 0xFFFFFFFF):
            return _wrong("csrcs has what is no SSRC: each", "0 to 4294967295", each)
    return None


def _wrong_extension(profile: object, extension: object) -> InvalidArgument | None:
    if profile != NO_EXTENSION and not _is_whole(profile, 0xFFFF):
        return _wrong("extension_profile", "NO_EXTENSION or 0 to 65535", profile)
    if not isinstance(extension, bytes):
        return InvalidArgument(f"extension is bytes, not {type(extension).__name__}")
    if len(extension) % 4:
        return InvalidArgument(f"extension is of whole words of 4 bytes, not of {len(extension)} bytes")
    return None


def _is_whole(value: object, most: int) -> bool:
    return isinstance(value, int) and 0 <= value <= most


def _wrong(what: str, right: str, given: object) -> InvalidArgument:
    return InvalidArgument(f"{what} is {right}, not {given!r:.80}")
