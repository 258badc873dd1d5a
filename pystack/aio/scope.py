"""Owned tasks: every task has an owner, and no owner outlives its duty to it.

The idea: a task is started in a :class:`Scope`. A task that dies with an exception closes the scope with it: the others
are cancelled and the owner is told. A scope may be cancelled from inside one of its own tasks; that one is then
neither cancelled nor awaited (L9 of ``design/liveness.md``), it simply runs out.

Used by the transports here and by :mod:`pystack.peer`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from pystack.errors import LocalProtocolError

__all__ = ["Scope"]


class Scope:
    """The tasks of one owner.

    Attributes:
        failure: the exception that closed it, if one did.
    """

    def __init__(self, name: str, on_failure: Callable[[BaseException], None] | None = None) -> None:
        """``on_failure`` is called once, from the loop, with the first exception that a task died of."""
        self._name = name
        self._on_failure = on_failure
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False
        self.failure: BaseException | None = None

    def __len__(self) -> int:
        """The number of tasks that have not ended."""
        return len(self._tasks)

    @property
    def closed(self) -> bool:
        """Whether it takes no more tasks."""
        return self._closed

    def start(self, coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Start a task that this scope owns.

        Raises:
            LocalProtocolError: the scope is closed; the coroutine is closed unstarted.
        """
        if self._closed:
            coroutine.close()
            raise LocalProtocolError("start", "CLOSED", f"{self._name} is closed: cannot start {name}")
        task = asyncio.get_running_loop().create_task(coroutine, name=f"{self._name}: {name}")
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def cancel(self) -> None:
        """Close the scope and cancel its tasks, but for the one that calls. Harmless when repeated."""
        self._closed = True
        self._on_failure = None
        self._cancel_tasks()

    async def wait(self, timeout: float) -> bool:
        """Wait until the tasks have ended, the calling one excepted; tell whether they did within ``timeout`` seconds.

        Safe to cancel: the tasks are not touched.
        """
        others = self._tasks - {asyncio.current_task()}
        if not others:
            return True
        _, pending = await asyncio.wait(others, timeout=timeout)
        return not pending

    def _cancel_tasks(self) -> None:
        try:
            current = asyncio.current_task()
        except RuntimeError:  # no loop is running here: called while it shuts down
            current = None
        for task in self._tasks:
            if task is not current:
                task.cancel()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None or self.failure is not None:
            return
        self.failure = error
        self._closed = True
        self._cancel_tasks()
        notify, self._on_failure = self._on_failure, None
        if notify is not None:
            notify(error)
        else:
            task.get_loop().call_exception_handler(
                {
                    "message": f"a task of {self._name} died",
                    "exception": error,
                    "task": task,
                }
            )
