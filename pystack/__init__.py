"""A WebRTC protocol stack in pure Python: data channels, and media at the level of packets.

Begin with :class:`PeerConnection`. The layers below are packages of their own (``pystack.sctp``, ``pystack.dtls``,
``pystack.srtp``, ``pystack.rtp``, ``pystack.ice``, ``pystack.sdp``), each usable alone and without I/O.
"""

from pystack.aio import IceServer, UdpMux
from pystack.base import SecretRandomness, SeededRandomness, Trace
from pystack.datachannel import ChannelOptions
from pystack.dtls import Certificate, DtlsOptions
from pystack.errors import (
    LOCAL,
    Closed,
    DecodeError,
    HandshakeFailed,
    InvalidArgument,
    LocalError,
    LocalProtocolError,
    MessageTooLarge,
    PeerAborted,
    PeerClosed,
    Reason,
    RemoteError,
    RemoteProtocolError,
    StackError,
    TransportLost,
    WouldBlock,
)
from pystack.peer import (
    Configuration,
    ConnectionStateChanged,
    DataChannel,
    DataChannelAdded,
    IceCandidate,
    IceCandidateFound,
    IceConnectionStateChanged,
    IceGatheringStateChanged,
    NegotiationNeeded,
    PeerConnection,
    PeerConnectionClosed,
    PeerEvent,
    RtpReceiver,
    RtpSender,
    SessionDescription,
    SignalingStateChanged,
    TrackAdded,
    TrackRemoved,
    Transceiver,
)
from pystack.rtp import CodecSpec, HeaderExtensionMap, RtpPacket
from pystack.sctp import AssociationOptions
from pystack.sdp.jsep import CodecCapability, ExtensionCapability
from pystack.session import SessionOptions

__version__ = "0.1.0.dev0"

__all__ = [
    "LOCAL",
    "AssociationOptions",
    "Certificate",
    "ChannelOptions",
    "Closed",
    "CodecCapability",
    "CodecSpec",
    "Configuration",
    "ConnectionStateChanged",
    "DataChannel",
    "DataChannelAdded",
    "DecodeError",
    "DtlsOptions",
    "ExtensionCapability",
    "HandshakeFailed",
    "HeaderExtensionMap",
    "IceCandidate",
    "IceCandidateFound",
    "IceConnectionStateChanged",
    "IceGatheringStateChanged",
    "IceServer",
    "InvalidArgument",
    "LocalError",
    "LocalProtocolError",
    "MessageTooLarge",
    "NegotiationNeeded",
    "PeerAborted",
    "PeerClosed",
    "PeerConnection",
    "PeerConnectionClosed",
    "PeerEvent",
    "Reason",
    "RemoteError",
    "RemoteProtocolError",
    "RtpPacket",
    "RtpReceiver",
    "RtpSender",
    "SecretRandomness",
    "SeededRandomness",
    "SessionDescription",
    "SessionOptions",
    "SignalingStateChanged",
    "StackError",
    "Trace",
    "TrackAdded",
    "TrackRemoved",
    "Transceiver",
    "TransportLost",
    "UdpMux",
    "WouldBlock",
]
