"""The VP8 payload descriptor (RFC 7741 section 4.2), read and rewritten.

A forwarder that leaves out layers or changes from one source to another has to make picture ids, TL0PICIDX and KEYIDX
go on without a jump: they are rewritten in place, with the widths that they had.
"""

from __future__ import annotations

from pystack.errors import DecodeError
from pystack.rtp.payload.description import PayloadDescription
from pystack.rtp.payload.picture_id import LONG, read_picture_id

__all__ = ["describe_vp8", "rewrite_vp8"]

_EXTENDED = 0x80
_NON_REFERENCE = 0x20
_START = 0x10
_PARTITION = 0x07
_PICTURE_ID = 0x80
_TL0 = 0x40
_TEMPORAL = 0x20
_KEY_INDEX = 0x10
_INTER_FRAME = 0x01  # of the VP8 payload header behind the descriptor (section 4.3)


def describe_vp8(payload: bytes) -> PayloadDescription:
    """Read the descriptor of one payload.

    Raises:
        DecodeError: it is cut short.
    """
    try:
        first = payload[0]
        starts = bool(first & _START) and not first & _PARTITION
        found = PayloadDescription(starts=starts, ends=True, discardable=bool(first & _NON_REFERENCE))
        at = 1
        if first & _EXTENDED:
            flags = payload[1]
            at = 2
            if flags & _PICTURE_ID:
                at = read_picture_id(payload, at, found)
            if flags & _TL0:
                found.tl0_picture_index = payload[at]
                at += 1
            if flags & (_TEMPORAL | _KEY_INDEX):
                layers = payload[at]
                at += 1
                if flags & _TEMPORAL:
                    found.temporal = layers >> 6
                    found.switch_up = bool(layers & 0x20)
        found.key_frame = starts and not payload[at] & _INTER_FRAME
    except IndexError:
        raise DecodeError("VP8: the payload descriptor is cut short") from None
    return found


def rewrite_vp8(
    payload: bytes, picture_id: int | None = None, tl0_picture_index: int | None = None, key_index: int | None = None
) -> bytes:
    """Return the payload with other numbers in its descriptor, cut to the widths that are there.

    A number that the descriptor does not have is not added; ``None`` leaves one as it is.

    Raises:
        DecodeError: the descriptor is cut short.
    """
    try:
        if not payload[0] & _EXTENDED:
            return payload
        flags = payload[1]
        at = 2
        head = bytearray(payload[:8])
        if flags & _PICTURE_ID:
            if head[at] & LONG:
                if picture_id is not None:
                    head[at] = LONG | picture_id >> 8 & 0x7F
                    head[at + 1] = picture_id & 0xFF
                at += 2
            else:
                if picture_id is not None:
                    head[at] = picture_id & 0x7F
                at += 1
        if flags & _TL0:
            if tl0_picture_index is not None:
                head[at] = tl0_picture_index & 0xFF
            at += 1
        if flags & (_TEMPORAL | _KEY_INDEX):
            layers = head[at]
            if flags & _KEY_INDEX and key_index is not None:
                head[at] = layers & 0xE0 | key_index & 0x1F
            at += 1
        if at > len(payload):
            raise IndexError
    except IndexError:
        raise DecodeError("VP8: the payload descriptor is cut short") from None
    return bytes(head) + payload[8:]
