"""Turns redundant audio back into plain packets, and lost packets back into packets (RFC 2198).

One per received stream, behind the session: what comes out is what the sender would have sent without redundancy, each
packet once. A forwarder passes RED on as it is and needs none of this.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from pystack.errors import DecodeError
from pystack.rtp.codec import CodecSpec
from pystack.rtp.packet import RtpPacket
from pystack.rtp.payload.red import parse_red

__all__ = ["RedUnwrapper"]

REMEMBERED: Final = 128
"""Packets of which we know that they came: several times more than copies reach back."""


class RedUnwrapper:
    """Unwraps one stream.

    Copies are known by their timestamp: a copy of a packet that came is dropped, one of a packet that did not stands in
    for it, and the packet itself is a duplicate if it comes after all.

    Attributes:
        recovered: packets that only a copy brought.
        copies: copies that were not needed.
        duplicates: packets that came behind a copy of theirs.
        malformed: RED payloads that cannot be read.
    """

    __slots__ = ("_order", "_seen", "copies", "duplicates", "malformed", "recovered")

    def __init__(self) -> None:
        self._seen: set[int] = set()
        self._order: deque[int] = deque()
        self.recovered = 0
        self.copies = 0
        self.duplicates = 0
        self.malformed = 0

    def unwrap(self, packet: RtpPacket, codecs: Sequence[CodecSpec]) -> list[RtpPacket]:
        """Take a packet, redundant or not, and return those to hand on, oldest first. Never raises.

        Args:
            packet: as the session gave it.
            codecs: what was negotiated; the one named ``red`` is unwrapped.

        Returns:
            The packet of the newest block, with the payload type of that, behind those that older blocks bring back.
            These have the sequence numbers that lie before it, by their place, and no header extension.
        """
        if not any(each.payload_type == packet.payload_type and each.name.lower() == "red" for each in codecs):
            return [packet] if self._remember(packet.timestamp) else self._drop()
        try:
            *copies, newest = parse_red(packet.payload)
        except DecodeError:
            self.malformed += 1
            return []
        begun = bool(self._seen)
        found = []
        for back, block in zip(range(len(copies), 0, -1), copies, strict=True):
            timestamp = packet.timestamp - block.timestamp_offset & 0xFFFFFFFF
            # Copies in front of the very first packet are of what was sent before we listened.
            if self._remember(timestamp) and begun and block.payload:
                self.recovered += 1
                found.append(
                    RtpPacket(
                        payload_type=block.payload_type,
                        sequence_number=packet.sequence_number - back & 0xFFFF,
                        timestamp=timestamp,
                        ssrc=packet.ssrc,
                        payload=block.payload,
                        arrival=packet.arrival,
                        extension_map=packet.extension_map,
                    )
                )
            else:
                self.copies += 1
        if not self._remember(packet.timestamp):
            return found + self._drop()
        packet.payload_type = newest.payload_type
        packet.payload = newest.payload
        return [*found, packet]

    def _remember(self, timestamp: int) -> bool:
        """Whether nothing with this timestamp came before."""
        if timestamp in self._seen:
            return False
        self._seen.add(timestamp)
        self._order.append(timestamp)
        if len(self._order) > REMEMBERED:
            self._seen.discard(self._order.popleft())
        return True

    def _drop(self) -> list[RtpPacket]:
        self.duplicates += 1
        return []
