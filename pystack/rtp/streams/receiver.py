"""One stream that we receive: order, loss and jitter (RFC 3550 A.3, A.8), what is missing, what we report.

The session's inbound part makes one per media SSRC and gives it every packet, repaired ones included.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from math import inf
from typing import Final

from pystack.rtp.clock import middle
from pystack.rtp.codec import CodecSpec
from pystack.rtp.packet import RtpPacket
from pystack.rtp.rtcp import ReportBlock, SenderReport
from pystack.rtp.streams.anomalies import Anomalies
from pystack.rtp.streams.frame_rate import FrameRate
from pystack.rtp.streams.nack import NackQueue
from pystack.rtp.streams.reception_windows import ReceptionWindow, ReceptionWindows
from pystack.rtp.streams.repairs import RepairStream
from pystack.rtp.streams.sequence import DUPLICATE, FRESH, HELD, RESTART_AFTER, RESTARTED, SequenceTracker
from pystack.rtp.streams.timeline import Timeline
from pystack.rtp.streams.tray import EventTray

__all__ = ["ReceiveStream"]

GAP_BINS: Final = 101
"""Bins of the histogram of gaps: 1 to 100 packets, and more (requirements C-13)."""


class ReceiveStream:
    """State of one received SSRC.

    Attributes:
        receiver_id: whose it is.
        rid: its simulcast name; empty without simulcast.
        ssrc: its synchronization source.
        clock_rate: timestamp units per second of its newest packet's codec.
        sequence: what came and what did not.
        nacks: what we ask for again.
        asks: whether its newest packet's codec has NACK, so that what is missing from now on is asked for.
        gaps: how often so many packets were missing in a row when the next came; 101 stands for more.
        frame_rate: how many frames it brings in a second; ``None`` for audio.
        timeline: its media clock; ``None`` before the first packet.
        anomalies: what is odd about it.
        repair: the stream of its retransmissions; ``None`` before the first.
        jitter: in timestamp units.
        packets: packets taken, retransmitted ones included.
        octets: payload bytes of those.
        header_octets: bytes of their headers, and of their padding.
        payload_type: that of the newest one, late ones aside; -1 before the first.
        recovered: of those, how many came as a retransmission.
        recovered_octets: payload bytes of the recovered.
        rtx_packets: retransmissions that came, useful or not.
        last_arrival: when the last packet came.
        sender_report: the last report of its sender, and :attr:`sender_report_at` when it came.
        sender_reports: how many came.
        heard: whether a packet came since the last report block was made.
        key_frame_requests: PLI and FIR sent for it; ``firs`` of them FIR.
        nack_packets: NACK sent for it.

    Args:
        codecs: by payload type, as negotiated; :meth:`configure` gives others.
    """

    __slots__ = (
        "_codecs",
        "_drops",
        "_frame_timestamp",
        "_held",
        "_windows",
        "anomalies",
        "asks",
        "clock_rate",
        "firs",
        "frame_rate",
        "gaps",
        "header_octets",
        "heard",
        "jitter",
        "key_frame_requests",
        "last_arrival",
        "nack_packets",
        "nacks",
        "octets",
        "packets",
        "payload_type",
        "receiver_id",
        "recovered",
        "recovered_octets",
        "repair",
        "rid",
        "rtx_packets",
        "sender_report",
        "sender_report_at",
        "sender_reports",
        "sequence",
        "ssrc",
        "timeline",
    )

    def __init__(
        self,
        receiver_id: int,
        rid: str,
        ssrc: int,
        codecs: Mapping[int, CodecSpec],
        first_sequence_number: int,
        *,
        is_video: bool,
        drops: MutableMapping[str, int],
        events: EventTray,
    ) -> None:
        self.receiver_id = receiver_id
        self.rid = rid
        self.ssrc = ssrc
        self.clock_rate = 90000
        self.sequence = SequenceTracker(first_sequence_number)
        self.nacks = NackQueue()
        self.asks = False
        self.jitter = 0.0
        self.packets = 0
        self.octets = 0
        self.header_octets = 0
        self.payload_type = -1
        self.recovered = 0
        self.recovered_octets = 0
        self.rtx_packets = 0
        self.last_arrival = 0.0
        self.sender_report: SenderReport | None = None
        self.sender_report_at = 0.0
        self.sender_reports = 0
        self.heard = False
        self.key_frame_requests = 0
        self.firs = 0
        self.nack_packets = 0
        self.gaps: dict[int, int] = {}
        self.frame_rate = FrameRate() if is_video else None
        self.timeline: Timeline | None = None
        self.anomalies = Anomalies(receiver_id, rid, ssrc, events)
        self.repair: RepairStream | None = None
        self._codecs = codecs
        self._windows: ReceptionWindows | None = None
        self._frame_timestamp = -1
        self._held: list[RtpPacket] = []
        self._drops = drops

    def configure(self, codecs: Mapping[int, CodecSpec]) -> None:
        """Take what was negotiated again: what its codec is, and whether it is asked for what is missing."""
        self._codecs = codecs
        if self.payload_type in codecs:
            self._follow_codec(self.payload_type)
            if not self.asks:
                self.nacks.clear()

    def receive_packet(self, packet: RtpPacket, now: float, *, recovered: bool = False) -> list[RtpPacket]:
        """Take one packet; return what to hand on: mostly itself, nothing for a duplicate, which is counted.

        Packets far away from the stream are kept aside, four at most; the fifth in a row starts the stream again and
        all five are handed on. Anything less was noise, and is forgotten with the next that fits.
        """
        before = self.sequence.highest
        verdict = self.sequence.admit(packet.sequence_number)
        if verdict == FRESH:
            if packet.payload_type != self.payload_type:
                self._follow_codec(packet.payload_type)
            if self.sequence.highest != before + 1:
                self._note_gap(before, now)
            if packet.timestamp != self._frame_timestamp and not recovered:
                self._follow_clock(packet.timestamp, now)
        elif verdict < 0:
            return self._receive_far(packet, verdict, now)
        elif verdict == DUPLICATE:
            self._drops["duplicate"] += 1
            return []
        else:
            self.nacks.remove(self.sequence.latest)
        if self._held:
            self._forget_held()
            self.sequence.forget_far()
        self.packets += 1
        size = len(packet.payload)
        self.octets += size
        self.header_octets += 12 if packet.extension_profile < 0 else 16 + len(packet.extension)
        if packet.csrcs or packet.padding_size:
            self.header_octets += 4 * len(packet.csrcs) + packet.padding_size
        if recovered:
            self.recovered += 1
            self.recovered_octets += size
        self.last_arrival = now
        self.heard = True
        return [packet]

    def handle_sender_report(self, report: SenderReport, now: float) -> None:
        """Keep the sender's clocks, and when they came."""
        self.sender_report = report
        self.sender_report_at = now
        self.sender_reports += 1
        if self.timeline is not None:
            self.timeline.handle_report(report, now)

    def report_block(self, now: float) -> ReportBlock:
        """What to tell the sender now; starts a new interval for the fraction lost."""
        self.heard = False
        last = delay = 0
        if self.sender_report is not None:
            last = middle(self.sender_report.ntp_time)
            delay = min(0xFFFFFFFF, int((now - self.sender_report_at) * 65536))
        sequence = self.sequence
        return ReportBlock(
            self.ssrc,
            sequence.take_fraction_lost(),
            max(-0x800000, min(0x7FFFFF, sequence.lost)),
            sequence.highest & 0xFFFFFFFF,
            min(0xFFFFFFFF, int(self.jitter)),
            last,
            delay,
        )

    def window(self, observer: str, now: float) -> ReceptionWindow | None:
        """What was received since ``observer`` asked last; ``None`` at its first question."""
        if self._windows is None:
            self._windows = ReceptionWindows()
        return self._windows.take(observer, self, now)

    def _receive_far(self, packet: RtpPacket, verdict: int, now: float) -> list[RtpPacket]:
        if self.sequence.far_run == 1:
            self._forget_held()
        self._held.append(packet)
        if verdict == HELD:
            return []
        assert verdict == RESTARTED
        assert len(self._held) == RESTART_AFTER
        held, self._held = self._held, []
        self.sequence.restart(held[0].sequence_number)
        self.nacks.clear()
        self.timeline = None
        self._frame_timestamp = -1
        return [each for waiting in held for each in self.receive_packet(waiting, now)]

    def _forget_held(self) -> None:
        self._drops["out-of-range"] += len(self._held)
        self._held.clear()

    def _note_gap(self, before: int, now: float) -> None:
        highest = self.sequence.highest
        size = min(highest - before - 1, GAP_BINS)
        self.gaps[size] = self.gaps.get(size, 0) + 1
        if size >= GAP_BINS - 1:
            self.anomalies.tell("gap", before, highest, now)
        if self.asks:
            self.nacks.add(before + 1, highest, now)

    def _follow_codec(self, payload_type: int) -> None:
        """The newest packet is of this payload type: its codec says how fast the clock runs, and what is asked for.

        A clock of another rate is another clock: no transit is compared across the change, and what was measured in
        its units says nothing any more (RFC 7160 section 4).
        """
        self.payload_type = payload_type
        codec = self._codecs.get(payload_type)
        if codec is None:
            return  # it was held while its payload type was negotiated away
        self.asks = "nack" in codec.rtcp_fb
        if codec.clock_rate != self.clock_rate:
            self.clock_rate = codec.clock_rate
            self.timeline = None
            self.jitter = 0.0
            self._frame_timestamp = -1

    def _follow_clock(self, timestamp: int, now: float) -> None:
        # Once per frame: the packets of a frame share a timestamp but not a departure.
        self._frame_timestamp = timestamp
        if self.frame_rate is not None:
            self.frame_rate.count(now)
        timeline = self.timeline
        if timeline is None:
            self.timeline = Timeline(self.clock_rate, timestamp, now, self.anomalies)
            if not self.packets and self.sender_report is not None:  # it came before the first packet
                self.timeline.handle_report(self.sender_report, self.sender_report_at)
            return
        distance = timeline.advance(timestamp, now)
        if distance != inf:  # a new time line is no jitter
            self.jitter += (distance - self.jitter) / 16
            if self._windows is not None:
                self._windows.jitter(self.jitter / self.clock_rate)
