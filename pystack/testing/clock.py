"""Simulated time: a number that moves only when somebody moves it."""

from __future__ import annotations

__all__ = ["Clock"]


class Clock:
    """The one clock of a simulation, in monotonic seconds.

    It starts at 1000 s and not at 0, so that code which takes 0.0 for "never" is found out.

    Attributes:
        now: the present; read it freely, move it by :meth:`advance`.
    """

    __slots__ = ("now", "start")

    def __init__(self, now: float = 1000.0) -> None:
        self.start = now
        self.now = now

    @property
    def elapsed(self) -> float:
        """Seconds since the clock was made."""
        return self.now - self.start

    def advance(self, to: float) -> None:
        """Move on to the absolute time ``to``; a time in the past changes nothing."""
        self.now = max(self.now, to)
