"""A queue of those who wait for one thing: first come, first served, and everybody is released (L1, L3-L5, L7).

The idea: a wait is *until an attempt succeeds*. Who finds nobody waiting tries at once, without touching the event
loop. Otherwise he parks, and only the head of the queue ever tries: when :meth:`Waiters.wake` hands it the baton, it
tries **in its own task**, so that a caller who was cancelled has not taken anything. Whoever leaves the head, having
succeeded, being cancelled or out of time, passes the baton on; so no wake-up is lost, and no two pass at once.

The three exits:

* the attempt succeeds;
* the deadline (:meth:`Waiters.set_deadline`, one for all, effective at once for those who already wait) raises
  ``TimeoutError``; the caller's own ``asyncio.timeout`` works as well and takes nothing;
* :meth:`Waiters.terminate`: all are released in the same turn of the loop, each with a
  :class:`~pystack.errors.Closed` of his own.

Used by the facade in :mod:`pystack.peer`, for writers, readers and everything else that can be awaited.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum
from math import inf
from typing import TypeVar

import attrs

from pystack.aio.clock import clock_of
from pystack.aio.timer import LazyTimer
from pystack.errors import Closed, Reason

__all__ = ["Waiters"]

T = TypeVar("T")


class _Signal(Enum):
    """Why a parked future was resolved. A value and never an exception: an exception that nobody fetches is logged."""

    BATON = 0
    OVERDUE = 1
    ENDED = 2


@attrs.define(eq=False)
class _Place:
    """A place in the queue; its future is replaced each time that its holder tried in vain."""

    future: asyncio.Future[_Signal]


class Waiters:
    """Those who wait for one thing, such as room on one stream.

    Attributes:
        what: the thing that ends, as the ``Closed`` of the waiters names it.
    """

    def __init__(self, what: str, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.what = what
        self._loop = loop or asyncio.get_running_loop()
        self._clock = clock_of(self._loop)
        self._places: deque[_Place] = deque()
        self._deadline = inf
        self._timer: LazyTimer | None = None
        self._reason: Reason | None = None

    def __len__(self) -> int:
        """How many are waiting."""
        return len(self._places)

    @property
    def reason(self) -> Reason | None:
        """Why it was terminated; ``None`` while it was not."""
        return self._reason

    @property
    def deadline(self) -> float:
        """What was last set, in absolute seconds of the loop's clock; ``inf`` for none."""
        return self._deadline

    async def until(self, attempt: Callable[[], T]) -> T:
        """Wait until ``attempt()`` returns something true, and return that.

        It is called only when it is this caller's turn, and between its success and the return nothing else runs.

        Raises:
            TimeoutError: the deadline passed first, or had passed before; nothing was taken.
            Closed: it was terminated, before or meanwhile.
        """
        self._check()
        if not self._places:
            result = attempt()
            if result:
                return result
        place = _Place(self._loop.create_future())
        self._places.append(place)
        try:
            while True:
                await place.future
                self._check()
                result = attempt()
                if result:
                    return result
                if place.future.done():  # unless the attempt itself has terminated us
                    place.future = self._loop.create_future()
                    self._check()
        finally:
            self._leave(place)

    def wake(self) -> None:
        """The head may try (again): there is room, or something has arrived. Harmless at any time."""
        if self._places and not self._places[0].future.done():
            self._places[0].future.set_result(_Signal.BATON)

    def set_deadline(self, at: float | None) -> None:
        """From ``at`` on, every wait raises ``TimeoutError``, those under way included; ``None`` takes it back.

        Args:
            at: absolute seconds of the loop's clock.
        """
        self._deadline = inf if at is None else at
        if self._reason is not None:
            return
        if self._deadline <= self._clock():
            self._overdue(self._deadline)
        elif self._deadline < inf or self._timer is not None:
            if self._timer is None:
                self._timer = LazyTimer(self._loop, self._overdue)
            self._timer.set(self._deadline)

    def terminate(self, reason: Reason) -> None:
        """It ends: release everybody, now and later, with ``Closed`` because of ``reason``. The first reason stays."""
        if self._reason is not None:
            return
        self._reason = reason
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        self._release(_Signal.ENDED)

    def _check(self) -> None:
        if self._reason is not None:
            raise Closed.because(self.what, self._reason)
        if self._deadline < inf and self._deadline <= self._clock():
            raise TimeoutError(f"the deadline of {self.what} has passed")

    def _overdue(self, _now: float) -> None:
        self._release(_Signal.OVERDUE)

    def _release(self, signal: _Signal) -> None:
        for place in self._places:
            if not place.future.done():
                place.future.set_result(signal)

    def _leave(self, place: _Place) -> None:
        was_head = self._places[0] is place
        self._places.remove(place)
        if was_head:
            self.wake()
