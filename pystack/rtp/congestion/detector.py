"""Tells from groups of packets whether the path is full: they wait longer and longer, or many are lost.

``none`` → ``early-warning`` → ``congested`` → ``none``. It takes a run of groups for each step, so that one bad moment
of a radio link is none; the lengths of the runs are those of requirements C-19.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pystack.rtp.congestion.groups import Group
from pystack.rtp.congestion.state import CongestionState

__all__ = ["CongestionDetector"]

LONG_WAIT: Final = 0.050
SHORT_WAIT: Final = 0.020
HIGH_LOSS: Final = 0.25
LOW_LOSS: Final = 0.10
KEPT: Final = 12
_GROWTH: Final = 1.05
"""A wait that grows less than this from one group to the next is that of another way, or of a queue that is kept."""

_Run = tuple[int, float]
"""So many groups in a row, that last so many seconds together."""
WARN_BY_WAIT: Final[_Run] = (2, 0.2)
WARN_BY_LOSS: Final[_Run] = (3, 0.3)
FULL_BY_WAIT: Final[_Run] = (4, 0.4)
FULL_BY_LOSS: Final[_Run] = (6, 0.6)
CALM: Final[_Run] = (3, 0.3)
FREE: Final[_Run] = (5, 0.5)


class CongestionDetector:
    """The state of one path.

    Attributes:
        state: as of the last group.
    """

    def __init__(self) -> None:
        self.state: CongestionState = "none"
        self._groups: list[Group] = []

    @property
    def waiting(self) -> bool:
        """Whether the last group waited long, in a queue that grows or overflows."""
        return bool(self._groups) and self._waits(len(self._groups) - 1)

    @property
    def losing(self) -> bool:
        """Whether much of the last group was lost."""
        return bool(self._groups) and self._loses(len(self._groups) - 1)

    def add(self, group: Group) -> CongestionState:
        """Take the next group; return the state after it."""
        self._groups.append(group)
        del self._groups[:-KEPT]
        if self.state == "congested":
            if self._lasts(self._is_free, FREE):
                self.state = "none"
        elif self._lasts(self._waits, FULL_BY_WAIT) or self._lasts(self._loses, FULL_BY_LOSS):
            self.state = "congested"
        elif self.state == "early-warning":
            if self._lasts(self._is_free, CALM):
                self.state = "none"
        elif self._lasts(self._waits, WARN_BY_WAIT) or self._lasts(self._loses, WARN_BY_LOSS):
            self.state = "early-warning"
        return self.state

    def _lasts(self, holds: Callable[[int], bool], run: _Run) -> bool:
        """Whether this holds for the last groups, as many and as long as ``run`` says."""
        count, seconds = run
        groups = self._groups
        at = len(groups)
        while at and holds(at - 1):
            at -= 1
        return len(groups) - at >= count and groups[-1].end - groups[at].begin >= seconds

    def _waits(self, index: int) -> bool:
        group = self._groups[index]
        before = self._groups[index - 1].queuing_delay if index else 0.0
        overflows = group.weighted_loss > LOW_LOSS
        return group.queuing_delay > LONG_WAIT and (overflows or group.queuing_delay > before * _GROWTH)

    def _loses(self, index: int) -> bool:
        return self._groups[index].weighted_loss > HIGH_LOSS

    def _is_free(self, index: int) -> bool:
        group = self._groups[index]
        return group.queuing_delay < SHORT_WAIT and group.weighted_loss < LOW_LOSS
