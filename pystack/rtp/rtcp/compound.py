"""A datagram of RTCP: one or more packets in a row (RFC 3550 section 6.1, reduced size by RFC 5506).

What is not known here is kept as :class:`UnknownRtcp`, so that writing it again gives the same bytes. Called by the
RTP session for each datagram that came in or goes out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import attrs

from pystack.errors import DecodeError
from pystack.rtp.rtcp.feedback import Fir, Nack, Pli
from pystack.rtp.rtcp.frame import HEADER, frame
from pystack.rtp.rtcp.remb import Remb
from pystack.rtp.rtcp.reports import ReceiverReport, SenderReport
from pystack.rtp.rtcp.sources import Bye, SourceDescription
from pystack.rtp.rtcp.transport import TransportFeedback

__all__ = ["RtcpPacket", "UnknownRtcp", "parse_compound", "serialize_compound"]


@attrs.define
class UnknownRtcp:
    """An RTCP packet of a type or format that is not read here.

    Attributes:
        packet_type: 192 to 223.
        count: the five bits that are a count or a format.
        body: everything after the four header bytes, without padding.
    """

    packet_type: int
    count: int
    body: bytes = b""

    def serialize(self) -> bytes:
        """Write the packet."""
        return frame(self.count, self.packet_type, self.body)


RtcpPacket: TypeAlias = (
    SenderReport | ReceiverReport | SourceDescription | Bye | Nack | Pli | Fir | Remb | TransportFeedback | UnknownRtcp
)
"""Any packet of RTCP."""


def parse_compound(data: bytes) -> list[RtcpPacket]:
    """Parse a datagram into its packets.

    Raises:
        DecodeError: a packet is not version 2, runs past the end, or does not hold what its type says. Nothing of
            such a datagram is used.
    """
    packets: list[RtcpPacket] = []
    at = 0
    size = len(data)
    if not size:
        raise DecodeError("RTCP: empty")
    while at < size:
        if at + 4 > size:
            raise DecodeError("RTCP: header runs past the end")
        first, packet_type, words = HEADER.unpack_from(data, at)
        stop = at + 4 + 4 * words
        if first >> 6 != 2:
            raise DecodeError("RTCP: not version 2")
        if stop > size:
            raise DecodeError("RTCP: packet runs past the end")
        end = stop
        if first & 0x20:
            # Only the last packet may be padded, but peers pad transport feedback wherever it stands.
            padding = data[stop - 1]
            if not 0 < padding <= 4 * words:
                raise DecodeError("RTCP: bad padding")
            end -= padding
        packets.append(_parse(packet_type, first & 0x1F, data[at + 4 : end]))
        at = stop
    return packets


def serialize_compound(packets: Iterable[RtcpPacket]) -> bytes:
    """Write packets into one datagram."""
    return b"".join([each.serialize() for each in packets])


def _parse(packet_type: int, count: int, body: bytes) -> RtcpPacket:
    if packet_type == 200:
        return SenderReport.parse(count, body)
    if packet_type == 201:
        return ReceiverReport.parse(count, body)
    if packet_type == 202:
        return SourceDescription.parse(count, body)
    if packet_type == 203:
        return Bye.parse(count, body)
    if packet_type == 205:
        if count == 1:
            return Nack.parse(body)
        if count == 15:
            return TransportFeedback.parse(body)
    elif packet_type == 206:
        if count == 1:
            return Pli.parse(body)
        if count == 4:
            return Fir.parse(body)
        if count == 15 and body[8:12] == b"REMB":
            return Remb.parse(body)
    return UnknownRtcp(packet_type, count, body)
