"""Whether a packet begins a key frame: the first few payload bytes tell, nothing is decoded.

VP8: RFC 7741 section 4.2; VP9: RFC 9628 section 4.2; H.264: RFC 6184 section 5; AV1: the N bit of the aggregation
header in "RTP Payload Format For AV1" section 4.4. Called once per received video packet by ``media.uptrack``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["detector"]


def detector(codec: str) -> Callable[[bytes], bool]:
    """The test for a codec; for an unknown one every packet counts, so that it is forwarded at all."""
    return _DETECTORS.get(codec.lower(), _always)


def _always(payload: bytes) -> bool:
    return True


def _vp8(payload: bytes) -> bool:
    if len(payload) < 2 or payload[0] & 0x17 != 0x10:  # start of a partition, and partition number 0
        return False
    at = 1
    if payload[0] & 0x80:  # X: extended control bits
        extended = payload[1]
        at = 2
        if extended & 0x80:  # I: picture id of one or two bytes
            at += 2 if len(payload) > at and payload[at] & 0x80 else 1
        at += bool(extended & 0x40) + bool(extended & 0x30)  # L, and T or K
    return len(payload) > at and payload[at] & 0x01 == 0  # P of the VP8 payload header: 0 is a key frame


def _vp9(payload: bytes) -> bool:
    # B: beginning of a frame; P: not predicted from earlier pictures. Layer 0 only when layers are told.
    if not payload or payload[0] & 0x48 != 0x08:
        return False
    if not payload[0] & 0x20:
        return True
    at = 1
    if payload[0] & 0x80:
        at += 2 if len(payload) > at and payload[at] & 0x80 else 1
    return len(payload) > at and (payload[at] >> 1) & 0x07 == 0


def _h264(payload: bytes) -> bool:
    if not payload:
        return False
    kind = payload[0] & 0x1F
    if kind == 24:  # STAP-A: the units inside, each after its two-byte length
        at = 1
        while at + 2 < len(payload):
            if payload[at + 2] & 0x1F in {5, 7}:
                return True
            at += 2 + int.from_bytes(payload[at : at + 2], "big")
        return False
    if kind in {28, 29}:  # FU-A, FU-B: only the first fragment
        return len(payload) > 1 and bool(payload[1] & 0x80) and payload[1] & 0x1F in {5, 7}
    return kind in {5, 7}


def _av1(payload: bytes) -> bool:
    return bool(payload) and bool(payload[0] & 0x08)


_DETECTORS: Final = {"vp8": _vp8, "vp9": _vp9, "h264": _h264, "av1": _av1, "opus": _always}
