"""Loss by time: what was sent well before something that has arrived is lost (RACK, RFC 8985 section 6, for TSNs).

Three missing reports need three packets behind the hole, see every reordering as a loss, and cannot tell that a
retransmission was lost again. Here a chunk is lost once another one that was sent later has arrived and a *reordering
window* has passed. The window is a quarter of the smallest round trip; it grows with each needless retransmission that
the peer reports as a duplicate, up to a round trip, and shrinks again. Once reordering was seen, reports are not
counted any more (the caller's part).

Nothing is walked twice: chunks sent once are in the order of their TSNs, and a mark says up to where they are judged;
chunks sent again are in a queue of their own. Without gaps nothing is done at all. Called by ``retransmit.py``.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Final

from pystack.sctp.tx.outstanding import IN_FLIGHT, LOST, Outstanding, SentChunk

__all__ = ["Rack"]

_ORDER: Final = 1e-7
_CALM: Final = 16
"""Recoveries after which a grown window is as at first."""


class Rack:
    """When to take a chunk for lost.

    Attributes:
        at: when the next chunk will have to be judged, ``inf`` for never.
        reordered: packets were seen to overtake each other on this path.
        watching: something is missing or was sent again, so acknowledgements are to be looked at one by one.
        shortest: the smallest round trip measured, seconds; ``inf`` before the first.
    """

    __slots__ = (
        "_calm",
        "_factor",
        "_grown_at",
        "_highest",
        "_judged",
        "_newest",
        "_newest_tsn",
        "_resent",
        "_resent_at",
        "_rtt",
        "at",
        "reordered",
        "shortest",
        "watching",
    )

    def __init__(self) -> None:
        self.reordered = False
        self.shortest = inf
        self._factor = 1
        self._calm = 0
        self._grown_at = -inf
        self._resent: deque[tuple[float, SentChunk]] = deque()
        self.begin(0)

    def begin(self, next_tsn: int) -> None:
        """Nothing below ``next_tsn`` is to be judged: a new association, or T3 took all of it for lost."""
        self.at = inf
        self.watching = False
        self._judged = next_tsn
        self._highest = -1
        self._newest = -inf
        self._newest_tsn = -1
        self._rtt = 0.0
        self._resent_at = -inf
        self._resent.clear()

    def resent(self, chunk: SentChunk, now: float) -> None:
        """A chunk departs again."""
        if now <= self._resent_at:
            now = self._resent_at + _ORDER  # those of one moment departed one after the other, in any order of TSNs
        chunk.sent_at = now
        self._resent.append((now, chunk))
        self._resent_at = now
        self.watching = True

    def delivered(self, chunks: list[SentChunk], now: float) -> None:
        """These are about to be marked as acknowledged, ascending; what is marked already is passed over."""
        self.watching = True
        for chunk in chunks:
            if chunk.state not in (IN_FLIGHT, LOST):
                continue
            age = now - chunk.sent_at
            if not chunk.retransmits:
                if chunk.tsn < self._highest:
                    self.reordered = True
                else:
                    self._highest = chunk.tsn
            elif age < self.shortest / 2:  # the answer is to what was sent before: that was not lost
                self.reordered = True
                continue
            elif age < self.shortest:
                continue
            if chunk.sent_at > self._newest or (chunk.sent_at == self._newest and chunk.tsn > self._newest_tsn):
                self._newest = chunk.sent_at
                self._newest_tsn = chunk.tsn
                self._rtt = age

    def duplicates_reported(self, now: float, round_trip: float) -> None:
        """The peer got something twice: if we sent it again needlessly, be more patient, once per round trip."""
        if now - self._resent_at < 4 * round_trip and now - self._grown_at >= round_trip:
            self._grown_at = now
            self._factor = min(self._factor + 1, 16)
            self._calm = _CALM

    def recovered(self) -> None:
        """A recovery is over; after enough of them the window is as at first."""
        if self._calm:
            self._calm -= 1
            if not self._calm:
                self._factor = 1

    def window(self, round_trip: float, *, recovering: bool) -> float:
        """The reordering window, seconds."""
        if recovering and not self.reordered:
            return 0.0
        return min(self.shortest / 4 * self._factor, round_trip)

    def detect(self, outstanding: Outstanding, now: float, round_trip: float, *, recovering: bool) -> list[SentChunk]:
        """What is lost by now; :attr:`at` tells when to ask again."""
        self.at = inf
        found: list[SentChunk] = []
        if self._newest == -inf or self.shortest == inf:
            return found
        patience = self._rtt + self.window(round_trip, recovering=recovering)
        start = max(self._judged, outstanding.cumulative + 1)
        going = True
        while going and (chunks := outstanding.span(start, start + 32)):
            for chunk in chunks:
                if chunk.state == IN_FLIGHT and not chunk.retransmits:
                    going = self._judge(chunk, chunk.sent_at, patience, now)
                    if not going:
                        break
                    found.append(chunk)
                start += 1
        self._judged = start
        resent = self._resent
        while resent:
            sent_at, chunk = resent[0]
            if chunk.state == IN_FLIGHT and chunk.sent_at == sent_at:
                # New data of the same moment may have gone before it, in the rest of a packet.
                if sent_at == self._newest or not self._judge(chunk, sent_at, patience, now):
                    break
                found.append(chunk)
            resent.popleft()
        if not outstanding.blocks and not resent:
            self.watching = False
        return found

    def _judge(self, chunk: SentChunk, sent_at: float, patience: float, now: float) -> bool:
        if sent_at > self._newest or (sent_at == self._newest and chunk.tsn > self._newest_tsn):
            return False
        due = sent_at + patience
        if due > now:
            self.at = min(self.at, due)
            return False
        return True
