"""The write gate: byte budgets, and the memory of refusals (``docs/explanation/liveness.md``, rules L2, L3, L6).

Admission is asked here, and *every* byte that leaves the queue, by whatever route (departure, abandonment, stream
reset, shutdown, restart), is told here, in :meth:`Gate.released`. That is the one release point:

* blocking mode: the gate is open when the queue of the whole association is empty;
* otherwise: while the association's queue is below its budget and the stream's below its own.

A message is taken whole while there is any room at all, so a message larger than a budget is not refused for ever, and
a budget is passed by at most one message. A refusal is remembered once per stream, in the order of the refusals, and
answered by exactly one ``Writable``: as many of the waiting, first come first served, as the room is good for by the
size that each was refused for, and all of them when the queue is empty. So a release costs what it wakes, and nobody
waits for somebody who went away without writing.
"""

from __future__ import annotations

from pystack.sctp.options import AssociationOptions
from pystack.sctp.outbox import Outbox
from pystack.sctp.tx.send_queue import OutgoingStream

__all__ = ["Gate"]


class Gate:
    """Numbers only; nothing waits in here.

    Attributes:
        queued: user bytes of the association that were admitted and have not left the queue.
    """

    __slots__ = ("_blocking", "_budget", "_outbox", "_stream_budget", "_waiting", "queued")

    def __init__(self, options: AssociationOptions, outbox: Outbox) -> None:
        self._budget = options.send_buffer
        self._stream_budget = options.stream_send_buffer
        self._blocking = options.blocking_writes
        self._outbox = outbox
        self._waiting: dict[OutgoingStream, int] = {}
        self.queued = 0

    def admit(self, stream: OutgoingStream, size: int) -> bool:
        """Ask for ``size`` bytes; on ``True`` they are counted, on ``False`` the refusal is remembered."""
        if (
            self.queued < self._budget and stream.queued < self._stream_budget
            if not self._blocking
            else self.queued == 0
        ):
            self.queued += size
            stream.queued += size
            return True
        self._waiting.setdefault(stream, size)
        return False

    def released(self, stream: OutgoingStream, size: int) -> None:
        """``size`` bytes of ``stream`` left the queue, by any route."""
        self.queued -= size
        before = stream.queued
        stream.queued = after = before - size
        if after <= stream.low_threshold < before:
            self._outbox.events.append(stream.low_event)
        if self._waiting:
            self._answer()

    def _answer(self) -> None:
        room = self._budget - self.queued
        empty = self.queued == 0
        if not empty and (self._blocking or room <= 0):
            return
        answered: list[OutgoingStream] = []
        for stream, size in self._waiting.items():
            if not empty:
                if room <= 0:
                    break
                if stream.queued >= self._stream_budget:
                    continue
                room -= size
            answered.append(stream)
        for stream in answered:
            del self._waiting[stream]
            self._outbox.events.append(stream.writable_event)

    def open_for_good(self) -> None:
        """Answer every refusal now: no more will be admitted, and whoever waits is to find that out."""
        for stream in self._waiting:
            self._outbox.events.append(stream.writable_event)
        self._waiting.clear()

    def forget(self) -> None:
        """The association ended, and ``Ended`` answers every refusal."""
        self._waiting.clear()
        self.queued = 0
