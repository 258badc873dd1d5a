"""What an RTP session tells the layer above, besides packets. Rare, so frozen values."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

from pystack.base import Ended
from pystack.rtp.congestion.state import Congestion
from pystack.rtp.rtcp import RtcpPacket, TransportFeedback

__all__ = [
    "AnomalyKind",
    "BandwidthEstimate",
    "ByeReceived",
    "KeyFrameRequested",
    "RtcpReceived",
    "RtpEvent",
    "StreamAnomaly",
    "StreamRestarted",
    "StreamStarted",
    "StreamTold",
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


AnomalyKind: TypeAlias = Literal[
    "gap", "restart", "timestamp-jump", "report-off", "report-late", "report-clock", "clock-skew"
]
"""What can be odd about a stream; see :class:`StreamAnomaly`."""


@attrs.frozen
class StreamAnomaly:
    """Something odd about a received stream; nothing is wrong with us, but somebody will want to know why.

    Attributes:
        receiver_id: whose it is.
        rid: its simulcast name.
        ssrc: its synchronization source.
        repair: whether that carries the retransmissions of the stream.
        kind: ``gap``: 100 packets or more missing in a row, ``restart``: its retransmissions begin anew elsewhere (the
            media itself: :class:`StreamRestarted`), ``timestamp-jump``:
            the media clock went where no clock goes, ``report-off``: a sender report of another media clock,
            ``report-late``: one that is older than the last, ``report-clock``: the sender's wall clock was set,
            ``clock-skew``: the media clock runs 20 % off its name.
        before: the number before: of sequence, of timestamp, of seconds since 1970 or of units per second.
        after: the number that came instead.
        at: when, in monotonic seconds.
        merged: how many more of this kind there were since the last that was told; they come once a second at most.
    """

    receiver_id: int
    rid: str
    ssrc: int
    repair: bool
    kind: AnomalyKind
    before: int
    after: int
    at: float
    merged: int


StreamTold: TypeAlias = StreamStarted | StreamRestarted | ByeReceived | StreamAnomaly
"""What is told about one received stream."""


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
class CongestionChanged:
    """The path of what we send is in another state, or a full one takes less than was known."""

    congestion: Congestion


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
    | StreamTold
    | BandwidthEstimate
    | TransportFeedbackReceived
    | CongestionChanged
    | Ended
)
"""Everything that an RTP session may tell."""
