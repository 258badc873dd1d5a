"""H.264 payloads (RFC 6184 section 5): single NAL units, aggregates (STAP-A) and fragments (FU-A)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pystack.errors import DecodeError
from pystack.rtp.payload.description import PayloadDescription

__all__ = ["describe_h264"]

_IDR: Final = 5
_SPS: Final = 7
_STAP_A: Final = 24
_FU_A: Final = 28
_KEY: Final = frozenset({_IDR, _SPS})
"""A sequence parameter set comes in front of an IDR picture, and is the better place to begin: decoders need it."""


def describe_h264(payload: bytes) -> PayloadDescription:
    """Read what one payload carries: a key frame begins with an IDR slice or the parameter set in front of it.

    Raises:
        DecodeError: it is cut short, or of a kind that packetization modes 0 and 1 do not have.
    """
    if not payload:
        raise DecodeError("H.264: an empty payload")
    kind = payload[0] & 0x1F
    discardable = not payload[0] & 0x60
    if 1 <= kind < _STAP_A:
        return PayloadDescription(key_frame=kind in _KEY, discardable=discardable)
    if kind == _STAP_A:
        return PayloadDescription(key_frame=any(each in _KEY for each in _aggregated(payload)), discardable=discardable)
    if kind == _FU_A:
        if len(payload) < 2:
            raise DecodeError("H.264: a fragment is cut short")
        header = payload[1]
        starts = bool(header & 0x80)
        return PayloadDescription(
            key_frame=starts and header & 0x1F in _KEY,
            starts=starts,
            ends=bool(header & 0x40),
            discardable=discardable,
        )
    raise DecodeError(f"H.264: NAL unit type {kind} is not of packetization mode 0 or 1")


def _aggregated(payload: bytes) -> Iterator[int]:
    at = 1
    while at < len(payload):
        size = int.from_bytes(payload[at : at + 2], "big")
        at += 2
        if not size or at + size > len(payload):
            raise DecodeError("H.264: an aggregate is cut short")
        yield payload[at] & 0x1F
        at += size
