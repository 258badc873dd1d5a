"""A snapshot of a connection's numbers under their W3C names (webrtc-stats), taken when asked and never kept.

A plain mapping ``{id: {"type": ..., ...}}``, as a browser's ``getStats()`` gives it: JSON-ready. Each number is read
from the one counter of the layer that counts it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from pystack.aio import IceTransport
from pystack.peer.datachannel import DataChannel
from pystack.peer.transceiver import Transceiver
from pystack.session import Session

__all__ = ["StatsReport", "collect_stats"]

StatsReport: TypeAlias = dict[str, dict[str, Any]]
"""``{id: {"type": ..., "timestamp": ..., ...}}``, as a browser's ``getStats()``."""


def collect_stats(
    session: Session,
    ice: IceTransport,
    channels: Iterable[DataChannel],
    transceivers: Iterable[Transceiver],
    wall_time: float,
) -> StatsReport:
    """Take the snapshot. ``wall_time`` is in seconds since 1970; ``timestamp`` is in milliseconds, as in a browser."""
    report: StatsReport = {}
    at = wall_time * 1000

    def add(kind: str, name: str, /, **values: Any) -> None:
        report[name] = {"type": kind, "id": name, "timestamp": at, **values}

    open_channels = list(channels)
    data = session.channels
    add("peer-connection", "P", dataChannelsOpened=data.opened, dataChannelsClosed=data.closed)
    ends = ice.counters()
    pair = ice.selected_pair
    add(
        "transport",
        "T",
        iceState=ice.state,
        dtlsState=session.dtls_state,
        dtlsRole=session.dtls_role,
        packetsSent=ends.get("datagrams_out", 0),
        packetsReceived=ends.get("datagrams_in", 0),
        bytesSent=ends.get("bytes_out", 0),
        bytesReceived=ends.get("bytes_in", 0),
        selectedCandidatePairId=None if pair is None else "CP",
        dropped=session.dropped(),
    )
    if pair is not None:
        add(
            "candidate-pair",
            "CP",
            state="succeeded",
            nominated=True,
            localAddress=pair.local[0],
            localPort=pair.local[1],
            localCandidateType=pair.local_type,
            remoteAddress=pair.remote[0],
            remotePort=pair.remote[1],
        )
    association = session.association
    add(
        "sctp-transport",
        "S",
        state=association.state,
        smoothedRoundTripTime=association.smoothed_rtt,
        congestionWindow=association.congestion_window,
        receiverWindow=association.peer_window,
        unackData=association.outstanding,
        bytesInFlight=association.flight,
        bufferedAmount=association.buffered,
        retransmits=association.counters.fast_retransmits + association.counters.timer_retransmits,
    )
    for channel in open_channels:
        counted = channel.counters()
        add(
            "data-channel",
            f"D{channel.id if channel.id is not None else channel.label}",
            label=channel.label,
            protocol=channel.protocol,
            dataChannelIdentifier=channel.id,
            state=channel.ready_state,
            messagesSent=counted.messages_sent,
            bytesSent=counted.bytes_sent,
            messagesReceived=counted.messages_received,
            bytesReceived=counted.bytes_received,
            bufferedAmount=channel.buffered_amount,
        )
    _add_media(add, session, {transceiver.key: transceiver for transceiver in transceivers})
    return report


def _add_media(add: Any, session: Session, transceivers: dict[int, Transceiver]) -> None:
    numbers = session.rtp.stats()
    for inbound in numbers.inbound:
        receiving = transceivers.get(inbound.receiver_id)
        add(
            "inbound-rtp",
            f"I{inbound.ssrc}",
            ssrc=inbound.ssrc,
            kind=None if receiving is None else receiving.kind,
            mid=None if receiving is None else receiving.mid,
            rid=inbound.rid or None,
            packetsReceived=inbound.packets,
            bytesReceived=inbound.octets,
            packetsLost=inbound.lost,
            packetsDuplicated=inbound.duplicates,
            retransmittedPacketsReceived=inbound.recovered,
            jitter=inbound.jitter,
            nackCount=inbound.nacks,
            pliCount=inbound.key_frame_requests,
        )
    for outbound in numbers.outbound:
        sending = transceivers.get(outbound.sender_id)
        add(
            "outbound-rtp",
            f"O{outbound.ssrc}",
            ssrc=outbound.ssrc,
            kind=None if sending is None else sending.kind,
            mid=None if sending is None else sending.mid,
            packetsSent=outbound.packets,
            bytesSent=outbound.octets,
            headerBytesSent=outbound.header_octets,
            retransmittedPacketsSent=outbound.retransmitted_packets,
            retransmittedBytesSent=outbound.retransmitted_octets,
            nackCount=outbound.nacks,
            pliCount=outbound.key_frame_requests,
            packetsRefused=outbound.refused,
            remotePacketsLost=outbound.reported_lost,
            remoteFractionLost=outbound.reported_fraction_lost,
            remoteJitter=outbound.reported_jitter,
            roundTripTime=outbound.round_trip_time,
        )
