"""Gives a packet the header of another stream: what a forwarder does for each subscriber.

SSRC, payload type, numbers and marker are replaced, elements of others are translated by URI, and the sender's own are
written anew. Nothing is remembered from packet to packet but shapes. Called by the send stream.
"""

from __future__ import annotations

from pystack.errors import InvalidArgument
from pystack.rtp.extensions import ONE_BYTE, HeaderExtensionMap, Translation, is_two_byte, translation
from pystack.rtp.packet import NO_EXTENSION, RtpPacket
from pystack.rtp.streams.writer import ExtensionWriter

__all__ = ["HeaderRewriter"]


class HeaderRewriter:
    """Writes headers of one stream.

    Args:
        ssrc: the stream.
        target: what the ids mean for its receiver.
        writer: writes the stream's own elements.
    """

    __slots__ = ("_source", "_ssrc", "_target", "_translation", "_writer")

    def __init__(self, ssrc: int, target: HeaderExtensionMap, writer: ExtensionWriter) -> None:
        self._ssrc = ssrc
        self._target = target
        self._writer = writer
        self._source: HeaderExtensionMap | None = None
        self._translation: Translation = translation(None, target)

    def rewrite(
        self, packet: RtpPacket, second: int, sequence_number: int, timestamp: int, payload: bytes, now: float
    ) -> tuple[bytes, bytes]:
        """Return the header, and the payload with what padding the packet has. Hot.

        Args:
            packet: where extension, CSRCs and padding come from; it is not changed.
            second: marker and payload type.
            sequence_number: 16 bits.
            timestamp: 32 bits.
            payload: what follows the header.
            now: for the absolute send time.
        """
        source = packet.extension_map
        if source is not self._source:
            self.follow(source)
        profile = packet.extension_profile
        if profile == ONE_BYTE or (profile != NO_EXTENSION and is_two_byte(profile)):
            short, forwarded = self._translation.apply(profile, packet.extension)
        elif profile == NO_EXTENSION:
            short, forwarded = True, b""
        else:
            return self._rewrite_rare(packet, second, sequence_number, timestamp, payload, now)
        if packet.csrcs or packet.padding_size:
            return self._rewrite_rare(packet, second, sequence_number, timestamp, payload, now)
        return self._writer.header(second, sequence_number, timestamp, self._ssrc, short, forwarded, now), payload

    def follow(self, source: HeaderExtensionMap | None) -> None:
        """The packets that come now have their ids from ``source``."""
        self._source = source
        self._translation = translation(source, self._target)

    def _rewrite_rare(
        self, packet: RtpPacket, second: int, sequence_number: int, timestamp: int, payload: bytes, now: float
    ) -> tuple[bytes, bytes]:
        """With CSRCs, padding, or an extension without elements; padding travels as part of the payload."""
        writer = self._writer
        before = writer.number
        try:
            return self._build_rare(packet, second, sequence_number, timestamp, payload, now)
        except Exception:
            writer.number = before
            raise

    def _build_rare(
        self, packet: RtpPacket, second: int, sequence_number: int, timestamp: int, payload: bytes, now: float
    ) -> tuple[bytes, bytes]:
        profile = packet.extension_profile
        if profile == NO_EXTENSION:
            profile, body = self._writer.write(True, b"", now)
        elif profile == ONE_BYTE or is_two_byte(profile):
            profile, body = self._writer.write(*self._translation.translate(profile, packet.extension), now)
        else:
            # A profile without elements can only travel alone.
            own_profile, body = self._writer.write(True, b"", now)
            if not body and len(packet.extension) % 4:
                raise InvalidArgument(f"extension is of whole words of 4 bytes, not of {len(packet.extension)} bytes")
            profile, body = (own_profile, body) if body else (profile, packet.extension)
        built = RtpPacket(
            payload_type=second & 0x7F,
            marker=second > 0x7F,
            sequence_number=sequence_number,
            timestamp=timestamp,
            ssrc=self._ssrc,
            csrcs=packet.csrcs,
            extension_profile=profile if body else NO_EXTENSION,
            extension=body,
            padding_size=packet.padding_size,
        )
        if packet.padding_size:
            payload = payload + bytes(packet.padding_size - 1) + bytes((packet.padding_size,))
        return built.serialize_header(), payload
