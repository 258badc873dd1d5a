"""Named deadlines with a cached minimum, and the back-off of those that repeat.

A core keeps its timers in one :class:`TimerSet` and publishes ``timers.deadline`` as its own deadline. Setting,
moving and cancelling are O(1) as long as the earliest timer is not the one that moves later; only then is the
minimum searched again, among the handful of timers that a core has. Never one timer per packet.
"""

from __future__ import annotations

from math import inf

__all__ = ["Backoff", "TimerSet"]


class TimerSet:
    """A few named absolute deadlines.

    Attributes:
        deadline: the earliest of them in absolute seconds, ``inf`` when none is set. Always current.
        reason: the name of the earliest timer (``""`` when none), for traces: "advanced 1.000 s: t3-rtx".
    """

    __slots__ = ("_at", "deadline", "reason")

    def __init__(self) -> None:
        self._at: dict[str, float] = {}
        self.deadline = inf
        self.reason = ""

    def set(self, name: str, at: float) -> None:
        """Arm ``name`` for the absolute time ``at``, replacing what it was set to; ``inf`` cancels it."""
        if at == inf:
            self.cancel(name)
            return
        self._at[name] = at
        if at < self.deadline:
            self.deadline = at
            self.reason = name
        elif name == self.reason:
            self._search()

    def cancel(self, name: str) -> None:
        """Disarm ``name``; harmless when it is not armed."""
        if self._at.pop(name, None) is not None and name == self.reason:
            self._search()

    def clear(self) -> None:
        """Disarm everything."""
        self._at.clear()
        self.deadline = inf
        self.reason = ""

    def armed(self, name: str) -> bool:
        """Tell whether ``name`` is armed."""
        return name in self._at

    def at(self, name: str) -> float:
        """When ``name`` expires; ``inf`` when it is not armed."""
        return self._at.get(name, inf)

    def expired(self, now: float) -> list[str]:
        """Disarm and return the timers whose time has come, earliest first; ties in the order of their names."""
        if now < self.deadline:
            return []
        due = sorted((at, name) for name, at in self._at.items() if at <= now)
        for _, name in due:
            del self._at[name]
        self._search()
        return [name for _, name in due]

    def _search(self) -> None:
        self.deadline = inf
        self.reason = ""
        for name, at in self._at.items():
            if at < self.deadline:
                self.deadline = at
                self.reason = name


class Backoff:
    """How long the next wait is: starts at ``initial`` seconds, times ``factor`` after each, up to ``maximum``."""

    __slots__ = ("factor", "initial", "maximum", "tries")

    def __init__(self, initial: float, maximum: float, factor: float = 2.0) -> None:
        self.initial = initial
        self.maximum = maximum
        self.factor = factor
        self.tries = 0

    def next(self) -> float:
        """Return the wait before the next try, and count it."""
        # The exponent is bounded so that a long-lived owner cannot overflow a float.
        wait = min(self.maximum, self.initial * self.factor ** min(self.tries, 64))
        self.tries += 1
        return wait

    def reset(self) -> None:
        """Start again from ``initial``."""
        self.tries = 0
