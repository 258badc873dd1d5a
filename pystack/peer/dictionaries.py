"""The dictionaries of ``get_stats()``, named and spelt as in W3C's webrtc-stats; what is ours beyond them says so.

``type`` tells them apart, for people and for type checkers: ``if entry["type"] == "inbound-rtp": ...``. A member that
is not known (yet) is left out, as in a browser; such members are ``NotRequired``. Times are in milliseconds since 1970,
durations in seconds, as there. The reference shows the members by what stands here under ``Attributes``.
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
    """What all have.

    Attributes:
        id: its key in the report, unique in it.
        timestamp: when the numbers were taken, in milliseconds since 1970; of a peer's report: when it came.
    """

    id: str
    timestamp: float


class _Stream(_Any):
    """What all streams have.

    Attributes:
        ssrc: the number of the stream in its packets.
        kind: ``"audio"`` or ``"video"``.
        transportId: the id of the ``transport``.
        codecId: the id of the ``codec`` of the newest packet.
    """

    ssrc: int
    kind: str
    transportId: str
    codecId: NotRequired[str]


class CodecStats(_Any):
    """``RTCCodecStats``: a codec that a stream of the report uses.

    Attributes:
        type: ``"codec"``.
        payloadType: its number on this connection.
        transportId: the id of the ``transport``.
        mimeType: kind and name, such as ``"video/VP8"``.
        clockRate: ticks of its timestamps a second.
        channels: of audio: 1 or 2.
        sdpFmtpLine: its parameters as in the description, if it has any.
    """

    type: Literal["codec"]
    payloadType: int
    transportId: str
    mimeType: str
    clockRate: int
    channels: NotRequired[int]
    sdpFmtpLine: NotRequired[str]


class InboundRtpStats(_Stream):
    """``RTCInboundRtpStreamStats``: a stream that we receive. ``rid`` and ``packetsDuplicated`` are ours.

    Attributes:
        type: ``"inbound-rtp"``.
        mid: of its section.
        rid: ours: the simulcast layer.
        trackIdentifier: the track's id, ``receiver.track_id``.
        remoteId: the id of the ``remote-outbound-rtp``, once the sender has reported.
        packetsReceived: packets that came, those sent again included.
        packetsLost: packets that should have come and did not; never negative.
        packetsDuplicated: ours: packets that came twice.
        framesPerSecond: pictures a second; of video.
        jitter: how unevenly packets come, in seconds.
        bytesReceived: payload bytes, without headers and padding.
        headerBytesReceived: bytes of headers and padding.
        lastPacketReceivedTimestamp: when the newest packet came, in milliseconds since 1970.
        retransmittedPacketsReceived: packets that came on a repair stream.
        retransmittedBytesReceived: payload bytes of these.
        nackCount: NACK packets that we sent.
        firCount: FIR requests for a key frame that we sent.
        pliCount: PLI requests for a key frame that we sent.
    """

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
    """``RTCRemoteOutboundRtpStreamStats``: what its sender reports of a stream that we receive.

    Attributes:
        type: ``"remote-outbound-rtp"``.
        localId: the id of the ``inbound-rtp`` of the same stream.
        packetsSent: packets that it says it has sent.
        bytesSent: payload bytes that it says it has sent.
        reportsSent: reports that came.
        remoteTimestamp: its own clock at the newest report, in milliseconds since 1970.
    """

    type: Literal["remote-outbound-rtp"]
    localId: str
    packetsSent: int
    bytesSent: int
    reportsSent: int
    remoteTimestamp: float


class OutboundRtpStats(_Stream):
    """``RTCOutboundRtpStreamStats``: a stream that we send. ``packetsRefused`` is ours.

    Attributes:
        type: ``"outbound-rtp"``.
        mid: of its section.
        rid: the simulcast layer.
        rtxSsrc: the number of its repair stream.
        remoteId: the id of the ``remote-inbound-rtp``, once the peer has reported.
        active: whether the peer agreed that we send.
        packetsSent: packets that were sent, those sent again included.
        bytesSent: payload bytes of these.
        headerBytesSent: their other bytes.
        retransmittedPacketsSent: packets that were sent again.
        retransmittedBytesSent: payload bytes of these.
        packetsRefused: ours: packets that could not be sent, of a payload type that was not agreed on for one.
        nackCount: NACK packets that came.
        firCount: FIR requests for a key frame that came.
        pliCount: PLI requests for a key frame that came.
    """

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
    """``RTCRemoteInboundRtpStreamStats``: what the peer reports of a stream that we send.

    Attributes:
        type: ``"remote-inbound-rtp"``.
        localId: the id of the ``outbound-rtp`` of the same stream.
        packetsLost: packets that the peer misses.
        jitter: how unevenly packets come there, in seconds.
        fractionLost: the share that was lost between its last two reports, from 0 to 1.
        roundTripTime: the newest measurement, in seconds.
        totalRoundTripTime: the sum of all measurements, in seconds.
        roundTripTimeMeasurements: how many these were.
    """

    type: Literal["remote-inbound-rtp"]
    localId: str
    packetsLost: int
    jitter: float
    fractionLost: float
    roundTripTime: NotRequired[float]
    totalRoundTripTime: float
    roundTripTimeMeasurements: int


class PeerConnectionStats(_Any):
    """``RTCPeerConnectionStats``.

    Attributes:
        type: ``"peer-connection"``.
        dataChannelsOpened: channels that were open at some time.
        dataChannelsClosed: those of them that no longer are.
    """

    type: Literal["peer-connection"]
    dataChannelsOpened: int
    dataChannelsClosed: int


class DataChannelStats(_Any):
    """``RTCDataChannelStats``; ``bufferedAmount`` is ours.

    Attributes:
        type: ``"data-channel"``.
        label: its name.
        protocol: the subprotocol's name.
        dataChannelIdentifier: the number of its stream, once it has one.
        state: ``"connecting"``, ``"open"``, ``"closing"`` or ``"closed"``.
        messagesSent: messages that the channel took to be sent.
        bytesSent: their bytes.
        messagesReceived: messages that came.
        bytesReceived: their bytes.
        bufferedAmount: ours: bytes that were taken and have not left.
    """

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

    Attributes:
        type: ``"transport"``.
        iceState: the state of ICE.
        iceRole: ``"controlling"``, ``"controlled"``, or ``"unknown"`` before descriptions were exchanged.
        iceLocalUsernameFragment: ours in this generation of ICE.
        dtlsState: the state of DTLS.
        dtlsRole: ``"client"`` or ``"server"``.
        dtlsCipher: the cipher suite's name.
        tlsVersion: ``"FEFD"``: DTLS 1.2.
        srtpCipher: the SRTP profile's name, if there is media.
        selectedCandidatePairId: the id of the ``candidate-pair`` in use.
        selectedCandidatePairChanges: how often a pair was chosen.
        localCertificateId: the id of our ``certificate``.
        remoteCertificateId: the id of the peer's.
        packetsSent: datagrams that were sent.
        packetsReceived: datagrams that came.
        bytesSent: bytes in these.
        bytesReceived: bytes in these.
        dropped: ours: what came or went and was not used, by layer and reason.
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

    Attributes:
        type: ``"candidate-pair"``.
        transportId: the id of the ``transport``.
        localCandidateId: the id of the ``local-candidate``.
        remoteCandidateId: the id of the ``remote-candidate``.
        state: ``"succeeded"``.
        nominated: ``True``.
        packetsSent: datagrams on this pair that were sent.
        packetsReceived: datagrams on this pair that came.
        bytesSent: bytes in these.
        bytesReceived: bytes in these.
        requestsSent: connectivity checks that were sent.
        consentRequestsSent: checks that were sent once the pair was in use, to hear whether the peer is still there.
        responsesReceived: answers to our checks.
        requestsReceived: checks of the peer.
        responsesSent: our answers to these.
        currentRoundTripTime: of the newest check, in seconds.
        totalRoundTripTime: the sum of all checks, in seconds.
        availableOutgoingBitrate: what the path takes of media, in bits a second, if it was ever full.
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
    """``RTCIceCandidateStats`` of one end of the pair in use.

    Attributes:
        type: ``"local-candidate"`` or ``"remote-candidate"``.
        transportId: the id of the ``transport``.
        address: the IP address.
        port: the port.
        protocol: ``"udp"`` or ``"tcp"``.
        candidateType: ``"host"``, ``"srflx"``, ``"prflx"`` or ``"relay"``.
        relayProtocol: how we reach the relay: ``"udp"``, ``"tcp"`` or ``"tls"``; of a local candidate on one.
    """

    type: Literal["local-candidate", "remote-candidate"]
    transportId: str
    address: str
    port: int
    protocol: str
    candidateType: str
    relayProtocol: NotRequired[str]


class SctpTransportStats(_Any):
    """The association, ours: ``RTCSctpTransportStats`` is no longer in webrtc-stats, but its names live on.

    Attributes:
        type: ``"sctp-transport"``.
        state: the state of the association.
        smoothedRoundTripTime: in seconds, once measured.
        congestionWindow: bytes that may be under way.
        receiverWindow: bytes that the peer has room for.
        unackData: DATA chunks that are not acknowledged.
        bytesInFlight: bytes that are under way.
        bufferedAmount: bytes that were taken and have not left.
        retransmits: chunks that were sent again, for whatever reason.
    """

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
    """``RTCCertificateStats``.

    Attributes:
        type: ``"certificate"``.
        fingerprint: its hash, as in a description.
        fingerprintAlgorithm: ``"sha-256"``.
        base64Certificate: the certificate itself, DER in base 64.
    """

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
