"""Departure with interleaving (RFC 8260 section 2.2.2): after each chunk it is another stream's turn.

The second form of the scheduler: the same windows and the same ring, but a message may be interrupted, so a large one
does not hold back small ones of other streams. Messages are numbered by MID, ordered and unordered apart, and their
fragments by FSN.

A receiver can hold only so much of messages that are not whole; were it full of them, nothing could ever move again. So
the begun ones never come to more than half of the window that the peer began with, a single larger one excepted.
Called by the packer, once per chunk, when both sides agreed to interleave: hot.
"""

from __future__ import annotations

from pystack.sctp.options import AssociationOptions
from pystack.sctp.stats import Counters
from pystack.sctp.tx.congestion import CongestionWindow
from pystack.sctp.tx.gate import Gate
from pystack.sctp.tx.outstanding import SentChunk
from pystack.sctp.tx.retransmit import Retransmitter
from pystack.sctp.tx.scheduler import Scheduler
from pystack.sctp.tx.send_queue import OutgoingMessage, OutgoingStream
from pystack.sctp.wire.data import BEGIN, END, UNORDERED
from pystack.sctp.wire.fast import MASK32, encode_idata
from pystack.sctp.wire.idata import IDATA_OVERHEAD

__all__ = ["Interleaver"]


class Interleaver:
    """Turns queued messages into departing I-DATA chunks.

    Attributes:
        budget: bytes of messages that may be begun and unfinished at a time; set when the peer is known.
    """

    __slots__ = (
        "_begun",
        "_congestion",
        "_counters",
        "_full",
        "_gate",
        "_retransmitter",
        "_ring",
        "_scheduler",
        "_worth_cutting",
        "budget",
    )

    def __init__(
        self,
        options: AssociationOptions,
        gate: Gate,
        congestion: CongestionWindow,
        retransmitter: Retransmitter,
        scheduler: Scheduler,
        counters: Counters,
    ) -> None:
        self._ring = scheduler.ring
        self._scheduler = scheduler
        self._gate = gate
        self._congestion = congestion
        self._retransmitter = retransmitter
        self._counters = counters
        self._full = options.capacity - IDATA_OVERHEAD
        self._worth_cutting = self._full // 2
        self._begun: list[OutgoingMessage] = []
        self.budget = 0

    def next_chunk(self, room: int, now: float) -> bytes | None:
        """The next new I-DATA chunk that fits into ``room`` bytes and may go now; it has departed."""
        ring = self._ring
        retransmitter = self._retransmitter
        full = self._full
        while ring:
            stream = ring[0]
            message = stream.queue[0]
            offset = message.offset
            size = message.size - offset
            if size > full and not offset and not self._may_begin(message):
                stream = self._instead(stream)
                message = stream.queue[0]
                offset = message.offset
                size = message.size - offset
            if message.expires <= now and retransmitter.partial_reliability:
                retransmitter.expire_messages(now)
                continue
            if size + IDATA_OVERHEAD > room:
                if size <= full:
                    return None
                size = (room - IDATA_OVERHEAD) & ~3
                if size < self._worth_cutting:
                    return None
            outstanding = retransmitter.outstanding
            flight = outstanding.flight
            tsn = outstanding.next_tsn
            congestion = self._congestion
            if tsn - outstanding.cumulative == 1:
                self._scheduler.wake_up(now)
            elif flight >= congestion.window or size > retransmitter.peer_window - flight or congestion.allowance <= 0:
                return None
            flags = message.flags
            if offset:
                last = message.fsn
                message.fsn = (last + 1) & MASK32
            else:
                flags |= BEGIN
                last = message.ppid
                message.first_tsn = tsn
                message.fsn = 1
                if flags & UNORDERED:
                    message.ssn = stream.next_unordered
                    stream.next_unordered = (message.ssn + 1) & MASK32
                else:
                    message.ssn = stream.next_ssn
                    stream.next_ssn = (message.ssn + 1) & MASK32
            stop = offset + size
            data = message.data
            message.offset = stop
            if stop == message.size:
                flags |= END
                if offset:
                    data = data[offset:]
                message.data = b""
                stream.queue.popleft()
                if ring[0] is not stream:
                    if not stream.queue:
                        ring.remove(stream)
                elif stream.queue:
                    ring.rotate(-1)
                else:
                    ring.popleft()
                self._counters.messages_sent += 1
                self._counters.bytes_sent += stop
            else:
                data = data[offset:stop]
                if not offset:
                    self._begun.append(message)
                if len(ring) > 1 and ring[0] is stream:
                    ring.rotate(-1)
            wire = encode_idata(flags, tsn & MASK32, stream.number, message.ssn, last, data)
            message.last_tsn = tsn
            outstanding.add(SentChunk(wire, size, message, tsn, now))
            congestion.allowance -= size
            if retransmitter.timed_tsn < 0:
                retransmitter.timed_tsn = tsn
                retransmitter.timed_at = now
            self._scheduler.last_departure = now
            self._gate.released(stream, size)
            return wire
        return None

    def _may_begin(self, message: OutgoingMessage) -> bool:
        """Whether one more message that needs fragments may be under way."""
        if self._begun:
            self._begun = [one for one in self._begun if one.offset < one.size]
        return not self._begun or sum(one.size for one in self._begun) + message.size <= self.budget

    def _instead(self, first: OutgoingStream) -> OutgoingStream:
        """The first stream in turn that can go on without a large message being begun."""
        for stream in self._ring:
            message = stream.queue[0]
            if message.offset or message.size <= self._full:
                return stream
        return first

    def forget(self) -> None:
        """Nothing is begun any more: a restart, or the end."""
        self._begun.clear()
