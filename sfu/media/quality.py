"""How good the way of one track is, as a score from 0 to 100: what was lost, how evenly it came, how long it took.

The weights are those that LiveKit's clients are used to. A track is looked at every :data:`LOOK` seconds; a score falls
fast and rises slowly. Called by ``media.uptrack`` for what comes and ``media.downtrack`` for what receivers report.
"""

from __future__ import annotations

from typing import Final

from sfu.tracks import Kind

__all__ = ["LOOK", "OBSERVER", "QualityMeter"]

LOOK: Final = 5.0
"""Seconds that are looked at together."""
OBSERVER: Final = "quality"
"""Who asks for the windows."""

_BEST: Final = 100.0
_WORST: Final = 30.0
"""Of a track that flows."""
_SILENT: Final = 40.0
_GONE: Final = 20.0
_LOSS_WEIGHTS: Final = {"audio": 8.0, "video": 10.0}
"""What one percent of loss costs."""
_BEND: Final = 160.0
"""Milliseconds of delay above which each costs four times as much."""


class QualityMeter:
    """The score of one track in one direction.

    Attributes:
        score: 0 to 100; ``None`` before anything was measured.
    """

    __slots__ = ("_weight", "score")

    def __init__(self, kind: Kind) -> None:
        self._weight = _LOSS_WEIGHTS[kind]
        self.score: float | None = None

    def measure(self, packets: int, lost: int, delay: float) -> None:
        """Of so many packets so many were lost; ``delay`` in seconds is what a listener waits, jitter included."""
        milliseconds = 1000 * delay
        slow = milliseconds / 40 if milliseconds <= _BEND else (milliseconds - 120) / 10
        self._follow(max(_WORST, _BEST - slow - self._weight * 100 * max(0, lost) / packets))

    def miss(self) -> None:
        """Nothing came that should have: that is poor, and a second time it is lost."""
        self.score = _SILENT if self.score is None or self.score > _SILENT else _GONE

    def rest(self) -> None:
        """Nothing should come for now."""
        if self.score is not None and self.score > _GONE:
            self.score = _BEST

    def _follow(self, score: float) -> None:
        if self.score is None:
            self.score = score
        else:
            self.score += (score - self.score) * (0.8 if score < self.score else 0.4)
