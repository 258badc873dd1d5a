"""Departure: which message goes next, and the moment at which it gets its numbers (RFC 9260 sections 6.1, 6.5, 6.9).

Streams take turns message by message, and a message's fragments go together; ``interleaver.py`` is the other form.
Fragments are slices, each as large as a packet allows. A message that needs fragments anyway may begin in the rest of a
packet if at least half of it is free; one that fits into a packet is never cut. Called by the packer, once per chunk:
hot.
"""

from __future__ import annotations

from pystack.sctp.options import AssociationOptions
from pystack.sctp.stats import Counters
from pystack.sctp.tx.congestion import CongestionWindow
from pystack.sctp.tx.gate import Gate
from pystack.sctp.tx.outstanding import SentChunk
from pystack.sctp.tx.retransmit import Retransmitter
from pystack.sctp.tx.rto import RetransmissionTimeout
from pystack.sctp.tx.send_queue import SendQueue
from pystack.sctp.wire.data import BEGIN, DATA_OVERHEAD, END, UNORDERED
from pystack.sctp.wire.fast import MASK32, encode_data

__all__ = ["Scheduler"]


class Scheduler:
    """Turns queued messages into departing chunks.

    Attributes:
        ring: the streams with something to depart, for the packer to see whether there are any.
        last_departure: when the latest new chunk departed; heartbeats and the idle rule want to know.
    """

    __slots__ = (
        "_congestion",
        "_counters",
        "_full",
        "_gate",
        "_retransmitter",
        "_rto",
        "_worth_cutting",
        "last_departure",
        "ring",
    )

    def __init__(
        self,
        options: AssociationOptions,
        queue: SendQueue,
        gate: Gate,
        congestion: CongestionWindow,
        rto: RetransmissionTimeout,
        retransmitter: Retransmitter,
        counters: Counters,
    ) -> None:
        self.ring = queue.ring
        self._gate = gate
        self._congestion = congestion
        self._rto = rto
        self._retransmitter = retransmitter
        self._counters = counters
        self._full = options.max_payload
        self._worth_cutting = options.max_payload // 2
        self.last_departure = 0.0

    def ready(self) -> bool:
        """Whether :meth:`next_chunk` may have something for a full packet. No promise: a message may have expired."""
        outstanding = self._retransmitter.outstanding
        if not self.ring:
            return False
        if outstanding.next_tsn - outstanding.cumulative == 1:
            return True
        if outstanding.flight >= self._congestion.window or self._congestion.allowance <= 0:
            return False
        message = self.ring[0].queue[0]
        size = min(message.size - message.offset, self._full)
        return size <= self._retransmitter.peer_window - outstanding.flight

    def next_chunk(self, room: int, now: float) -> bytes | None:
        """The next new DATA chunk that fits into ``room`` bytes and may go now; it has departed."""
        ring = self.ring
        retransmitter = self._retransmitter
        while ring:
            stream = ring[0]
            message = stream.queue[0]
            if message.expires <= now and retransmitter.partial_reliability:
                retransmitter.expire_messages(now)
                continue
            offset = message.offset
            size = message.size - offset
            if size + DATA_OVERHEAD > room:
                if size <= self._full:
                    return None
                size = (room - DATA_OVERHEAD) & ~3
                if size < self._worth_cutting:
                    return None
            outstanding = retransmitter.outstanding
            flight = outstanding.flight
            tsn = outstanding.next_tsn
            congestion = self._congestion
            if tsn - outstanding.cumulative == 1:
                # Nothing outstanding: one chunk may go whatever the peer's window, to probe it (section 6.1, rule A).
                self.wake_up(now)
            elif flight >= congestion.window or size > retransmitter.peer_window - flight or congestion.allowance <= 0:
                return None
            flags = message.flags
            if not offset:
                flags |= BEGIN
                message.first_tsn = tsn
                if not flags & UNORDERED:
                    message.ssn = stream.next_ssn
                    stream.next_ssn = (message.ssn + 1) & 0xFFFF
            stop = offset + size
            data = message.data
            if stop == message.size:
                flags |= END
                if offset:
                    data = data[offset:]
                message.data = b""  # the fragments keep what is still needed
                stream.queue.popleft()
                if stream.queue:
                    ring.rotate(-1)
                else:
                    ring.popleft()
                self._counters.messages_sent += 1
                self._counters.bytes_sent += stop
            else:
                data = data[offset:stop]
            wire = encode_data(flags, tsn & MASK32, stream.number, message.ssn, message.ppid, data)
            message.offset = stop
            message.last_tsn = tsn
            outstanding.add(SentChunk(wire, size, message, tsn, now))
            congestion.allowance -= size
            if retransmitter.timed_tsn < 0:
                retransmitter.timed_tsn = tsn
                retransmitter.timed_at = now
            self.last_departure = now
            self._gate.released(stream, size)
            return wire
        return None

    def wake_up(self, now: float) -> None:
        """Data departs after silence: a window from long ago means little."""
        if self.last_departure:
            self._congestion.idled(int((now - self.last_departure) / self._rto.value))
