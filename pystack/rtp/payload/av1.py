"""AV1 payloads: the aggregation header and the first OBU (RTP payload format for AV1, sections 4.3 to 4.5)."""

from __future__ import annotations

from typing import Final

from pystack.errors import DecodeError
from pystack.rtp.payload.description import PayloadDescription

__all__ = ["describe_av1"]

_CONTINUES: Final = 0x80
_GOES_ON: Final = 0x40
_NEW_SEQUENCE: Final = 0x08
_EXTENSION: Final = 0x04


def describe_av1(payload: bytes) -> PayloadDescription:
    """Read the aggregation header and, where an OBU begins the payload, its layers.

    A key frame begins a new coded video sequence (the N bit). ``starts`` and ``ends`` speak of OBUs: whether the first
    one begins here, and the last one ends here.

    Raises:
        DecodeError: it is cut short, or begins a sequence in the middle of an OBU.
    """
    if len(payload) < 2:
        raise DecodeError("AV1: the payload is cut short")
    header = payload[0]
    starts = not header & _CONTINUES
    found = PayloadDescription(key_frame=bool(header & _NEW_SEQUENCE), starts=starts, ends=not header & _GOES_ON)
    if not starts:
        if found.key_frame:
            raise DecodeError("AV1: a sequence cannot begin with the rest of an OBU")
        return found
    at = 1
    if header >> 4 & 0x03 != 1:  # with one element its length is that of the packet
        size, at = _leb128(payload, at)
        if not size or at + size > len(payload):
            raise DecodeError("AV1: an OBU is longer than its packet")
    if at >= len(payload):
        raise DecodeError("AV1: the first OBU is missing")
    if payload[at] & 0x80:
        raise DecodeError("AV1: the forbidden bit is set")
    if payload[at] & _EXTENSION:
        if at + 1 >= len(payload):
            raise DecodeError("AV1: an OBU's extension is cut short")
        found.temporal = payload[at + 1] >> 5
        found.spatial = payload[at + 1] >> 3 & 0x03
    return found


def _leb128(payload: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 35, 7):
        if at >= len(payload):
            break
        byte = payload[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
    raise DecodeError("AV1: a length has no end")
