"""The ring of the priority scheduler: who has something to send, the most urgent first (RFC 8260 section 3.6).

It behaves as the plain ring does, which gives everybody a turn, except for where a stream is put: behind all that are
as urgent and before all that are less. Called by the send queue and the schedulers, which do not know the difference.
"""

from __future__ import annotations

from collections import deque

from pystack.sctp.tx.send_queue import OutgoingStream

__all__ = ["PriorityRing"]


class PriorityRing(deque[OutgoingStream]):
    """Streams in the order of their priority, the lowest number first, equals in turn.

    Attributes:
        cuts_in: a stream may go before one whose message has begun to depart. Only with interleaving: without it the
            fragments of a message have consecutive TSNs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cuts_in = False

    def append(self, stream: OutgoingStream) -> None:
        """Put a stream where its priority says."""
        at = len(self)
        while at and self[at - 1].priority > stream.priority:
            at -= 1
        if at == 0 and self and not self.cuts_in and self[0].queue[0].offset:
            at = 1
        self.insert(at, stream)

    def rotate(self, n: int = 1) -> None:
        """The first had its turn; only ``-1`` is ever asked for."""
        assert n == -1
        self.append(self.popleft())

    def move(self, stream: OutgoingStream) -> None:
        """The priority of a stream changed; a message that may not be cut into is finished first."""
        if stream in self and (self.cuts_in or not stream.queue[0].offset):
            self.remove(stream)
            self.append(stream)
