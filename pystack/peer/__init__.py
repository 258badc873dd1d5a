"""The W3C-shaped connection: data channels and packets of media to one peer, on asyncio."""

from pystack.aio import IceServer
from pystack.peer.configuration import Configuration, IceTransports
from pystack.peer.connection import PeerConnection
from pystack.peer.datachannel import DataChannel, DataChannelState
from pystack.peer.description import DescriptionType, IceCandidate, SessionDescription
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
from pystack.peer.stats import StatsReport
from pystack.peer.transceiver import Direction, MediaKind, Transceiver

__all__ = [
    "AUDIO_CODECS",
    "AUDIO_EXTENSIONS",
    "VIDEO_CODECS",
    "VIDEO_EXTENSIONS",
    "Configuration",
    "ConnectionStateChanged",
    "DataChannel",
    "DataChannelAdded",
    "DataChannelState",
    "DescriptionType",
    "Direction",
    "EventIterator",
    "IceCandidate",
    "IceCandidateFound",
    "IceConnectionStateChanged",
    "IceGatheringStateChanged",
    "IceServer",
    "IceTransports",
    "MediaKind",
    "NegotiationNeeded",
    "Negotiator",
    "PeerConnection",
    "PeerConnectionClosed",
    "PeerEvent",
    "RtcpPort",
    "RtpReceiver",
    "RtpSender",
    "SessionDescription",
    "SignalingStateChanged",
    "Signalling",
    "StatsReport",
    "TrackAdded",
    "TrackRemoved",
    "Transceiver",
    "connect",
]
