"""What can be chosen about an RTP session. Values only; the session layer fills them from its configuration."""

from __future__ import annotations

import attrs

from pystack.errors import InvalidArgument
from pystack.rtp.streams.history import HistoryBudget

__all__ = ["RtpSessionOptions"]


def _is_positive(_: object, __: object, intervals: tuple[float, ...]) -> None:
    if not intervals or min(intervals) < 0:
        raise InvalidArgument(f"key_frame_intervals needs at least one interval, none below 0: {intervals}")


@attrs.frozen(kw_only=True)
class RtpSessionOptions:
    """Options of one :class:`pystack.rtp.RtpSession`; times in seconds, sizes in bytes.

    Attributes:
        ntp_offset: what to add to ``now`` to get seconds since 1970, for sender reports and absolute send times.
        cname: the canonical name of this end (RFC 7022); drawn from the randomness when empty.
        mtu: the largest RTP or RTCP packet to build, before SRTP adds its tag.
        report_interval: mean time between compound reports (RFC 3550 section 6.2, with the minimum scaled down).
        reduced_size: whether feedback may travel without a report in front (RFC 5506, ``a=rtcp-rsize``).
        history_packets_video: sent packets kept per video stream to answer NACKs (requirements C-16: 500).
        history_packets_audio: the same for audio (200).
        history_bytes: payload bytes kept per stream.
        history_age: how old a packet may be and still be sent again.
        history_budget: what all histories of this session, and of others that are given the same object, may hold
            together; one for each session if ``None``.
        retransmission_share: retransmitted bytes for each byte sent, at most.
        retransmission_burst: bytes that may be retransmitted beyond that share at once.
        pause_after_key_frame_request: whether nothing is sent again between a PLI or FIR and the next key frame
            (requirements C-16); whoever sets it says :meth:`pystack.rtp.RtpSession.key_frame_sent`. A pause ends
            after two seconds anyway.
        key_frame_intervals: the least time between two requests for a key frame of one layer, lowest layer first; the
            last holds for all above (requirements C-12).
        max_packets: how many received packets wait for :meth:`pystack.rtp.RtpSession.take_packets`.
        max_events: how many events wait to be taken.
        default_round_trip_time: until one was measured.
        watch_congestion: whether transport-wide feedback is read, and :class:`~pystack.rtp.CongestionChanged` told.
        tell_rtcp: whether each RTCP packet that comes is told as :class:`~pystack.rtp.RtcpReceived` too.
    """

    ntp_offset: float = 0.0
    cname: str = ""
    mtu: int = 1180
    report_interval: float = 1.0
    reduced_size: bool = True
    history_packets_video: int = 512
    history_packets_audio: int = 256
    history_bytes: int = 1_000_000
    history_age: float = 3.0
    history_budget: HistoryBudget | None = attrs.field(default=None, eq=False)
    retransmission_share: float = 1.0
    retransmission_burst: int = 262_144
    pause_after_key_frame_request: bool = False
    key_frame_intervals: tuple[float, ...] = attrs.field(default=(0.5, 1.0, 1.0), validator=_is_positive)
    max_packets: int = 4096
    max_events: int = 256
    default_round_trip_time: float = 0.07
    watch_congestion: bool = False
    tell_rtcp: bool = False
