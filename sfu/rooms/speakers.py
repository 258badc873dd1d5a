"""Who speaks, told to everybody who receives them, and to themselves.

What a participant was told last is compared with how it is now, so that whoever begins to speak, stops, comes, goes,
is subscribed to or no longer, is one case: a difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from livekit.protocol import models, rtc

from sfu.rooms.context import RoomContext
from sfu.rooms.participant import Participant

__all__ = ["Speakers"]

_STEPS = 8
"""Levels that are told apart; finer ones would be news all the time."""


class Speakers:
    """What each participant knows of who speaks."""

    def __init__(self, context: RoomContext) -> None:
        self._context = context
        self._told: dict[str, dict[str, float]] = {}

    def heard(self, loudness: Mapping[str, float]) -> None:
        """Tracks are so loud now, from 0.0 to 1.0 by sid; of tracks that are not in it nothing is heard."""
        speaking = self._speaking(loudness)
        for listener in self._context.roster:
            told = self._told.get(listener.sid, {})
            if not speaking and not told:
                continue
            now = {
                speaker.sid: level
                for speaker, level, tracks in speaking
                if speaker is listener or any(self._receives(listener, track) for track in tracks)
            }
            changes = {sid: level for sid, level in now.items() if told.get(sid) != level}
            changes.update((sid, 0.0) for sid in told if sid not in now and self._context.roster.get(sid) is not None)
            if changes:
                self._tell(listener, changes)
            if now:
                self._told[listener.sid] = now
            else:
                self._told.pop(listener.sid, None)

    def forget(self, participant: Participant) -> None:
        """It left, or was away: what it was told counts no more."""
        self._told.pop(participant.sid, None)

    def _speaking(self, loudness: Mapping[str, float]) -> list[tuple[Participant, float, list[str]]]:
        found = []
        for participant in self._context.roster:
            loud = {
                info.sid: loudness[info.sid]
                for info in participant.publications
                if not info.muted and loudness.get(info.sid, 0.0) > 0
            }
            if loud:
                found.append((participant, ceil(max(loud.values()) * _STEPS) / _STEPS, list(loud)))
        return found

    @staticmethod
    def _receives(listener: Participant, track: str) -> bool:
        subscription = listener.subscriptions.get(track)
        return subscription is not None and subscription.routed

    def _tell(self, listener: Participant, changes: Mapping[str, float]) -> None:
        loudest_first = sorted(changes.items(), key=lambda change: -change[1])
        speakers = [models.SpeakerInfo(sid=sid, level=level, active=level > 0) for sid, level in loudest_first]
        message = rtc.SignalResponse(speakers_changed=rtc.SpeakersChanged(speakers=speakers))
        self._context.outbox.send(listener.sid, message)
