"""Runs a rule machine for so many schedules, and tells what they did.

A failure is told as it was found; the long profile shrinks it first, which may take minutes.
"""

from __future__ import annotations

import attrs
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

__all__ = ["Tally", "run_schedules"]


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
            f"{self.holes / each:.0%} black-holed, {self.ended / each:.0%} ended before the end, "
            f"{self.refused} refusals, {self.delivered} messages delivered"
        )


def run_schedules(
    machine: type[RuleBasedStateMachine], tally: Tally, schedules: int, *, steps: int = 30, shrink: bool = False
) -> None:
    """Run, and print the tally."""
    phases = [Phase.explicit, Phase.generate]
    if shrink:
        phases.append(Phase.shrink)
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=schedules,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=phases,
        ),
    )
    print("\n" + tally.report())
