"""The dictionaries of ``get_stats()``, named and spelt as in W3C's webrtc-stats; what is ours beyond them says so.

``type`` tells them apart, for people and for type checkers: ``if entry["type"] == "inbound-rtp": ...``. A member that
is not known (yet) is left out, as in a browser. Times are in milliseconds since 1970, durations in seconds, as there.
"""

from __future__ import annotations

from typing import Literal, NotRequired, TypeAlias, TypedDict

__all__ = [
    "CandidatePairStats",
    "CertificateStats",
    "CodecStats",
    "DataChannelStats",
    "IceCandidateStats",
    "InboundRtpStats",
    "OutboundRtpStats",
    "PeerConnectionStats",
    "RemoteInboundRtpStats",
    "RemoteOutboundRtpStats",
    "SctpTransportStats",
    "Stats",
    "StatsReport",
    "TransportStats",
]


class _Any(TypedDict):
    id: str
    timestamp: float


class _Stream(_Any):
    ssrc: int
    kind: str
    transportId: str
    codecId: NotRequired[str]


class CodecStats(_Any):
    """``RTCCodecStats``: a codec that a stream of the report uses."""

    type: Literal["codec"]
    payloadType: int
    transportId: str
    mimeType: str
    clockRate: int
    channels: NotRequired[int]
    sdpFmtpLine: NotRequired[str]


class InboundRtpStats(_Stream):
    """``RTCInboundRtpStreamStats``: a stream that we receive. ``rid`` and ``packetsDuplicated`` are ours."""

    type: Literal["inbound-rtp"]
    mid: NotRequired[str]
    rid: NotRequired[str]
    trackIdentifier: str
    remoteId: NotRequired[str]
    packetsReceived: int
    packetsLost: int
    packetsDuplicated: int
    framesPerSecond: NotRequired[float]
    jitter: float
    bytesReceived: int
    headerBytesReceived: int
    lastPacketReceivedTimestamp: float
    retransmittedPacketsReceived: int
    retransmittedBytesReceived: int
    nackCount: int
    firCount: int
    pliCount: int


class RemoteOutboundRtpStats(_Stream):
    """``RTCRemoteOutboundRtpStreamStats``: what its sender reports of a stream that we receive."""

    type: Literal["remote-outbound-rtp"]
    localId: str
    packetsSent: int
    bytesSent: int
    reportsSent: int
    remoteTimestamp: float


class OutboundRtpStats(_Stream):
    """``RTCOutboundRtpStreamStats``: a stream that we send. ``packetsRefused`` is ours."""

    type: Literal["outbound-rtp"]
    mid: NotRequired[str]
    rid: NotRequired[str]
    rtxSsrc: NotRequired[int]
    remoteId: NotRequired[str]
    active: bool
    packetsSent: int
    bytesSent: int
    headerBytesSent: int
    retransmittedPacketsSent: int
    retransmittedBytesSent: int
    packetsRefused: int
    nackCount: int
    firCount: int
    pliCount: int


class RemoteInboundRtpStats(_Stream):
    """``RTCRemoteInboundRtpStreamStats``: what the peer reports of a stream that we send."""

    type: Literal["remote-inbound-rtp"]
    localId: str
    packetsLost: int
    jitter: float
    fractionLost: float
    roundTripTime: NotRequired[float]
    totalRoundTripTime: float
    roundTripTimeMeasurements: int


class PeerConnectionStats(_Any):
    """``RTCPeerConnectionStats``."""

    type: Literal["peer-connection"]
    dataChannelsOpened: int
    dataChannelsClosed: int


class DataChannelStats(_Any):
    """``RTCDataChannelStats``; ``bufferedAmount`` is ours."""

    type: Literal["data-channel"]
    label: str
    protocol: str
    dataChannelIdentifier: NotRequired[int]
    state: str
    messagesSent: int
    bytesSent: int
    messagesReceived: int
    bytesReceived: int
    bufferedAmount: int


class TransportStats(_Any):
    """``RTCTransportStats``. Bytes and packets are those of DTLS, SRTP and SRTCP, without ICE's own.

    ``dropped`` is ours: what came or went and was not used, by layer and reason.
    """

    type: Literal["transport"]
    iceState: str
    iceRole: str
    iceLocalUsernameFragment: str
    dtlsState: str
    dtlsRole: NotRequired[str]
    dtlsCipher: NotRequired[str]
    tlsVersion: NotRequired[str]
    srtpCipher: NotRequired[str]
    selectedCandidatePairId: NotRequired[str]
    selectedCandidatePairChanges: NotRequired[int]
    localCertificateId: str
    remoteCertificateId: NotRequired[str]
    packetsSent: int
    packetsReceived: int
    bytesSent: int
    bytesReceived: int
    dropped: dict[str, int]


class CandidatePairStats(_Any):
    """``RTCIceCandidatePairStats`` of the pair in use; data is counted since it is. A lite agent sends no requests, and
    counts those of the peer for all its pairs together.
    """

    type: Literal["candidate-pair"]
    transportId: str
    localCandidateId: str
    remoteCandidateId: str
    state: str
    nominated: bool
    packetsSent: int
    packetsReceived: int
    bytesSent: int
    bytesReceived: int
    requestsSent: int
    consentRequestsSent: int
    responsesReceived: int
    requestsReceived: int
    responsesSent: int
    currentRoundTripTime: NotRequired[float]
    totalRoundTripTime: float
    availableOutgoingBitrate: NotRequired[float]


class IceCandidateStats(_Any):
    """``RTCIceCandidateStats`` of one end of the pair in use."""

    type: Literal["local-candidate", "remote-candidate"]
    transportId: str
    address: str
    port: int
    protocol: str
    candidateType: str
    relayProtocol: NotRequired[str]


class SctpTransportStats(_Any):
    """The association, ours: ``RTCSctpTransportStats`` is no longer in webrtc-stats, but its names live on."""

    type: Literal["sctp-transport"]
    state: str
    smoothedRoundTripTime: NotRequired[float]
    congestionWindow: int
    receiverWindow: int
    unackData: int
    bytesInFlight: int
    bufferedAmount: int
    retransmits: int


class CertificateStats(_Any):
    """``RTCCertificateStats``."""

    type: Literal["certificate"]
    fingerprint: str
    fingerprintAlgorithm: str
    base64Certificate: str


Stats: TypeAlias = (
    CodecStats
    | InboundRtpStats
    | RemoteOutboundRtpStats
    | OutboundRtpStats
    | RemoteInboundRtpStats
    | PeerConnectionStats
    | DataChannelStats
    | TransportStats
    | CandidatePairStats
    | IceCandidateStats
    | SctpTransportStats
    | CertificateStats
)
"""Any dictionary of a report; its ``type`` says which."""

StatsReport: TypeAlias = dict[str, Stats]
"""``{id: {"type": ..., "timestamp": ..., ...}}``, as a browser's ``getStats()``; ready for JSON."""
