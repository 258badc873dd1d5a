"""Flights: messages that are sent, and sent again, together (RFC 6347 section 4.2.4).

A flight is repeated as a whole when its timer expires, and when the peer repeats the flight that it answers, which is
how the peer says that ours was lost. The last flight of a handshake has no timer: only the peer's repetition brings it
back. Records are built when they leave, each time with new record numbers, in datagrams that are filled up to the MTU:
several records in one, a message that does not fit in several (RFC 6347 section 4.2.3).

Deviation from RFC 6347 section 4.2.4.1: the wait starts at 0.2 s and stops doubling at 4 s by default, because in
WebRTC ICE has shown that the path works and has measured it; browsers start at 50 ms. Called by the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from pystack.base import Backoff, TimerSet
from pystack.dtls.options import DtlsOptions
from pystack.dtls.records import PlainWriter, Writer
from pystack.dtls.wire.handshake import MESSAGE_HEADER_SIZE, pack_message_header
from pystack.dtls.wire.record import CHANGE_CIPHER_SPEC, HANDSHAKE

__all__ = ["FLIGHT_TIMER", "ChangeCipherSpec", "Flights", "Outgoing"]

FLIGHT_TIMER = "flight"
_SMALLEST_PIECE = 64
"""A message that needs more than one datagram anyway starts in the present one if that has room for this much."""


class Outgoing(NamedTuple):
    """A handshake message to send. ``epoch`` is 0, or 1 for a Finished."""

    epoch: int
    kind: int
    sequence: int
    body: bytes


class ChangeCipherSpec(NamedTuple):
    """The mark between the epochs; no handshake message, so it has no number."""


class Flights:
    """The flight that was sent last, and when to send it again.

    Attributes:
        pending: it should leave at the next opportunity.
        repetitions: how often any flight was sent again.
    """

    __slots__ = (
        "_answered",
        "_backoff",
        "_items",
        "_mtu",
        "_sent_at",
        "_spacing",
        "_timers",
        "_wait",
        "pending",
        "repetitions",
    )

    def __init__(self, options: DtlsOptions, timers: TimerSet) -> None:
        self._timers = timers
        self._mtu = options.mtu
        self._spacing = options.repeat_spacing
        self._backoff = Backoff(options.retransmit_initial, options.retransmit_maximum)
        self._wait = 0.0
        self._items: Sequence[Outgoing | ChangeCipherSpec] = ()
        self._answered = 0
        self._sent_at = -inf
        self.pending = False
        self.repetitions = 0

    def begin(self, items: Sequence[Outgoing | ChangeCipherSpec], answered: int, now: float, *, timed: bool) -> None:
        """Replace the flight.

        Args:
            items: what to send, in order.
            answered: it answers the peer's messages below this number.
            now: seconds.
            timed: whether an answer is expected.
        """
        self._items = items
        self._answered = answered
        self._sent_at = now
        self._backoff.reset()
        self.pending = True
        if timed:
            self._arm(now)
        else:
            self._timers.cancel(FLIGHT_TIMER)

    def _arm(self, now: float) -> None:
        self._wait = self._backoff.next()
        self._timers.set(FLIGHT_TIMER, now + self._wait)

    def handle_timeout(self, now: float) -> None:
        """The timer expired without an answer."""
        self._repeat(now)
        self._arm(now)

    def handle_repetition(self, sequence: int, next_sequence: int, now: float) -> None:
        """The peer repeated message ``sequence``; the one expected from it next is ``next_sequence``.

        If that message belongs to what our flight answered, and nothing newer has come, our flight was lost.
        """
        if sequence < self._answered == next_sequence:
            self.repeat(now)

    def repeat(self, now: float) -> None:
        """Send the flight again, unless it was sent a moment ago."""
        if now < self._sent_at + self._spacing:
            return
        self._repeat(now)
        if self._timers.armed(FLIGHT_TIMER):
            self._timers.set(FLIGHT_TIMER, now + self._wait)

    def _repeat(self, now: float) -> None:
        self._sent_at = now
        self.pending = True
        self.repetitions += 1

    def forget(self) -> None:
        """The peer has everything: nothing is to be repeated any more."""
        self._items = ()
        self.pending = False
        self._timers.cancel(FLIGHT_TIMER)

    def build(self, plain: PlainWriter, protected: Writer | None) -> list[bytes]:
        """The flight as datagrams with fresh record numbers."""
        self.pending = False
        datagrams: list[bytes] = []
        parts: list[bytes] = []
        room = self._mtu

        def close() -> None:
            nonlocal parts, room
            datagrams.append(b"".join(parts))
            parts, room = [], self._mtu

        for item in self._items:
            if isinstance(item, ChangeCipherSpec):
                record = plain.protect(CHANGE_CIPHER_SPEC, b"\x01")
                if len(record) > room:
                    close()
                parts.append(record)
                room -= len(record)
                continue
            epoch, kind, sequence, body = item
            writer = plain if epoch == 0 else protected
            assert writer is not None, "a flight of epoch 1 begins after its keys are installed"
            overhead = writer.overhead + MESSAGE_HEADER_SIZE
            offset, length = 0, len(body)
            while True:
                rest = length - offset
                space = room - overhead
                if rest > space and parts and (rest <= self._mtu - overhead or space < _SMALLEST_PIECE):
                    close()
                    continue
                size = min(rest, space)
                header = pack_message_header(kind, sequence, length, offset, size)
                record = writer.protect(HANDSHAKE, header + body[offset : offset + size])
                parts.append(record)
                room -= len(record)
                offset += size
                if offset == length:
                    break
        if parts:
            close()
        return datagrams
