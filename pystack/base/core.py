"""The one shape of every stateful layer.

A core is state and arithmetic: no socket, no clock, no task, no callback. Bytes and time are arguments, output is
pulled. The laws that every core keeps are listed in ``docs/explanation/architecture.md`` and tested by
``pystack.testing.laws`` on each of them:

1. it calls nothing that it does not own;
2. any number of inputs and commands in any order, then any number of flushes;
3. ``flush`` repeated at one ``now`` runs dry, and is dry once it hands over fewer than ``limit``; ``tick`` before
   ``deadline`` changes nothing visible;
4. after ``tick(now)`` at ``now >= deadline``, ``deadline > now``;
5. exactly one :class:`Ended`; the next flush may carry the farewell; then silence and ``deadline == inf``;
6. no datagram above the limit that it was given;
7. same inputs and seed, same bytes;
8. arbitrary bytes to ``receive``: no exception, bounded memory.
"""

from __future__ import annotations

from collections.abc import Hashable
from math import inf
from typing import Any, Protocol

import attrs

from pystack.errors import Reason

__all__ = ["Core", "Ended", "PathCore"]


@attrs.frozen
class Ended:
    """The one terminal event of a core; nothing follows it.

    ``reason`` is a value: an error that says whose doing it was, or ``"local"``.
    """

    reason: Reason


class Core(Protocol):
    """The five members of a layer that speaks in datagrams.

    ``deadline`` is in absolute seconds on the caller's monotonic clock, ``inf`` for none, always current.
    """

    @property
    def deadline(self) -> float:
        """When :meth:`tick` is due."""
        ...

    def receive(self, data: bytes, now: float) -> None:
        """Take one datagram from below. Never raises on what a peer sent; only changes state."""

    def tick(self, now: float) -> None:
        """Time has come. Harmless when early or repeated."""

    def flush(self, now: float, limit: float = inf) -> list[bytes]:
        """Build and hand over what should go down now, at most ``limit`` datagrams. Cheap when there is none."""
        ...

    def take_events(self) -> list[Any]:
        """What happened since the last call, oldest first, for the layer above."""
        ...


class PathCore(Protocol):
    """A core that speaks in ``(datagram, path)``: ICE, the session and the mux. ``path`` is opaque and hashable."""

    @property
    def deadline(self) -> float:
        """When :meth:`tick` is due."""
        ...

    def receive(self, data: bytes, path: Hashable, now: float) -> None:
        """Take one datagram that came over ``path``."""

    def tick(self, now: float) -> None:
        """Time has come. Harmless when early or repeated."""

    def flush(self, now: float, limit: float = inf) -> list[tuple[bytes, Hashable]]:
        """Hand over what should go down now, each with the path that it should take."""
        ...

    def take_events(self) -> list[Any]:
        """What happened since the last call, oldest first."""
        ...
