"""What the user has handed in and what has not departed: one queue per stream (RFC 9260 section 6.1).

Nothing here has a sequence number: TSN and SSN are assigned at departure, so a message that is refused, expires or is
thrown away leaves no hole. Each message stays whole until it departs; fragments are slices of it.
"""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from math import inf

from pystack.sctp.events import BufferedAmountLow, Writable

__all__ = ["OutgoingMessage", "OutgoingStream", "SendQueue"]


class OutgoingMessage:
    """One user message on its way out.

    Attributes:
        offset: bytes that have departed.
        flags: ``UNORDERED`` or 0.
        ssn: stream sequence number, or message identifier when interleaving; assigned when the first fragment departs.
        fsn: number of the next fragment; only when interleaving.
        max_retransmits: how often a fragment may be sent again; -1 for no limit.
        expires: absolute time after which it is given up; ``inf`` for never.
        abandoned: given up after some of it departed.
        first_tsn, last_tsn: the TSNs of what departed, plain; ``last_tsn`` is ``first_tsn - 1`` before any has.
    """

    __slots__ = (
        "abandoned",
        "data",
        "expires",
        "first_tsn",
        "flags",
        "fsn",
        "last_tsn",
        "max_retransmits",
        "offset",
        "ppid",
        "size",
        "ssn",
        "stream",
    )

    fsn: int

    def __init__(
        self, stream: OutgoingStream, data: bytes, ppid: int, flags: int, max_retransmits: int, expires: float
    ) -> None:
        self.stream = stream
        self.data = data
        self.size = len(data)
        self.ppid = ppid
        self.flags = flags
        self.max_retransmits = max_retransmits
        self.expires = expires
        self.offset = 0
        self.ssn = 0
        self.abandoned = False
        self.first_tsn = 0
        self.last_tsn = -1


class OutgoingStream:
    """One outgoing stream.

    Attributes:
        number: the stream identifier.
        queue: messages that have not wholly departed; only the first can have begun to.
        held: messages that came after a reset was asked for; they wait until it is done.
        queued: bytes of both that have not departed.
        next_ssn: for the next ordered message; its message identifier when interleaving.
        next_unordered: message identifier for the next unordered message; only when interleaving.
        begins_at: the first TSN, plain, that may carry something since the stream was reset last.
        priority: the lowest goes first, with the priority scheduler.
        low_threshold: see ``Association.set_low_threshold``.
        resetting: a reset was asked for and is not done.
        low_event, writable_event: made once, because they are told often.
    """

    __slots__ = (
        "begins_at",
        "held",
        "low_event",
        "low_threshold",
        "next_ssn",
        "next_unordered",
        "number",
        "priority",
        "queue",
        "queued",
        "resetting",
        "writable_event",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.queue: deque[OutgoingMessage] = deque()
        self.held: deque[OutgoingMessage] = deque()
        self.queued = 0
        self.next_ssn = 0
        self.next_unordered = 0
        self.begins_at = 0
        self.priority = 256
        self.low_threshold = 0
        self.resetting = False
        self.low_event = BufferedAmountLow(number)
        self.writable_event = Writable(number)


class SendQueue:
    """All streams, and the ring of those that have something to send.

    Attributes:
        ring: streams with a message to depart, the next one first; see ``scheduler.py``.
    """

    __slots__ = ("_expiring", "_order", "_streams", "ring")

    def __init__(self, ring: deque[OutgoingStream] | None = None) -> None:
        self._streams: dict[int, OutgoingStream] = {}
        self._expiring: list[tuple[float, int, OutgoingMessage]] = []
        self._order = 0
        self.ring: deque[OutgoingStream] = deque() if ring is None else ring

    def stream(self, number: int) -> OutgoingStream:
        """The stream of that number, made when it is first asked for."""
        found = self._streams.get(number)
        if found is None:
            found = self._streams[number] = OutgoingStream(number)
        return found

    def known(self, number: int) -> OutgoingStream | None:
        """The stream of that number if it was ever used."""
        return self._streams.get(number)

    def streams(self) -> list[OutgoingStream]:
        """Every stream that was ever used."""
        return list(self._streams.values())

    def put(self, message: OutgoingMessage) -> None:
        """Append an admitted message to its stream."""
        stream = message.stream
        if stream.resetting:
            stream.held.append(message)
        else:
            if not stream.queue:
                self.ring.append(stream)
            stream.queue.append(message)
        if message.expires != inf:
            self._order += 1
            heappush(self._expiring, (message.expires, self._order, message))
            if len(self._expiring) > 64 and len(self._expiring) > 4 * self._count_expiring():
                self._expiring = [entry for entry in self._expiring if entry[2].offset < entry[2].size]
                heapify(self._expiring)

    def _count_expiring(self) -> int:
        # Only asked when the heap is at a power of two, so that the count is amortised over the pushes.
        if len(self._expiring) & (len(self._expiring) - 1):
            return len(self._expiring)
        return sum(entry[2].offset < entry[2].size for entry in self._expiring)

    def remove(self, message: OutgoingMessage) -> int:
        """Take a message out before it has wholly departed; return how many of its bytes had not."""
        stream = message.stream
        left = message.size - message.offset
        if stream.queue and stream.queue[0] is message:
            stream.queue.popleft()
        elif message in stream.queue:
            stream.queue.remove(message)
        elif message in stream.held:
            stream.held.remove(message)
            return self._close(message, left)
        else:
            return 0
        if not stream.queue:
            self.ring.remove(stream)
        return self._close(message, left)

    @staticmethod
    def _close(message: OutgoingMessage, left: int) -> int:
        message.offset = message.size
        message.data = b""
        return left

    def release_held(self, stream: OutgoingStream) -> None:
        """The stream's reset is over, one way or the other: what was held may go."""
        stream.resetting = False
        if stream.held:
            if not stream.queue:
                self.ring.append(stream)
            stream.queue.extend(stream.held)
            stream.held.clear()

    @property
    def next_expiry(self) -> float:
        """When the earliest limited message still in the queue expires; ``inf`` if there is none."""
        heap = self._expiring
        while heap and heap[0][2].offset >= heap[0][2].size:
            heappop(heap)
        return heap[0][0] if heap else inf

    def expired(self, now: float) -> list[OutgoingMessage]:
        """The messages whose time is over, still in the queue; the caller gives them up."""
        found: list[OutgoingMessage] = []
        heap = self._expiring
        while heap and (heap[0][0] <= now or heap[0][2].offset >= heap[0][2].size):
            message = heappop(heap)[2]
            if message.offset < message.size:
                found.append(message)
        return found

    def clear(self) -> None:
        """Forget everything; the association ended."""
        self._streams.clear()
        self._expiring.clear()
        self.ring.clear()
