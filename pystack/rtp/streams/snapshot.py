"""Streams as the values of :mod:`pystack.rtp.stats`. Called by the session when somebody asks."""

from __future__ import annotations

from pystack.rtp.stats import InboundStreamStats, OutboundStreamStats
from pystack.rtp.streams.receiver import ReceiveStream
from pystack.rtp.streams.sender import SendStream

__all__ = ["inbound_stats", "outbound_stats"]


def inbound_stats(stream: ReceiveStream, now: float) -> InboundStreamStats:
    """The numbers of one received stream at ``now``."""
    sequence = stream.sequence
    return InboundStreamStats(
        receiver_id=stream.receiver_id,
        rid=stream.rid,
        ssrc=stream.ssrc,
        packets=stream.packets,
        octets=stream.octets,
        header_octets=stream.header_octets,
        payload_type=stream.payload_type,
        lost=max(0, sequence.lost),
        duplicates=sequence.duplicates,
        reordered=sequence.reordered,
        recovered=stream.recovered,
        recovered_octets=stream.recovered_octets,
        rtx_packets=stream.rtx_packets,
        rtx_lost=max(0, stream.repair.sequence.lost) if stream.repair is not None else 0,
        nacks=stream.nacks.requested,
        nack_packets=stream.nack_packets,
        restarts=sequence.restarts,
        gaps=dict(stream.gaps),
        anomalies=stream.anomalies.count + (stream.repair.anomalies.count if stream.repair is not None else 0),
        frame_rate=stream.frame_rate.value(now) if stream.frame_rate is not None else 0.0,
        timestamp=stream.timeline.latest if stream.timeline is not None else None,
        first_arrival=stream.timeline.first_arrival if stream.timeline is not None else None,
        measured_clock_rate=stream.timeline.measured_rate if stream.timeline is not None else None,
        jitter=stream.jitter / stream.clock_rate,
        last_arrival=stream.last_arrival,
        key_frame_requests=stream.key_frame_requests,
        firs=stream.firs,
        sender_reports=stream.sender_reports,
        sender_report=stream.sender_report,
        sender_report_at=stream.sender_report_at,
    )


def outbound_stats(stream: SendStream) -> OutboundStreamStats:
    """The numbers of one sent stream."""
    peer = stream.peer
    return OutboundStreamStats(
        sender_id=stream.sender_id,
        ssrc=stream.ssrc,
        rtx_ssrc=stream.rtx_ssrc,
        payload_type=stream.payload_type,
        packets=stream.packets,
        octets=stream.octets,
        header_octets=stream.header_octets,
        retransmitted_packets=stream.retransmitted_packets,
        retransmitted_octets=stream.retransmitted_octets,
        retransmitted_header_octets=stream.retransmitted_header_octets,
        nacks=stream.nacks,
        nack_packets=stream.nack_packets,
        retransmissions_refused=stream.retransmissions_refused,
        padding_packets=stream.padding_packets,
        padding_octets=stream.padding_octets,
        key_frame_requests=stream.key_frame_requests,
        firs=stream.firs,
        refused=stream.refused,
        extensions_left_out=stream.extensions_left_out,
        reports=peer.accepted,
        reported_at=peer.heard_at,
        reported_lost=peer.lost,
        reported_fraction_lost=peer.fraction_lost,
        reported_jitter=peer.jitter / stream.clock_rate,
        round_trip_time=peer.round_trip_time,
        total_round_trip_time=peer.total_round_trip_time,
        round_trips=peer.round_trips,
    )
