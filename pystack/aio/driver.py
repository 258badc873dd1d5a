"""Pumps one core: datagrams in, datagrams out, events up, one timer.

The idea: a core only changes state; this makes it live. After every input or command whoever made it calls
:meth:`Driver.pump` (now) or :meth:`Driver.soon` (once at the end of this turn of the loop, so that ten small commands
share packets). A pump flushes into the path until the core is dry or the path is full, hands the events on, and arms
the one timer. While the path is full the core is not flushed: its queues do the waiting, where they can be counted.

Used by :mod:`pystack.peer` with a session over an :class:`~pystack.aio.transport.IceTransport`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from pystack.aio.clock import clock_of
from pystack.aio.path import DatagramPath
from pystack.aio.timer import LazyTimer
from pystack.base import Core, Ended

__all__ = ["Driver"]

_BURST: Final = 64  # datagrams a flush: one system call where runs are sent whole, and all that a full path leaves over


def _ignore(*_: object) -> None:
    return


class Driver:
    """Joins a core, a path and the loop.

    Attributes:
        ended: whether the core has ended; nothing happens after that.
    """

    def __init__(
        self,
        core: Core,
        path: DatagramPath,
        on_event: Callable[[Any], None],
        loop: asyncio.AbstractEventLoop | None = None,
        on_failure: Callable[[Exception], None] | None = None,
    ) -> None:
        """Take ``path.on_datagrams`` and ``path.on_writable``. ``on_event`` may call commands and :meth:`pump`.

        No core raises (law 8 of :mod:`pystack.base.core`). Should one have that bug all the same, the loop's exception
        handler hears of it, this stops, and ``on_failure`` is called, so that nobody waits for a core that is broken.
        """
        self._loop = loop or asyncio.get_running_loop()
        self._clock = clock_of(self._loop)
        self._core = core
        self._path = path
        self._on_event: Callable[[Any], None] = on_event
        self._on_failure = on_failure
        self._timer = LazyTimer(self._loop, self._tick)
        self._left: list[bytes] = []  # what the path did not take; less than one burst
        self._blocked = False
        self._pumping = False
        self._again = False
        self._handle: asyncio.Handle | None = None
        self.ended = False
        path.on_datagrams = self.receive
        path.on_writable = self._unblock

    def now(self) -> float:
        """The clock that the core's ``now`` is read from."""
        return self._clock()

    def receive(self, batch: list[bytes], now: float) -> None:
        """Give the core what arrived together, then pump once."""
        if self.ended:
            return
        receive = self._core.receive
        try:
            for data in batch:
                receive(data, now)
        except Exception as error:
            self._fail(error)
        self.pump(now)

    def soon(self) -> None:
        """Pump once, at the end of this turn of the loop; harmless when repeated."""
        if self._handle is None and not self.ended:
            self._handle = self._loop.call_soon(self._pump_scheduled)

    def pump(self, now: float | None = None) -> None:
        """Flush, dispatch, arm. From inside ``on_event`` it only asks for another round."""
        if self.ended:
            return
        if self._pumping:
            self._again = True
            return
        if now is None:
            now = self._clock()
        self._pumping = True
        try:
            while True:
                self._again = False
                if not self._blocked:
                    self._flush(now)
                events = self._core.take_events()
                for event in events:
                    self._dispatch(event)
                    if isinstance(event, Ended):
                        if not self._blocked:
                            self._flush(now)  # the farewell
                        self.close()
                        return
                if not events and not self._again:
                    break
            self._timer.set(self._core.deadline)
        except Exception as error:
            self._fail(error)
        finally:
            self._pumping = False

    def close(self) -> None:
        """Stop: no timer, no callback, and the path is let go of (but not closed; it is its owner's)."""
        self.ended = True
        self._timer.close()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._left = []
        self._on_event = _ignore
        self._on_failure = None
        self._path.on_datagrams = self._path.on_writable = _ignore

    def _flush(self, now: float) -> None:
        send, flush = self._path.send, self._core.flush
        left, self._left = self._left, []
        out = left or flush(now, _BURST)
        while out:
            taken = send(out)
            if taken < len(out):
                self._left = out[taken:]
                self._blocked = True
                return
            if out is not left and len(out) < _BURST:
                return  # it is dry, by law 3 of base.core
            out = flush(now, _BURST)

    def _dispatch(self, event: Any) -> None:
        try:
            self._on_event(event)
        except Exception as error:  # the user's bug must not stop the core
            self._loop.call_exception_handler({"message": "an event callback raised", "exception": error})

    def _tick(self, now: float) -> None:
        try:
            self._core.tick(now)
        except Exception as error:
            self._fail(error)
        self.pump(now)
        if not self.ended and self._core.deadline <= now:
            # Law 4 of base.core forbids this; spinning the loop would hide it.
            self._fail(RuntimeError(f"the deadline of {self._core!r} did not move on"))

    def _fail(self, error: Exception) -> None:
        context = {"message": "a core raised, and its connection is ended; please report it", "exception": error}
        self._loop.call_exception_handler(context)
        callback = self._on_failure
        self.close()
        if callback is not None:
            callback(error)

    def _pump_scheduled(self) -> None:
        self._handle = None
        self.pump()

    def _unblock(self) -> None:
        self._blocked = False
        self.pump()
