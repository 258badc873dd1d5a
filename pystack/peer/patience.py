"""How long a connection may stay ``failed``: an ICE restart can bring it back, but nobody is to wait for one for ever.

Used by the connection alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pystack.session import ConnectionState

__all__ = ["Patience"]


class Patience:
    """Gives a connection up when it has been failed for so many seconds; never, if that is ``None``."""

    __slots__ = ("_give_up", "_loop", "_seconds", "_timer")

    def __init__(self, seconds: float | None, loop: asyncio.AbstractEventLoop, give_up: Callable[[], None]) -> None:
        self._seconds = seconds
        self._loop = loop
        self._give_up: Callable[[], None] = give_up
        self._timer: asyncio.TimerHandle | None = None

    def follow(self, state: ConnectionState) -> None:
        """The connection is in another state than before."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if state == "failed" and self._seconds is not None:
            self._timer = self._loop.call_later(self._seconds, self._give_up)
