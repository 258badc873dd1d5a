"""What was sent and is not cumulatively acknowledged (RFC 9260 sections 6.2.1, 6.3.3 and 7.2.4).

A list in the order of TSNs with a moving head: a TSN is an index, so nothing is searched. A SACK costs what it newly
says: the chunks that it newly acknowledges, and the gap blocks that differ from the last SACK's. A chunk below a
newly acknowledged one is a *suspect* until it was reported missing three times; each is looked at a bounded number of
times whatever the size of the flight.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from pystack.sctp.tx.send_queue import OutgoingMessage

__all__ = ["ABANDONED", "ACKED", "IN_FLIGHT", "LOST", "NOT_AGAIN", "Blocks", "Outstanding", "SentChunk", "subtract"]

IN_FLIGHT: Final = 0
ACKED: Final = 1
LOST: Final = 2
ABANDONED: Final = 3

_REPORTS: Final = 3
NOT_AGAIN: Final = -1

Blocks = list[tuple[int, int]]
"""Half-open ranges of plain TSNs, ascending and disjoint."""


class SentChunk:
    """One DATA chunk after its departure.

    Attributes:
        wire: the encoded chunk, sent again as it is.
        size: user bytes.
        message: what it is a part of.
        tsn: plain.
        state: IN_FLIGHT, ACKED (by a gap block), LOST (to be sent again) or ABANDONED.
        missing: how often it was reported missing; -1 once it was fast retransmitted.
        retransmits: how often it was sent again.
        sent_at: when it departed last.
    """

    __slots__ = ("message", "missing", "retransmits", "sent_at", "size", "state", "tsn", "wire")

    def __init__(self, wire: bytes, size: int, message: OutgoingMessage, tsn: int, sent_at: float = 0.0) -> None:
        self.wire = wire
        self.size = size
        self.message = message
        self.tsn = tsn
        self.sent_at = sent_at
        self.state = IN_FLIGHT
        self.missing = 0
        self.retransmits = 0


def subtract(left: Blocks, right: Blocks) -> Blocks:
    """The parts of ``left`` that are not in ``right``; one walk over both."""
    rest: Blocks = []
    at = 0
    for start, stop in left:
        while at < len(right) and right[at][1] <= start:
            at += 1
        look = at
        while start < stop:
            if look == len(right) or right[look][0] >= stop:
                rest.append((start, stop))
                break
            if right[look][0] > start:
                rest.append((start, right[look][0]))
            start = right[look][1]
            look += 1
    return rest


class Outstanding:
    """The chunks between the cumulative TSN and the next one to be assigned.

    Attributes:
        cumulative: highest TSN that the peer has acknowledged with all before it; plain.
        next_tsn: the next to be assigned; plain.
        flight: user bytes in flight.
        lost: chunks to be sent again, roughly in order; entries that are not LOST any more are skipped.
        blocks: the gap blocks of the last SACK.
    """

    __slots__ = ("_chunks", "_head", "_scanned", "_suspects", "blocks", "cumulative", "flight", "lost", "next_tsn")

    def __init__(self, initial_tsn: int) -> None:
        self._chunks: list[SentChunk] = []
        self._head = 0
        self._suspects: list[SentChunk] = []
        self._scanned = initial_tsn
        self.cumulative = initial_tsn - 1
        self.next_tsn = initial_tsn
        self.flight = 0
        self.lost: deque[SentChunk] = deque()
        self.blocks: Blocks = []

    def __len__(self) -> int:
        """Chunks that are not cumulatively acknowledged."""
        return self.next_tsn - self.cumulative - 1

    def add(self, chunk: SentChunk) -> None:
        """A chunk with the TSN ``next_tsn`` departs."""
        self._chunks.append(chunk)
        self.next_tsn += 1
        self.flight += chunk.size

    def add_abandoned(self, message: OutgoingMessage) -> None:
        """Give an abandoned message one more TSN, so that there is something to skip even if all else was acked."""
        chunk = SentChunk(b"", 0, message, self.next_tsn)
        chunk.state = ABANDONED
        message.last_tsn = self.next_tsn
        self._chunks.append(chunk)
        self.next_tsn += 1

    def span(self, start: int, stop: int) -> list[SentChunk]:
        """The outstanding chunks with TSNs in ``[start, stop)``, cut to what is there."""
        first = self.cumulative + 1
        offset = self._head - first
        return self._chunks[(start if start > first else first) + offset : (stop if stop > first else first) + offset]

    def advance(self, count: int) -> int:
        """The cumulative TSN moves by ``count``; return the bytes that this newly acknowledges."""
        chunks = self._chunks
        stop = self._head + count
        acked = 0
        flight = self.flight
        for chunk in chunks[self._head : stop]:
            state = chunk.state
            if state == IN_FLIGHT:
                acked += chunk.size
                flight -= chunk.size
                chunk.state = ACKED
            elif state == LOST:
                acked += chunk.size
                chunk.state = ACKED
        self.flight = flight
        self.cumulative += count
        if stop == len(chunks):
            chunks.clear()
            self._head = 0
            self._suspects.clear()
            self.lost.clear()
        elif stop >= 64 and 2 * stop >= len(chunks):
            del chunks[:stop]
            self._head = 0
        else:
            self._head = stop
        return acked

    def acknowledge(self, chunks: list[SentChunk]) -> int:
        """Mark what newly arrived out of order; return the bytes newly acknowledged. Clears no block by itself."""
        acked = 0
        for chunk in chunks:
            if chunk.state == IN_FLIGHT:
                acked += chunk.size
                self.flight -= chunk.size
                chunk.state = ACKED
            elif chunk.state == LOST:
                acked += chunk.size
                chunk.state = ACKED
        return acked

    def take_back(self, reneged: Blocks) -> None:
        """The peer dropped what it had reported (RFC 9260 section 6.2.1): outstanding again."""
        for start, stop in reneged:
            for chunk in self.span(start, stop):
                if chunk.state == ACKED and chunk.message.abandoned:
                    chunk.state = ABANDONED
                elif chunk.state == ACKED:
                    chunk.state = IN_FLIGHT
                    chunk.missing = 0
                    self.flight += chunk.size
                    self._suspects.append(chunk)

    def suspect_below(self, highest: int, fresh: int) -> None:
        """Everything in flight below ``highest``, a TSN that has arrived, may be missing from now on.

        ``fresh`` is the first TSN that was newly acknowledged out of order, if those are in one piece: when it
        is the next to be looked at, nothing from there on to ``highest`` is in flight.
        """
        if fresh == self._scanned:
            self._scanned = highest + 1
        elif highest >= self._scanned:
            for chunk in self.span(self._scanned, highest):
                if chunk.state == IN_FLIGHT and chunk.missing >= 0:
                    self._suspects.append(chunk)
            self._scanned = highest + 1

    def report_missing(self, below: int) -> list[SentChunk]:
        """A SACK reported what is missing below ``below``; return those for which it was the third time."""
        if not self._suspects:
            return []
        found: list[SentChunk] = []
        keep: list[SentChunk] = []
        for chunk in self._suspects:
            if chunk.state != IN_FLIGHT or chunk.missing < 0:
                continue  # acknowledged, or taken for lost by another rule
            if chunk.tsn < below:
                chunk.missing += 1
                if chunk.missing >= _REPORTS:
                    chunk.missing = NOT_AGAIN
                    found.append(chunk)
                    continue
            keep.append(chunk)
        self._suspects = keep
        return found

    def lose(self, chunk: SentChunk) -> None:
        """A chunk in flight is taken for lost and waits to be sent again."""
        chunk.state = LOST
        self.flight -= chunk.size
        self.lost.append(chunk)

    def lose_all(self) -> list[SentChunk]:
        """T3: everything not acknowledged is taken for lost (section 6.3.3, rule E3); return it, in order."""
        found = [chunk for chunk in self._chunks[self._head :] if chunk.state in (IN_FLIGHT, LOST)]
        for chunk in found:
            chunk.state = LOST
            chunk.missing = 0
        self.flight = 0
        self.lost = deque(found)
        self._suspects.clear()
        return found

    def resend(self, chunk: SentChunk) -> None:
        """A lost chunk is in flight again."""
        chunk.state = IN_FLIGHT
        chunk.retransmits += 1
        self.flight += chunk.size
        if chunk.missing >= 0 and chunk.tsn < self._scanned:
            self._suspects.append(chunk)

    def abandon(self, message: OutgoingMessage) -> None:
        """Give up all that departed of a message; what was acknowledged stays so."""
        for chunk in self.span(message.first_tsn, message.last_tsn + 1):
            if chunk.message is message and chunk.state != ACKED:
                if chunk.state == IN_FLIGHT:
                    self.flight -= chunk.size
                chunk.state = ABANDONED
