"""A snapshot of a connection's numbers under their W3C names (webrtc-stats), taken when asked and never kept.

Each number is read from the one counter of the layer that counts it; the dictionaries are
:mod:`pystack.peer.dictionaries`. Taking one costs a few microseconds a stream.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Final

from pystack.aio import IceTransport
from pystack.dtls import Certificate, fingerprint
from pystack.peer.datachannel import DataChannel
from pystack.peer.dictionaries import (
    CertificateStats,
    CodecStats,
    DataChannelStats,
    InboundRtpStats,
    OutboundRtpStats,
    RemoteInboundRtpStats,
    RemoteOutboundRtpStats,
    SctpTransportStats,
    StatsReport,
    TransportStats,
)
from pystack.peer.pair_stats import add_pair
from pystack.peer.transceiver import Transceiver
from pystack.rtp import CodecSpec, InboundStreamStats, OutboundStreamStats
from pystack.session import Session
from pystack.srtp import profile

__all__ = ["collect_stats"]

_NTP_EPOCH: Final = 2_208_988_800
"""Seconds from 1900 to 1970."""
_FLOWS: Final = frozenset(
    [f"{end}{what}_{way}" for end in ("", "socket_") for what in ("datagrams", "bytes") for way in ("in", "out")]
    + ["checks_failed"]
)
"""What ICE counts beside what it drops."""
_TLS_VERSIONS: Final = {"DTLS 1.2": "FEFD"}


def collect_stats(
    session: Session,
    ice: IceTransport,
    channels: Iterable[tuple[int, DataChannel]],
    transceivers: Iterable[Transceiver],
    certificate: Certificate,
    *,
    controlling: bool | None,
    now: float,
    wall_offset: float,
) -> StatsReport:
    """Take the snapshot.

    ``controlling`` is our role in ICE, ``None`` before it is known; ``now`` is the clock of all layers in seconds, and
    ``wall_offset`` what to add to it for seconds since 1970.
    """
    report: StatsReport = {}
    at = (now + wall_offset) * 1000
    data = session.channels
    report["P"] = {
        "type": "peer-connection",
        "id": "P",
        "timestamp": at,
        "dataChannelsOpened": data.opened,
        "dataChannelsClosed": data.closed,
    }
    congestion = session.rtp.congestion(now)
    capacity = None if congestion is None else congestion.capacity_bps
    _add_transport(report, session, ice, certificate, controlling, capacity, at)
    association = session.association
    again = association.counters
    sctp: SctpTransportStats = {
        "type": "sctp-transport",
        "id": "S",
        "timestamp": at,
        "state": association.state,
        "congestionWindow": association.congestion_window,
        "receiverWindow": association.peer_window,
        "unackData": association.outstanding,
        "bytesInFlight": association.flight,
        "bufferedAmount": association.buffered,
        "retransmits": again.fast_retransmits + again.timer_retransmits + again.tail_probes,
    }
    if association.smoothed_rtt is not None:
        sctp["smoothedRoundTripTime"] = association.smoothed_rtt
    report["S"] = sctp
    for number, channel in channels:
        _add_channel(report, number, channel, at)
    _Media(report, {transceiver.key: transceiver for transceiver in transceivers}, now, wall_offset).add(session)
    return report


def _add_transport(
    report: StatsReport,
    session: Session,
    ice: IceTransport,
    certificate: Certificate,
    controlling: bool | None,
    capacity: float | None,
    at: float,
) -> None:
    ends = ice.counters()
    role = "unknown" if controlling is None else "controlling" if controlling else "controlled"
    entry: TransportStats = {
        "type": "transport",
        "id": "T",
        "timestamp": at,
        "iceState": ice.state,
        "iceRole": role,
        "iceLocalUsernameFragment": ice.local_parameters.ufrag,
        "dtlsState": session.dtls_state,
        "localCertificateId": _add_certificate(report, certificate.der, at),
        "packetsSent": ends.get("datagrams_out", 0),
        "packetsReceived": ends.get("datagrams_in", 0),
        "bytesSent": ends.get("bytes_out", 0),
        "bytesReceived": ends.get("bytes_in", 0),
        "dropped": session.dropped()
        | {f"ice: {name.removeprefix('ice_')}": count for name, count in ends.items() if count and name not in _FLOWS},
    }
    if session.dtls_role is not None:
        entry["dtlsRole"] = session.dtls_role
    if session.peer_certificate is not None:
        entry["remoteCertificateId"] = _add_certificate(report, session.peer_certificate, at)
    secured = session.secured
    if secured is not None:
        entry["dtlsCipher"] = secured.cipher
        entry["tlsVersion"] = _TLS_VERSIONS[secured.version]
        if secured.srtp_profile is not None:
            entry["srtpCipher"] = profile(secured.srtp_profile).name
    pair = ice.selected_pair
    if pair is not None:
        entry["selectedCandidatePairId"] = add_pair(report, pair, capacity, at)
        entry["selectedCandidatePairChanges"] = pair.number
    report["T"] = entry


def _add_certificate(report: StatsReport, der: bytes, at: float) -> str:
    print_ = fingerprint(der)
    name = f"CF{print_}"
    entry: CertificateStats = {
        "type": "certificate",
        "id": name,
        "timestamp": at,
        "fingerprint": print_,
        "fingerprintAlgorithm": "sha-256",
        "base64Certificate": base64.b64encode(der).decode(),
    }
    report[name] = entry
    return name


def _add_channel(report: StatsReport, number: int, channel: DataChannel, at: float) -> None:
    counted = channel.counters()
    identifier = channel.id
    name = f"D{number}"  # a stream is used by one channel after the other, and a label by several
    entry: DataChannelStats = {
        "type": "data-channel",
        "id": name,
        "timestamp": at,
        "label": channel.label,
        "protocol": channel.protocol,
        "state": channel.ready_state,
        "messagesSent": counted.messages_sent,
        "bytesSent": counted.bytes_sent,
        "messagesReceived": counted.messages_received,
        "bytesReceived": counted.bytes_received,
        "bufferedAmount": channel.buffered_amount,
    }
    if identifier is not None:
        entry["dataChannelIdentifier"] = identifier
    report[name] = entry


class _Media:
    """Adds the streams, what the peer reports of them, and the codecs that they use."""

    def __init__(
        self, report: StatsReport, transceivers: dict[int, Transceiver], now: float, wall_offset: float
    ) -> None:
        self._report = report
        self._transceivers = transceivers
        self._now = now
        self._at = (now + wall_offset) * 1000
        self._offset = wall_offset

    def add(self, session: Session) -> None:
        numbers = session.rtp.stats(self._now)
        for inbound in numbers.inbound:
            transceiver = self._transceivers.get(inbound.receiver_id)
            if transceiver is not None:
                self._add_inbound(inbound, transceiver)
        for outbound in numbers.outbound:
            transceiver = self._transceivers.get(outbound.sender_id & 0xFFFFFFFF)  # above are the layers
            if transceiver is not None:
                self._add_outbound(outbound, transceiver)

    def _add_inbound(self, stream: InboundStreamStats, transceiver: Transceiver) -> None:
        name, remote = f"I{stream.ssrc}", f"RO{stream.ssrc}"
        codec = self._add_codec(stream.payload_type, transceiver.kind, transceiver.receiver.codecs, "in")
        entry: InboundRtpStats = {
            "type": "inbound-rtp",
            "id": name,
            "timestamp": self._at,
            "ssrc": stream.ssrc,
            "kind": transceiver.kind,
            "transportId": "T",
            "trackIdentifier": transceiver.receiver.track_id,
            "packetsReceived": stream.packets,
            "packetsLost": stream.lost,
            "packetsDuplicated": stream.duplicates,
            "jitter": stream.jitter,
            "bytesReceived": stream.octets,
            "headerBytesReceived": stream.header_octets,
            "lastPacketReceivedTimestamp": self._wall(stream.last_arrival),
            "retransmittedPacketsReceived": stream.recovered,
            "retransmittedBytesReceived": stream.recovered_octets,
            "nackCount": stream.nack_packets,
            "firCount": stream.firs,
            "pliCount": stream.key_frame_requests - stream.firs,
        }
        if transceiver.kind == "video":
            entry["framesPerSecond"] = stream.frame_rate
        if transceiver.mid is not None:
            entry["mid"] = transceiver.mid
        if stream.rid:
            entry["rid"] = stream.rid
        if codec is not None:
            entry["codecId"] = codec
        told = stream.sender_report
        if told is not None:
            entry["remoteId"] = remote
            theirs: RemoteOutboundRtpStats = {
                "type": "remote-outbound-rtp",
                "id": remote,
                "timestamp": self._wall(stream.sender_report_at),
                "ssrc": stream.ssrc,
                "kind": transceiver.kind,
                "transportId": "T",
                "localId": name,
                "packetsSent": told.packet_count,
                "bytesSent": told.octet_count,
                "reportsSent": stream.sender_reports,
                "remoteTimestamp": (told.ntp_time / (1 << 32) - _NTP_EPOCH) * 1000,
            }
            if codec is not None:
                theirs["codecId"] = codec
            self._report[remote] = theirs
        self._report[name] = entry

    def _add_outbound(self, stream: OutboundStreamStats, transceiver: Transceiver) -> None:
        name, remote = f"O{stream.ssrc}", f"RI{stream.ssrc}"
        codec = self._add_codec(stream.payload_type, transceiver.kind, transceiver.sender.codecs, "out")
        entry: OutboundRtpStats = {
            "type": "outbound-rtp",
            "id": name,
            "timestamp": self._at,
            "ssrc": stream.ssrc,
            "kind": transceiver.kind,
            "transportId": "T",
            "active": transceiver.sender.sending,
            "packetsSent": stream.packets + stream.retransmitted_packets,
            "bytesSent": stream.octets + stream.retransmitted_octets,
            "headerBytesSent": stream.header_octets + stream.retransmitted_header_octets,
            "retransmittedPacketsSent": stream.retransmitted_packets,
            "retransmittedBytesSent": stream.retransmitted_octets,
            "packetsRefused": stream.refused,
            "nackCount": stream.nack_packets,
            "firCount": stream.firs,
            "pliCount": stream.key_frame_requests - stream.firs,
        }
        if transceiver.mid is not None:
            entry["mid"] = transceiver.mid
        if stream.rtx_ssrc is not None:
            entry["rtxSsrc"] = stream.rtx_ssrc
        if transceiver.sender.rids:
            entry["rid"] = transceiver.sender.encodings[stream.sender_id >> 32]
        if codec is not None:
            entry["codecId"] = codec
        if stream.reports:
            entry["remoteId"] = remote
            theirs: RemoteInboundRtpStats = {
                "type": "remote-inbound-rtp",
                "id": remote,
                "timestamp": self._wall(stream.reported_at),
                "ssrc": stream.ssrc,
                "kind": transceiver.kind,
                "transportId": "T",
                "localId": name,
                "packetsLost": stream.reported_lost,
                "jitter": stream.reported_jitter,
                "fractionLost": stream.reported_fraction_lost,
                "totalRoundTripTime": stream.total_round_trip_time,
                "roundTripTimeMeasurements": stream.round_trips,
            }
            if stream.round_trip_time is not None:
                theirs["roundTripTime"] = stream.round_trip_time
            if codec is not None:
                theirs["codecId"] = codec
            self._report[remote] = theirs
        self._report[name] = entry

    def _add_codec(self, payload_type: int | None, kind: str, codecs: Iterable[CodecSpec], way: str) -> str | None:
        codec = next((each for each in codecs if each.payload_type == payload_type), None)
        if codec is None:
            return None
        name = f"C{way}{codec.payload_type}"
        entry: CodecStats = {
            "type": "codec",
            "id": name,
            "timestamp": self._at,
            "payloadType": codec.payload_type,
            "transportId": "T",
            "mimeType": f"{kind}/{codec.name}",
            "clockRate": codec.clock_rate,
        }
        if kind == "audio":
            entry["channels"] = codec.channels or 1
        if codec.fmtp:
            entry["sdpFmtpLine"] = ";".join(f"{key}={value}" if value else key for key, value in codec.fmtp.items())
        self._report[name] = entry
        return name

    def _wall(self, at: float) -> float:
        return (at + self._offset) * 1000
