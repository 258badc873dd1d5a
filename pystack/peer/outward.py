"""Calls into the application's code, and what happens when that code raises.

A callback of the application runs inside the event loop's reader or timer, between two datagrams. Its mistakes are its
own: they go to the loop's exception handler with their traceback, and the connection goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, TypeVar

__all__ = ["EventHub", "call_out"]

T = TypeVar("T")


def call_out(callback: Callable[..., Any], *args: Any) -> None:
    """Call the application; report what it raises instead of letting it through."""
    try:
        callback(*args)
    except Exception as error:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"exception in the application's callback {callback!r}", "exception": error}
        )


class EventHub(Generic[T]):
    """Hands events to whoever listens; those that come before anybody does are kept for the first listener.

    Each listener hears one event after the other and all of them in the same order: what a listener causes while it is
    being told is told when everybody has heard what came before.

    Args:
        limit: how many events are kept for the first listener, and for an iterator that falls behind; the oldest are
            dropped above it.

    Attributes:
        dropped: events that were kept for nobody, or for an iterator that did not take them.
    """

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._queue: deque[T] = deque()
        self._listeners: dict[int, Callable[[T], None]] = {}
        self._next = 0
        self._heard = False
        self._telling = False
        self._ended = False
        self.dropped = 0

    def emit(self, event: T) -> None:
        """Tell everybody; after the end, nobody."""
        if self._ended:
            return
        self._queue.append(event)
        if self._heard:
            self._tell()
        elif len(self._queue) > self._limit:
            self._queue.popleft()
            self.dropped += 1

    def end(self) -> None:
        """Nothing more will come: let go of the listeners. Events kept for a first listener stay."""
        self._ended = True
        if self._heard:
            self._tell()

    def listen(self, callback: Callable[[T], None]) -> Callable[[], None]:
        """Call ``callback`` for each event from now on, and at once for those kept; return what stops it."""
        key = self._next
        self._next += 1
        self._listeners[key] = callback
        self._heard = True
        self._tell()

        def stop() -> None:
            self._listeners.pop(key, None)

        return stop

    async def iterate(self, is_last: Callable[[T], bool]) -> AsyncIterator[T]:
        """Yield the events, the kept ones first, up to and including the one for which ``is_last`` holds."""
        waiting: deque[T] = deque()
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()

        def take(event: T) -> None:
            waiting.append(event)
            if len(waiting) > self._limit:
                waiting.popleft()
                self.dropped += 1
            if not woken.done():
                woken.set_result(None)

        stop = self.listen(take)
        try:
            while True:
                while waiting:
                    event = waiting.popleft()
                    yield event
                    if is_last(event):
                        return
                if self._ended:
                    return
                woken = loop.create_future()
                await woken
        finally:
            stop()

    def _tell(self) -> None:
        if self._telling:
            return
        self._telling = True
        try:
            while self._queue:
                event = self._queue.popleft()
                for key, listener in list(self._listeners.items()):
                    if key in self._listeners:  # it may have been stopped by the one before
                        call_out(listener, event)
        finally:
            self._telling = False
        if self._ended:
            self._listeners.clear()
