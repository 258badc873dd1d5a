"""Acknowledgement and loss: what a SACK or an expiry of T3 means, and what is sent again.

RFC 9260 sections 6.2.1 (SACK), 6.3.2 and 6.3.3 (T3), 7.2.4 (fast retransmit and recovery), 6.1 (zero window probes),
with ``rack.py`` and ``tail.py`` to tell earlier what is lost;
RFC 3758 section 3.5 (giving up, and FORWARD-TSN). Called by the composer for SACK, SHUTDOWN and time, and by the packer
for chunks to send again.
"""

from __future__ import annotations

from math import inf
from typing import Final

from pystack.sctp.error_counter import ErrorCounter
from pystack.sctp.options import AssociationOptions
from pystack.sctp.outbox import Outbox
from pystack.sctp.stats import Counters
from pystack.sctp.tx.congestion import CongestionWindow
from pystack.sctp.tx.gate import Gate
from pystack.sctp.tx.outstanding import IN_FLIGHT, LOST, NOT_AGAIN, Blocks, Outstanding, SentChunk, subtract
from pystack.sctp.tx.rack import Rack
from pystack.sctp.tx.rto import RetransmissionTimeout
from pystack.sctp.tx.send_queue import OutgoingMessage, OutgoingStream, SendQueue
from pystack.sctp.tx.tail import TailProbe
from pystack.sctp.wire.data import IMMEDIATE, UNORDERED
from pystack.sctp.wire.fast import MASK32, shift_gaps, unpack_gaps
from pystack.sctp.wire.forward import FORWARD_OVERHEAD, ForwardTsnChunk, IForwardTsnChunk

__all__ = ["Retransmitter"]

_HALF: Final = 1 << 31
_NOTHING: Final = -1


