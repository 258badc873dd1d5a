"""The VP9 payload descriptor (RFC 9628 section 4.2)."""

from __future__ import annotations

from pystack.errors import DecodeError
from pystack.rtp.payload.description import PayloadDescription
from pystack.rtp.payload.picture_id import read_picture_id

__all__ = ["describe_vp9"]

_PICTURE_ID = 0x80
_PREDICTED = 0x40
_LAYERS = 0x20
_FLEXIBLE = 0x10
_BEGIN = 0x08
_END = 0x04
_STRUCTURE = 0x02
_NOT_FOR_UPPER = 0x01
_MAX_REFERENCES = 3


def describe_vp9(payload: bytes) -> PayloadDescription:
    """Read the descriptor of one payload.

    ``spatial`` and ``temporal`` are told when the stream has layers. A frame in the sense of ``starts`` and ``ends`` is
    one layer frame; ``discardable`` means: not for the spatial layers above.

    Raises:
        DecodeError: it is cut short, or names more than three references.
    """
    try:
        first = payload[0]
        begins = bool(first & _BEGIN)
        found = PayloadDescription(starts=begins, ends=bool(first & _END), discardable=bool(first & _NOT_FOR_UPPER))
        at = 1
        if first & _PICTURE_ID:
            at = read_picture_id(payload, at, found)
        depends = False
        if first & _LAYERS:
            layers = payload[at]
            at += 1
            found.temporal = layers >> 5
            found.switch_up = bool(layers & 0x10)
            found.spatial = layers >> 1 & 0x07
            depends = bool(layers & 0x01)
            if not first & _FLEXIBLE:
                found.tl0_picture_index = payload[at]
                at += 1
        if first & _FLEXIBLE and first & _PREDICTED:
            for references in range(1, _MAX_REFERENCES + 2):
                if references > _MAX_REFERENCES:
                    raise DecodeError("VP9: more than three reference indices")
                more = payload[at] & 0x01
                at += 1
                if not more:
                    break
        if first & _STRUCTURE:
            at = _skip_structure(payload, at)
        # A key picture is not predicted from another picture, and its lowest layer from nothing at all.
        found.key_frame = begins and not first & _PREDICTED and not depends and not found.spatial
        if at >= len(payload):
            raise IndexError
    except IndexError:
        raise DecodeError("VP9: the payload descriptor is cut short") from None
    return found


def _skip_structure(payload: bytes, at: int) -> int:
    """The scalability structure (section 4.2.1): sizes of the layers, and the picture group."""
    header = payload[at]
    at += 1
    if header & 0x10:
        at += 4 * ((header >> 5) + 1)
    if header & 0x08:
        pictures = payload[at]
        at += 1
        for _ in range(pictures):
            at += 1 + (payload[at] >> 2 & 0x03)
    return at
