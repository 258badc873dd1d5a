"""What can be chosen about an RTP session. Values only; the session layer fills them from its configuration."""

from __future__ import annotations

import attrs

__all__ = ["RtpSessionOptions"]


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
        max_packets: how many received packets wait for :meth:`pystack.rtp.RtpSession.take_packets`.
        max_events: how many events wait to be taken.
        default_round_trip_time: until one was measured.
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
    max_packets: int = 4096
    max_events: int = 256
    default_round_trip_time: float = 0.07
    tell_rtcp: bool = False