class Retransmitter:
    """Keeps the promise that what departed arrives, or is given up on purpose.

    Attributes:
        outstanding: the chunks under way.
        rack: loss by time, ``None`` when switched off.
        tail: the tail-loss probe, ``None`` when switched off.
        soon_at: when one of those two wants to be asked, ``inf`` for never.
        t3_at: when T3 expires, ``inf`` when it does not run. A plain number, because it moves with every SACK.
        peer_window: the a_rwnd of the latest SACK, in bytes.
        timed_tsn, timed_at: the chunk that measures the round trip, -1 for none (one sample per round trip, and none
            from a chunk that was sent twice).
        partial_reliability: the peer understands FORWARD-TSN.
        interleaving: it is I-FORWARD-TSN that it understands (RFC 8260).
    """

    __slots__ = (
        "_abandoned_to",
        "_congestion",
        "_counters",
        "_errors",
        "_forward_due",
        "_free",
        "_gate",
        "_heard",
        "_last_gaps",
        "_last_head",
        "_outbox",
        "_peer_point",
        "_probe_armed_for",
        "_queue",
        "_recover",
        "_room",
        "_rto",
        "_skip_room",
        "_skips",
        "interleaving",
        "outstanding",
        "partial_reliability",
        "peer_window",
        "rack",
        "soon_at",
        "t3_at",
        "tail",
        "timed_at",
        "timed_tsn",
    )

    def __init__(
        self,
        options: AssociationOptions,
        queue: SendQueue,
        gate: Gate,
        congestion: CongestionWindow,
        rto: RetransmissionTimeout,
        errors: ErrorCounter,
        counters: Counters,
        outbox: Outbox,
    ) -> None:
        self._queue = queue
        self._gate = gate
        self._congestion = congestion
        self._rto = rto
        self._errors = errors
        self._counters = counters
        self._outbox = outbox
        self._room = options.capacity
        self._skip_room = options.capacity - FORWARD_OVERHEAD
        self.interleaving = False
        self.rack = Rack() if options.rack else None
        self.tail = TailProbe(options, rto) if options.tail_loss_probe else None
        self.partial_reliability = True  # until the peer is known to lack it: what has not departed may be dropped
        self.begin(0, 0)

    def begin(self, initial_tsn: int, peer_window: int) -> None:
        """Start from nothing outstanding."""
        self.outstanding = Outstanding(initial_tsn)
        self.peer_window = peer_window
        self.t3_at = inf
        self.soon_at = inf
        self._probe_armed_for = 0
        if self.rack is not None:
            self.rack.begin(initial_tsn)
        if self.tail is not None:
            self.tail.begin()
        self.timed_tsn = _NOTHING
        self.timed_at = 0.0
        self._last_gaps = b""
        self._last_head = b""
        self._recover = _NOTHING
        self._free = 0
        self._heard = False
        self._peer_point = initial_tsn - 1
        self._abandoned_to = initial_tsn - 1
        self._skips: dict[int, int] = {}
        self._forward_due = False

    # -- acknowledgement ---------------------------------------------------------------------------------------------

    def handle_sack(self, cumulative: int, a_rwnd: int, gaps: bytes, now: float, *, duplicates: bool = False) -> None:
        """A SACK, its lengths checked: ``cumulative`` as on the wire, ``gaps`` its encoded blocks; whether it names
        duplicates.

        A SACK that cannot be true is dropped before any of it is applied.
        """
        outstanding = self.outstanding
        count = ((cumulative - outstanding.cumulative + _HALF) & MASK32) - _HALF
        if count < 0:
            self._outbox.drop("sack-old", now)
            return
        if count > outstanding.next_tsn - outstanding.cumulative - 1:
            self._outbox.drop("sack-never-sent", now)
            return
        fresh: Blocks = []
        reneged: Blocks = []
        if gaps or outstanding.blocks:
            blocks = self._read_gaps(outstanding.cumulative + count, gaps)
            if blocks is None:
                self._outbox.drop("sack-gaps", now)
                return
            fresh, reneged = blocks
        self._counters.sacks_received += 1
        self._heard = True
        flight_before = outstanding.flight
        acked = 0
        rack = self.rack
        if count:
            if rack is not None and rack.watching:
                rack.delivered(outstanding.span(outstanding.cumulative + 1, outstanding.cumulative + count + 1), now)
            acked = outstanding.advance(count)
            if outstanding.cumulative >= self._recover != _NOTHING:
                self._recover = _NOTHING
                if rack is not None:
                    rack.recovered()
        if reneged:
            outstanding.take_back(reneged)
        if fresh:
            for start, stop in fresh:
                chunks = outstanding.span(start, stop)
                if rack is not None:
                    rack.delivered(chunks, now)
                acked += outstanding.acknowledge(chunks)
        if duplicates and rack is not None and self._rto.srtt is not None:
            rack.duplicates_reported(now, self._rto.srtt)
        if self.timed_tsn != _NOTHING:
            self._measure(fresh, now)
        self.peer_window = a_rwnd
        idle = outstanding.next_tsn - outstanding.cumulative == 1
        if count or acked:
            self._errors.clear()
            if outstanding.blocks or (rack is not None and rack.watching):
                self._look_for_loss(fresh, now, advanced=count > 0)
            if self.tail is not None and self.tail.answered(
                now, rack.shortest if rack is not None else 0.0, duplicates=duplicates
            ):
                self._note_congestion(recover=False)
            self._congestion.acknowledged(
                acked, flight_before, advanced=count > 0, recovering=self._recover != _NOTHING, idle=idle
            )
        if idle:
            self.t3_at = inf
        elif count:
            self.t3_at = now + self._rto.value
        if self.soon_at != inf or not idle:
            self._plan(now, moved=count > 0 or acked > 0)
        if self._abandoned_to > outstanding.cumulative or self._skips:
            self._move_peer_point()

    def handle_cumulative(self, cumulative: int, now: float) -> None:
        """SHUTDOWN acknowledges as well, without saying anything of gaps or windows."""
        outstanding = self.outstanding
        count = (cumulative - outstanding.cumulative) & MASK32
        if 0 < count <= len(outstanding):
            base = outstanding.cumulative + count
            kept = subtract(outstanding.blocks, [(outstanding.cumulative, base + 1)])
            gaps = b"".join(
                (start - base).to_bytes(2, "big") + (stop - base - 1).to_bytes(2, "big") for start, stop in kept
            )
            self.handle_sack(cumulative, self.peer_window, gaps, now)

    def _read_gaps(self, cumulative: int, gaps: bytes) -> tuple[Blocks, Blocks] | None:
        """Compare with the last SACK: ``(newly acknowledged, taken back)``, or ``None`` if a block cannot be true.

        Mostly the blocks are those of the last SACK, seen from a cumulative TSN that may have moved over the first of
        them, and grew at their end. Then only the end is looked at.
        """
        outstanding = self.outstanding
        old = outstanding.blocks
        last = self._last_gaps
        limit = outstanding.next_tsn
        moved = cumulative - outstanding.cumulative
        if not moved and last and len(gaps) == len(last) and gaps.startswith(self._last_head):
            start, old_stop = old[-1]
            stop = cumulative + (gaps[-2] << 8 | gaps[-1]) + 1
            if old_stop <= stop <= limit:
                old[-1] = (start, stop)
                self._last_gaps = gaps
                return ([(old_stop, stop)] if stop > old_stop else []), []
        passed = 0
        if moved and last:
            while passed < len(old) and old[passed][1] <= cumulative + 1:
                passed += 1
            last = last[4 * passed :]
            last = shift_gaps(last, moved) if last and old[passed][0] > cumulative + 1 else b""
        if last and len(gaps) >= len(last) and gaps.startswith(last[:-2]):
            start, old_stop = old[-1]
            stop = cumulative + (gaps[len(last) - 2] << 8 | gaps[len(last) - 1]) + 1
            if old_stop <= stop <= limit:
                tail = self._decode(cumulative, gaps[len(last) :], stop, limit) if len(gaps) > len(last) else []
                if tail is None:
                    return None
                del old[:passed]
                old[-1] = (start, stop)
                old += tail
                self._last_gaps = gaps
                self._last_head = gaps[:-2]
                return ([(old_stop, stop), *tail] if stop > old_stop else tail), []
        blocks = self._decode(cumulative, gaps, cumulative + 1, limit)
        if blocks is None:
            return None
        known = subtract(old, [(outstanding.cumulative, cumulative + 1)])
        outstanding.blocks = blocks
        self._last_gaps = gaps if 4 * len(blocks) == len(gaps) else b""
        self._last_head = gaps[:-2]
        return subtract(blocks, known), subtract(known, blocks)

    @staticmethod
    def _decode(cumulative: int, gaps: bytes, lowest: int, limit: int) -> Blocks | None:
        """Gap blocks as plain ranges, ascending; ``None`` for disorder, and for what was never sent."""
        values = iter(unpack_gaps(gaps))
        base = cumulative
        blocks: Blocks = []
        for start, end in zip(values, values, strict=True):
            first, stop = base + start, base + end + 1
            if first >= stop or first < lowest:
                return None
            if first == lowest and blocks:
                blocks[-1] = (blocks[-1][0], stop)  # touching blocks say the same as one
            else:
                blocks.append((first, stop))
            lowest = stop
        return blocks if lowest <= limit else None

    def _measure(self, fresh: Blocks, now: float) -> None:
        timed = self.timed_tsn
        if timed > self.outstanding.cumulative:
            for start, stop in fresh:
                if start <= timed < stop:
                    break
            else:
                return
        self._rto.sample(now - self.timed_at)
        if self.rack is not None and now - self.timed_at < self.rack.shortest:
            self.rack.shortest = now - self.timed_at
        self.timed_tsn = _NOTHING

    def _look_for_loss(self, fresh: Blocks, now: float, *, advanced: bool) -> None:
        """Count missing reports (section 7.2.4): below the highest newly acknowledged, or all when recovering.

        Where reordering was seen, reports mean nothing, and time alone decides.
        """
        outstanding = self.outstanding
        if outstanding.blocks and not (self.rack is not None and self.rack.reordered):
            highest = outstanding.blocks[-1][1] - 1
            outstanding.suspect_below(highest, fresh[0][0] if len(fresh) == 1 else _NOTHING)
            if self._recover != _NOTHING and advanced:
                below = highest
            else:
                below = fresh[-1][1] - 1 if fresh else outstanding.cumulative
            found = outstanding.report_missing(below)
            if found:
                self._lose(found, now)
        if self.rack is not None:
            self._lose_by_time(self.rack, now)

    def _lose_by_time(self, rack: Rack, now: float) -> None:
        round_trip = self._rto.srtt
        if round_trip is not None:
            found = rack.detect(self.outstanding, now, round_trip, recovering=self._recover != _NOTHING)
            self._lose(found, now)

    def _lose(self, found: list[SentChunk], now: float) -> None:
        if not found:
            return
        for chunk in found:
            if chunk.state == IN_FLIGHT:  # an earlier fragment may have been the end of its whole message
                chunk.missing = NOT_AGAIN
                self.outstanding.lose(chunk)
                self._give_up_if_due(chunk, now)
        if self._recover == _NOTHING:
            self._note_congestion(recover=True)

    def _note_congestion(self, *, recover: bool) -> None:
        """Something was lost: a smaller window, once per recovery."""
        if self._recover == _NOTHING:
            self._congestion.lost()
            if recover:
                self._recover = self.outstanding.next_tsn - 1
                self._free = self._room

    # -- time --------------------------------------------------------------------------------------------------------

    def expire(self, now: float) -> None:
        """T3 expired (section 6.3.3)."""
        self._counters.timer_expiries += 1
        if self.peer_window > 0 or not self._heard:
            # A closed window whose owner still answers is patience, not death (section 6.1, rule A).
            self._errors.strike("unanswered retransmissions")
        self._heard = False
        self._rto.back_off()
        self._congestion.timed_out()
        self._recover = _NOTHING
        self._free = 0
        self.timed_tsn = _NOTHING
        for chunk in self.outstanding.lose_all():
            if chunk.state == LOST:
                self._give_up_if_due(chunk, now)
        self._move_peer_point()
        self.t3_at = now + self._rto.value if len(self.outstanding) else inf
        if self.rack is not None:
            self.rack.begin(self.outstanding.next_tsn)
        if self.tail is not None:
            self.tail.begin()
        self.soon_at = inf

    def departed(self, now: float) -> None:
        """Something was sent: T3 runs if it did not."""
        if self.t3_at == inf:
            self.t3_at = now + self._rto.value
        if self.outstanding.next_tsn != self._probe_armed_for:
            self._probe_armed_for = self.outstanding.next_tsn
            self._plan(now, moved=True)

    def _plan(self, now: float, *, moved: bool) -> None:
        """Work out when to look again before T3; ``moved``: something was sent or acknowledged just now."""
        tail = self.tail
        at = self.rack.at if self.rack is not None else inf
        if tail is not None:
            if self._recover != _NOTHING or self.outstanding.lost or not self.outstanding.flight or self._errors.count:
                tail.at = inf
            elif moved:
                tail.arm(self.outstanding, now, self.t3_at)
            at = min(at, tail.at)
        self.soon_at = at

    def look_again(self, now: float) -> None:
        """``soon_at`` has come."""
        rack, tail = self.rack, self.tail
        if rack is not None and rack.at <= now:
            self._lose_by_time(rack, now)
        if tail is not None and tail.at <= now:
            tail.at = inf
            if self._queue.ring and self.peer_window > self.outstanding.flight < self._congestion.window:
                self._congestion.allowance = max(self._congestion.allowance, self._room)  # new data serves as well
            else:
                tail.choose(self.outstanding, limited=self.partial_reliability)
        self._plan(now, moved=False)
        if self._abandoned_to > self.outstanding.cumulative:
            self._move_peer_point()

    # -- sending again -----------------------------------------------------------------------------------------------

    def next_lost(self, room: int, now: float) -> bytes | None:
        """The next lost chunk that fits into ``room`` bytes and may go now; it is in flight again."""
        outstanding = self.outstanding
        if self.tail is not None and self.tail.waiting is not None:
            probe = self.tail.departs(room, now)
            if probe is not None:
                return self._probe(probe, now)
        lost = outstanding.lost
        while lost:
            chunk = lost[0]
            if chunk.state != LOST:
                lost.popleft()
                continue
            message = chunk.message
            if message.expires <= now and self.partial_reliability:
                lost.popleft()
                self.abandon(message)
                self._move_peer_point()
                continue
            if len(chunk.wire) > room:
                return None
            if outstanding.flight and (
                (outstanding.flight + chunk.size > self._congestion.window and self._free < len(chunk.wire))
                or chunk.size > self.peer_window - outstanding.flight
            ):
                return None
            lost.popleft()
            self._free = max(0, self._free - len(chunk.wire))
            if chunk.missing < 0:
                self._counters.fast_retransmits += 1
            else:
                self._counters.timer_retransmits += 1
            if chunk.tsn == self.timed_tsn:
                self.timed_tsn = _NOTHING
            outstanding.resend(chunk)
            if self.rack is not None:
                self.rack.resent(chunk, now)
            return chunk.wire
        return None

    def _probe(self, chunk: SentChunk, now: float) -> bytes:
        """A chunk in flight goes once more, with the I bit, and stays counted as it is."""
        self._counters.tail_probes += 1
        chunk.retransmits += 1
        if chunk.tsn == self.timed_tsn:
            self.timed_tsn = _NOTHING
        if self.rack is not None:
            self.rack.resent(chunk, now)
        wire = chunk.wire
        return wire[:1] + bytes([wire[1] | IMMEDIATE]) + wire[2:]

    # -- giving up (RFC 3758) ----------------------------------------------------------------------------------------

    def _give_up_if_due(self, chunk: SentChunk, now: float) -> None:
        message = chunk.message
        if self.partial_reliability and (0 <= message.max_retransmits <= chunk.retransmits or message.expires <= now):
            self.abandon(message)

    def abandon(self, message: OutgoingMessage) -> None:
        """Give a message up: nothing of it departs any more, and what departed is not sent again."""
        if message.abandoned:
            return
        self._counters.messages_abandoned += 1
        begun = message.offset > 0
        unsent = self._queue.remove(message) if message.offset < message.size else 0
        if begun:
            message.abandoned = True
            if unsent:
                self.outstanding.add_abandoned(message)
            self.outstanding.abandon(message)
            self._abandoned_to = max(self._abandoned_to, message.last_tsn)
        if unsent:
            self._gate.released(message.stream, unsent)

    def expire_messages(self, now: float) -> None:
        """Give up what outlived its lifetime before it had wholly departed."""
        for message in self._queue.expired(now):
            if self.partial_reliability:
                self.abandon(message)
        self._move_peer_point()
        if len(self.outstanding):
            self.departed(now)

    def _move_peer_point(self) -> None:
        """Advance over what was given up (RFC 3758 section 3.5, rules C1 to C3), and tell the peer."""
        outstanding = self.outstanding
        point = self._peer_point
        if point <= outstanding.cumulative:
            point = outstanding.cumulative
            self._skips.clear()
            self._forward_due = False
        if len(outstanding):
            # The walk stops at the first chunk that still counts; what it passed is never walked again.
            start = point + 1
            while chunks := outstanding.span(start, start + 16):
                for chunk in chunks:
                    message = chunk.message
                    if not message.abandoned:
                        break
                    if chunk.tsn < message.stream.begins_at:
                        pass  # the stream was reset behind it: there is no number left to skip
                    elif self.interleaving:
                        kind = message.stream.number << 1 | bool(message.flags & UNORDERED)
                        if kind not in self._skips and 8 * len(self._skips) + 8 > self._skip_room:
                            break
                        self._skips[kind] = message.ssn
                    elif not message.flags & UNORDERED:
                        number = message.stream.number
                        if number not in self._skips and 4 * len(self._skips) + 4 > self._skip_room:
                            break
                        self._skips[number] = message.ssn
                    point = chunk.tsn
                else:
                    start = point + 1
                    continue
                break
        self._peer_point = point
        if point > outstanding.cumulative:
            self._forward_due = True

    def stream_begins(self, stream: OutgoingStream) -> None:
        """The stream was reset: numbers from before mean nothing to the peer, or the wrong messages."""
        stream.begins_at = self.outstanding.next_tsn
        number = stream.number
        for key in (number << 1, number << 1 | 1) if self.interleaving else (number,):
            self._skips.pop(key, None)

    def take_forward(self, room: int) -> bytes | None:
        """The FORWARD-TSN chunk that is due, once, if it fits into ``room`` bytes; it always fits into a packet."""
        each = 8 if self.interleaving else 4
        if not self._forward_due or FORWARD_OVERHEAD + each * len(self._skips) > room:
            return None
        self._forward_due = False
        if self.interleaving:
            skips = [(kind >> 1, bool(kind & 1), mid) for kind, mid in self._skips.items()]
            return IForwardTsnChunk(self._peer_point & MASK32, skips).encode()
        return ForwardTsnChunk(self._peer_point & MASK32, list(self._skips.items())).encode()

    @property
    def watching(self) -> bool:
        """Whether T3 runs: then it counts what is not answered, and nobody beside it."""
        return self.t3_at != inf

    @property
    def waiting(self) -> bool:
        """Whether a FORWARD-TSN, a lost chunk or a probe may be waiting."""
        return (
            self._forward_due
            or bool(self.outstanding.lost)
            or (self.tail is not None and self.tail.waiting is not None)
        )

    @property
    def in_flight(self) -> bool:
        """Whether anything is in flight; for tests and statistics."""
        return any(chunk.state == IN_FLIGHT for chunk in self.outstanding.span(0, self.outstanding.next_tsn))
