"""Sender and receiver reports (RFC 3550 sections 6.4.1 and 6.4.2)."""

from __future__ import annotations

from struct import Struct

import attrs

from pystack.errors import DecodeError
from pystack.rtp.rtcp.frame import frame

__all__ = ["ReceiverReport", "ReportBlock", "SenderReport"]

_SENDER = Struct("!LQLLL")
_BLOCK = Struct("!LB3sLLLL")
_SSRC = Struct("!L")


@attrs.define
class ReportBlock:
    """What a receiver says about one stream.

    Attributes:
        ssrc: the stream.
        fraction_lost: of the packets since the last report, in 1/256.
        cumulative_lost: since the start; 24 bits, signed.
        highest_sequence: the extended highest sequence number, 32 bits.
        jitter: interarrival jitter in timestamp units.
        last_sender_report: the middle 32 bits of the NTP time of the last sender report; 0 if none came.
        delay_since_last: since that report, in 1/65536 s.
    """

    ssrc: int
    fraction_lost: int = 0
    cumulative_lost: int = 0
    highest_sequence: int = 0
    jitter: int = 0
    last_sender_report: int = 0
    delay_since_last: int = 0

    def serialize(self) -> bytes:
        """Write the 24 bytes of the block."""
        return _BLOCK.pack(
            self.ssrc,
            self.fraction_lost,
            (self.cumulative_lost & 0xFFFFFF).to_bytes(3, "big"),
            self.highest_sequence,
            self.jitter,
            self.last_sender_report,
            self.delay_since_last,
        )


@attrs.define
class SenderReport:
    """SR, packet type 200.

    Attributes:
        ssrc: the sender of the stream and of the report.
        ntp_time: 64-bit NTP time of the report.
        rtp_timestamp: the same instant in the stream's clock.
        packet_count: packets sent since the start, modulo 2**32.
        octet_count: payload bytes sent since the start, modulo 2**32.
        reports: at most 31 blocks.
        extension: profile-specific words after the blocks, kept as they are.
    """

    ssrc: int
    ntp_time: int = 0
    rtp_timestamp: int = 0
    packet_count: int = 0
    octet_count: int = 0
    reports: list[ReportBlock] = attrs.field(factory=list)
    extension: bytes = b""

    def serialize(self) -> bytes:
        """Write the packet."""
        head = _SENDER.pack(self.ssrc, self.ntp_time, self.rtp_timestamp, self.packet_count, self.octet_count)
        blocks = b"".join([each.serialize() for each in self.reports])
        return frame(len(self.reports), 200, head + blocks + self.extension)

    @classmethod
    def parse(cls, count: int, body: bytes) -> SenderReport:
        """Parse the part after the RTCP header.

        Raises:
            DecodeError: it is too short for ``count`` blocks.
        """
        if len(body) < 24 + 24 * count:
            raise DecodeError("RTCP SR: too short")
        ssrc, ntp_time, rtp_timestamp, packet_count, octet_count = _SENDER.unpack_from(body)
        return cls(
            ssrc, ntp_time, rtp_timestamp, packet_count, octet_count, _blocks(body, 24, count), body[24 + 24 * count :]
        )


@attrs.define
class ReceiverReport:
    """RR, packet type 201.

    Attributes:
        ssrc: who reports.
        reports: at most 31 blocks.
        extension: profile-specific words after the blocks, kept as they are.
    """

    ssrc: int
    reports: list[ReportBlock] = attrs.field(factory=list)
    extension: bytes = b""

    def serialize(self) -> bytes:
        """Write the packet."""
        blocks = b"".join([each.serialize() for each in self.reports])
        return frame(len(self.reports), 201, _SSRC.pack(self.ssrc) + blocks + self.extension)

    @classmethod
    def parse(cls, count: int, body: bytes) -> ReceiverReport:
        """Parse the part after the RTCP header.

        Raises:
            DecodeError: it is too short for ``count`` blocks.
        """
        if len(body) < 4 + 24 * count:
            raise DecodeError("RTCP RR: too short")
        return cls(_SSRC.unpack_from(body)[0], _blocks(body, 4, count), body[4 + 24 * count :])


def _blocks(body: bytes, start: int, count: int) -> list[ReportBlock]:
    found = []
    for at in range(start, start + 24 * count, 24):
        ssrc, fraction, lost, highest, jitter, last, delay = _BLOCK.unpack_from(body, at)
        found.append(
            ReportBlock(ssrc, fraction, int.from_bytes(lost, "big", signed=True), highest, jitter, last, delay)
        )
    return found
