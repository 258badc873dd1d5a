"""What the peer brought and nobody has asked for yet: channels that it opened, tracks that it sends.

Kept until asked for, beside the events that tell of the same, so that a program may simply take one after the other.
Used by the connection alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from pystack.errors import Reason
from pystack.peer.inbox import Inbox

__all__ = ["Brought"]

T = TypeVar("T")

_OVER: Final = 32
"""How many are kept that have ended meanwhile; of those that live, the layers below bound the number."""


class Brought(Generic[T]):
    """A FIFO of things that may end while they wait here.

    Args:
        what: the connection, as an error names it.
        is_over: whether one has ended.
    """

    def __init__(self, what: str, is_over: Callable[[T], bool]) -> None:
        self._inbox: Inbox[T] = Inbox(what)
        self._is_over: Callable[[T], bool] = is_over
        self._full = 2 * _OVER

    def put(self, thing: T) -> None:
        """The peer brought one."""
        self._inbox.put(thing)
        if len(self._inbox) > self._full:
            self._thin_out()
            self._full = 2 * max(_OVER, len(self._inbox))

    async def take(self, timeout: float | None) -> T:
        """Take the oldest; wait for one.

        Raises:
            TimeoutError: none came in time.
            Closed: the connection ended, and all were taken.
        """
        return await self._inbox.take(timeout)

    def end(self, reason: Reason) -> None:
        """Nothing more will come."""
        self._inbox.terminate(reason)

    def _thin_out(self) -> None:
        waiting = list({id(each): each for each in self._inbox.clear()}.values())
        over = [each for each in waiting if self._is_over(each)]
        gone = {id(each) for each in over[: max(0, len(over) - _OVER)]}
        for each in waiting:
            if id(each) not in gone:
                self._inbox.put(each)
