"""Cores and links on one simulated clock.

:meth:`World.run` pops the earliest of the cores' deadlines, the links' arrivals and planned calls, moves the clock
there, and lets the core that it concerns speak. There are no steps of fixed size: ten quiet minutes cost nothing. A run
keeps a timeline (who was ticked for which timer, what flew, what was lost, which events came), which is part of every
failure::

    with World(seed=1) as world:
        a, b = world.add("a", Association(...)), world.add("b", Association(...))
        world.connect(a, b, LinkOptions(delay=0.02, loss=0.05))
        a.core.connect(world.now)
        world.run(lambda: a.saw(Established) and b.saw(Established))

One test drives it from outside, so commands are plain calls on ``node.core``; the world finds out at the next run.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Hashable
from math import inf
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import attrs

from pystack.base import TimerSet
from pystack.testing.clock import Clock
from pystack.testing.link import Link, LinkOptions

__all__ = ["Node", "Stuck", "World", "timer_reason"]

C = TypeVar("C")
E = TypeVar("E")

_SPIN = 100_000  # steps without time moving: more than any burst


class Stuck(AssertionError):
    """What was waited for cannot come, or did not come in time; the message has the timeline."""


def timer_reason(core: object) -> str:
    """Name the earliest timer of ``core``: of its :class:`~pystack.base.TimerSet`, or its ``deadline_reason``."""
    for name in ("timers", "_timers"):
        timers = getattr(core, name, None)
        if isinstance(timers, TimerSet):
            return timers.reason
    return str(getattr(core, "deadline_reason", ""))


@attrs.define(eq=False)
class Node(Generic[C]):
    """A core in a world.

    Attributes:
        name: for the timeline.
        core: the core itself; call its commands at will.
        events: everything it said, oldest first.
        on_event: what an application would do at once: called with each event as it comes; may call commands.
        unroutable: datagrams for a path that leads nowhere.
    """

    name: str
    core: C
    events: list[Any] = attrs.field(factory=list)
    on_event: Callable[[Any], None] | None = None
    unroutable: int = 0
    _routes: dict[Hashable, tuple[Link[Any], Node[Any], Hashable]] = attrs.field(factory=dict)

    def all(self, kind: type[E]) -> list[E]:
        """All events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    def saw(self, kind: type[Any]) -> bool:
        """Tell whether an event of this kind has come."""
        return any(isinstance(event, kind) for event in self.events)


@attrs.define(eq=False)
class _Wire:
    link: Link[tuple[bytes, Hashable]]
    source: Node[Any]
    target: Node[Any]


