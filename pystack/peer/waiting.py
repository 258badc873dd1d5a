"""Coroutines that wait for something that happens, and hear of every end in the same turn of the loop.

The futures here are bells and no more: none ever carries an exception, so none is left that nobody fetched when an
end and a cancellation meet in one turn. Who is rung looks for himself what happened.

Used by the connection and the data channel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pystack.peer.arguments import check_timeout

__all__ = ["Awaited"]


class Awaited:
    """Those who wait until something has happened."""

    __slots__ = ("_bells",)

    def __init__(self) -> None:
        self._bells: set[asyncio.Future[None]] = set()

    def __len__(self) -> int:
        """How many are waiting."""
        return len(self._bells)

    async def until(self, happened: Callable[[], bool], timeout: float | None) -> None:
        """Wait until ``happened()`` says so; it is asked now, and whenever :meth:`ring` was called.

        Whatever it raises is raised here: that is how an end is told.

        Raises:
            InvalidArgument: ``timeout`` is no number of seconds.
            TimeoutError: not within ``timeout`` seconds; who knows what it was, says so instead.
        """
        check_timeout(timeout)
        if happened():
            return
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                while True:
                    bell = loop.create_future()
                    self._bells.add(bell)
                    try:
                        await bell
                    finally:
                        self._bells.discard(bell)
                    if happened():
                        return
        except TimeoutError:
            raise TimeoutError(f"it did not happen within {timeout:g} s") from None

    def ring(self) -> None:
        """Something may have happened: everybody looks."""
        for bell in self._bells:
            if not bell.done():
                bell.set_result(None)
