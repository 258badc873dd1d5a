"""What passed between one socket of ours and one address of the peer in ICE's own messages, for statistics.

A full agent has one :class:`Checks` for each pair that it tried. Owned by the protocol objects of
:mod:`pystack.aio.ice`; read by :mod:`pystack.aio.full`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Checks"]

_PENDING: Final = 16


class Checks:
    """Counts of one pair, without consent, which :class:`pystack.ice.Consent` counts itself.

    Attributes:
        requests_sent: checks, each repetition counted.
        responses_received: authentic answers to them.
        requests_received: authenticated checks of the peer, those for consent among them.
        responses_sent: answers to those, refusals among them.
        round_trip_time: seconds that the last answer took; ``None`` before the first.
        total_round_trip_time: of all answers.
    """

    __slots__ = (
        "_pending",
        "requests_received",
        "requests_sent",
        "responses_received",
        "responses_sent",
        "round_trip_time",
        "total_round_trip_time",
    )

    def __init__(self) -> None:
        self._pending: dict[bytes, float] = {}
        self.requests_sent = self.responses_received = self.requests_received = self.responses_sent = 0
        self.round_trip_time: float | None = None
        self.total_round_trip_time = 0.0

    def asked(self, transaction_id: bytes, now: float) -> None:
        """A request goes out; a repetition is not younger than what it repeats."""
        self.requests_sent += 1
        if transaction_id not in self._pending:
            if len(self._pending) >= _PENDING:
                del self._pending[next(iter(self._pending))]
            self._pending[transaction_id] = now

    def answered(self, transaction_id: bytes, now: float) -> None:
        """Its authentic answer is here."""
        began = self._pending.pop(transaction_id, None)
        if began is not None:
            self.responses_received += 1
            self.round_trip_time = now - began
            self.total_round_trip_time += self.round_trip_time
