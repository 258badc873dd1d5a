"""Which payload type of a subscriber means the same as one of the publisher: nothing is decoded on the way.

Two payload types are the same codec when name, clock rate and channels agree and the parameters that change the bit
stream do (H.264: packetization mode and profile, RFC 6184 section 8.1; VP9: RFC 9628 section 6; AV1: its profile).
"""

from __future__ import annotations

from collections.abc import Sequence

from sfu.media.ports import Codec

__all__ = ["fits", "matching_payload_type"]

_REPAIR = frozenset({"rtx", "red", "ulpfec", "flexfec-03"})


def matching_payload_type(codec: Codec, candidates: Sequence[Codec]) -> int | None:
    """The payload type among ``candidates`` that carries what ``codec`` carries; ``None`` if there is none."""
    wanted = _essence(codec)
    if wanted is None:
        return None
    for candidate in candidates:
        if _essence(candidate) == wanted:
            return candidate.payload_type
    return None


def fits(sent: Sequence[Codec], candidates: Sequence[Codec]) -> bool:
    """Whether ``candidates`` have the codec that a sender prefers; also while nothing was agreed yet."""
    codec = next((codec for codec in sent if codec.name.lower() not in _REPAIR), None)
    return codec is None or not candidates or matching_payload_type(codec, candidates) is not None


def _essence(codec: Codec) -> tuple[object, ...] | None:
    name = codec.name.lower()
    if name in _REPAIR:
        return None
    fmtp = codec.fmtp
    detail: tuple[str, ...] = ()
    if name == "h264":
        # The level (last byte) may differ: it limits the encoder and does not change what a decoder must understand.
        detail = (fmtp.get("packetization-mode", "0"), fmtp.get("profile-level-id", "42000a").lower()[:4])
    elif name == "vp9":
        detail = (fmtp.get("profile-id", "0"),)
    elif name == "av1":
        detail = (fmtp.get("profile", "0"),)
    return name, codec.clock_rate, codec.channels or 1, detail
