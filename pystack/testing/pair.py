"""Two cores wired back to back: the shortest way into a simulation."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Generic, TypeVar

from pystack.testing.link import Link, LinkOptions
from pystack.testing.world import Node, World

__all__ = ["Pair"]

C = TypeVar("C")


class Pair(Generic[C]):
    """A world with two cores, ``a`` and ``b``, and a link each way.

    Attributes:
        world: where both live.
        a: one node.
        b: the other.
        there: the link from ``a`` to ``b``.
        back: the link from ``b`` to ``a``.
    """

    def __init__(
        self, a: C, b: C, there: LinkOptions = LinkOptions(), back: LinkOptions | None = None, *, seed: int | str = 0
    ) -> None:
        self.world = World(seed)
        self.a: Node[C] = self.world.add("a", a)
        self.b: Node[C] = self.world.add("b", b)
        self.there: Link[Any]
        self.back: Link[Any]
        self.there, self.back = self.world.connect(self.a, self.b, there, back)

    @property
    def now(self) -> float:
        """The present in monotonic seconds."""
        return self.world.now

    def run(self, until: Callable[[], object] | None = None, *, for_: float = inf, limit: float = 3600.0) -> float:
        """As :meth:`World.run <pystack.testing.world.World.run>`."""
        return self.world.run(until, for_=for_, limit=limit)

    def black_hole(self) -> None:
        """Cut both directions at once."""
        self.there.black_hole()
        self.back.black_hole()

    def heal(self) -> None:
        """Mend both directions."""
        self.there.heal()
        self.back.heal()
