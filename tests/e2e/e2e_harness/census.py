"""Who is here: the objects of the product by type, the tasks, the timers and the sockets of this process.

What the cores of those who stay hold inside is told apart: a living browser may send its first sender report, or on its
first retransmission SSRC, at any time, and its core then keeps a little more.
"""

from __future__ import annotations

import asyncio
import gc
import os
import types
from collections import Counter

import attrs

from pystack.rtp.extensions import translation
from pystack.session import Session

_SLACK = 2
_SHARED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType, types.FrameType)


@attrs.frozen
class Census:
    """A count of what a server holds.

    Attributes:
        objects: instances of types of ``pystack`` and ``sfu``, by their dotted name, outside living cores.
        inside: the same inside of the session cores that are alive.
        tasks: of the running loop, by the name of their coroutine.
        timers: handles that the loop has scheduled and that were not cancelled.
        sockets: open file descriptors that are sockets.
    """

    objects: Counter[str]
    inside: Counter[str]
    tasks: Counter[str]
    timers: int
    sockets: int

    def more_than(self, before: Census) -> dict[str, object]:
        """What is here and was not; empty when nothing is."""
        more: dict[str, object] = {}
        if objects := self.objects - before.objects:
            more["objects"] = dict(objects)
        inside = self.inside - before.inside
        if inside and (max(inside.values()) > _SLACK or inside.total() > 5 * _SLACK):
            more["inside"] = dict(inside)
        if tasks := self.tasks - before.tasks:
            more["tasks"] = dict(tasks)
        if self.timers > before.timers:
            more["timers"] = self.timers - before.timers
        if self.sockets > before.sockets:
            more["sockets"] = self.sockets - before.sockets
        return more


def take_census() -> Census:
    """Count, after a full collection."""
    translation.cache_clear()  # tables between two sets of extension ids: shared by all, bounded, nobody's own
    for _ in range(3):
        gc.collect()
    everything = gc.get_objects()
    held = _reachable([each for each in everything if type(each) is Session and each.dtls_state == "connected"])
    objects: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    for each in everything:
        kind = type(each)
        module = getattr(kind, "__module__", None)
        if isinstance(module, str) and module.partition(".")[0] in {"pystack", "sfu"}:
            (inside if id(each) in held else objects)[f"{module}.{kind.__qualname__}"] += 1
    loop = asyncio.get_running_loop()
    tasks = Counter(
        getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks() if not _is_of_the_test(task)
    )
    timers = sum(1 for handle in loop._scheduled if not handle.cancelled() and not _is_of_the_harness(handle))
    return Census(objects, inside, tasks, timers, _sockets())


def _reachable(cores: list[Session]) -> set[int]:
    """The identities of what a core holds, not counting classes, functions and modules."""
    seen: set[int] = set()
    todo: list[object] = list(cores)
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(each, _SHARED):
            continue
        seen.add(id(each))
        todo.extend(gc.get_referents(each))
    return seen


def _is_of_the_test(task: asyncio.Task[object]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and "/tests/e2e/" in code.co_filename


def _is_of_the_harness(handle: asyncio.TimerHandle) -> bool:
    # The test's own asyncio.timeout and asyncio.sleep.
    owner = getattr(handle._callback, "__self__", None)
    return isinstance(owner, asyncio.timeouts.Timeout) or getattr(handle._callback, "__name__", "").startswith(
        "_set_result"
    )


def _sockets() -> int:
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")
        except OSError:
            continue
    return count
