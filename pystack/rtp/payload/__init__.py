"""What RTP payloads say of themselves in front of the coded media: key frames, frames, layers. Nothing is decoded.

A forwarder asks :func:`describer` once for a codec, and the function that it gets once for each packet. What it cannot
read raises :class:`~pystack.errors.DecodeError`: payloads are the peer's, so a caller catches it, counts, and goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pystack.rtp.payload.av1 import describe_av1
from pystack.rtp.payload.description import PayloadDescription
from pystack.rtp.payload.h264 import describe_h264
from pystack.rtp.payload.h265 import describe_h265
from pystack.rtp.payload.red import RedBlock, build_red, parse_red
from pystack.rtp.payload.red_unwrapper import RedUnwrapper
from pystack.rtp.payload.vp8 import describe_vp8, rewrite_vp8
from pystack.rtp.payload.vp9 import describe_vp9

__all__ = [
    "PayloadDescription",
    "RedBlock",
    "RedUnwrapper",
    "build_red",
    "describe_av1",
    "describe_h264",
    "describe_h265",
    "describe_vp8",
    "describe_vp9",
    "describer",
    "parse_red",
    "rewrite_vp8",
]

_DESCRIBERS: Final[dict[str, Callable[[bytes], PayloadDescription]]] = {
    "vp8": describe_vp8,
    "vp9": describe_vp9,
    "h264": describe_h264,
    "h265": describe_h265,
    "av1": describe_av1,
}


def describer(codec: str) -> Callable[[bytes], PayloadDescription] | None:
    """The function that reads payloads of the codec with that name (``a=rtpmap``); ``None`` if there is none."""
    return _DESCRIBERS.get(codec.lower())
