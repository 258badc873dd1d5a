"""Tells publishers which simulcast layers somebody wants, so that they need not encode and send the others.

More is asked for at once; less only after a while without a change of mind, because a layer that was stopped takes a
key frame to come back. What is wanted is computed from the subscriptions when it is looked at, never counted along.
"""

from __future__ import annotations

from typing import Final

from livekit.protocol import models, rtc

from sfu.rooms.context import RoomContext
from sfu.rooms.participant import Participant
from sfu.tracks import TrackInfo

__all__ = ["Dynacast"]

LESS_AFTER: Final = 5.0
"""Seconds until less is asked for."""
FIRST_AFTER: Final = 10.0
"""Seconds after which a publisher is told that nobody wants its track."""

_NOBODY: Final = -1
_BEST: Final = models.VideoQuality.HIGH


class Dynacast:
    """What the publishers of one room were told last."""

    def __init__(self, context: RoomContext) -> None:
        self._context = context
        self._told: dict[str, int] = {}

    def settle(self, now: float) -> None:
        """Look at the tracks whose demand may have changed since the last call."""
        context = self._context
        changed, context.demand = context.demand, {}
        for track, publisher in changed.items():
            owner = context.roster.get(publisher)
            info = owner.publications.get(track) if owner is not None else None
            if owner is None or info is None:
                self._told.pop(track, None)
                context.timers.cancel(f"dynacast:{track}")
            elif len(info.rids) > 1 or info.scalable:
                self._look(owner, info, now)

    def expired(self, track: str) -> None:
        """The time of a track has come: what it is told now, it is told."""
        for publisher in self._context.roster:
            info = publisher.publications.get(track)
            if info is not None:
                self._tell(publisher, info, self._wanted(info))

    def unmuted(self, publisher: Participant, info: TrackInfo) -> None:
        """The publisher sends again: it is told at once what is wanted, also if that is less."""
        if info.sid in self._told:
            self._context.timers.cancel(f"dynacast:{info.sid}")
            self._tell(publisher, info, self._wanted(info))

    def tell_again(self, publisher: Participant) -> None:
        """It may have missed what it was told."""
        for info in publisher.publications:
            if info.sid in self._told:
                self._tell(publisher, info, self._told[info.sid])

    def _look(self, publisher: Participant, info: TrackInfo, now: float) -> None:
        timers, timer = self._context.timers, f"dynacast:{info.sid}"
        wanted, told = self._wanted(info), self._told.get(info.sid)
        if told is None and wanted == _NOBODY:
            if not timers.armed(timer):
                timers.set(timer, now + FIRST_AFTER)
        elif told is None or wanted > told:
            timers.cancel(timer)
            self._tell(publisher, info, wanted)
        elif wanted == told:
            timers.cancel(timer)
        elif not timers.armed(timer):
            timers.set(timer, now + LESS_AFTER)

    def _wanted(self, info: TrackInfo) -> int:
        """The best quality that anybody wants of a track."""
        top, best = len(info.rids) - 1, _NOBODY
        for subscriber in self._context.roster:
            subscription = subscriber.subscriptions.get(info.sid)
            if subscription is not None and subscription.routed and not subscription.wish.disabled:
                ceiling = subscription.wish.ceiling(info)
                # Layers inside one stream cannot be stopped one by one.
                best = max(best, _BEST if ceiling >= top or info.scalable else ceiling)
        return best

    def _tell(self, publisher: Participant, info: TrackInfo, wanted: int) -> None:
        self._told[info.sid] = wanted
        qualities = [
            rtc.SubscribedQuality(quality=quality, enabled=quality <= wanted)  # type: ignore[arg-type]
            for quality in range(_BEST + 1)
        ]
        codec = info.mime_type.partition("/")[2].lower()
        update = rtc.SubscribedQualityUpdate(
            track_sid=info.sid,
            subscribed_qualities=qualities,
            subscribed_codecs=[rtc.SubscribedCodec(codec=codec, qualities=qualities)],
        )
        self._context.outbox.send(publisher.sid, rtc.SignalResponse(subscribed_quality_update=update))
