"""The media that a connection offers by default, in the order of preference.

Nothing here encodes or decodes: a codec is a name, a clock and what two sides must agree upon to move its packets.
"""

from __future__ import annotations

from typing import Final

from pystack.sdp.jsep import CodecCapability, ExtensionCapability

__all__ = ["AUDIO_CODECS", "AUDIO_EXTENSIONS", "VIDEO_CODECS", "VIDEO_EXTENSIONS"]

_VIDEO_FEEDBACK: Final = ("transport-cc", "ccm fir", "nack", "nack pli")

AUDIO_CODECS: Final[tuple[CodecCapability, ...]] = (
    CodecCapability(
        name="opus",
        clock_rate=48000,
        channels=2,
        fmtp={"minptime": "10", "useinbandfec": "1"},
        payload_type=111,
    ),
    CodecCapability(name="PCMU", clock_rate=8000, payload_type=0),
    CodecCapability(name="PCMA", clock_rate=8000, payload_type=8),
)
"""Opus first; the two that everybody has behind it."""

VIDEO_CODECS: Final[tuple[CodecCapability, ...]] = (
    CodecCapability(
        name="VP8", clock_rate=90000, rtcp_fb=_VIDEO_FEEDBACK, rtx=True, payload_type=96, rtx_payload_type=97
    ),
    CodecCapability(
        name="H264",
        clock_rate=90000,
        fmtp={"level-asymmetry-allowed": "1", "packetization-mode": "1", "profile-level-id": "42e01f"},
        rtcp_fb=_VIDEO_FEEDBACK,
        rtx=True,
        payload_type=102,
        rtx_payload_type=103,
    ),
    CodecCapability(
        name="H264",
        clock_rate=90000,
        fmtp={"level-asymmetry-allowed": "1", "packetization-mode": "1", "profile-level-id": "42001f"},
        rtcp_fb=_VIDEO_FEEDBACK,
        rtx=True,
        payload_type=104,
        rtx_payload_type=105,
    ),
    CodecCapability(
        name="VP9",
        clock_rate=90000,
        fmtp={"profile-id": "0"},
        rtcp_fb=_VIDEO_FEEDBACK,
        rtx=True,
        payload_type=98,
        rtx_payload_type=99,
    ),
    CodecCapability(
        name="AV1", clock_rate=90000, rtcp_fb=_VIDEO_FEEDBACK, rtx=True, payload_type=45, rtx_payload_type=46
    ),
)
"""VP8 first, because every browser sends it; each with retransmissions and the usual feedback."""

_MID: Final = ExtensionCapability(uri="urn:ietf:params:rtp-hdrext:sdes:mid", preferred_id=4)

AUDIO_EXTENSIONS: Final[tuple[ExtensionCapability, ...]] = (
    _MID,
    ExtensionCapability(uri="urn:ietf:params:rtp-hdrext:ssrc-audio-level", preferred_id=1),
)
"""The section's name and the level, which a server reads without decoding."""

VIDEO_EXTENSIONS: Final[tuple[ExtensionCapability, ...]] = (
    _MID,
    ExtensionCapability(uri="urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", preferred_id=10),
    ExtensionCapability(uri="urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id", preferred_id=11),
    ExtensionCapability(
        uri="http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", preferred_id=3
    ),
    ExtensionCapability(uri="http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", preferred_id=2),
    ExtensionCapability(uri="urn:3gpp:video-orientation", preferred_id=13),
    ExtensionCapability(
        uri="https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
        preferred_id=12,
    ),
)
"""What demultiplexing, simulcast, congestion control and orientation need."""
