"""The operations chain of a connection (W3C webrtc-pc section 4.4.1.2): it orders the callers, and nothing else.

Descriptions are applied synchronously and only *schedule* the start of transports, so an operation has nothing to wait
for: no handshake, no channel, no peer. What is left for a chain is to let the coroutines of an application take turns,
to bound each of them (rule L8, requirements row 8), and to let go of everybody when the connection ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pystack.errors import Closed, Reason

__all__ = ["Operations"]

T = TypeVar("T")


class Operations:
    """Runs one operation at a time, first come, first served.

    Args:
        what: the connection, as error messages name it.
        timeout: the watchdog: how many seconds one operation may take, its turn included.
        on_timeout: called once, with the operation's name, when the watchdog bites; it closes the connection.
    """

    def __init__(self, what: str, timeout: float, on_timeout: Callable[[str], None]) -> None:
        self._what = what
        self._timeout = timeout
        self._on_timeout: Callable[[str], None] | None = on_timeout
        self._busy = False
        self._turns: deque[asyncio.Future[None]] = deque()
        self._running: asyncio.Timeout | None = None
        self._ended: Reason | None = None

    async def run(self, name: str, operation: Callable[[], Awaitable[T]]) -> T:
        """Wait for the turn, then run ``operation``.

        Raises:
            Closed: the connection ended before or meanwhile.
            TimeoutError: the watchdog bit; the connection is being closed.
        """
        deadline = asyncio.timeout(self._timeout)
        try:
            async with deadline:
                await self._turn()
                self._running = deadline
                try:
                    return await operation()
                finally:
                    self._running = None
                    self._pass_on()
        except TimeoutError:
            if deadline.expired():
                if self._ended is not None:
                    raise Closed.because(self._what, self._ended) from None
                if self._on_timeout is not None:
                    self._on_timeout(name)
            raise

    @property
    def idle(self) -> bool:
        """Nothing runs and nobody waits."""
        return not self._busy and not self._turns

    def terminate(self, reason: Reason) -> None:
        """The connection has ended: who waits for a turn hears it now, and who has it is interrupted."""
        if self._ended is not None:
            return
        self._ended = reason
        self._on_timeout = None
        for turn in self._turns:
            if not turn.done():
                turn.set_exception(Closed.because(self._what, reason))
        self._turns.clear()
        if self._running is not None:
            self._running.reschedule(asyncio.get_running_loop().time())

    async def _turn(self) -> None:
        self._check()
        if not self._busy:
            self._busy = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on()  # the turn was ours already: it must not be lost (rule L4)
            else:
                turn.cancel()
            raise
        try:
            self._check()
        except Closed:  # the turn and the end came together
            self._pass_on()
            raise

    def _check(self) -> None:
        if self._ended is not None:
            raise Closed.because(self._what, self._ended)

    def _pass_on(self) -> None:
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)  # still busy: the turn goes from hand to hand
                return
        self._busy = False
