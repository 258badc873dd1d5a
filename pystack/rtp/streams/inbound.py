"""Everything that is received over one transport: packets in, ordered facts out, requests for what is missing.

Owns the receive streams, repairs them from retransmissions, and keeps the list of those that miss something, so that
no timer ever walks all streams. Called by :class:`pystack.rtp.RtpSession`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, MutableMapping
from math import inf
from typing import Final, TypeVar

from pystack.rtp.events import ByeReceived, StreamRestarted, StreamStarted
from pystack.rtp.options import RtpSessionOptions
from pystack.rtp.packet import RtpPacket
from pystack.rtp.rtcp import Bye, Fir, Nack, Pli, SenderReport
from pystack.rtp.streams.demux import Demux, Route
from pystack.rtp.streams.keyframes import KeyFrameRequests
from pystack.rtp.streams.receiver import ReceiveStream
from pystack.rtp.streams.repairs import RepairStream
from pystack.rtp.streams.round_trip import RoundTrip
from pystack.rtp.streams.rtx import unwrap
from pystack.rtp.streams.tray import EventTray

__all__ = ["Inbound"]

_Kept = TypeVar("_Kept")

MAX_NACKS: Final = 256
MAX_REMEMBERED: Final = 64
"""SSRCs whose end is remembered, and as many whose report came before their first packet."""
STRAGGLERS: Final = 2.0
"""Seconds for which packets may come that their stream's BYE has overtaken."""


