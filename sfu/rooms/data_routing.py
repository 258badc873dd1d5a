"""Data tracks of one room: who publishes, who has asked for them, and what each packet is called where it goes.

As with media, nothing is remembered on a publisher's side: what a subscriber should receive is compared with what its
handles say, and the routes are worked out anew whenever that changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from livekit.protocol import rtc

from sfu.identifiers import DATA_TRACK, identifier
from sfu.rooms.broadcast import announce
from sfu.rooms.context import RoomContext
from sfu.rooms.participant import Participant
from sfu.tracks import DataTrack

__all__ = ["DataRouting"]


class DataRouting:
    """Publishes, subscribes, and knows the way."""

    def __init__(self, context: RoomContext) -> None:
        self._context = context
        self._routes: dict[tuple[str, int], tuple[tuple[str, int], ...]] = {}

    def route(self, publisher: str, handle: int) -> Sequence[tuple[str, int]] | None:
        """Whom a packet of ``publisher`` goes to, and under which handle; ``None`` for an unknown one. Hot."""
        return self._routes.get((publisher, handle))

    # ------------------------------------------------------------------ what happens to tracks

    def publish(self, publisher: Participant, asked: rtc.PublishDataTrackRequest) -> DataTrack:
        """Take a request that nothing speaks against, and tell everybody."""
        track = publisher.data_tracks.publish(asked, identifier(DATA_TRACK, self._context.randomness))
        response = rtc.PublishDataTrackResponse(info=track.info)
        self._context.outbox.send(publisher.sid, rtc.SignalResponse(publish_data_track_response=response))
        announce(publisher, self._context.roster, self._context.outbox)
        self._lay_routes()
        return track

    def unpublish(self, publisher: Participant, handle: int) -> bool:
        """End one, and tell everybody; false if there is none."""
        track = publisher.data_tracks.unpublish(handle)
        if track is None:
            return False
        response = rtc.UnpublishDataTrackResponse(info=track.info)
        self._context.outbox.send(publisher.sid, rtc.SignalResponse(unpublish_data_track_response=response))
        announce(publisher, self._context.roster, self._context.outbox)
        self.refresh()
        return True

    # ------------------------------------------------------------------ what happens to subscribers

    def want(self, subscriber: Participant, update: rtc.UpdateDataSubscription) -> None:
        """It asks for data tracks, or does not want them any more; unknown ones are ignored."""
        live = {track.sid for publisher, track in self._live()}
        for each in update.updates:
            if not each.subscribe:
                subscriber.data_wanted.discard(each.track_sid)
            elif each.track_sid in live:
                subscriber.data_wanted.add(each.track_sid)
        self.refresh()

    def left(self, participant: Participant) -> None:
        """Nothing comes from it, and nothing goes to it; it is out of the roster already."""
        participant.data_tracks.clear()
        participant.data_wanted.clear()
        self.refresh()

    def tell(self, subscriber: Participant) -> None:
        """Say how its tracks are called, all of them."""
        handles = rtc.DataTrackSubscriberHandles()
        for publisher, track in self._live():
            if track.sid in subscriber.data_handles:
                entry = handles.sub_handles[subscriber.data_handles[track.sid]]
                entry.publisher_identity = publisher.identity
                entry.publisher_sid = publisher.sid
                entry.track_sid = track.sid
        self._context.outbox.send(subscriber.sid, rtc.SignalResponse(data_track_subscriber_handles=handles))

    def refresh(self) -> None:
        """Bring everybody's handles to what is published, wanted and allowed; tell those whose change."""
        live = list(self._live())
        sids = {track.sid for _, track in live}
        for subscriber in self._context.roster:
            subscriber.data_wanted &= sids
            desired = [track.sid for publisher, track in live if self._desired(subscriber, publisher, track)]
            if subscriber.data_handles.set(desired):
                self.tell(subscriber)
        self._lay_routes()

    # ------------------------------------------------------------------ inside

    def _live(self) -> list[tuple[Participant, DataTrack]]:
        return [
            (publisher, track)
            for publisher in self._context.roster
            if not publisher.grants.hidden
            for track in publisher.data_tracks
        ]

    @staticmethod
    def _desired(subscriber: Participant, publisher: Participant, track: DataTrack) -> bool:
        return (
            track.sid in subscriber.data_wanted
            and subscriber is not publisher
            and subscriber.grants.can_subscribe
            and publisher.lets(subscriber, track.sid)
        )

    def _lay_routes(self) -> None:
        subscribers = [each for each in self._context.roster if each.data_handles]
        self._routes = {
            (publisher.sid, track.handle): tuple(
                (each.sid, each.data_handles[track.sid]) for each in subscribers if track.sid in each.data_handles
            )
            for publisher in self._context.roster
            for track in publisher.data_tracks
        }
