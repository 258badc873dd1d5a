"""An optional observer of a core: write-only, so that it cannot reach back into it.

Cores do not log. Whoever wants to see inside hands in a :class:`Trace`; without one the cost is one ``is None``.
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["Trace"]


class Trace(Protocol):
    """Receives what happens inside a core, as it happens. Must not call back into the stack."""

    def packet(self, now: float, layer: str, direction: str, data: bytes) -> None:
        """A packet passed: ``direction`` is ``"in"`` or ``"out"``, ``data`` is the plain text of that layer."""

    def state(self, now: float, layer: str, before: str, after: str) -> None:
        """A state machine moved."""

    def timer(self, now: float, layer: str, name: str) -> None:
        """A named timer fired."""

    def dropped(self, now: float, layer: str, why: str) -> None:
        """Something was dropped and counted under ``why``."""
