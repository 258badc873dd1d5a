"""The W3C-shaped connection: data channels and packets of media to one peer, on asyncio."""

from pystack.aio import IceServer
from pystack.peer.configuration import Configuration, IceTransports
from pystack.peer.connection import PeerConnection
from pystack.peer.datachannel import DataChannel, DataChannelState
from pystack.peer.description import DescriptionType, IceCandidate, SessionDescription
from pystack.peer.dictionaries import (
    CandidatePairStats,
    CertificateStats,
    CodecStats,
    DataChannelStats,
    IceCandidateStats,
    InboundRtpStats,
    OutboundRtpStats,
    PeerConnectionStats,
    RemoteInboundRtpStats,
    RemoteOutboundRtpStats,
    SctpTransportStats,
    Stats,
    StatsReport,
    TransportStats,
)
from pystack.peer.events import (
    ConnectionStateChanged,
    DataChannelAdded,
    IceCandidateFound,
    IceConnectionStateChanged,
    IceGatheringStateChanged,
    NegotiationNeeded,
    PeerConnectionClosed,
    PeerEvent,
    SignalingStateChanged,
    TrackAdded,
    TrackRemoved,
)
from pystack.peer.media import AUDIO_CODECS, AUDIO_EXTENSIONS, VIDEO_CODECS, VIDEO_EXTENSIONS
from pystack.peer.negotiator import Negotiator, Signalling
from pystack.peer.outward import EventIterator
from pystack.peer.pairing import connect
from pystack.peer.receiver import RtpReceiver
from pystack.peer.rtcp import RtcpPort
from pystack.peer.sender import RtpSender
from pystack.peer.transceiver import Direction, MediaKind, Transceiver

__all__ = [
    "AUDIO_CODECS",
    "AUDIO_EXTENSIONS",
    "VIDEO_CODECS",
    "VIDEO_EXTENSIONS",
    "CandidatePairStats",
    "CertificateStats",
    "CodecStats",
    "Configuration",
    "ConnectionStateChanged",
    "DataChannel",
    "DataChannelAdded",
    "DataChannelState",
    "DataChannelStats",
    "DescriptionType",
    "Direction",
    "EventIterator",
    "IceCandidate",
    "IceCandidateFound",
    "IceCandidateStats",
    "IceConnectionStateChanged",
    "IceGatheringStateChanged",
    "IceServer",
    "IceTransports",
    "InboundRtpStats",
    "MediaKind",
    "NegotiationNeeded",
    "Negotiator",
    "OutboundRtpStats",
    "PeerConnection",
    "PeerConnectionClosed",
    "PeerConnectionStats",
    "PeerEvent",
    "RemoteInboundRtpStats",
    "RemoteOutboundRtpStats",
    "RtcpPort",
    "RtpReceiver",
    "RtpSender",
    "SctpTransportStats",
    "SessionDescription",
    "SignalingStateChanged",
    "Signalling",
    "Stats",
    "StatsReport",
    "TrackAdded",
    "TrackRemoved",
    "Transceiver",
    "TransportStats",
    "connect",
]
