"""RTP and RTCP: packets, header extensions, and the session that receives, repairs, sends and reports.

:class:`RtpSession` is the one object that the session layer drives; :class:`RtpPacket` is what applications see.
"""

from pystack.rtp.codec import CodecSpec
from pystack.rtp.events import (
    BandwidthEstimate,
    ByeReceived,
    KeyFrameRequested,
    RtpEvent,
    StreamRestarted,
    StreamStarted,
    TransportFeedbackReceived,
)
from pystack.rtp.extensions import (
    ABS_SEND_TIME,
    AUDIO_LEVEL,
    DEPENDENCY_DESCRIPTOR,
    MID,
    ORIENTATION,
    PLAYOUT_DELAY,
    REPAIRED_RID,
    RID,
    TRANSPORT_SEQUENCE,
    HeaderExtensionMap,
    pack_abs_send_time,
    pack_audio_level,
    pack_orientation,
    parse_abs_send_time,
    parse_audio_level,
    parse_orientation,
)
from pystack.rtp.options import RtpSessionOptions
from pystack.rtp.packet import NO_EXTENSION, RtpPacket
from pystack.rtp.session import RtpSession
from pystack.rtp.stats import InboundStreamStats, OutboundStreamStats, RtpSessionStats

__all__ = [
    "ABS_SEND_TIME",
    "AUDIO_LEVEL",
    "DEPENDENCY_DESCRIPTOR",
    "MID",
    "NO_EXTENSION",
    "ORIENTATION",
    "PLAYOUT_DELAY",
    "REPAIRED_RID",
    "RID",
    "TRANSPORT_SEQUENCE",
    "BandwidthEstimate",
    "ByeReceived",
    "CodecSpec",
    "HeaderExtensionMap",
    "InboundStreamStats",
    "KeyFrameRequested",
    "OutboundStreamStats",
    "RtpEvent",
    "RtpPacket",
    "RtpSession",
    "RtpSessionOptions",
    "RtpSessionStats",
    "StreamRestarted",
    "StreamStarted",
    "TransportFeedbackReceived",
    "pack_abs_send_time",
    "pack_audio_level",
    "pack_orientation",
    "parse_abs_send_time",
    "parse_audio_level",
    "parse_orientation",
]
