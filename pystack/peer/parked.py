"""Writers that wait for room, in the order in which they came.

The rules of ``docs/explanation/architecture.md`` on waiting, in one place: only the head of the queue asks the core
(FIFO); what is taken is taken inside the turn of the loop in which room appeared, so no wake-up can be lost and no two
writers pass at once; cancelling or timing out removes a writer and nothing else, because nothing of it was taken; a
changed deadline counts for those who wait already; the end releases everybody in one turn, each with an exception of
its own.

Sans-IO but for futures and one timer handle per *parked* writer. Used by the data channel facade.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf

from pystack.errors import Closed, Reason

__all__ = ["ParkedWriters"]

Payload = bytes | str


class _Writer:
    __slots__ = ("data", "deadline", "done", "timer")

    def __init__(self, data: Payload | None, done: asyncio.Future[None], deadline: float) -> None:
        self.data = data
        self.done = done
        self.deadline = deadline
        self.timer: asyncio.TimerHandle | None = None


class ParkedWriters:
    """A FIFO of writers behind one gate.

    Args:
        send: asks the core to take a message; false is a refusal that will be answered by one call of :meth:`serve`.
    """

    def __init__(self, send: Callable[[Payload], bool]) -> None:
        self._send = send
        self._queue: deque[_Writer] = deque()
        self._shared_deadline = inf
        self._refused = False

    def __len__(self) -> int:
        return len(self._queue)

    def offer(self, data: Payload) -> bool:
        """Try to write now; false when others wait already or the core refuses."""
        if self._queue or self._refused:
            return False
        if self._send(data):
            return True
        self._refused = True
        return False

    async def park(self, data: Payload | None, deadline: float) -> None:
        """Wait behind the others until ``data`` is taken; ``None`` waits for room alone.

        Raises:
            TimeoutError: ``deadline``, or the shared one, has passed; nothing was taken.
            Closed: the channel ended.
        """
        loop = asyncio.get_running_loop()
        writer = _Writer(data, loop.create_future(), deadline)
        self._queue.append(writer)
        self._arm(writer)
        try:
            await writer.done
        except asyncio.CancelledError:
            if writer.done.done() and not writer.done.cancelled():
                writer.done.exception()  # seen: the end and the cancellation came in one turn
            raise
        finally:
            if writer.timer is not None:
                writer.timer.cancel()
            if not writer.done.done() or writer.done.cancelled():
                self._leave(writer)

    def set_deadline(self, deadline: float) -> None:
        """Set the deadline that all writers share, those who wait already included; ``inf`` for none."""
        self._shared_deadline = deadline
        for writer in list(self._queue):
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
        """The core says that there is room: take from the head for as long as it lasts."""
        self._refused = False
        queue = self._queue
        while queue:
            writer = queue[0]
            if writer.done.done():
                queue.popleft()
                continue
            try:
                if writer.data is not None and not self._send(writer.data):
                    self._refused = True
                    return
            except Exception as error:  # what can never be sent is its writer's trouble; the next one asks
                queue.popleft()
                writer.done.set_exception(error)
                continue
            queue.popleft()
            writer.done.set_result(None)

    def terminate(self, what: str, reason: Reason) -> None:
        """The end: everybody hears it in this turn of the loop."""
        queue, self._queue = self._queue, deque()
        for writer in queue:
            if not writer.done.done():
                writer.done.set_exception(Closed.because(what, reason))

    def _arm(self, writer: _Writer) -> None:
        if writer.timer is not None:
            writer.timer.cancel()
            writer.timer = None
        at = min(writer.deadline, self._shared_deadline)
        if at != inf:
            writer.timer = asyncio.get_running_loop().call_at(at, self._expire, writer)

    def _expire(self, writer: _Writer) -> None:
        if not writer.done.done():
            self._leave(writer)
            writer.done.set_exception(TimeoutError("the write deadline has passed"))

    def _leave(self, writer: _Writer) -> None:
        try:
            was_head = self._queue[0] is writer
            self._queue.remove(writer)
        except (IndexError, ValueError):
            return
        # The core may have said that there is room to a head that has now left: the next one asks.
        if was_head and not self._refused:
            self.serve()
