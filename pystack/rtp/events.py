"""What an RTP session tells the layer above, besides packets. Rare, so frozen values."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from pystack.base import Ended
from pystack.rtp.rtcp import TransportFeedback

__all__ = [
    "BandwidthEstimate",
    "ByeReceived",
    "KeyFrameRequested",
    "RtpEvent",
    "StreamRestarted",
    "StreamStarted",
    "TransportFeedbackReceived",
]


@attrs.frozen
class KeyFrameRequested:
    """The receiver of ``sender_id`` needs a key frame (PLI or FIR; merged and throttled)."""

    sender_id: int


@attrs.frozen
class StreamStarted:
    """The first packet of an SSRC was given to ``receiver_id``."""

    receiver_id: int
    rid: str
    ssrc: int


@attrs.frozen
class StreamRestarted:
    """The sequence numbers of a stream began anew somewhere else; forwarders must resynchronize."""

    receiver_id: int
    rid: str


@attrs.frozen
class ByeReceived:
    """The peer says that a stream ended."""

    receiver_id: int
    rid: str


@attrs.frozen
class BandwidthEstimate:
    """REMB: the peer believes that it can receive ``bitrate_bps`` over all of ``ssrcs``."""

    bitrate_bps: int
    ssrcs: tuple[int, ...]


@attrs.frozen
class TransportFeedbackReceived:
    """Transport-wide feedback about what we sent, at ``at`` in monotonic seconds."""

    feedback: TransportFeedback
    at: float


RtpEvent: TypeAlias = (
    KeyFrameRequested
    | StreamStarted
    | StreamRestarted
    | ByeReceived
    | BandwidthEstimate
    | TransportFeedbackReceived
    | Ended
)
"""Everything that an RTP session may tell."""
