"""Retransmissions in a stream of their own (RFC 4588 section 4): the original number in front of the payload."""

from __future__ import annotations

from pystack.rtp.packet import RtpPacket

__all__ = ["unwrap", "wrap_payload"]


def unwrap(packet: RtpPacket, payload_type: int, ssrc: int) -> RtpPacket | None:
    """Turn a retransmission back into what was sent first; ``None`` when it holds nothing but padding (a probe).

    Args:
        packet: as it came; it is not changed.
        payload_type: what the retransmission's payload type is associated with.
        ssrc: the stream that it repairs.
    """
    if len(packet.payload) < 2:
        return None
    return RtpPacket(
        payload_type=payload_type,
        marker=packet.marker,
        sequence_number=packet.payload[0] << 8 | packet.payload[1],
        timestamp=packet.timestamp,
        ssrc=ssrc,
        csrcs=packet.csrcs,
        extension_profile=packet.extension_profile,
        extension=packet.extension,
        payload=packet.payload[2:],
        arrival=packet.arrival,
        extension_map=packet.extension_map,
    )


def wrap_payload(sequence_number: int, payload: bytes) -> bytes:
    """The payload of a retransmission of the packet ``sequence_number``."""
    return sequence_number.to_bytes(2, "big") + payload
