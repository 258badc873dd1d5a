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
from math import inf
from typing import TypeVar

import attrs

from pystack.aio.clock import clock_of
from pystack.aio.timer import LazyTimer
from pystack.errors import Closed, Reason

__all__ = ["Waiters"]

T = TypeVar("T")


@attrs.define(eq=False)
class _Place:
    """A place in the queue. Its future is a bell and no more: it never carries an exception, which nobody might
    fetch; who is rung looks for himself why. A new one is hung before each try, so that a ring during it counts.
    """

    future: asyncio.Future[None]


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
        self._wakes = 0
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
        wakes = self._wakes
        if not self._places:
            result = attempt()
            if result:
                return result
            self._check()
        place = _Place(self._loop.create_future())
        self._places.append(place)
        try:
            self._arm()
            if wakes != self._wakes:
                self.wake()  # it rang while we tried, and nobody was there to hear it
            while True:
                await place.future
                place.future = self._loop.create_future()
                self._check()
                if self._places[0] is place:
                    result = attempt()
                    if result:
                        return result
                    self._check()
        finally:
            self._leave(place)

    def wake(self) -> None:
        """The head may try (again): there is room, or something has arrived. Harmless at any time."""
        self._wakes += 1
        if self._places:
            _ring(self._places[0])

    def set_deadline(self, at: float | None) -> None:
        """From ``at`` on, every wait raises ``TimeoutError``, those under way included; ``None`` takes it back.

        Args:
            at: absolute seconds of the loop's clock.
        """
        self._deadline = inf if at is None else at
        if self._places:
            self._arm()

    def terminate(self, reason: Reason) -> None:
        """It ends: release everybody, now and later, with ``Closed`` because of ``reason``. The first reason stays."""
        if self._reason is not None:
            return
        self._reason = reason
        if self._timer is not None:
            self._timer.close()
            self._timer = None
        self._ring_all()

    def _check(self) -> None:
        if self._reason is not None:
            raise Closed.because(self.what, self._reason)
        if self._deadline < inf and self._deadline <= self._clock():
            raise TimeoutError(f"the deadline of {self.what} has passed")

    def _arm(self) -> None:
        # Only while somebody waits, so that an idle thing with a far deadline is not kept alive by the loop.
        if self._deadline <= self._clock():
            self._ring_all()
        elif self._timer is not None:
            self._timer.set(self._deadline)
        elif self._deadline < inf and self._reason is None:
            self._timer = LazyTimer(self._loop, self._overdue)
            self._timer.set(self._deadline)

    def _overdue(self, _now: float) -> None:
        # The loop may fire a little early; whoever is rung must find that the time has come.
        self._deadline = min(self._deadline, self._clock())
        self._ring_all()

    def _ring_all(self) -> None:
        for place in self._places:
            _ring(place)

    def _leave(self, place: _Place) -> None:
        was_head = self._places[0] is place
        self._places.remove(place)
        if was_head and self._places:
            _ring(self._places[0])
        if not self._places and self._timer is not None:
            self._timer.close()
            self._timer = None


def _ring(place: _Place) -> None:
    if not place.future.done():
        place.future.set_result(None)
