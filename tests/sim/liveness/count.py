"""What the rule machines did: schedules, steps, and how many of them ran into a black hole."""

from __future__ import annotations

import attrs

__all__ = ["Tally"]


@attrs.define
class Tally:
    """Counts over all schedules of one run."""

    name: str
    schedules: int = 0
    steps: int = 0
    holes: int = 0
    ended: int = 0
    refused: int = 0
    delivered: int = 0

    def report(self) -> str:
        """One line for people."""
        each = max(self.schedules, 1)
        return (
            f"{self.name}: {self.schedules} schedules, {self.steps / each:.1f} steps each, "
            f"{self.holes / each:.0%} black-holed, {self.ended / each:.0%} ended by themselves, "
            f"{self.refused} refusals, {self.delivered} messages delivered"
        )
