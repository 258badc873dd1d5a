"""Records the arrival of every packet of the transport, and feeds it back to the sender's congestion control.

draft-holmer-rmcat-transport-wide-cc-extensions-01; when to send is requirements C-12: more than 20 packets held and
100 ms since the last, or more than 100 held, or a marker and 50 ms. Beyond that rule, packets held for a second are
sent anyway, so that a stream that falls silent is not left unanswered. Called by the session for each packet,
authentic replays included, because clients probe with old packets.
"""

from __future__ import annotations

from math import inf
from typing import Final

from pystack.rtp.rtcp.transport import TICK, TICKS_PER_REFERENCE, TransportFeedback

__all__ = ["TransportFeedbackRecorder"]

ENOUGH: Final = 20
MANY: Final = 100
INTERVAL: Final = 0.100
MARKER_INTERVAL: Final = 0.050
SILENCE: Final = 1.0
REMEMBERED: Final = 1024
MAX_JUMP: Final = 8192
MAX_STATUSES: Final = 1024  # with the next, a packet stays below 1,200 bytes
MAX_ARRIVALS: Final = 400


class TransportFeedbackRecorder:
    """Arrival times by extended transport-wide sequence number.

    Attributes:
        deadline: when held packets are sent without another one coming; ``inf`` when none is held.
        media_ssrc: the stream of the last packet; feedback names it.
        ready: whether :meth:`build` has something that should go now.
    """

    __slots__ = (
        "_arrivals",
        "_count",
        "_highest",
        "_last_sent",
        "_new",
        "_next",
        "deadline",
        "media_ssrc",
        "ready",
    )

    def __init__(self) -> None:
        # Reported arrivals are remembered for a while: a late packet is reported with all that is known around it.
        self._arrivals: dict[int, float] = {}
        self._new: list[int] = []
        self._highest = -1
        self._next = -1
        self._count = 0
        self._last_sent = -inf
        self.deadline = inf
        self.media_ssrc = 0
        self.ready = False

    def record(self, sequence_number: int, now: float, ssrc: int, marker: bool) -> None:
        """The packet with this transport-wide number came. Hot."""
        if self._highest < 0:
            self._highest = self._next = sequence_number
        ahead = ((sequence_number - self._highest + 0x8000) & 0xFFFF) - 0x8000
        extended = self._highest + ahead
        if ahead > 0:
            if ahead > MAX_JUMP:
                # Not a gap but another beginning: nothing in between was ever sent.
                self._forget()
                self._next = extended
            self._highest = extended
        elif extended in self._arrivals or ahead < -MAX_JUMP:
            return
        self._arrivals[extended] = now
        new = self._new
        new.append(extended)
        self.media_ssrc = ssrc
        if len(new) == 1:
            self.deadline = now + SILENCE
            if self._last_sent == -inf:
                self._last_sent = now
        if len(new) > ENOUGH:
            waited = now - self._last_sent
            if len(new) > MANY or waited >= INTERVAL or (marker and waited >= MARKER_INTERVAL):
                self.ready = True
            else:
                self.deadline = min(self.deadline, self._last_sent + INTERVAL)
            if len(new) > REMEMBERED:
                self._forget()  # nobody flushes

    def tick(self, now: float) -> None:
        """Make what was held for long enough ready."""
        if now >= self.deadline:
            self.ready = True
            self.deadline = inf

    def build(self, sender_ssrc: int, now: float) -> list[TransportFeedback]:
        """Make the feedback packets of what is held; mostly one."""
        self.ready = False
        self.deadline = inf
        if not self._new:
            return []
        self._last_sent = now
        arrivals = self._arrivals
        first = min(self._next, *self._new)
        self._new.clear()
        known = sorted(number for number in arrivals if number >= first)
        packets: list[TransportFeedback] = []
        at = 0
        base = first
        while at < len(known):
            packet, at = self._build_one(sender_ssrc, base, known, at)
            packets.append(packet)
            base = known[at] if at < len(known) else base
        self._next = self._highest + 1
        while len(arrivals) > REMEMBERED // 2:
            del arrivals[next(iter(arrivals))]
        return packets

    def _build_one(self, sender_ssrc: int, base: int, known: list[int], at: int) -> tuple[TransportFeedback, int]:
        """One packet from ``base`` on, over ``known[at:]`` until a delta or the count does not fit; where it ended."""
        arrivals = self._arrivals
        if known[at] - base >= MAX_STATUSES:
            base = known[at]
        reference = int(arrivals[known[at]] / (TICK * TICKS_PER_REFERENCE))
        ticks = reference * TICKS_PER_REFERENCE
        deltas: list[int | None] = []
        number = base
        stop = min(len(known), at + MAX_ARRIVALS)
        while at < stop and known[at] - base < MAX_STATUSES:
            delta = round(arrivals[known[at]] / TICK) - ticks
            if not -0x8000 <= delta <= 0x7FFF:
                break
            deltas.extend([None] * (known[at] - number))
            deltas.append(delta)
            ticks += delta
            number = known[at] + 1
            at += 1
        self._count = self._count + 1 & 0xFF
        reference = (reference + 0x800000 & 0xFFFFFF) - 0x800000
        packet = TransportFeedback(
            sender_ssrc, self.media_ssrc, base & 0xFFFF, reference, self._count - 1 & 0xFF, deltas
        )
        return packet, at

    def _forget(self) -> None:
        self._arrivals.clear()
        self._new.clear()
        self._next = self._highest + 1
        self.ready = False
        self.deadline = inf
