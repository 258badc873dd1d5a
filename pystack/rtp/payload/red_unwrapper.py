"""Turns redundant audio back into plain packets, and lost packets back into packets (RFC 2198).

One per received stream, behind the session: what comes out is what the sender would have sent without redundancy, each
packet once. A forwarder passes RED on as it is and needs none of this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pystack.errors import DecodeError
from pystack.rtp.codec import CodecSpec
from pystack.rtp.packet import RtpPacket
from pystack.rtp.payload.red import parse_red

__all__ = ["RedUnwrapper"]

REMEMBERED: Final = 64
"""Packets of which we know that they came. A copy is at most 16383 timestamp units old: 34 packets of 10 ms."""
_ORIGINAL: Final = -1


class RedUnwrapper:
    """Unwraps one stream.

    A copy tells its packet's timestamp but not its sequence number. It stands in for its packet if nothing came with
    that timestamp and if there is a gap between the sequence numbers of the packets that came around it; it takes its
    number there. The packet itself is a duplicate if it comes after all.

    Attributes:
        recovered: packets that only a copy brought.
        copies: copies that were not needed, or that belong to nothing missing, as those from before the first packet.
        duplicates: packets that came behind a copy of theirs, or twice.
        malformed: RED payloads that cannot be read.
    """

    __slots__ = ("_numbers", "_ssrc", "_times", "copies", "duplicates", "malformed", "recovered")

    def __init__(self) -> None:
        self._numbers: dict[int, tuple[int, bool]] = {}  # its timestamp, and whether the packet itself came
        self._times: dict[int, int] = {}  # the payload type of the copy that stands there, or _ORIGINAL
        self._ssrc = -1
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
            These have no header extension, and where several packets in a row are missing and were not evenly spaced,
            their order is right but a sequence number can be that of a neighbour.
        """
        if packet.ssrc != self._ssrc:
            self._ssrc = packet.ssrc
            self._numbers.clear()
            self._times.clear()
        if not any(each.payload_type == packet.payload_type and each.name.lower() == "red" for each in codecs):
            return [packet] if self._take(packet, packet.payload_type) else []
        try:
            *copies, newest = parse_red(packet.payload)
        except DecodeError:
            self.malformed += 1
            return []
        is_new = self._take(packet, newest.payload_type)
        times = [packet.timestamp - copy.timestamp_offset & 0xFFFFFFFF for copy in copies]
        found = []
        for place, (timestamp, copy) in enumerate(zip(times, copies, strict=True)):
            number = self._place(timestamp, times[place + 1 :]) if copy.payload else None
            if number is None:
                self.copies += 1
                continue
            self.recovered += 1
            self._remember(number, timestamp, copy.payload_type)
            found.append(
                RtpPacket(
                    payload_type=copy.payload_type,
                    sequence_number=number,
                    timestamp=timestamp,
                    ssrc=packet.ssrc,
                    payload=copy.payload,
                    arrival=packet.arrival,
                    extension_map=packet.extension_map,
                )
            )
        if is_new:
            packet.payload_type = newest.payload_type
            packet.payload = newest.payload
            found.append(packet)
        return found

    def _take(self, packet: RtpPacket, payload_type: int) -> bool:
        """Whether to hand this packet on: it neither came before nor did a copy of it."""
        number, timestamp = packet.sequence_number, packet.timestamp
        _, came = self._numbers.get(number, (0, False))
        is_new = not came and self._times.get(timestamp, _ORIGINAL) != payload_type
        if not is_new:
            self.duplicates += 1
        self._remember(number, timestamp, _ORIGINAL)
        return is_new

    def _place(self, timestamp: int, newer: Sequence[int]) -> int | None:
        """The sequence number for a missing packet with this timestamp; ``None`` if none is missing there.

        ``newer``: the timestamps of the copies that come next, for which room must be left if they are missing, too.
        """
        if timestamp in self._times:
            return None
        before = after = 0
        since = until = 0x80000000
        for number, (other, _) in self._numbers.items():
            ahead = other - timestamp & 0xFFFFFFFF
            if ahead < 0x80000000:
                if ahead < until or (ahead == until and after - number & 0xFFFF < 0x8000):
                    until, after = ahead, number
            elif 0x100000000 - ahead < since or (0x100000000 - ahead == since and number - before & 0xFFFF < 0x8000):
                since, before = 0x100000000 - ahead, number
        if since == 0x80000000 or until == 0x80000000:
            return None
        missing = after - before - 1 & 0xFFFF
        room = missing - len({each for each in newer if self._is_missing(each, timestamp, until)})
        if not 0 < room < 0x8000:
            return None
        # Frames mostly have one length; where they have not, the order still is right.
        step = (missing + 1) * since // (since + until)
        number = before + min(max(step, 1), room) & 0xFFFF
        return None if number in self._numbers else number

    def _is_missing(self, timestamp: int, after: int, within: int) -> bool:
        return timestamp not in self._times and 0 < timestamp - after & 0xFFFFFFFF < within

    def _remember(self, number: int, timestamp: int, copied_as: int) -> None:
        for remembered, key in ((self._numbers, number), (self._times, timestamp)):
            if key not in remembered and len(remembered) == REMEMBERED:
                del remembered[next(iter(remembered))]
        self._numbers[number] = (timestamp, copied_as == _ORIGINAL)
        self._times[timestamp] = copied_as