class World:
    """A simulation: nodes, the links between them, and one clock.

    Attributes:
        clock: shared with :class:`~pystack.testing.loop.VirtualLoop` when both are used.
    """

    def __init__(self, seed: int | str = 0, *, clock: Clock | None = None, remember: int = 400) -> None:
        self.clock = clock if clock is not None else Clock()
        self.seed = seed
        self._nodes: list[Node[Any]] = []
        self._wires: list[_Wire] = []
        self._calls: list[tuple[float, int, Callable[[], object]]] = []
        self._count = 0
        self._timeline: deque[str] = deque(maxlen=remember)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and not isinstance(error, Stuck):
            error.add_note(self.timeline())

    # -- building ------------------------------------------------------------------------------------------------

    def add(self, name: str, core: C) -> Node[C]:
        """Put a core into the world."""
        node = Node(name, core)
        self._nodes.append(node)
        return node

    def connect(
        self,
        a: Node[Any],
        b: Node[Any],
        there: LinkOptions = LinkOptions(),
        back: LinkOptions | None = None,
        *,
        path_at_a: Hashable = None,
        path_at_b: Hashable = None,
    ) -> tuple[Link[Any], Link[Any]]:
        """Lay a link each way; return the one from ``a`` to ``b`` and the one back (like it, unless told).

        For cores that speak in paths, ``path_at_a`` is how ``a`` names this way, both for what it sends and for what
        arrives; likewise ``path_at_b``. Two nodes may be connected by several paths.
        """
        links = []
        ends = ((a, b, there, path_at_a, path_at_b), (b, a, there if back is None else back, path_at_b, path_at_a))
        for source, target, options, leaving, arriving in ends:
            name = f"{self.seed} {len(self._wires)} {source.name} {target.name}"
            link: Link[tuple[bytes, Hashable]] = Link(options, name)
            source._routes[leaving] = (link, target, arriving)
            self._wires.append(_Wire(link, source, target))
            links.append(link)
        return links[0], links[1]

    # -- time ----------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The present in monotonic seconds."""
        return self.clock.now

    @property
    def deadline(self) -> float:
        """When something happens next by itself; ``inf`` when the world is quiet."""
        earliest = self._calls[0][0] if self._calls else inf
        for node in self._nodes:
            earliest = min(earliest, node.core.deadline)
        for wire in self._wires:
            earliest = min(earliest, wire.link.deadline)
        return earliest

    def at(self, when: float, call: Callable[[], object]) -> None:
        """Plan a call for the absolute time ``when``."""
        self._count += 1
        heapq.heappush(self._calls, (when, self._count, call))

    def after(self, seconds: float, call: Callable[[], object]) -> None:
        """Plan a call in so many seconds."""
        self.at(self.now + seconds, call)

    def run(self, until: Callable[[], object] | None = None, *, for_: float = inf, limit: float = 3600.0) -> float:
        """Let time pass; return how many seconds did.

        Args:
            until: run until this is true. Without it: until the world is quiet, or for ``for_`` seconds.
            for_: run exactly so many seconds; with ``until``, at most.
            limit: what is too long when nothing else bounds it.

        Raises:
            Stuck: ``until`` is not true at the end, the world is never quiet, or time stands still.
        """
        began = self.now
        end = began + (for_ if for_ < inf else limit)
        still = 0
        self.pump()
        while not (until is not None and until()):
            following = self.deadline
            if following > end or following == inf:
                if following == inf and for_ == inf:
                    if until is None:
                        break
                    raise Stuck(f"quiet, and yet not there\n{self.timeline()}")
                self.clock.advance(end)
                if until is not None and not until():
                    raise Stuck(f"not there after {end - began:g} s\n{self.timeline()}")
                if until is None and for_ == inf:
                    raise Stuck(f"not quiet after {limit:g} s\n{self.timeline()}")
                break
            still = still + 1 if following <= self.now else 0
            if still > _SPIN:
                raise Stuck(f"time stands still\n{self.timeline()}")
            self.step()
        return self.now - began

    def step(self) -> None:
        """Move to the next thing that happens and let it happen; nothing in a quiet world."""
        following = self.deadline
        if following == inf:
            return
        self.clock.advance(following)
        now = self.now
        due = []  # found first: a call may plan another one for now
        while self._calls and self._calls[0][0] <= now:
            due.append(heapq.heappop(self._calls)[2])
        for call in due:
            call()
        for wire in self._wires:
            for data, path in wire.link.take(now):
                self.note(f"{wire.target.name} ← {wire.source.name}  {len(data)} B")
                if path is None:
                    wire.target.core.receive(data, now)
                else:
                    wire.target.core.receive(data, path, now)
        for node in self._nodes:
            if node.core.deadline <= now:
                self.note(f"{node.name}  tick: {timer_reason(node.core)}")
                node.core.tick(now)
                if not node.core.deadline > now:
                    raise Stuck(f"{node.name}: the deadline did not move on (law 4)\n{self.timeline()}")
        self.pump()

    def pump(self) -> None:
        """Move events out of all cores and datagrams into the links, until nobody has any."""
        for _ in range(_SPIN):
            busy = False
            for node in self._nodes:
                for event in node.core.take_events():
                    busy = True
                    self.note(f"{node.name}  * {_short(event)}")
                    node.events.append(event)
                    if node.on_event is not None:
                        node.on_event(event)
                for item in node.core.flush(self.now):
                    busy = True
                    self._send(node, item)
            if not busy:
                return
        raise Stuck(f"the cores never run dry\n{self.timeline()}")

    def _send(self, node: Node[Any], item: Any) -> None:
        data, path = item if isinstance(item, tuple) else (item, None)
        route = node._routes.get(path)
        if route is None:
            node.unroutable += 1
            self.note(f"{node.name} → nowhere ({path!r})  {len(data)} B")
            return
        link, target, arriving = route
        fate = link.put((data, arriving), len(data), self.now)
        self.note(f"{node.name} → {target.name}  {len(data)} B" + (f"  ✗ {fate}" if fate else ""))

    # -- telling -------------------------------------------------------------------------------------------------

    def note(self, what: str) -> None:
        """Add a line to the timeline."""
        self._timeline.append(f"{self.clock.elapsed:12.6f}  {what}")

    def timeline(self) -> str:
        """What happened last, one line each, and what each core waits for."""
        lines = [f"seed {self.seed!r}, timeline:", *self._timeline, f"{self.clock.elapsed:12.6f}  now; waiting:"]
        for node in self._nodes:
            left = node.core.deadline - self.now
            lines.append(
                f"{'':12}  {node.name}: " + ("nothing" if left == inf else f"{left:.6f} s {timer_reason(node.core)}")
            )
        return "\n  ".join(lines)


def _short(event: object) -> str:
    text = repr(event)
    return text if len(text) <= 100 else text[:97] + "..."
