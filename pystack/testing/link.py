"""One direction of a network path, as a sans-IO thing: what is put in comes out later, twice, elsewhere or never.

In the order in which a real path does it: the interface refuses what is above its MTU; a drop-tail queue in bytes
feeds a transmitter with a rate in bit/s; on the way datagrams are lost, doubled, delayed, and overtaken. Everything is
drawn from one seed. :class:`~pystack.testing.world.World` and :mod:`pystack.testing.mempath` carry it.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from math import inf
from typing import Generic, TypeVar

import attrs

__all__ = ["Link", "LinkOptions"]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class LinkOptions:
    """What a path does to datagrams; the default is perfect and instant.

    Attributes:
        delay: one-way propagation, seconds.
        jitter: up to so many seconds more, uniform. Order is kept unless ``reorder`` says otherwise.
        loss: probability that a datagram is lost.
        duplicate: probability that a datagram arrives twice.
        reorder: probability that a datagram is held back by ``reorder_delay`` and so overtaken.
        reorder_delay: for how many seconds it is held back.
        rate_bps: of the transmitter, bit/s.
        queue: bytes that may wait for the transmitter; what does not fit is dropped (drop-tail).
        mtu: the largest datagram in bytes; larger ones are dropped.
        overhead: bytes added to each datagram for rate and queue (28 for IPv4 and UDP).
    """

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_delay: float = 0.05
    rate_bps: float = inf
    queue: float = inf
    mtu: float = inf
    overhead: int = 0


class Link(Generic[T]):
    """One direction of a path for items of any kind, each with its size in bytes.

    Attributes:
        options: may be replaced at any time (``link.options = attrs.evolve(link.options, loss=0.1)``).
        down: a black hole: everything put in, and everything in flight, is lost while it is true.
        lose: asked about each datagram before chance is: ``lose(number, item)`` true loses it (numbers count from 0).
        sent: how many datagrams were put in.
        delivered: how many came out.
        lost: how many chance, ``lose`` or a black hole took.
        overflowed: how many the queue had no room for.
        too_large: how many were above the MTU.
        duplicated: how many came out once more.
        bytes_delivered: the sizes of those that came out, added up.
    """

    def __init__(self, options: LinkOptions = LinkOptions(), seed: int | str = 0) -> None:
        self.options = options
        self.down = False
        self.lose: Callable[[int, T], bool] | None = None
        self.sent = self.delivered = self.lost = self.overflowed = self.too_large = self.duplicated = 0
        self.bytes_delivered = 0
        self._random = random.Random(f"link {seed}")
        self._flying: list[tuple[float, int, T, int]] = []
        self._order = 0
        self._free_at = 0.0  # when the transmitter will have sent all that waits
        self._latest = 0.0  # the latest arrival among those that keep their order

    @property
    def deadline(self) -> float:
        """When the next datagram arrives; ``inf`` when none is under way."""
        return self._flying[0][0] if self._flying else inf

    def backlog(self, now: float) -> float:
        """Bytes that wait for the transmitter, the one being sent included."""
        rate = self.options.rate_bps
        return 0.0 if rate == inf else max(0.0, (self._free_at - now) * rate / 8)

    def put(self, item: T, size: int, now: float) -> str:
        """Send an item of ``size`` bytes; return what became of it: ``""``, or why it will not arrive."""
        number, self.sent = self.sent, self.sent + 1
        options, chance = self.options, self._random.random
        if size > options.mtu:
            self.too_large += 1
            return "above the mtu"
        load = size + options.overhead
        # A queue that holds less than one datagram still sends when it is empty.
        if (waiting := self.backlog(now)) and waiting + load > options.queue:
            self.overflowed += 1
            return "queue full"
        self._free_at = max(self._free_at, now) + (0.0 if options.rate_bps == inf else load * 8 / options.rate_bps)
        # Chance is drawn in the same number for every datagram, so that one option does not shift another's luck.
        lost, twice, held, late = (
            chance() < options.loss,
            chance() < options.duplicate,
            chance() < options.reorder,
            chance(),
        )
        if self.down or lost or (self.lose is not None and self.lose(number, item)):
            self.lost += 1
            return "black hole" if self.down else "lost"
        arrival = self._free_at + options.delay + options.jitter * late
        if held:
            self._push(arrival + options.reorder_delay, item, size)
        else:
            self._latest = arrival = max(arrival, self._latest)
            self._push(arrival, item, size)
        if twice:
            self.duplicated += 1
            self._push(arrival, item, size)
        return ""

    def _push(self, arrival: float, item: T, size: int) -> None:
        heapq.heappush(self._flying, (arrival, self._order, item, size))
        self._order += 1

    def take(self, now: float) -> list[T]:
        """Hand over what has arrived by ``now``, oldest arrival first."""
        arrived = []
        while self._flying and self._flying[0][0] <= now:
            _, _, item, size = heapq.heappop(self._flying)
            self.delivered += 1
            self.bytes_delivered += size
            arrived.append(item)
        return arrived

    def black_hole(self) -> None:
        """Swallow everything from now on, and what is in flight too."""
        self.down = True
        self.lost += len(self._flying)
        self._flying.clear()

    def heal(self) -> None:
        """Carry again."""
        self.down = False
