"""The numbers of an RTP session, as a snapshot. W3C names are the business of the peer API."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from pystack.rtp.rtcp import SenderReport

__all__ = ["InboundStreamStats", "OutboundStreamStats", "RtpSessionStats"]


@attrs.frozen(kw_only=True)
class InboundStreamStats:
    """One stream that we receive.

    Attributes:
        receiver_id: whose it is.
        rid: its simulcast name.
        ssrc: its synchronization source.
        packets: packets taken, recovered ones included, duplicates not.
        octets: payload bytes of those.
        header_octets: bytes of their headers, and of their padding.
        payload_type: that of the last one.
        lost: packets that should have come and did not; negative never.
        duplicates: packets that came again.
        reordered: packets that came late.
        recovered: packets that came as a retransmission.
        recovered_octets: payload bytes of those.
        rtx_packets: retransmissions that came, useful or not.
        rtx_lost: retransmissions that did not, by the numbers of their own stream.
        nacks: numbers asked for, repetitions included.
        nack_packets: NACK sent for it.
        restarts: how often the sequence began anew.
        gaps: how often so many packets in a row were missing when the next came; 101 stands for more than 100.
        anomalies: how often something odd was noticed, see :class:`~pystack.rtp.StreamAnomaly`.
        frame_rate: frames, that is different timestamps, per second; 0 while it is paused, and of audio.
        timestamp: the extended timestamp of the newest frame, which never wraps; ``None`` before the first.
        first_arrival: when its first packet would have come had it been as fast as the fastest of its first two
            minutes, in monotonic seconds.
        measured_clock_rate: units per second of the media clock by the sender's own reports; ``None`` before ten
            seconds of them.
        jitter: seconds.
        last_arrival: when the last packet came, in monotonic seconds.
        key_frame_requests: PLI and FIR sent for it.
        firs: FIR among those.
        sender_reports: reports of its sender that came.
        sender_report: the last of them, ``None`` before there was one.
        sender_report_at: when that came, in monotonic seconds.
    """

    receiver_id: int
    rid: str
    ssrc: int
    packets: int
    octets: int
    header_octets: int
    payload_type: int
    lost: int
    duplicates: int
    reordered: int
    recovered: int
    recovered_octets: int
    rtx_packets: int
    rtx_lost: int
    nacks: int
    nack_packets: int
    restarts: int
    gaps: Mapping[int, int]
    anomalies: int
    frame_rate: float
    timestamp: int | None
    first_arrival: float | None
    measured_clock_rate: float | None
    jitter: float
    last_arrival: float
    key_frame_requests: int
    firs: int
    sender_reports: int
    sender_report: SenderReport | None
    sender_report_at: float


@attrs.frozen(kw_only=True)
class OutboundStreamStats:
    """One stream that we send.

    Attributes:
        sender_id: whose it is.
        ssrc: its synchronization source.
        rtx_ssrc: that of its retransmissions; ``None``: they are sent as they were.
        payload_type: that of what is sent now; ``None`` before the first packet.
        packets: packets sent, retransmissions not counted.
        octets: payload bytes of those.
        header_octets: bytes of their headers, and of their padding.
        retransmitted_packets: packets sent again.
        retransmitted_octets: payload bytes of those.
        retransmitted_header_octets: all their other bytes.
        nacks: numbers that the peer asked for.
        nack_packets: NACK that came.
        retransmissions_refused: numbers asked for that were not sent again, because too much was already, or because
            a key frame is awaited.
        padding_packets: packets sent to probe.
        padding_octets: all their bytes.
        key_frame_requests: PLI and FIR that came, merged ones included.
        firs: FIR among those.
        refused: packets that :meth:`pystack.rtp.RtpSession.send` refused.
        extensions_left_out: elements of header extensions that did not fit the one form that its receiver takes.
        reports: reports about it that were believed.
        reported_at: when the last one came, in monotonic seconds.
        reported_lost: packets lost by the peer's last report.
        reported_fraction_lost: the share lost by its last report, 0 to 1.
        reported_jitter: seconds, by its last report.
        round_trip_time: seconds, by its last report; ``None`` until there was one.
        total_round_trip_time: the sum of all that were measured.
        round_trips: how many were.
    """

    sender_id: int
    ssrc: int
    rtx_ssrc: int | None
    payload_type: int | None
    packets: int
    octets: int
    header_octets: int
    retransmitted_packets: int
    retransmitted_octets: int
    retransmitted_header_octets: int
    nacks: int
    nack_packets: int
    retransmissions_refused: int
    padding_packets: int
    padding_octets: int
    key_frame_requests: int
    firs: int
    refused: int
    extensions_left_out: int
    reports: int
    reported_at: float
    reported_lost: int
    reported_fraction_lost: float
    reported_jitter: float
    round_trip_time: float | None
    total_round_trip_time: float
    round_trips: int


@attrs.frozen(kw_only=True)
class RtpSessionStats:
    """One transport.

    Attributes:
        inbound: streams that are received now.
        outbound: streams that are sent now.
        round_trip_time: the smoothed one of the transport in seconds; ``None`` until measured.
        drops: what was dropped, by reason.
    """

    inbound: tuple[InboundStreamStats, ...]
    outbound: tuple[OutboundStreamStats, ...]
    round_trip_time: float | None
    drops: Mapping[str, int]
