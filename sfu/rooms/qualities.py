"""How good everybody's connection is, told to themselves and to those who receive something of them.

A participant is as good as the worst of its tracks, in either direction. What each was told last is compared with how
it is now, so only news is told.
"""

from __future__ import annotations

from collections.abc import Mapping

from livekit.protocol import models, rtc

from sfu.rooms.context import RoomContext
from sfu.rooms.participant import Participant

__all__ = ["Qualities"]

_LEVELS = (
    (80.0, models.ConnectionQuality.EXCELLENT),
    (40.0, models.ConnectionQuality.GOOD),
    (20.0, models.ConnectionQuality.POOR),
)


class Qualities:
    """What each participant knows of how good connections are."""

    def __init__(self, context: RoomContext) -> None:
        self._context = context
        self._told: dict[str, dict[str, models.ConnectionQuality]] = {}

    def measured(self, tracks: Mapping[str, float], subscribers: Mapping[str, float]) -> None:
        """Scores from 0 to 100: of published tracks as they come, by sid, and of what subscribers get, by theirs."""
        scores: dict[str, float] = {}
        for participant in self._context.roster:
            own = [tracks[info.sid] for info in participant.publications if info.sid in tracks]
            if participant.sid in subscribers:
                own.append(subscribers[participant.sid])
            if own:
                scores[participant.sid] = min(own)
        levels = {sid: _level(score) for sid, score in scores.items()}
        for listener in self._context.roster:
            heard = {each.publisher for each in listener.subscriptions.values() if each.routed}
            now = {sid: levels[sid] for sid in (listener.sid, *sorted(heard)) if sid in levels}
            told = self._told.get(listener.sid, {})
            news = [sid for sid, level in now.items() if told.get(sid) != level]
            if news:
                self._tell(listener, {sid: (now[sid], scores[sid]) for sid in news})
            self._told[listener.sid] = now

    def forget(self, participant: Participant) -> None:
        """It left, or was away: what it was told counts no more."""
        self._told.pop(participant.sid, None)

    def _tell(self, listener: Participant, news: Mapping[str, tuple[models.ConnectionQuality, float]]) -> None:
        updates = [
            rtc.ConnectionQualityInfo(participant_sid=sid, quality=level, score=_opinion(score))
            for sid, (level, score) in news.items()
        ]
        update = rtc.SignalResponse(connection_quality=rtc.ConnectionQualityUpdate(updates=updates))
        self._context.outbox.send(listener.sid, update)


def _level(score: float) -> models.ConnectionQuality:
    return next((level for above, level in _LEVELS if score > above), models.ConnectionQuality.LOST)


def _opinion(score: float) -> float:
    """A score as a mean opinion score from 1 to 4.5 (ITU-T G.107, annex B)."""
    return 1 + 0.035 * score + 7e-6 * score * (score - 60) * (100 - score)
