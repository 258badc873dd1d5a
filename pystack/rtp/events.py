"""What an RTP session tells the layer above, besides packets. Rare, so frozen values."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from pystack.base import Ended
from pystack.rtp.rtcp import RtcpPacket, TransportFeedback

__all__ = [
    "BandwidthEstimate",
    "ByeReceived",
    "KeyFrameRequested",
    "RtcpReceived",
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


@attrs.frozen
class RtcpReceived:
    """One RTCP packet as it came; only told with :attr:`RtpSessionOptions.tell_rtcp`.

    Attributes:
        packet: what came.
        receivers: ids of the receivers whose sender speaks in it.
        senders: ids of the senders that it is about.
    """

    packet: RtcpPacket
    receivers: tuple[int, ...]
    senders: tuple[int, ...]


RtpEvent: TypeAlias = (
    KeyFrameRequested
    | RtcpReceived
    | StreamStarted
    | StreamRestarted
    | ByeReceived
    | BandwidthEstimate
    | TransportFeedbackReceived
    | Ended
)
"""Everything that an RTP session may tell."""
