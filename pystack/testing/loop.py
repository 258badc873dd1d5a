"""An asyncio event loop on virtual time.

``time()`` is a :class:`~pystack.testing.clock.Clock`. The loop never blocks: when every task waits for a timer, the
clock jumps to it; when every task waits and there is no timer, the loop has found a deadlock and says who waits where.
So deadlines, cancellation and close are tested without a sleep::

    def test_a_write_deadline():
        async def main():
            ...
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(30):
                    await channel.write(data)

        run(main())          # milliseconds

A :class:`~pystack.testing.world.World` may live on the same loop (``VirtualLoop(world=world)``): its links and cores
move with the loop's timers. There are no sockets, no threads (``run_in_executor`` runs in place) and no signals here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from math import inf
from typing import Any, Final, TypeVar

from pystack.testing.clock import Clock
from pystack.testing.world import World

__all__ = ["Deadlock", "VirtualLoop", "run"]

T = TypeVar("T")


STANDSTILL: Final = 200_000
"""Turns of the loop at one and the same time that are taken for a loop without end."""


class Deadlock(AssertionError):
    """Nothing can happen any more, or not in time, and tasks still wait; the message says where each one does."""


class _Selector:
    """Stands where the loop has its selector: waiting means moving the clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._busy = 0  # turns in a row after which something was ready at once

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None or timeout > 0:
            self._busy = 0
            self._loop._pass(inf if timeout is None else timeout)
        else:
            self._busy += 1
            if self._busy > STANDSTILL:
                self._busy = 0
                self._loop._stand_still()
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop; use :func:`run` unless you need the loop object itself.

    Attributes:
        clock: what ``time()`` reads.
        world: moves with the loop, if given.
        limit: simulated seconds after which a run is taken for stuck (keep-alives tick for ever).
        unhandled: what was reported to the exception handler.
        wall_offset: what to add to ``time()`` to get seconds since 1970; the same in each run.
    """

    wall_offset = 1.7e9

    def __init__(self, clock: Clock | None = None, *, world: World | None = None, limit: float = 3600.0) -> None:
        super().__init__()
        self.world = world
        self.clock = world.clock if world is not None else clock if clock is not None else Clock()
        self.limit = limit
        self.unhandled: list[dict[str, Any]] = []
        self._selector = _Selector(self)
        self._end = self.clock.now + limit
        self.set_exception_handler(lambda _, context: self.unhandled.append(context))

    def time(self) -> float:
        """The present in simulated seconds."""
        return self.clock.now

    def _pass(self, timeout: float) -> None:
        """Move to the next timer of the loop or the next thing in the world, whichever is first."""
        target = self.clock.now + timeout
        world = self.world
        following = world.deadline if world is not None else inf
        if min(target, following) == inf:
            raise Deadlock(f"nothing can happen any more\n{self.waiting()}")
        if min(target, following) > self._end:
            raise Deadlock(f"not done after {self.limit:g} simulated seconds\n{self.waiting()}")
        if world is not None and following <= target:
            world.step()
        else:
            self.clock.advance(target)

    def _stand_still(self) -> None:
        raise Deadlock(
            f"time stands still: {STANDSTILL} turns of the loop, and something is always ready; does a task spin on "
            f"sleep(0), or does a network without delay and rate (LinkOptions) carry a flood?\n{self.waiting()}"
        )

    def waiting(self) -> str:
        """Tell who waits where: each task with the line that it stands on."""
        lines = []
        for task in sorted(asyncio.all_tasks(self), key=lambda task: task.get_name()):
            lines.append(f"  {task.get_name()}: {_where(task.get_coro())}")
        return "\n".join([f"at {self.clock.elapsed:.6f} s, {len(lines)} tasks wait:", *lines])

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:  # type: ignore[override]
        """Run ``func`` here and now: a thread would have its own idea of time."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


_ASYNCIO: Final = asyncio.__file__.removesuffix("__init__.py")


def _where(coroutine: Any) -> str:
    """The innermost line that a suspended coroutine stands on, and what of asyncio it waits in there."""
    place, inside = "?", ""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            break
        code = frame.f_code
        if place != "?" and code.co_filename.startswith(_ASYNCIO):
            inside = f", in {code.co_qualname}"
        else:
            place, inside = f"{code.co_qualname} ({code.co_filename}:{frame.f_lineno})", ""
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return place + inside


def run(
    main: Coroutine[Any, Any, T], *, world: World | None = None, clock: Clock | None = None, limit: float = 3600.0
) -> T:
    """Run ``main`` on a fresh virtual loop and close the loop, as :func:`asyncio.run` does.

    Raises:
        Deadlock: nothing can happen any more, or not within ``limit`` simulated seconds, or time stands still because
            something is always ready.
        ExceptionGroup: ``main`` returned, but elsewhere an exception was never seen by anybody.
    """
    loop = VirtualLoop(clock, world=world, limit=limit)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        result = runner.run(main)
    lost = [context["exception"] for context in loop.unhandled if isinstance(context.get("exception"), Exception)]
    other = [context["message"] for context in loop.unhandled if not isinstance(context.get("exception"), Exception)]
    if lost or other:
        raise ExceptionGroup("nobody saw these", [*lost, *(RuntimeError(message) for message in other)])
    return result
