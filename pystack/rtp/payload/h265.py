"""H.265 payloads (RFC 7798 section 4.4): single NAL units, aggregates (AP) and fragments (FU), without DONL fields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pystack.errors import DecodeError
from pystack.rtp.payload.description import PayloadDescription

__all__ = ["describe_h265"]

_FIRST_IRAP: Final = 16
_LAST_IRAP: Final = 23
_VPS: Final = 32
_PPS: Final = 34
_HEADER_ALONE: Final = (36, 37)
"""End of sequence and of bitstream: their header is all they have (H.265 7.3.2.6 and 7.3.2.7)."""
_AGGREGATE: Final = 48
_FRAGMENT: Final = 49


def describe_h265(payload: bytes) -> PayloadDescription:
    """Read what one payload carries: a key frame begins with an IRAP slice or the parameter sets in front of it.

    Raises:
        DecodeError: it is cut short, or of a kind that RFC 7798 does not have.
    """
    if len(payload) < 2:
        raise DecodeError("H.265: the payload is cut short")
    kind = payload[0] >> 1 & 0x3F
    if len(payload) < 3 and kind not in _HEADER_ALONE:
        raise DecodeError("H.265: the payload is cut short")
    temporal = (payload[1] & 0x07) - 1
    if temporal < 0:
        raise DecodeError("H.265: a temporal id of 0 is forbidden")
    found = PayloadDescription(spatial=(payload[0] & 0x01) << 5 | payload[1] >> 3, temporal=temporal)
    if kind < _AGGREGATE:
        found.key_frame = _begins(kind)
        found.discardable = _unreferenced(kind)
        found.switch_up = _switches(kind)
    elif kind == _AGGREGATE:
        kinds = list(_aggregated(payload))
        found.key_frame = any(map(_begins, kinds))
        found.discardable = all(map(_unreferenced, kinds))
        found.switch_up = any(map(_switches, kinds))
    elif kind == _FRAGMENT:
        header = payload[2]
        inner = header & 0x3F
        found.starts = bool(header & 0x80)
        found.ends = bool(header & 0x40)
        found.key_frame = found.starts and _begins(inner)
        found.discardable = _unreferenced(inner)
        found.switch_up = found.starts and _switches(inner)
    else:
        raise DecodeError(f"H.265: NAL unit type {kind} is not understood")
    return found


def _begins(kind: int) -> bool:
    return _FIRST_IRAP <= kind <= _LAST_IRAP or _VPS <= kind <= _PPS


def _unreferenced(kind: int) -> bool:
    """Sub-layer non-reference pictures: the even types below 16 (H.265 table 7-1)."""
    return kind < _FIRST_IRAP and not kind & 1


def _switches(kind: int) -> bool:
    """Temporal sub-layer access (TSA, STSA) and random access pictures."""
    return 2 <= kind <= 5 or _FIRST_IRAP <= kind <= _LAST_IRAP


def _aggregated(payload: bytes) -> Iterator[int]:
    at = 2
    while at < len(payload):
        size = int.from_bytes(payload[at : at + 2], "big")
        at += 2
        if size < 2 or at + size > len(payload):
            raise DecodeError("H.265: an aggregate is cut short")
        yield payload[at] >> 1 & 0x3F
        at += size
