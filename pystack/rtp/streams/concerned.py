"""Whom an RTCP packet concerns: the sources that speak in it, and the streams that it speaks about.

Called by the session for each packet that it tells the layer above. RFC 3550 section 6, RFC 4585 section 6.1,
RFC 5104 section 4.3.1.
"""

from __future__ import annotations

from pystack.rtp.rtcp import (
    Bye,
    Fir,
    Nack,
    Pli,
    ReceiverReport,
    Remb,
    RtcpPacket,
    SenderReport,
    SourceDescription,
    TransportFeedback,
    UnknownRtcp,
)

__all__ = ["media_of", "sources_of"]

_FEEDBACK = frozenset({205, 206})


def sources_of(packet: RtcpPacket) -> list[int]:
    """SSRCs of streams whose sender speaks for them: what comes to a receiver."""
    match packet:
        case SenderReport():
            return [packet.ssrc]
        case SourceDescription():
            return [ssrc for ssrc, _ in packet.chunks]
        case Bye():
            return packet.ssrcs
        case UnknownRtcp() if packet.packet_type not in _FEEDBACK and len(packet.body) >= 4:
            return [int.from_bytes(packet.body[:4], "big")]
        case _:
            return []


def media_of(packet: RtcpPacket) -> list[int]:
    """SSRCs of streams that a receiver speaks about: what comes back to their sender."""
    match packet:
        case SenderReport() | ReceiverReport():
            return [block.ssrc for block in packet.reports]
        case Nack() | Pli() | TransportFeedback():
            return [packet.media_ssrc]
        case Fir():
            return [ssrc for ssrc, _ in packet.entries]
        case Remb():
            return list(packet.ssrcs)
        case UnknownRtcp() if packet.packet_type in _FEEDBACK and len(packet.body) >= 8:
            return [int.from_bytes(packet.body[4:8], "big")]
        case _:
            return []
