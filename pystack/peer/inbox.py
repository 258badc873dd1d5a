"""What arrived and was not taken yet: by readers in the order in which they came, or by a tap.

An item is taken by the reader himself, in his own task, so that one who was cancelled has taken nothing; only the head
of the queue of readers takes, and whoever leaves it passes the baton on. A tap gets items one after the other, in
order, also when it causes the next one to arrive.

How much may lie here is the owner's business. Used by the data channel and the RTP receiver.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from pystack.errors import Closed, Reason
from pystack.peer.arguments import check_timeout

__all__ = ["Inbox"]

T = TypeVar("T")


class _Reader:
    __slots__ = ("bell",)

    def __init__(self, bell: asyncio.Future[None]) -> None:
        self.bell = bell


class Inbox(Generic[T]):
    """A FIFO of items in front of a FIFO of readers, or of one tap."""

    __slots__ = ("_emptying", "_items", "_readers", "_reason", "_tap", "_what")

    def __init__(self, what: str) -> None:
        """``what`` is the thing that ends, as the readers' ``Closed`` names it."""
        self._what = what
        self._items: deque[T] = deque()
        self._readers: deque[_Reader] = deque()
        self._tap: Callable[[T], None] | None = None
        self._emptying = False
        self._reason: Reason | None = None

    def __len__(self) -> int:
        """How many items lie here."""
        return len(self._items)

    def put(self, item: T) -> None:
        """Something arrived."""
        self._items.append(item)
        if self._tap is not None:
            self._empty()
        else:
            self._ring()

    def pop(self) -> T:
        """Take the oldest item, past the readers: there must be one."""
        return self._items.popleft()

    def clear(self) -> list[T]:
        """Take everything."""
        items = list(self._items)
        self._items.clear()
        self._ring()
        return items

    def set_tap(self, tap: Callable[[T], None] | None) -> None:
        """Give each item to ``tap`` from now on, those that lie here first; ``None`` keeps them for readers again."""
        self._tap = tap
        if tap is not None:
            self._empty()
        else:
            self._ring()

    async def take(self, timeout: float | None) -> T:
        """Take the oldest item; wait for one, behind the readers that wait already.

        Raises:
            InvalidArgument: ``timeout`` is no number of seconds.
            TimeoutError: not within ``timeout`` seconds; nothing was taken.
            Closed: it ended, and everything was taken.
        """
        if timeout is not None:
            check_timeout(timeout)
        if self._items and not self._readers:
            return self._items.popleft()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                reader = _Reader(loop.create_future())
                self._readers.append(reader)
                try:
                    while True:
                        if self._items and self._readers[0] is reader:
                            return self._items.popleft()
                        if self._reason is not None and not self._items:
                            raise Closed.because(self._what, self._reason)
                        await reader.bell
                        reader.bell = loop.create_future()
                finally:
                    self._readers.remove(reader)
                    self._ring()
        except TimeoutError:
            raise TimeoutError(f"{self._what}: nothing came within {timeout:g} s") from None

    def terminate(self, reason: Reason) -> None:
        """Nothing more will come: who waits hears it in this turn of the loop. What lies here can still be taken."""
        if self._reason is None:
            self._reason = reason
            self._ring()

    def _empty(self) -> None:
        if self._emptying:
            return
        self._emptying = True
        try:
            while self._items and self._tap is not None:
                self._tap(self._items.popleft())
        finally:
            self._emptying = False
            self._ring()

    def _ring(self) -> None:
        """Tell whoever has something to find: the head if there is an item, everybody if there will be none."""
        if not self._readers:
            return
        if self._items:
            _ring(self._readers[0])
        elif self._reason is not None:
            for reader in self._readers:
                _ring(reader)


def _ring(reader: _Reader) -> None:
    if not reader.bell.done():
        reader.bell.set_result(None)
