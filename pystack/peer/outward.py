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

    Args:
        limit: how many events are kept for the first listener, and for an iterator that falls behind; the oldest are
            dropped above it.
    """

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._early: deque[T] | None = deque(maxlen=limit)
        self._listeners: dict[int, Callable[[T], None]] = {}
        self._next = 0
        self._ended = False

    def emit(self, event: T) -> None:
        """Tell everybody."""
        if self._early is not None:
            self._early.append(event)
            return
        for listener in list(self._listeners.values()):
            call_out(listener, event)

    def end(self) -> None:
        """Nothing more will come: let go of the listeners. Events kept for a first listener stay."""
        self._ended = True
        self._listeners.clear()

    def listen(self, callback: Callable[[T], None]) -> Callable[[], None]:
        """Call ``callback`` for each event from now on, and at once for those kept; return what stops it."""
        key = self._next
        self._next += 1
        if not self._ended:
            self._listeners[key] = callback
        early, self._early = self._early, None
        for event in early or ():
            call_out(callback, event)

        def stop() -> None:
            self._listeners.pop(key, None)

        return stop

    async def iterate(self, is_last: Callable[[T], bool]) -> AsyncIterator[T]:
        """Yield the events, the kept ones first, up to and including the one for which ``is_last`` holds."""
        waiting: deque[T] = deque(maxlen=self._limit)
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()

        def take(event: T) -> None:
            waiting.append(event)
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
