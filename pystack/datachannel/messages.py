"""The data channel establishment protocol on the wire: OPEN and ACK (RFC 8832 section 5), and the PPIDs.

Pure functions; :mod:`pystack.datachannel.channels` is the only caller.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

import attrs

from pystack.errors import DecodeError, InvalidArgument

__all__ = ["ACK", "ChannelType", "MessageType", "Open", "Ppid", "read_open", "write_open"]


class Ppid(IntEnum):
    """Payload protocol identifiers (RFC 8831 section 8.2)."""

    DCEP = 50
    STRING = 51
    BINARY_PARTIAL = 52  # deprecated
    BINARY = 53
    STRING_PARTIAL = 54  # deprecated
    STRING_EMPTY = 56
    BINARY_EMPTY = 57


class MessageType(IntEnum):
    """The first byte of a DCEP message (RFC 8832 section 8.2.1)."""

    ACK = 0x02
    OPEN = 0x03


class ChannelType(IntEnum):
    """Reliability and order of a channel (RFC 8832 section 5.1): the top bit says unordered."""

    RELIABLE = 0x00
    PARTIAL_RETRANSMITS = 0x01
    PARTIAL_LIFETIME = 0x02


UNORDERED = 0x80
ACK = bytes((MessageType.ACK,))

_OPEN = Struct("!BBHLHH")  # type, channel type, priority, reliability parameter, label length, protocol length
_MAX_TEXT = 65535
_MAX_PARAMETER = 0xFFFF_FFFF


@attrs.frozen(kw_only=True)
class Open:
    """The parameters of a channel as OPEN carries them.

    Attributes:
        label: its name; not unique.
        protocol: the subprotocol's name, ``""`` for none.
        ordered: whether messages arrive in the order of sending.
        max_retransmits: how often a message is sent again at most, ``None`` for no such limit.
        max_lifetime_ms: how long a message is tried, in milliseconds, ``None`` for no such limit. Not with
            ``max_retransmits``.
        priority: RFC 8831 section 6.4: 128 below normal, 256 normal, 512 high, 1024 extra high.
    """

    label: str = ""
    protocol: str = ""
    ordered: bool = True
    max_retransmits: int | None = None
    max_lifetime_ms: int | None = None
    priority: int = 256


def write_open(what: Open) -> bytes:
    """Encode DATA_CHANNEL_OPEN (RFC 8832 section 5.1).

    Raises:
        InvalidArgument: both limits are given, one is out of its 32 bits, or a text is longer than 65535 bytes or
            no Unicode text.
    """
    if not isinstance(what.label, str) or not isinstance(what.protocol, str):
        raise InvalidArgument(f"a label and a protocol are texts, not {what.label!r} and {what.protocol!r}")
    kind, parameter = ChannelType.RELIABLE, 0
    if what.max_retransmits is not None:
        if what.max_lifetime_ms is not None:
            raise InvalidArgument("a channel is limited by retransmissions or by lifetime, not by both")
        kind, parameter = ChannelType.PARTIAL_RETRANSMITS, what.max_retransmits
    elif what.max_lifetime_ms is not None:
        kind, parameter = ChannelType.PARTIAL_LIFETIME, what.max_lifetime_ms
    if not isinstance(parameter, int) or not 0 <= parameter <= _MAX_PARAMETER:
        raise InvalidArgument(f"a reliability limit is a whole number of 32 bits, not {parameter!r}")
    try:
        label, protocol = what.label.encode(), what.protocol.encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument(f"a label and a protocol are Unicode text: {error}") from None
    if len(label) > _MAX_TEXT or len(protocol) > _MAX_TEXT:
        raise InvalidArgument(f"a label and a protocol have at most {_MAX_TEXT} bytes of UTF-8")
    kind_byte = kind if what.ordered else kind | UNORDERED
    return (
        _OPEN.pack(MessageType.OPEN, kind_byte, what.priority, parameter, len(label), len(protocol)) + label + protocol
    )


def read_open(data: bytes) -> Open:
    """Decode DATA_CHANNEL_OPEN; the message type byte was looked at already.

    Bytes after the protocol are ignored, as both browsers do.

    Raises:
        DecodeError: it is truncated, its channel type is unknown, or a text is not UTF-8.
    """
    if len(data) < _OPEN.size:
        raise DecodeError("open-truncated")
    _, kind_byte, priority, parameter, label_size, protocol_size = _OPEN.unpack_from(data)
    label_end = _OPEN.size + label_size
    if len(data) < label_end + protocol_size:
        raise DecodeError("open-truncated")
    kind = kind_byte & ~UNORDERED
    if kind > ChannelType.PARTIAL_LIFETIME:
        raise DecodeError("open-channel-type")
    try:
        label = data[_OPEN.size : label_end].decode()
        protocol = data[label_end : label_end + protocol_size].decode()
    except UnicodeDecodeError:
        raise DecodeError("open-not-utf8") from None
    return Open(
        label=label,
        protocol=protocol,
        ordered=not kind_byte & UNORDERED,
        max_retransmits=parameter if kind == ChannelType.PARTIAL_RETRANSMITS else None,
        max_lifetime_ms=parameter if kind == ChannelType.PARTIAL_LIFETIME else None,
        priority=priority,
    )