class Inbound:
    """The receiving half of a session.

    Attributes:
        demux: who receives what.
        packets: what arrived and was not taken yet, oldest first.
        nacks: requests that wait to be sent.
        deadline: when something is missing for long enough to ask (again); ``inf`` when nothing is.
    """

    __slots__ = (
        "_drops",
        "_early_reports",
        "_ended",
        "_events",
        "_fir_numbers",
        "_key_frame_intervals",
        "_key_frames",
        "_max_packets",
        "_missing",
        "_nack_deadline",
        "_round_trip",
        "demux",
        "nacks",
        "packets",
    )

    def __init__(
        self, options: RtpSessionOptions, round_trip: RoundTrip, drops: MutableMapping[str, int], events: EventTray
    ) -> None:
        self.demux = Demux()
        self.packets: list[tuple[int, str, RtpPacket]] = []
        self.nacks: deque[tuple[int, list[int]]] = deque(maxlen=MAX_NACKS)
        self._nack_deadline = inf
        self._missing: dict[int, ReceiveStream] = {}
        self._key_frames: KeyFrameRequests[tuple[int, str]] = KeyFrameRequests()
        self._fir_numbers: dict[tuple[int, str], int] = {}
        # By SSRC: reports before the first packet and when they came; where streams that said BYE stood, and until when
        # that counts.
        self._early_reports: dict[int, tuple[SenderReport, float]] = {}
        self._ended: dict[int, tuple[int, float]] = {}
        self._round_trip = round_trip
        self._drops = drops
        self._events = events
        self._max_packets = options.max_packets
        self._key_frame_intervals = options.key_frame_intervals

    @property
    def deadline(self) -> float:
        """When something must be asked for."""
        return min(self._nack_deadline, self._key_frames.deadline)

    def receive(self, packet: RtpPacket, now: float) -> None:
        """Take one packet. Hot."""
        route = self.demux.routes.get(packet.ssrc)
        if route is None:
            if self._ended and self._is_straggler(packet, now):
                self._drops["after-bye"] += 1
                return
            found = self.demux.resolve(packet)
            if isinstance(found, str):
                self._drops[found] += 1
                return
            route = found
        receiver = route.receiver
        packet.extension_map = receiver.extensions
        stream = receiver.streams.get(route.rid)
        repaired = receiver.repairs.get(packet.payload_type)
        if repaired is not None:
            if stream is None:
                self._drops["rtx-early"] += 1
                return
            if route.media != stream.ssrc:
                if route.media is not None:
                    self._drops["rtx-late"] += 1
                    return
                route.media = stream.ssrc
            stream.rtx_packets += 1
            self._note_repair(stream, packet, now)
            inner = unwrap(packet, repaired, stream.ssrc)
            if inner is None:
                self._drops["padding"] += 1
                return
            packet = inner
        elif packet.payload_type not in receiver.codecs or route.repair:
            self._drops["payload-type"] += 1
            return
        elif stream is None:
            stream = self._start(route, packet)
        if len(self.packets) >= self._max_packets:
            self._drops["not-taken"] += 1
            return
        restarts = stream.sequence.restarts
        for each in stream.receive_packet(packet, now, recovered=repaired is not None):
            self.packets.append((receiver.receiver_id, route.rid, each))
        if stream.nacks.deadline != inf:
            self._missing[stream.ssrc] = stream
            self._nack_deadline = min(self._nack_deadline, stream.nacks.deadline)
        if stream.sequence.restarts != restarts:
            self._events.append(StreamRestarted(receiver.receiver_id, route.rid))

    def handle_sender_report(self, report: SenderReport, now: float) -> None:
        """A sender tells its clocks."""
        stream = self._stream_of(report.ssrc)
        if stream is not None:
            stream.handle_sender_report(report, now)
        elif report.ssrc not in self.demux.routes and self.demux.is_described(report.ssrc):
            _remember(self._early_reports, report.ssrc, (report, now))

    def handle_bye(self, bye: Bye, now: float) -> None:
        """Senders leave."""
        for ssrc in bye.ssrcs:
            stream = self._stream_of(ssrc)
            self.forget(ssrc)
            self._early_reports.pop(ssrc, None)
            if stream is not None:
                _remember(self._ended, ssrc, (stream.sequence.highest & 0xFFFF, now + STRAGGLERS))
                self._events.append(ByeReceived(stream.receiver_id, stream.rid))

    def forget(self, ssrc: int) -> None:
        """The stream of ``ssrc`` is over."""
        self.demux.forget(ssrc)
        self._missing.pop(ssrc, None)

    def remove(self, receiver_id: int) -> None:
        """A media section is over; harmless when there is none."""
        self.demux.remove(receiver_id)
        self._key_frames.remove(lambda key: key[0] == receiver_id)
        for key in [each for each in self._fir_numbers if each[0] == receiver_id]:
            del self._fir_numbers[key]

    def clear(self) -> None:
        """Forget what waits to be taken or asked for."""
        self.packets = []
        self.nacks.clear()
        self._missing.clear()
        self._early_reports.clear()
        self._ended.clear()
        self._nack_deadline = inf

    def request_key_frame(self, receiver_id: int, rid: str, now: float) -> bool:
        """Ask for a key frame, now or when the throttle allows; ``False`` if there is no stream or no way to ask."""
        receiver = self.demux.receivers.get(receiver_id)
        if receiver is None or rid not in receiver.streams or not receiver.feedback & {"nack pli", "ccm fir"}:
            return False
        intervals = self._key_frame_intervals
        layer = receiver.rids.index(rid) if rid in receiver.rids else 0
        self._key_frames.request((receiver_id, rid), now, intervals[min(layer, len(intervals) - 1)])
        return True

    def key_frame_arrived(self, receiver_id: int, rid: str) -> None:
        """A key frame came: a request that still waits is answered."""
        self._key_frames.arrived((receiver_id, rid))

    def tick(self, now: float) -> None:
        """Find what must be asked for."""
        self._key_frames.tick(now)
        if now < self._nack_deadline:
            return
        self._nack_deadline = inf
        for ssrc, stream in list(self._missing.items()):
            nacks = stream.nacks
            if self._stream_of(ssrc) is not stream:
                del self._missing[ssrc]
                continue
            if nacks.deadline <= now:
                wanted = nacks.due(now, self._round_trip.value)
                if wanted:
                    self.nacks.append((ssrc, [number & 0xFFFF for number in wanted]))
            if nacks.deadline == inf:
                del self._missing[ssrc]
            self._nack_deadline = min(self._nack_deadline, nacks.deadline)

    def take_feedback(self, sender_ssrc: int) -> list[Nack | Pli | Fir]:
        """What to ask the peer for now."""
        feedback: list[Nack | Pli | Fir] = []
        for key in self._key_frames.take():
            stream = self.stream(*key)
            if stream is None:
                continue
            receiver = self.demux.receivers[key[0]]
            stream.key_frame_requests += 1
            if "nack pli" in receiver.feedback:
                feedback.append(Pli(sender_ssrc, stream.ssrc))
            else:
                stream.firs += 1
                number = self._fir_numbers[key] = (self._fir_numbers.get(key, -1) + 1) & 0xFF
                feedback.append(Fir(sender_ssrc, 0, [(stream.ssrc, number)]))
        while self.nacks:
            ssrc, numbers = self.nacks.popleft()
            missing = self._stream_of(ssrc)
            if missing is not None:
                if not missing.asks:
                    continue  # it was negotiated away since
                missing.nack_packets += 1
            feedback.append(Nack(sender_ssrc, ssrc, numbers))
        return feedback

    def stream(self, receiver_id: int, rid: str) -> ReceiveStream | None:
        """One stream, if it has started."""
        receiver = self.demux.receivers.get(receiver_id)
        return receiver.streams.get(rid) if receiver is not None else None

    def receivers_of(self, ssrcs: Iterable[int]) -> tuple[int, ...]:
        """The receivers to which these SSRCs belong, each once."""
        routes = [self.demux.routes.get(ssrc) for ssrc in ssrcs]
        return tuple(dict.fromkeys(route.receiver.receiver_id for route in routes if route is not None))

    def streams(self) -> list[ReceiveStream]:
        """All that is being received."""
        return [stream for receiver in self.demux.receivers.values() for stream in receiver.streams.values()]

    def _start(self, route: Route, packet: RtpPacket) -> ReceiveStream:
        receiver = route.receiver
        stream = receiver.streams[route.rid] = ReceiveStream(
            receiver.receiver_id,
            route.rid,
            packet.ssrc,
            receiver.codecs,
            packet.sequence_number,
            is_video=receiver.kind == "video",
            drops=self._drops,
            events=self._events,
        )
        self._events.append(StreamStarted(receiver.receiver_id, route.rid, packet.ssrc))
        early = self._early_reports.pop(packet.ssrc, None)
        if early is not None:
            stream.handle_sender_report(*early)
        return stream

    def _is_straggler(self, packet: RtpPacket, now: float) -> bool:
        """Whether a packet was overtaken by the BYE of its stream (RFC 3550 sections 6.2.1 and 6.3.4).

        One that is newer than the last is no straggler: its sender goes on.
        """
        ended = self._ended.get(packet.ssrc)
        if ended is None:
            return False
        last, until = ended
        if now <= until and not 0 < (packet.sequence_number - last) & 0xFFFF < 0x8000:
            return True
        del self._ended[packet.ssrc]
        return False

    def _note_repair(self, stream: ReceiveStream, packet: RtpPacket, now: float) -> None:
        repair = stream.repair
        if repair is None or repair.ssrc != packet.ssrc:
            repair = stream.repair = RepairStream(
                stream.receiver_id, stream.rid, packet.ssrc, packet.sequence_number, self._events
            )
        repair.note(packet.sequence_number, now)

    def _stream_of(self, ssrc: int) -> ReceiveStream | None:
        route = self.demux.routes.get(ssrc)
        if route is None or route.repair:
            return None
        return route.receiver.streams.get(route.rid)


def _remember(table: dict[int, _Kept], ssrc: int, what: _Kept) -> None:
    """Put the newest last, and forget the oldest of more than may be kept."""
    table.pop(ssrc, None)
    table[ssrc] = what
    if len(table) > MAX_REMEMBERED:
        del table[next(iter(table))]
