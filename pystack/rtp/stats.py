"""The numbers of an RTP session, as a snapshot. W3C names are the business of the peer API."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

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
        lost: packets that should have come and did not; negative never.
        duplicates: packets that came again.
        reordered: packets that came late.
        recovered: packets that came as a retransmission.
        rtx_packets: retransmissions that came, useful or not.
        nacks: numbers asked for, repetitions included.
        restarts: how often the sequence began anew.
        jitter: seconds.
        last_arrival: when the last packet came, in monotonic seconds.
        key_frame_requests: PLI and FIR sent for it.
    """

    receiver_id: int
    rid: str
    ssrc: int
    packets: int
    octets: int
    lost: int
    duplicates: int
    reordered: int
    recovered: int
    rtx_packets: int
    nacks: int
    restarts: int
    jitter: float
    last_arrival: float
    key_frame_requests: int


@attrs.frozen(kw_only=True)
class OutboundStreamStats:
    """One stream that we send.

    Attributes:
        sender_id: whose it is.
        ssrc: its synchronization source.
        packets: packets sent, retransmissions not counted.
        octets: payload bytes of those.
        header_octets: header bytes of those.
        retransmitted_packets: packets sent again.
        retransmitted_octets: payload bytes of those.
        nacks: numbers that the peer asked for.
        key_frame_requests: PLI and FIR that came, merged ones included.
        refused: packets that :meth:`pystack.rtp.RtpSession.send` refused.
        reported_lost: packets lost by the peer's last report.
        reported_fraction_lost: the share lost by its last report, 0 to 1.
        reported_jitter: seconds, by its last report.
        round_trip_time: seconds, by its last report; ``None`` until there was one.
    """

    sender_id: int
    ssrc: int
    packets: int
    octets: int
    header_octets: int
    retransmitted_packets: int
    retransmitted_octets: int
    nacks: int
    key_frame_requests: int
    refused: int
    reported_lost: int
    reported_fraction_lost: float
    reported_jitter: float
    round_trip_time: float | None


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
