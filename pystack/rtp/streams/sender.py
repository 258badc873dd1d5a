"""One stream that we send: headers, history, retransmissions, what its receiver reports.

A sequence number goes out once: whatever is sent again under it is sent byte for byte, because SRTP must never seal
two different packets under one nonce. Called by the session's outbound part.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final, TypeAlias

from pystack.base import RangeSet
from pystack.errors import InvalidArgument
from pystack.rtp.clock import ntp_time
from pystack.rtp.codec import CodecSpec
from pystack.rtp.congestion import SentPackets
from pystack.rtp.extensions import HeaderExtensionMap, translation
from pystack.rtp.packet import RtpPacket
from pystack.rtp.rtcp import SenderReport
from pystack.rtp.streams.allowance import RetransmissionAllowance
from pystack.rtp.streams.history import AGAIN_AT, HEADER, PAYLOAD, TIMES, PacketHistory
from pystack.rtp.streams.misfit import LARGE, MAX_PACKET, check_payload_type, misfit, refuse_too_large
from pystack.rtp.streams.peer_reports import PeerReports
from pystack.rtp.streams.rewriter import HeaderRewriter
from pystack.rtp.streams.rtx import wrap_payload
from pystack.rtp.streams.writer import ExtensionWriter, LeftOut, TransportSequence

__all__ = ["Parts", "SendStream"]

Parts: TypeAlias = tuple[bytes, bytes, int, int]
"""Header, payload, SSRC and sequence number: what :meth:`pystack.srtp.SrtpSender.protect_parts` takes."""

MAX_ANSWERS: Final = 3
"""How often one packet is sent again (requirements C-16)."""
MAX_SPACING: Final = 0.100
MAX_PAUSE: Final = 2.0
"""Seconds after which retransmissions go on although no key frame was announced."""
MAX_PADDING: Final = 64
"""Packets of one probe."""
_PADDING: Final = bytes(254) + b"\xff"
LATE_LIMIT: Final = 8192

_PLAIN = Struct("!BBHLL").pack
_FIXED = Struct("!BBHLL").unpack_from
_PROFILE = Struct("!HH").unpack_from


class SendStream:
    """State of one sent SSRC, and of the stream that carries its retransmissions.

    Attributes:
        sender_id: whose it is.
        ssrc: its synchronization source.
        rtx_ssrc: that of its retransmissions; ``None`` to send them plainly.
        kind: ``audio`` or ``video``.
        cname: what its SDES says.
        peer: what its receiver reports.
        packets: packets sent, retransmissions not counted.
        octets: payload bytes of those.
        header_octets: bytes of their headers, and of their padding.
        retransmitted_packets: packets sent again.
        retransmitted_octets: payload bytes of those.
        retransmitted_header_octets: all their other bytes.
        nacks: numbers asked for.
        nack_packets: NACK that came.
        retransmissions_refused: numbers asked for that the allowance or a pause forbade.
        padding_packets: packets sent to probe, and ``padding_octets`` their bytes; in no other count but ``packets``
            and ``header_octets``, where they have numbers of this stream.
        key_frame_requests: PLI and FIR that came, merged ones included; ``firs`` of them FIR.
        refused: packets that were not taken.
        sent: whether a packet went since the last sender report.
        highest: the highest extended number sent; -1 before the first.
        rtx_sequence: the next number of the retransmissions' own stream.

    Args:
        past: the highest number that an earlier stream sent under this SSRC, -1 if there was none; the numbers go on
            after it.
        allowance: how much may be sent again.
        log: where what goes is noted, if somebody wants to know.
    """

    __slots__ = (
        "_allowance",
        "_clock_at",
        "_clock_rates",
        "_clock_timestamp",
        "_history",
        "_last_at",
        "_last_second",
        "_last_timestamp",
        "_left_out",
        "_log",
        "_map",
        "_paused_until",
        "_queue",
        "_rewriter",
        "_rtx_payload_types",
        "_rtx_writer",
        "_skipped",
        "_started",
        "_transport",
        "_writer",
        "cname",
        "firs",
        "header_octets",
        "highest",
        "key_frame_requests",
        "kind",
        "nack_packets",
        "nacks",
        "octets",
        "packets",
        "padding_octets",
        "padding_packets",
        "peer",
        "refused",
        "retransmissions_refused",
        "retransmitted_header_octets",
        "retransmitted_octets",
        "retransmitted_packets",
        "rtx_sequence",
        "rtx_ssrc",
        "sender_id",
        "sent",
        "ssrc",
    )

    def __init__(
        self,
        sender_id: int,
        kind: str,
        ssrc: int,
        cname: str,
        history: PacketHistory,
        transport: TransportSequence,
        past: int = -1,
        allowance: RetransmissionAllowance | None = None,
        log: SentPackets | None = None,
    ) -> None:
        self.sender_id = sender_id
        self.kind = kind
        self.ssrc = ssrc
        self.rtx_ssrc: int | None = None
        self.cname = cname
        self.peer = PeerReports()
        self.packets = 0
        self.octets = 0
        self.header_octets = 0
        self.retransmitted_packets = 0
        self.retransmitted_octets = 0
        self.retransmitted_header_octets = 0
        self.nacks = 0
        self.nack_packets = 0
        self.retransmissions_refused = 0
        self.padding_packets = 0
        self.padding_octets = 0
        self._left_out = LeftOut()
        self._log = log
        self._allowance = allowance or RetransmissionAllowance(1.0, 262_144)
        self._paused_until = 0.0
        self.key_frame_requests = 0
        self.firs = 0
        self.refused = 0
        self.sent = False
        self._transport = transport
        self._history = history
        self.rtx_sequence = 0
        self.highest = past
        self._started = past >= 0
        if past >= 0:
            self.peer.start(past + 1)
        self._skipped = RangeSet()
        self._queue: dict[int, None] = {}
        self._last_timestamp = 0
        self._last_at = 0.0
        self._last_second = 0
        self._clock_timestamp = -1
        self._clock_at = 0.0
        self.configure("", (), HeaderExtensionMap(), 0.0)

    def start_rtx(self, ssrc: int | None, first: int) -> None:
        """Send retransmissions under ``ssrc`` from the number ``first`` on; ``None``: send packets as they were."""
        self.rtx_ssrc = ssrc
        self.rtx_sequence = first

    def configure(
        self,
        mid: str,
        codecs: Sequence[CodecSpec],
        extensions: HeaderExtensionMap,
        ntp_offset: float,
        rid: str = "",
        *,
        mixed: bool = True,
    ) -> None:
        """Take what was negotiated, at the start or again."""
        self._clock_rates = {each.payload_type: each.clock_rate for each in codecs}
        self._rtx_payload_types = {
            each.payload_type: each.rtx_payload_type for each in codecs if each.rtx_payload_type is not None
        }
        self._map = extensions
        self._writer = self._rtx_writer = ExtensionWriter(
            extensions, mid, self._transport, ntp_offset, rid=rid, mixed=mixed, left_out=self._left_out
        )
        if rid:  # a retransmission names the layer that it repairs (RFC 8852 section 3)
            self._rtx_writer = ExtensionWriter(
                extensions, mid, self._transport, ntp_offset, repaired_rid=rid, mixed=mixed, left_out=self._left_out
            )
        self._rewriter = HeaderRewriter(self.ssrc, extensions, self._writer)

    def send_parts(
        self,
        packet: RtpPacket,
        now: float,
        payload_type: int | None,
        sequence_number: int | None,
        timestamp: int | None,
        marker: bool | None,
        payload: bytes | None,
    ) -> Parts | None:
        """Build a packet of this stream from ``packet``; ``None`` when it is refused, and counted. Hot.

        Sequence numbers may come out of order, but each once, none from before the first, and none 32768 or more
        ahead: the receiver's SRTP could not follow. What raises has used up neither a number of the stream nor one of
        the transport: the same number may be sent again with what is right.

        Raises:
            InvalidArgument: no packet, or a field of it that cannot stand in one; the message names it.
        """
        highest = self.highest
        try:
            if payload_type is None:
                payload_type = packet.payload_type
            if sequence_number is None:
                sequence_number = packet.sequence_number
            if timestamp is None:
                timestamp = packet.timestamp
            if payload is None:
                payload = packet.payload
            if payload.__class__ is not bytes:
                payload = _as_payload(payload)
            if payload_type not in self._clock_rates:
                check_payload_type(payload_type)
                self.refused += 1
                return None
            ahead = ((sequence_number - highest + 0x8000) & 0xFFFF) - 0x8000
            if ahead == 1 and self._started:
                number = highest + 1
            else:
                number = self._place(sequence_number, ahead)
                if number < 0:
                    self.refused += 1
                    return None
            if len(payload) > LARGE and not self._fits(packet, sequence_number, timestamp, payload, now):
                self.refused += 1
                return None
            second = payload_type | 0x80 if (packet.marker if marker is None else marker) else payload_type
            header, payload = self._rewriter.rewrite(packet, second, sequence_number, timestamp, payload, now)
        except InvalidArgument:
            raise
        except Exception as error:
            wrong = misfit(packet, payload_type, sequence_number, timestamp, payload)
            if wrong is None:
                raise
            raise wrong from error
        if self._log is not None:
            self._log.note(self._transport.next, len(header) + len(payload), now)
        self._history.add(number, now, header, payload)
        self.packets += 1
        self.octets += len(payload) - packet.padding_size
        self.header_octets += len(header) + packet.padding_size
        self.sent = True
        if number > highest:
            if ahead != 1 or not self._started:
                self._skip_to(number)
            self.highest = number
            self._last_timestamp = timestamp
            self._last_at = now
            self._last_second = second
        else:
            self._skipped.remove_range(number, number + 1)
        return header, payload, self.ssrc, sequence_number

    def _place(self, sequence_number: int, ahead: int) -> int:
        """The extended number of a packet that is not the next one; -1 if it must not be sent. Changes nothing."""
        if not 0 <= sequence_number <= 0xFFFF:
            raise InvalidArgument(f"sequence_number is 0 to 65535, not {sequence_number}")
        if not self._started:
            return sequence_number
        number = self.highest + ahead
        if ahead <= 0 and number not in self._skipped:
            return -1  # sent before, or from before the start, where SRTP has no index
        return number

    def _skip_to(self, number: int) -> None:
        """A packet went that is the first, or leaves others out: they may follow."""
        if not self._started:
            self._started = True
            self.peer.start(number)
        else:
            self._skipped.add_range(self.highest + 1, number)
            self._skipped.remove_below(number - LATE_LIMIT)

    def _fits(self, packet: RtpPacket, sequence_number: int, timestamp: int, payload: bytes, now: float) -> bool:
        """See on a trial whether a large packet goes into a datagram.

        One that a peer sent may grow by the elements of this hop: whoever forwards it has done nothing wrong.
        """
        before = self._transport.next
        header, built = self._rewriter.rewrite(packet, 0, sequence_number, timestamp, payload, now)
        self._transport.next = before
        size = len(header) + len(built)
        if not packet.arrival:
            refuse_too_large(size)
        return size <= MAX_PACKET

    def handle_nack(self, sequence_numbers: Sequence[int], now: float, round_trip_time: float) -> None:
        """Plan to send again what is asked for, as far as it is there and was not sent again too often or just now.

        What the allowance or a pause forbids is counted, and may be asked for again.
        """
        self.nacks += len(sequence_numbers)
        self.nack_packets += 1
        if now < self._paused_until:
            self.retransmissions_refused += len(sequence_numbers)
            return
        spacing = min(MAX_SPACING, 2 * round_trip_time)
        for wire in sequence_numbers:
            number = self.highest + (((wire - self.highest + 0x8000) & 0xFFFF) - 0x8000)
            kept = self._history.get(number, now)
            if kept is None or number in self._queue or kept[TIMES] >= MAX_ANSWERS:
                continue
            if kept[TIMES] and now - kept[AGAIN_AT] < spacing:
                continue
            if not self._allow(len(kept[HEADER]) + len(kept[PAYLOAD])):
                self.retransmissions_refused += 1
                continue
            kept[TIMES] += 1
            kept[AGAIN_AT] = now
            self._queue[number] = None

    def _allow(self, size: int) -> bool:
        return self._allowance.spend(size, self.octets + self.header_octets)

    def pause(self, now: float) -> None:
        """The peer waits for a key frame: what came before it is not worth sending again."""
        self._paused_until = now + MAX_PAUSE
        self._queue.clear()

    def key_frame_sent(self) -> None:
        """A key frame is on its way: what is asked for now is wanted."""
        self._paused_until = 0.0

    def pad(self, size: int, now: float, *, own_numbers: bool) -> list[bytes]:
        """Build padding or repetitions of about ``size`` bytes, to probe; see :meth:`pystack.rtp.RtpSession.pad`."""
        if self.kind != "video" or not self.peer.accepted or not self._started:
            return []
        packets: list[bytes] = []
        built = 0
        payload_type = self._rtx_payload_types.get(self._last_second & 0x7F)
        if self.rtx_ssrc is not None and payload_type is not None:
            # Packets that were sent are worth more than zeros: they may repair what nobody has missed yet.
            for kept in self._history.newest(now, MAX_PADDING):
                if built >= size:
                    break
                packets.append(self._build_rtx(kept[HEADER], kept[PAYLOAD], payload_type, now))
                built += len(packets[-1])
            while built < size and len(packets) < MAX_PADDING:
                packets.append(self._build_padding(self.rtx_ssrc, payload_type, self.rtx_sequence, now))
                self.rtx_sequence = (self.rtx_sequence + 1) & 0xFFFF
                built += len(packets[-1])
        elif own_numbers and self._last_second > 0x7F:
            while built < size and len(packets) < MAX_PADDING:
                self.highest += 1
                packets.append(self._build_padding(self.ssrc, self._last_second & 0x7F, self.highest & 0xFFFF, now))
                self.packets += 1
                self.header_octets += len(packets[-1])
                built += len(packets[-1])
        self.padding_packets += len(packets)
        self.padding_octets += built
        return packets

    def _build_padding(self, ssrc: int, payload_type: int, sequence_number: int, now: float) -> bytes:
        writer = self._writer if ssrc == self.ssrc else self._rtx_writer
        header = writer.header(payload_type, sequence_number, self._last_timestamp, ssrc, True, b"", now)
        if self._log is not None:
            self._log.note(self._transport.next, len(header) + len(_PADDING), now)
        return bytes((header[0] | 0x20,)) + header[1:] + _PADDING

    @property
    def kept(self) -> int:
        """How many packets are kept at most, in case they are asked for again."""
        return self._history.capacity

    @property
    def wants_retransmission(self) -> bool:
        """Whether :meth:`retransmit` has something."""
        return bool(self._queue)

    def retransmit(self, now: float) -> bytes | None:
        """Build the next packet to send again; ``None`` when there is none left."""
        while self._queue:
            number = next(iter(self._queue))
            del self._queue[number]
            kept = self._history.get(number, now)
            if kept is None:
                continue
            header, payload = kept[HEADER], kept[PAYLOAD]
            self.retransmitted_packets += 1
            media = len(payload) - (payload[-1] if header[0] & 0x20 else 0)
            self.retransmitted_octets += media
            rtx_payload_type = self._rtx_payload_types.get(header[1] & 0x7F)
            if self.rtx_ssrc is None or rtx_payload_type is None:
                packet = bytes(header + payload)
            else:
                packet = self._build_rtx(header, payload, rtx_payload_type, now)
            self.retransmitted_header_octets += len(packet) - media
            return packet
        return None

    def _build_rtx(self, header: bytes, payload: bytes, payload_type: int, now: float) -> bytes:
        first, second, sequence_number, timestamp, _ = _FIXED(header)
        start = 12 + 4 * (first & 0x0F)
        forwarded = (True, b"")
        if first & 0x10:
            profile, _ = _PROFILE(header, start)
            forwarded = translation(None, self._map).apply(profile, header[start + 4 :])
        profile, body = self._rtx_writer.write(*forwarded, now)
        if self._log is not None:
            self._log.note(self._transport.next, len(header) + len(payload), now)
        rtx_sequence = self.rtx_sequence
        self.rtx_sequence = (rtx_sequence + 1) & 0xFFFF
        assert self.rtx_ssrc is not None
        second = second & 0x80 | payload_type
        # CSRCs are not repeated (RFC 4588 section 4 copies only what describes the payload); padding stays padding.
        fixed = _PLAIN(first & 0x20 | (0x90 if body else 0x80), second, rtx_sequence, timestamp, self.rtx_ssrc)
        if body:
            fixed += profile.to_bytes(2, "big") + (len(body) >> 2).to_bytes(2, "big") + body
        return fixed + wrap_payload(sequence_number, payload)

    def handle_report(
        self,
        highest: int,
        fraction_lost: int,
        cumulative_lost: int,
        jitter: int,
        round_trip_time: float | None,
        now: float,
    ) -> str:
        """Take a report block about this stream; return why it was not believed, nothing if it was."""
        return self.peer.handle(
            highest,
            self.highest,
            fraction_lost=fraction_lost,
            cumulative_lost=cumulative_lost,
            jitter=jitter,
            round_trip_time=round_trip_time,
            now=now,
        )

    def set_clock(self, timestamp: int, at: float) -> None:
        """``timestamp`` was or will be the media's clock at ``at`` (monotonic seconds), for sender reports."""
        self._clock_timestamp = timestamp
        self._clock_at = at

    def sender_report(self, now: float, ntp_offset: float) -> SenderReport:
        """The report of what was sent, with both clocks at ``now`` (RFC 3550 section 6.4.1)."""
        self.sent = False
        if self._clock_timestamp >= 0:
            timestamp, since = self._clock_timestamp, now - self._clock_at
        else:
            timestamp, since = self._last_timestamp, now - self._last_at
        rate = self.clock_rate
        return SenderReport(
            self.ssrc,
            ntp_time(now + ntp_offset),
            (timestamp + round(since * rate)) & 0xFFFFFFFF,
            self.packets & 0xFFFFFFFF,
            self.octets & 0xFFFFFFFF,
        )

    @property
    def payload_type(self) -> int | None:
        """That of what is sent now; ``None`` before the first packet."""
        return (self._last_second & 0x7F) if self.packets else None

    @property
    def extensions_left_out(self) -> int:
        """Elements of header extensions that did not fit the one form that the receiver takes."""
        return self._left_out.count

    @property
    def clock_rate(self) -> int:
        """Timestamp units per second of what is sent now."""
        return self._clock_rates.get(self._last_second & 0x7F) or next(iter(self._clock_rates.values()), 90000)

    def expire(self, now: float) -> None:
        """Forget packets that are too old to be sent again."""
        self._history.expire(now)

    @property
    def oldest_at(self) -> float | None:
        """When the oldest packet was sent that can still be sent again; ``None`` when there is none."""
        return self._history.oldest_at

    def end(self) -> None:
        """Forget everything that could still be sent."""
        self._history.clear()
        self._queue.clear()
        self.peer.stop()


def _as_payload(payload: object) -> bytes:
    """Copy what is not ``bytes`` itself: the history keeps it, and it may change."""
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    raise InvalidArgument(f"payload is bytes, not {type(payload).__name__}")
