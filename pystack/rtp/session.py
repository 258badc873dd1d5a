"""THE COMPOSER of the RTP plane: all media of one transport (one BUNDLE group), in both directions.

It names its parts and passes things on: :mod:`~pystack.rtp.streams.inbound` receives and repairs,
:mod:`~pystack.rtp.streams.outbound` sends and sends again, :mod:`~pystack.rtp.streams.arrivals` records arrivals for
congestion control, :mod:`~pystack.rtp.streams.reporter` schedules and packs reports. The session layer drives it with
plain bytes, after SRTP on the way in and before it on the way out.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from math import inf
from typing import Final, Literal

from pystack.base import Ended, Randomness, Trace
from pystack.errors import LOCAL, DecodeError, InvalidArgument, LocalProtocolError, Reason
from pystack.rtp.codec import CodecSpec
from pystack.rtp.congestion import Congestion
from pystack.rtp.events import (
    BandwidthEstimate,
    CongestionChanged,
    RtcpReceived,
    RtpEvent,
    TransportFeedbackReceived,
)
from pystack.rtp.extensions import HeaderExtensionMap, find
from pystack.rtp.options import RtpSessionOptions
from pystack.rtp.packet import RtpPacket
from pystack.rtp.rtcp import (
    Bye,
    Fir,
    Nack,
    Pli,
    ReceiverReport,
    Remb,
    ReportBlock,
    RtcpPacket,
    SenderReport,
    TransportFeedback,
    parse_compound,
    write_own,
)
from pystack.rtp.stats import RtpSessionStats
from pystack.rtp.streams.arrivals import TransportFeedbackRecorder
from pystack.rtp.streams.concerned import media_of, sources_of
from pystack.rtp.streams.inbound import Inbound
from pystack.rtp.streams.outbound import Outbound
from pystack.rtp.streams.reception_windows import ReceptionWindow
from pystack.rtp.streams.report_windows import ReportWindow
from pystack.rtp.streams.reporter import Reporter
from pystack.rtp.streams.round_trip import RoundTrip
from pystack.rtp.streams.sender import Parts
from pystack.rtp.streams.snapshot import inbound_stats, outbound_stats
from pystack.rtp.streams.tray import EventTray

__all__ = ["RtpSession"]

MAX_WAITING: Final = 64
"""Datagrams of RTCP that may wait for a caller who flushes with a limit; more are not built."""


class RtpSession:
    """RTP and RTCP of one transport: a core in the sense of :mod:`pystack.base.core`.

    Usage::

        rtp = RtpSession(RtpSessionOptions(ntp_offset=wall - now), randomness)
        rtp.set_receiver(1, mid="0", kind="video", codecs=[vp8], extensions=HeaderExtensionMap({4: MID}))
        rtp.receive_rtp(plain, now)
        for receiver_id, rid, packet in rtp.take_packets(): ...
        parts = rtp.send_parts(7, packet, now)            # then srtp.protect_parts(*parts)
        media, control = rtp.flush(now)                   # then srtp.protect and srtp.protect_rtcp

    Args:
        options: values that do not change.
        randomness: for our RTCP source, first numbers and the spread of reports.
        trace: told about drops.

    Attributes:
        drops: what was received and not used, by reason: ``rtp`` and ``rtcp`` (cannot be parsed), ``unknown-mid``,
            ``unknown-rid``, ``unknown-ssrc``, ``payload-type``, ``fec``, ``rtx-early`` (a retransmission of a stream
            that has not started), ``rtx-late`` (one of a stream that was replaced), ``after-bye`` (a packet that its
            stream's BYE has overtaken), ``padding`` (a retransmission without content: a probe), ``duplicate``,
            ``out-of-range`` (far away from the stream), ``not-taken`` (nobody takes the packets), ``events``
            (nobody takes the events), ``report-early``, ``report-runaway`` and ``report-old`` (report blocks about our
            streams that cannot be believed, see :class:`~pystack.rtp.streams.peer_reports.PeerReports`),
            ``ssrc-changes`` (one more SSRC for a stream that had many lately), ``feedback-unsent`` (transport-wide
            feedback that begins with what was never sent, where congestion is watched), ``nack-excess`` (numbers that a
            NACK asks for beyond as many as are kept), ``closed``.
    """

    def __init__(self, options: RtpSessionOptions, randomness: Randomness, trace: Trace | None = None) -> None:
        self.drops: dict[str, int] = defaultdict(int)
        self._options = options
        self._trace = trace
        self._events = EventTray(options.max_events, self.drops)
        self._round_trip = RoundTrip(options.default_round_trip_time)
        self._ssrc = randomness.integer(32)
        self._cname = options.cname or randomness.token(12).hex()
        self._inbound = Inbound(options, self._round_trip, self.drops, self._events)
        self._outbound = Outbound(options, randomness, self._round_trip, self._events)
        self._arrivals = TransportFeedbackRecorder()
        self._reporter = Reporter(self._ssrc, self._cname, options.report_interval, options.mtu, randomness)
        self._control: deque[bytes] = deque()
        self._reduced_size = options.reduced_size
        self._closed = False

    @property
    def ssrc(self) -> int:
        """The SSRC under which our feedback and our receiver reports travel."""
        return self._ssrc

    # What was negotiated

    def set_reduced_size(self, *, agreed: bool) -> None:
        """Say whether feedback may travel without a report in front (``a=rtcp-rsize`` of all sections, RFC 5506).

        Without a word it is as :attr:`RtpSessionOptions.reduced_size` says; where that is ``False`` it stays so.
        """
        self._reduced_size = agreed and self._options.reduced_size

    def set_receiver(
        self,
        receiver_id: int,
        *,
        mid: str,
        kind: Literal["audio", "video"],
        codecs: Sequence[CodecSpec],
        extensions: HeaderExtensionMap,
        rids: Sequence[str] = (),
        ssrcs: Sequence[int] = (),
        rtx_ssrcs: Mapping[int, int] | None = None,
    ) -> None:
        """Receive a media section, or take what was negotiated for it again: streams that go on keep their state.

        Args:
            receiver_id: the caller's number for it; comes back with each packet and event.
            mid: its name.
            kind: its kind.
            codecs: what may come. Retransmission formats are found by ``rtx_payload_type`` of a codec, or as codecs
                named ``rtx`` with an ``apt``.
            extensions: what the ids mean; each packet carries this as its ``extension_map``.
            rids: names of its simulcast streams, lowest first; empty without simulcast.
            ssrcs: SSRCs that SDP names for it.
            rtx_ssrcs: those of retransmissions, with the media that they repair (``ssrc-group:FID``).

        Raises:
            LocalProtocolError: the session is closed.
        """
        self._require_open("receive")
        self._inbound.demux.obtain(receiver_id).configure(mid, kind, codecs, extensions, rids, ssrcs, rtx_ssrcs or {})
        self._inbound.demux.changed()

    def remove_receiver(self, receiver_id: int) -> None:
        """Stop receiving a media section, and forget its streams; harmless when there is none."""
        self._inbound.remove(receiver_id)

    def set_sender(
        self,
        sender_id: int,
        *,
        mid: str,
        kind: Literal["audio", "video"],
        ssrc: int,
        codecs: Sequence[CodecSpec],
        extensions: HeaderExtensionMap,
        rtx_ssrc: int | None = None,
        cname: str = "",
        rid: str = "",
        mixed: bool = True,
    ) -> None:
        """Send a stream, or take what was negotiated for it again: with the same SSRC, numbers and history go on.

        Args:
            sender_id: the caller's number for it.
            mid: the name of its media section.
            kind: its kind.
            ssrc: its SSRC, as told in SDP.
            codecs: what may be sent; NACKs are answered by RTX where ``rtx_payload_type`` is set.
            extensions: what the ids mean for the receiver.
            rtx_ssrc: the SSRC of its retransmissions; ``None``: packets are sent again as they were.
            cname: its canonical name; that of the session if empty.
            rid: the name of the simulcast layer that it is, written into its packets; empty without simulcast.
            mixed: whether one-byte and two-byte extensions may alternate (``a=extmap-allow-mixed``, RFC 8285 section
                4.1.2). If not, all are in one-byte form and what does not fit is left out; in two-byte form if any id
                of ``extensions``, or a name, needs it.

        Raises:
            InvalidArgument: an SSRC is in use by another sender.
            LocalProtocolError: the session is closed.
        """
        self._require_open("send")
        if self._outbound.replaces(sender_id, ssrc):
            self.remove_sender(sender_id)
        self._outbound.obtain(sender_id, kind, ssrc, rtx_ssrc, cname or self._cname)
        self._outbound.configure(sender_id, mid, codecs, extensions, rid, mixed=mixed)
        self._reporter.stay(ssrc)

    def remove_sender(self, sender_id: int) -> None:
        """Stop sending a stream; the next flush says BYE if anything was sent. Harmless when there is none."""
        stream = self._outbound.remove(sender_id)
        if stream is not None:
            self._reporter.leave(stream.ssrc, stream.cname, sent=stream.packets > 0)

    # From below

    def receive(self, data: bytes, now: float) -> None:
        """Take one plain datagram of RTP or RTCP, told apart by RFC 5761 section 4. Never raises."""
        if len(data) > 1 and 192 <= data[1] <= 223:
            self.receive_rtcp(data, now)
        else:
            self.receive_rtp(data, now)

    def receive_rtp(self, data: bytes, now: float) -> None:
        """Take one plain RTP packet. Never raises. Hot."""
        packet = self._parse(data, now)
        if packet is None:
            return
        self._inbound.receive(packet, now)
        if self._reporter.idle:
            self._reporter.wake(now)

    def record_replay(self, data: bytes, now: float) -> None:
        """Take the plain text of an authentic SRTP replay: congestion feedback counts it, and nothing else does."""
        self._parse(data, now)

    def receive_rtcp(self, data: bytes, now: float) -> None:
        """Take one plain RTCP datagram. Never raises."""
        if self._closed:
            self._drop("closed", now)
            return
        try:
            packets = parse_compound(data)
        except DecodeError:
            self._drop("rtcp", now)
            return
        for packet in packets:
            if self._options.tell_rtcp:
                self._tell(packet)  # first: a BYE takes the route away by which its receiver is found
            self._dispatch(packet, now)

    # To above

    def take_packets(self) -> list[tuple[int, str, RtpPacket]]:
        """What arrived since the last call, oldest first: receiver, rid, and the packet, repaired ones included."""
        packets = self._inbound.packets
        if not packets:
            return []
        self._inbound.packets = []
        return packets

    def take_events(self) -> list[RtpEvent]:
        """What happened since the last call, oldest first."""
        return self._events.take()

    # Commands

    def send(
        self,
        sender_id: int,
        packet: RtpPacket,
        now: float,
        payload_type: int | None = None,
        sequence_number: int | None = None,
        timestamp: int | None = None,
        marker: bool | None = None,
        payload: bytes | None = None,
    ) -> bytes:
        """Build a packet of a stream; return plain RTP, empty if it was refused. The plain twin of :meth:`send_parts`.

        Raises:
            InvalidArgument: there is no sender with this id.
            LocalProtocolError: the session is closed.
        """
        parts = self.send_parts(sender_id, packet, now, payload_type, sequence_number, timestamp, marker, payload)
        return parts[0] + parts[1] if parts is not None else b""

    def send_parts(
        self,
        sender_id: int,
        packet: RtpPacket,
        now: float,
        payload_type: int | None = None,
        sequence_number: int | None = None,
        timestamp: int | None = None,
        marker: bool | None = None,
        payload: bytes | None = None,
    ) -> Parts | None:
        """Build a packet of a stream as ``(header, payload, ssrc, sequence number)``, ready for SRTP. Hot.

        The SSRC is the stream's own. Header extensions are translated from ``packet.extension_map`` by URI; the mid,
        the transport-wide number and the absolute send time are written anew. ``packet`` is not changed, so one
        packet serves all subscribers; the overrides say what differs for this one.

        Returns:
            ``None`` if the packet is refused, and counted: its payload type was not negotiated, its sequence number
            was sent before, lies before the first, or 32768 and more ahead.

        Raises:
            InvalidArgument: there is no sender with this id.
            LocalProtocolError: the session is closed.
        """
        stream = self._outbound.senders.get(sender_id)
        if stream is None:
            self._require_open("send")
            stream = self._outbound.get(sender_id)
        parts = stream.send_parts(packet, now, payload_type, sequence_number, timestamp, marker, payload)
        if self._reporter.idle:
            self._reporter.wake(now)
            self._outbound.watch(now)
        return parts

    def send_rtcp(self, packet: RtcpPacket | bytes) -> bool:
        """Send an RTCP packet of the caller's own with the next flush, beside those that are made here.

        Args:
            packet: a packet, which travels as feedback does (RFC 5506, or behind an empty report); or a datagram of
                one or more packets, which goes out as it is.

        Returns:
            Whether it was taken: not while more than a few datagrams of RTCP wait already.

        Raises:
            InvalidArgument: no RTCP, a field that cannot stand in such a packet, more than 31 entries where the count
                has 5 bits, or more than 65,000 bytes.
            LocalProtocolError: the session is closed.
        """
        self._require_open("send RTCP")
        datagrams = [write_own(packet)]
        if not isinstance(packet, bytes | bytearray | memoryview):
            datagrams = self._reporter.pack_feedback([packet], reduced_size=self._reduced_size)
        if len(self._control) >= MAX_WAITING:
            return False
        self._control.extend(datagrams)
        return True

    def request_key_frame(self, receiver_id: int, now: float, rid: str = "") -> bool:
        """Ask the sender for a key frame, by PLI or FIR as negotiated; merged and throttled per stream.

        Args:
            receiver_id: the media section.
            now: the first request goes with the next flush, those within the interval after it as one at its end.
            rid: the simulcast stream; empty without simulcast.

        Returns:
            ``False`` if the stream has not started (it will start with a key frame), or no way to ask was negotiated.
        """
        return self._inbound.request_key_frame(receiver_id, rid, now)

    def key_frame_arrived(self, receiver_id: int, rid: str = "") -> None:
        """A key frame was seen: a request that waits for the throttle is not needed any more."""
        self._inbound.key_frame_arrived(receiver_id, rid)

    def key_frame_sent(self, sender_id: int) -> None:
        """The next packets of a stream are a key frame: a pause of retransmissions ends.

        Only of use with ``pause_after_key_frame_request``; the session does not look into payloads.

        Raises:
            InvalidArgument: there is no sender with this id.
        """
        self._outbound.get(sender_id).key_frame_sent()

    def pad(self, sender_id: int, size: int, now: float, *, own_numbers: bool = False) -> list[bytes]:
        """Build plain RTP packets of about ``size`` bytes that hold nothing new, to probe the path.

        Repetitions of the newest packets in the stream of retransmissions, then padding there. Where no such stream
        was negotiated, padding in the stream itself (255 bytes each), at the end of a frame only.

        Args:
            sender_id: the stream. Nothing is built for audio, and before the receiver's first report.
            size: bytes wanted; at most 64 packets are built.
            now: the time.
            own_numbers: whether the stream's own sequence numbers may be used up; who numbers the packets goes on
                after them.

        Raises:
            InvalidArgument: there is no sender with this id.
            LocalProtocolError: the session is closed.
        """
        self._require_open("pad")
        return self._outbound.get(sender_id).pad(size, now, own_numbers=own_numbers)

    def set_round_trip_time(self, seconds: float) -> None:
        """Take a measurement from elsewhere, such as ICE."""
        self._round_trip.update(seconds)

    def set_sender_clock(self, sender_id: int, timestamp: int, at: float) -> None:
        """Say which RTP timestamp belongs to the monotonic time ``at``, for sender reports.

        A forwarder maps the publisher's clock; without it the last packet's timestamp and departure are taken.

        Raises:
            InvalidArgument: there is no sender with this id.
        """
        self._outbound.get(sender_id).set_clock(timestamp, at)

    def sender_report_of(self, receiver_id: int, rid: str = "") -> tuple[SenderReport, float] | None:
        """The last sender report of a received stream and when it came; ``None`` before there was one."""
        stream = self._inbound.stream(receiver_id, rid)
        if stream is None or stream.sender_report is None:
            return None
        return stream.sender_report, stream.sender_report_at

    def capture_time(self, receiver_id: int, timestamp: int, rid: str = "") -> float | None:
        """When a timestamp of a received stream was on its sender's wall clock, in seconds since 1970.

        Streams of one sender are played together by it (RFC 3550 section 6.4.1). ``None`` before a report was heard.
        """
        stream = self._inbound.stream(receiver_id, rid)
        if stream is None or stream.timeline is None:
            return None
        return stream.timeline.capture_time(timestamp)

    def reception_window(
        self, receiver_id: int, now: float, rid: str = "", observer: str = ""
    ) -> ReceptionWindow | None:
        """What was received of a stream since ``observer`` asked last; ``None`` at its first question.

        Args:
            receiver_id: whose the stream is.
            now: the clock.
            rid: its simulcast name.
            observer: who asks; each has a window of its own.

        Raises:
            InvalidArgument: there is no receiver with this id.
        """
        if receiver_id not in self._inbound.demux.receivers:
            raise InvalidArgument(f"receiver {receiver_id} does not exist")
        stream = self._inbound.stream(receiver_id, rid)
        return stream.window(observer, now) if stream is not None else None

    def report_window(self, sender_id: int, observer: str = "") -> ReportWindow | None:
        """What the receiver of a stream reported since ``observer`` asked last; ``None`` at its first question.

        Args:
            sender_id: the stream.
            observer: who asks; each has a window of its own.

        Raises:
            InvalidArgument: there is no sender with this id.
        """
        return self._outbound.get(sender_id).peer.window(observer)

    def congestion(self, now: float) -> Congestion | None:
        """How the path of what is sent is; ``None`` unless :attr:`RtpSessionOptions.watch_congestion` is set."""
        monitor = self._outbound.congestion
        return None if monitor is None else monitor.congestion(now)

    def close(self, now: float, reason: Reason = LOCAL) -> None:
        """End: the next flush says BYE for all senders, and then nothing more happens. Harmless when repeated."""
        if self._closed:
            return
        for sender_id in list(self._outbound.senders):
            self.remove_sender(sender_id)
        for receiver_id in list(self._inbound.demux.receivers):
            self.remove_receiver(receiver_id)
        self._arrivals = TransportFeedbackRecorder()
        self._control.clear()
        self._inbound.clear()
        self._reporter.cancel()
        self._closed = True
        self._events.append(Ended(reason))

    # Time

    @property
    def deadline(self) -> float:
        """When :meth:`tick` is due, in absolute seconds; ``inf`` for never."""
        if self._closed:
            return inf
        return min(self._inbound.deadline, self._outbound.deadline, self._arrivals.deadline, self._reporter.deadline)

    def tick(self, now: float) -> None:
        """Time has come. Harmless when early or repeated."""
        if now < self.deadline:
            return
        self._inbound.tick(now)
        self._outbound.tick(now)
        self._arrivals.tick(now)
        self._reporter.tick(now)

    def flush(self, now: float, limit: float = inf) -> tuple[list[bytes], list[bytes]]:
        """Hand over what should go down now, at most ``limit`` packets together: retransmissions, and RTCP."""
        self.tick(now)
        self._collect(now)
        control: list[bytes] = []
        while self._control and len(control) < limit:
            control.append(self._control.popleft())
        return self._outbound.retransmit(now, limit - len(control)), control

    def stats(self, now: float) -> RtpSessionStats:
        """A snapshot of all numbers at ``now``."""
        return RtpSessionStats(
            inbound=tuple(inbound_stats(each, now) for each in self._inbound.streams()),
            outbound=tuple(outbound_stats(each) for each in self._outbound.senders.values()),
            round_trip_time=self._round_trip.value if self._round_trip.measured else None,
            drops=dict(self.drops),
        )

    # Inside

    def _require_open(self, operation: str) -> None:
        if self._closed:
            raise LocalProtocolError(operation, "closed")

    def _parse(self, data: bytes, now: float) -> RtpPacket | None:
        """Parse, and record the arrival for congestion feedback."""
        if self._closed:
            self._drop("closed", now)
            return None
        try:
            packet = RtpPacket.parse(data, now)
        except DecodeError:
            self._drop("rtp", now)
            return None
        demux = self._inbound.demux
        if demux.transport_id and packet.extension and (demux.tells_all or demux.tells(packet)):
            value = find(packet.extension_profile, packet.extension, demux.transport_id)
            if value is not None and len(value) == 2:
                self._arrivals.record(value[0] << 8 | value[1], now, packet.ssrc, packet.marker)
        return packet

    def _tell(self, packet: RtcpPacket) -> None:
        receivers = self._inbound.receivers_of(sources_of(packet))
        self._events.append(RtcpReceived(packet, receivers, self._outbound.senders_of(media_of(packet))))

    def _dispatch(self, packet: RtcpPacket, now: float) -> None:
        """Hand one RTCP packet to the part that it concerns."""
        match packet:
            case SenderReport():
                self._inbound.handle_sender_report(packet, now)
                self._handle_blocks(packet.reports, now)
            case ReceiverReport():
                self._handle_blocks(packet.reports, now)
            case Nack():
                excess = self._outbound.handle_nack(packet, now)
                if excess:
                    self.drops["nack-excess"] += excess
            case Pli():
                self._outbound.handle_pli(packet, now)
            case Fir():
                self._outbound.handle_fir(packet, now)
            case Bye():
                self._inbound.handle_bye(packet, now)
            case Remb():
                self._events.append(BandwidthEstimate(packet.bitrate_bps, tuple(packet.ssrcs)))
            case TransportFeedback():
                self._events.append(TransportFeedbackReceived(packet, now))
                monitor = self._outbound.congestion
                if monitor is None:
                    return
                if not monitor.sent.behind(packet.base_sequence):
                    self._drop("feedback-unsent", now)
                elif monitor.handle(packet, now):
                    self._events.append(CongestionChanged(monitor.congestion(now)))
            case _:
                pass

    def _handle_blocks(self, blocks: Sequence[ReportBlock], now: float) -> None:
        for block in blocks:
            doubt = self._outbound.handle_block(block, now)
            if doubt:
                self._drop(f"report-{doubt}", now)

    def _collect(self, now: float) -> None:
        """Turn everything that is due into datagrams."""
        if len(self._control) >= MAX_WAITING:
            return
        reporter = self._reporter
        if reporter.due or reporter.leaving:
            senders = [
                (each.sender_report(now, self._options.ntp_offset), each.cname)
                for each in self._outbound.senders.values()
                if each.sent and reporter.due
            ]
            blocks = [each.report_block(now) for each in self._inbound.streams() if each.heard and reporter.due]
            self._outbound.watch(now)
            self._control.extend(reporter.compose(senders, blocks))
        if self._closed:
            return
        feedback: list[RtcpPacket] = [*self._inbound.take_feedback(self._ssrc)]
        if self._arrivals.ready:
            feedback.extend(self._arrivals.build(self._ssrc, now))
        if feedback:
            self._control.extend(reporter.pack_feedback(feedback, reduced_size=self._reduced_size))

    def _drop(self, why: str, now: float) -> None:
        self.drops[why] += 1
        if self._trace is not None:
            self._trace.dropped(now, "rtp", why)
