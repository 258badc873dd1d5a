"""Everything that is sent over one transport, and what its receivers want of it: again, or a key frame.

Owns the send streams and the number that counts packets over the whole transport. Called by
:class:`pystack.rtp.RtpSession`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

from pystack.base import Randomness
from pystack.errors import InvalidArgument
from pystack.rtp.clock import ntp_time, round_trip
from pystack.rtp.codec import CodecSpec
from pystack.rtp.congestion import CongestionMonitor
from pystack.rtp.events import KeyFrameRequested
from pystack.rtp.extensions import HeaderExtensionMap
from pystack.rtp.options import RtpSessionOptions
from pystack.rtp.rtcp import Fir, Nack, Pli, ReportBlock
from pystack.rtp.streams.allowance import RetransmissionAllowance
from pystack.rtp.streams.history import HistoryBudget, PacketHistory
from pystack.rtp.streams.keyframes import KeyFrameRequests
from pystack.rtp.streams.round_trip import RoundTrip
from pystack.rtp.streams.sender import SendStream
from pystack.rtp.streams.tray import EventTray
from pystack.rtp.streams.writer import TransportSequence

__all__ = ["Outbound"]


class Outbound:
    """The sending half of a session.

    Attributes:
        senders: by their id.
        congestion: what watches the path, if that is wanted.
    """

    __slots__ = (
        "_budget",
        "_by_ssrc",
        "_events",
        "_expiry",
        "_fir_seen",
        "_key_frames",
        "_options",
        "_past",
        "_queued",
        "_randomness",
        "_round_trip",
        "_transport",
        "congestion",
        "senders",
    )

    def __init__(
        self, options: RtpSessionOptions, randomness: Randomness, round_trip: RoundTrip, events: EventTray
    ) -> None:
        self.senders: dict[int, SendStream] = {}
        self._by_ssrc: dict[int, SendStream] = {}
        self._queued: dict[int, SendStream] = {}
        self._key_frames: KeyFrameRequests[int] = KeyFrameRequests()
        self._fir_seen: dict[int, tuple[int, int]] = {}
        self._transport = TransportSequence(1)
        self.congestion = CongestionMonitor(self._transport.next) if options.watch_congestion else None
        # Where the numbers of ended streams stood. Under an SSRC that comes back they go on, because SRTP keys live
        # as long as the transport, and no number may be used twice under them.
        self._past: dict[int, int] = {}
        self._options = options
        self._randomness = randomness
        self._round_trip = round_trip
        self._events = events
        self._expiry = inf
        shared = options.history_budget
        self._budget = HistoryBudget(max_age=options.history_age) if shared is None else shared

    @property
    def deadline(self) -> float:
        """When a merged key-frame request is due, or packets become too old to be sent again."""
        return min(self._key_frames.deadline, self._expiry)

    def watch(self, now: float) -> None:
        """Something is kept from now on, and will be too old one day."""
        if self._expiry == inf:
            self._expiry = now + self._options.history_age

    def replaces(self, sender_id: int, ssrc: int) -> bool:
        """Whether the sender exists with another SSRC, so that the old stream ends."""
        stream = self.senders.get(sender_id)
        return stream is not None and stream.ssrc != ssrc

    def obtain(self, sender_id: int, kind: str, ssrc: int, rtx_ssrc: int | None, cname: str) -> None:
        """Find or add a sender, to be configured by :meth:`configure`.

        Raises:
            InvalidArgument: an SSRC is in use by another sender.
        """
        for each in (ssrc, rtx_ssrc):
            holder = self._by_ssrc.get(each) if each is not None else None
            if holder is not None and holder.sender_id != sender_id:
                raise InvalidArgument(f"SSRC {each} is in use")
        if ssrc == rtx_ssrc:
            raise InvalidArgument(f"SSRC {ssrc} cannot carry its own retransmissions")
        stream = self.senders.get(sender_id)
        if stream is None:
            stream = self.senders[sender_id] = self._by_ssrc[ssrc] = self._make(sender_id, kind, ssrc, cname)
        if stream.rtx_ssrc is not None:
            del self._by_ssrc[stream.rtx_ssrc]
        if rtx_ssrc is not None:
            self._by_ssrc[rtx_ssrc] = stream
        if rtx_ssrc != stream.rtx_ssrc:
            self._remember_rtx(stream)
            first = self._past.get(rtx_ssrc) if rtx_ssrc is not None else None
            stream.start_rtx(rtx_ssrc, self._randomness.integer(15) if first is None else first)

    def _make(self, sender_id: int, kind: str, ssrc: int, cname: str) -> SendStream:
        options = self._options
        capacity = options.history_packets_video if kind == "video" else options.history_packets_audio
        history = PacketHistory(capacity, options.history_bytes, options.history_age, self._budget)
        allowance = RetransmissionAllowance(options.retransmission_share, options.retransmission_burst)
        past = self._past.get(ssrc, -1)
        log = None if self.congestion is None else self.congestion.sent
        return SendStream(sender_id, kind, ssrc, cname, history, self._transport, past, allowance, log)

    def get(self, sender_id: int) -> SendStream:
        """Look up a sender.

        Raises:
            InvalidArgument: there is none with this id.
        """
        stream = self.senders.get(sender_id)
        if stream is None:
            raise InvalidArgument(f"sender {sender_id} does not exist")
        return stream

    def senders_of(self, ssrcs: Iterable[int]) -> tuple[int, ...]:
        """The senders to which these SSRCs belong, each once."""
        streams = [self._by_ssrc.get(ssrc) for ssrc in ssrcs]
        return tuple(dict.fromkeys(stream.sender_id for stream in streams if stream is not None))

    def remove(self, sender_id: int) -> SendStream | None:
        """Remove a sender; return it for its farewell."""
        stream = self.senders.pop(sender_id, None)
        if stream is None:
            return None
        del self._by_ssrc[stream.ssrc]
        if stream.rtx_ssrc is not None:
            del self._by_ssrc[stream.rtx_ssrc]
        self._queued.pop(sender_id, None)
        self._past[stream.ssrc] = stream.highest
        self._remember_rtx(stream)
        self._key_frames.remove(lambda key: key == sender_id)
        self._fir_seen.pop(sender_id, None)
        stream.end()
        return stream

    def configure(
        self,
        sender_id: int,
        mid: str,
        codecs: Sequence[CodecSpec],
        extensions: HeaderExtensionMap,
        rid: str = "",
        *,
        mixed: bool = True,
    ) -> None:
        """Take what was negotiated for a sender.

        Raises:
            InvalidArgument: there is none with this id.
        """
        self.get(sender_id).configure(mid, codecs, extensions, self._options.ntp_offset, rid, mixed=mixed)

    def handle_nack(self, nack: Nack, now: float) -> int:
        """The peer misses packets; return how many it asks for beyond as many as are kept: those are not looked for."""
        stream = self._by_ssrc.get(nack.media_ssrc)
        if stream is None or stream.ssrc != nack.media_ssrc:
            return 0
        numbers = list(dict.fromkeys(nack.sequence_numbers))
        excess = max(0, len(numbers) - stream.kept)
        stream.handle_nack(numbers[: stream.kept], now, self._round_trip.value)
        if stream.wants_retransmission:
            self._queued[stream.sender_id] = stream
        return excess

    def handle_pli(self, pli: Pli, now: float) -> None:
        """The peer needs a key frame."""
        stream = self._by_ssrc.get(pli.media_ssrc)
        if stream is not None:
            self._request(stream, now)

    def handle_fir(self, fir: Fir, now: float) -> None:
        """The peer needs key frames; one that it asks for twice under the same number is one (RFC 5104 4.3.1.2)."""
        for ssrc, number in fir.entries:
            stream = self._by_ssrc.get(ssrc)
            if stream is None or self._fir_seen.get(stream.sender_id) == (fir.sender_ssrc, number):
                continue
            self._fir_seen[stream.sender_id] = (fir.sender_ssrc, number)
            stream.firs += 1
            self._request(stream, now)

    def handle_block(self, block: ReportBlock, now: float) -> str:
        """The peer reports on one stream of ours; return why it was not believed, nothing if it was."""
        stream = self._by_ssrc.get(block.ssrc)
        if stream is None or stream.ssrc != block.ssrc:
            return ""
        at = ntp_time(now + self._options.ntp_offset)
        trip = round_trip(at, block.last_sender_report, block.delay_since_last)
        doubt = stream.handle_report(
            block.highest_sequence, block.fraction_lost, block.cumulative_lost, block.jitter, trip, now
        )
        if doubt:
            return doubt
        stream.peer.heard_at = now
        if trip is not None:
            self._round_trip.update(trip)
        return ""

    def tick(self, now: float) -> None:
        """Hand on key-frame requests that were merged, and forget what is too old."""
        if now >= self._expiry:
            self._expire(now)
        if now >= self._key_frames.deadline:
            self._key_frames.tick(now)
            self._announce()

    def _expire(self, now: float) -> None:
        age = self._options.history_age
        self._expiry = inf
        for stream in self.senders.values():
            stream.expire(now)
            oldest = stream.oldest_at
            if oldest is not None:
                # Not too soon again: forgetting costs a walk over the streams.
                self._expiry = min(self._expiry, max(oldest + age, now + age / 4))
        self._budget.sweep()

    def retransmit(self, now: float, limit: float) -> list[bytes]:
        """Build what was asked for again, at most ``limit`` packets; streams take turns."""
        packets: list[bytes] = []
        while self._queued and len(packets) < limit:
            for sender_id, stream in list(self._queued.items()):
                if len(packets) >= limit:
                    break
                packet = stream.retransmit(now)
                if packet is None:
                    del self._queued[sender_id]
                else:
                    packets.append(packet)
        return packets

    def _remember_rtx(self, stream: SendStream) -> None:
        if stream.rtx_ssrc is not None:
            self._past[stream.rtx_ssrc] = stream.rtx_sequence

    def _request(self, stream: SendStream, now: float) -> None:
        stream.key_frame_requests += 1
        if self._options.pause_after_key_frame_request:
            stream.pause(now)
            self._queued.pop(stream.sender_id, None)
        self._key_frames.request(stream.sender_id, now, self._options.key_frame_intervals[0])
        self._announce()

    def _announce(self) -> None:
        for sender_id in self._key_frames.take():
            self._events.append(KeyFrameRequested(sender_id))
