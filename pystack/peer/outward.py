"""Calls into the application's code, and what happens when that code raises.

A callback of the application runs inside the event loop's reader or timer, between two datagrams. Its mistakes are its
own: they go to the loop's exception handler with their traceback, and the connection goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

from pystack.peer.waiting import Awaited

__all__ = ["EventHub", "EventIterator", "call_out"]

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
    """Hands events to whoever listens; those that come while nobody does are kept for the next listener.

    Each listener hears one event after the other and all of them in the same order: what a listener causes while it is
    being told is told when everybody has heard what came before.

    Args:
        limit: how many events are kept for the next listener, and for an iterator that falls behind; the oldest are
            dropped above it.

    Attributes:
        dropped: events that were kept for nobody, or for an iterator that did not take them.
    """

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._queue: deque[T] = deque()
        self._listeners: dict[int, Callable[[T], None]] = {}
        self._next = 0
        self._telling = False
        self.ended = False
        self.dropped = 0

    def emit(self, event: T) -> None:
        """Tell everybody; after the end, nobody."""
        if self.ended:
            return
        self._queue.append(event)
        self._tell()
        self._bound(self._queue)

    def end(self) -> None:
        """Nothing more will come: let go of the listeners. Events kept for a next listener stay."""
        self.ended = True
        self._tell()

    def listen(self, callback: Callable[[T], None]) -> Callable[[], None]:
        """Call ``callback`` for each event from now on, and at once for those kept; return what stops it."""
        key = self._next
        self._next += 1
        self._listeners[key] = callback
        self._tell()
        return lambda: self._stop(key)

    def iterate(self, is_last: Callable[[T], bool]) -> EventIterator[T]:
        """Yield the events, the kept ones first, up to and including the one for which ``is_last`` holds."""
        return EventIterator(self, is_last)

    def feed(self, feed: _Feed[T]) -> Callable[[], None]:
        """Fill ``feed`` for an iterator; what it returns stops that, and keeps the untaken for the next listener."""

        def take(event: T) -> None:
            feed.waiting.append(event)
            self._bound(feed.waiting)
            feed.readers.ring()

        stop = self.listen(take)

        def leave() -> None:
            stop()
            if not self._listeners:
                self._queue.extendleft(reversed(feed.waiting))
                self._bound(self._queue)
            feed.waiting.clear()

        return leave

    def _bound(self, events: deque[T]) -> None:
        while len(events) > self._limit:
            events.popleft()
            self.dropped += 1

    def _stop(self, key: int) -> None:
        self._listeners.pop(key, None)

    def _tell(self) -> None:
        if self._telling:
            return
        self._telling = True
        try:
            while self._queue and self._listeners:
                event = self._queue.popleft()
                for key, listener in list(self._listeners.items()):
                    if key in self._listeners:  # it may have been stopped by the one before
                        call_out(listener, event)
        finally:
            self._telling = False
        if self.ended:
            self._listeners.clear()


class _Feed(Generic[T]):
    """What an iterator has to give yet; the hub holds this and not the iterator, so that the iterator can go."""

    __slots__ = ("readers", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[T] = deque()
        self.readers = Awaited()


class EventIterator(Generic[T]):
    """Events one by one; what ``connection.events()`` gives.

    It listens from the first step on. Whoever leaves the loop early loses nothing: what was not taken is kept for the
    next listener, unless another one is there and has heard it.
    """

    def __init__(self, hub: EventHub[T], is_last: Callable[[T], bool]) -> None:
        self._hub = hub
        self._is_last = is_last
        self._feed: _Feed[T] = _Feed()
        self._leave: Callable[[], None] | None = None
        self._over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self._over:
            raise StopAsyncIteration
        if self._leave is None:
            self._leave = self._hub.feed(self._feed)
        await self._feed.readers.until(self._has_news, None)
        if not self._feed.waiting:
            self.close()
            raise StopAsyncIteration
        event = self._feed.waiting.popleft()
        if self._is_last(event):
            self.close()
        return event

    def close(self) -> None:
        """Stop listening."""
        self._over = True
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()

    async def aclose(self) -> None:
        """The same, for :func:`contextlib.aclosing`."""
        self.close()

    def __del__(self) -> None:
        self.close()

    def _has_news(self) -> bool:
        return bool(self._feed.waiting) or self._hub.ended or self._over
