"""Writers that wait for room, in the order in which they came.

The rules of ``docs/explanation/architecture.md`` on waiting, in one place: only the head of the queue asks the core
(FIFO), and it asks in its own task. So who was cancelled, or timed out, has not been taken, not even when that and the
room came in one turn of the loop; whoever leaves the head passes the baton on, and no wake-up is lost. A changed
deadline counts for those who wait already; the end releases everybody in one turn, each with an exception of its own.

Sans-IO but for futures and one timer handle per *parked* writer. Used by the data channel facade.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice
from math import inf
from typing import Final

from pystack.errors import Closed, Reason

__all__ = ["ParkedWriters"]

Payload = bytes | str

_AT_ONCE: Final = 32
"""Writers that are woken together, so that what they write shares packets; the head asks first all the same."""


def _nothing_more() -> str:
    return "the write deadline has passed"


class _Writer:
    """A place in the queue. The bell is a bell and no more: who is rung looks for himself why."""

    __slots__ = ("bell", "deadline", "late", "timer")

    def __init__(self, bell: asyncio.Future[None], deadline: float) -> None:
        self.bell = bell
        self.deadline = deadline
        self.late = False
        self.timer: asyncio.TimerHandle | None = None

    def ring(self) -> None:
        if not self.bell.done():
            self.bell.set_result(None)


class ParkedWriters:
    """A FIFO of writers behind one gate.

    Args:
        send: asks the core to take a message; false is a refusal that will be answered by one call of :meth:`serve`.
        why_late: says, when a deadline has passed, whose it was and where the thing stands.
    """

    def __init__(self, send: Callable[[Payload], bool], why_late: Callable[[], str] = _nothing_more) -> None:
        self._send = send
        self._why_late = why_late
        self._queue: deque[_Writer] = deque()
        self._shared_deadline = inf
        self._refused = False
        self._end: tuple[str, Reason] | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def offer(self, data: Payload) -> bool:
        """Try to write now; false when others wait already or the core refuses."""
        return not self._queue and self._ask(data)

    async def park(self, data: Payload | None, deadline: float) -> None:
        """Wait behind the others until ``data`` is taken; ``None`` waits for room alone.

        Raises:
            TimeoutError: ``deadline``, or the shared one, has passed; nothing was taken.
            Closed: the channel ended; nothing was taken.
        """
        loop = asyncio.get_running_loop()
        writer = _Writer(loop.create_future(), deadline)
        self._queue.append(writer)
        try:
            self._arm(writer)
            while True:
                await writer.bell
                writer.bell = loop.create_future()
                if self._end is not None:
                    raise Closed.because(*self._end)
                if writer.late:
                    raise TimeoutError(self._why_late())
                if self._queue[0] is writer and self._ask(data):
                    return
        finally:
            if writer.timer is not None:
                writer.timer.cancel()
            self._leave(writer)

    def set_deadline(self, deadline: float) -> None:
        """Set the deadline that all writers share, those who wait already included; ``inf`` for none."""
        self._shared_deadline = deadline
        for writer in self._queue:
            self._arm(writer)

    @property
    def blocked(self) -> bool:
        """Tell whether a write would have to wait: the core refused, or others wait already."""
        return self._refused or bool(self._queue)

    @property
    def expired(self) -> bool:
        """Tell whether the shared deadline has passed."""
        return self._shared_deadline != inf and asyncio.get_running_loop().time() >= self._shared_deadline

    def serve(self) -> None:
        """The core says that there is room: those in front ask, in this turn of the loop, in their order."""
        self._refused = False
        for writer in islice(self._queue, _AT_ONCE):
            writer.ring()

    def terminate(self, what: str, reason: Reason) -> None:
        """The end: everybody hears it in this turn of the loop. The first reason stays."""
        if self._end is None:
            self._end = (what, reason)
            for writer in self._queue:
                writer.ring()

    def _ask(self, data: Payload | None) -> bool:
        """Ask the core, unless it owes an answer."""
        if self._refused:
            return False
        if data is None or self._send(data):
            return True
        self._refused = True
        return False

    def _arm(self, writer: _Writer) -> None:
        if writer.timer is not None:
            writer.timer.cancel()
            writer.timer = None
        at = min(writer.deadline, self._shared_deadline)
        if at != inf:
            writer.timer = asyncio.get_running_loop().call_at(at, self._expire, writer)

    def _expire(self, writer: _Writer) -> None:
        writer.late = True
        writer.ring()

    def _leave(self, writer: _Writer) -> None:
        was_head = self._queue[0] is writer
        self._queue.remove(writer)
        # The core may have said that there is room to a head that has now left: the next one asks.
        if was_head and self._queue and not self._refused:
            self._queue[0].ring()
