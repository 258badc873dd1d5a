"""Brings what every participant receives to what it should receive.

There are no observers: a change walks the roster, so nothing of a subscriber can stay behind on somebody else's track
when it leaves. Each participant's subscriptions are one table; :func:`sfu.tracks.reconcile` names the step for each,
and the sections decide whether the client has room for it, must be asked for more, or is to be offered some.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from livekit.protocol import rtc

from sfu.rooms.broadcast import announce
from sfu.rooms.context import RoomContext
from sfu.rooms.events import RouteAdded, RouteChanged, RouteRemoved
from sfu.rooms.participant import Participant
from sfu.tracks import Action, Kind, Sections, Subscription, TrackInfo, Wish, reconcile

__all__ = ["Subscribing"]

_NOT_IN_MSID: Final = re.compile(r"[^A-Za-z0-9_{}.\-]")
"""A client names its streams; in our SDP to others only harmless characters of that name may appear."""


class Subscribing:
    """Everything about who receives what in one room."""

    def __init__(self, context: RoomContext) -> None:
        self._context = context

    # ------------------------------------------------------------------ what happens to tracks

    def tracks_changed(
        self, publisher: Participant, new: Sequence[TrackInfo], ended: Sequence[TrackInfo], now: float
    ) -> None:
        """Tracks may be had from now on, or not any more; their publisher's table says so already.

        All at once, so that a subscriber is asked for sections once and not for each track.
        """
        self._context.demand.update((info.sid, publisher.sid) for info in (*new, *ended))
        for subscriber in self._context.roster.others(publisher):
            for info in new:
                self._offer(subscriber, publisher, info)
            if new or any(info.sid in subscriber.subscriptions for info in ended):
                self.refresh(subscriber, now)

    def describe(self, publisher: Participant, track: str, **changes: Any) -> TrackInfo | None:
        """A track is another than it was said to be: everybody is told; ``None`` as with :meth:`mute`."""
        info = publisher.publications.change(track, **changes)
        if info is not None and track in publisher.publications:
            announce(publisher, self._context.roster, self._context.outbox)
            self._changed(info)
        return info

    def mute(self, publisher: Participant, track: str, muted: bool) -> TrackInfo | None:
        """A track is muted or unmuted: everybody is told, and every route of it follows.

        Returns:
            The track as it is now, live or on its way to be; ``None`` if that is nothing new, or there is none.
        """
        return self.describe(publisher, track, muted=muted)

    def _changed(self, info: TrackInfo) -> None:
        for subscriber in self._context.roster:
            subscription = subscriber.subscriptions.get(info.sid)
            if subscription is not None:
                self._change(subscriber, subscription, info)

    # ------------------------------------------------------------------ what happens to subscribers

    def participant_joined(self, subscriber: Participant) -> None:
        """A newcomer may have what is live; its first offer, or a requirement, brings it."""
        for publisher in self._context.roster.others(subscriber):
            for info in publisher.publications:
                self._offer(subscriber, publisher, info)
        self._context.unoffered[subscriber.sid] = None

    def participant_left(self, subscriber: Participant) -> None:
        """Nothing flows to somebody who left."""
        for subscription in subscriber.subscriptions.values():
            self._unbind(subscriber, subscription)
        subscriber.subscriptions.clear()
        self._context.timers.cancel(f"retry:{subscriber.sid}")

    def became_active(self, subscriber: Participant) -> None:
        """The transport works: what was bound before flows now."""
        for subscription in subscriber.subscriptions.values():
            self._route(subscriber, subscription)

    def want(self, subscriber: Participant, tracks: Iterable[str], wanted: bool, now: float) -> None:
        """The subscriber asks for tracks, or does not want them any more; unknown ones are ignored."""
        for sid in tracks:
            subscription = subscriber.subscriptions.get(sid)
            if subscription is not None:
                subscription.wanted = wanted
        self.refresh(subscriber, now)

    def refuse(self, subscriber: Participant, track: str, why: int) -> None:
        """Say why a track does not come."""
        told = rtc.SubscriptionResponse(track_sid=track, err=why)  # type: ignore[arg-type]
        self._context.outbox.send(subscriber.sid, rtc.SignalResponse(subscription_response=told))

    def tell_permissions(self, subscriber: Participant, *, again: bool = False) -> None:
        """Say of the tracks that it wants whether their publishers let it have them, where that is news.

        Clients take it for granted at first. ``again``: what was said may not have reached it.
        """
        for subscription in subscriber.subscriptions.values():
            publisher = self._context.roster.get(subscription.publisher)
            if publisher is None or not subscription.wanted:
                continue
            allowed, told = publisher.lets(subscriber, subscription.track), subscription.told_allowed
            if allowed is not (told is not False) or (again and told is not None):
                subscription.told_allowed = allowed
                update = rtc.SubscriptionPermissionUpdate(
                    participant_sid=publisher.sid, track_sid=subscription.track, allowed=allowed
                )
                self._context.outbox.send(subscriber.sid, rtc.SignalResponse(subscription_permission_update=update))

    def wish(self, subscriber: Participant, tracks: Iterable[str], wish: Wish) -> None:
        """The subscriber says what it wants to see of tracks; unknown ones are ignored."""
        for sid in tracks:
            subscription = subscriber.subscriptions.get(sid)
            info = self._find(subscription)
            if subscription is not None and info is not None and wish != subscription.wish:
                subscription.wish = wish
                self._change(subscriber, subscription, info)

    # ------------------------------------------------------------------ around an offer

    def lost(self, subscriber: Participant, tracks: Iterable[str]) -> None:
        """The sections that carried these tracks are gone."""
        for sid in tracks:
            subscription = subscriber.subscriptions.get(sid)
            if subscription is not None:
                self._unbind(subscriber, subscription)

    def bind(self, subscriber: Participant, now: float) -> None:
        """Let free sections carry what is wanted, oldest wish first."""
        for subscription in self._pending(subscriber):
            name = subscriber.sections.take(subscription.kind, subscription.track)
            if name:
                subscription.bind(name, now)

    def stream_id(self, subscriber: Participant, track: str) -> str:
        """The ``a=msid`` stream of a track in an SDP to this subscriber: ``PA_publisher|stream``."""
        subscription = subscriber.subscriptions.get(track)
        info = self._find(subscription)
        if subscription is None or info is None:
            return ""
        stream = _NOT_IN_MSID.sub("", info.stream)[:64]
        return f"{subscription.publisher}|{stream or track}"

    def answered(self, subscriber: Participant, carried: dict[str, str], idle: Iterable[str], now: float) -> None:
        """The answer went out: what it promised flows, what it turned off is free again."""
        subscriber.sections.settle(idle)
        for mid, sid in carried.items():
            subscription = subscriber.subscriptions.get(sid)
            if subscription is not None and subscription.mid == mid:
                subscription.answered = True
                self._route(subscriber, subscription)
        self.refresh(subscriber, now)

    def retry(self, subscriber: Participant, now: float) -> None:
        """The client did not do what was asked in time: ask again."""
        if isinstance(subscriber.sections, Sections):
            subscriber.sections.give_up_waiting()
        self.refresh(subscriber, now)

    # ------------------------------------------------------------------ the one reconcile

    def refresh(self, subscriber: Participant, now: float) -> None:
        """Bring all subscriptions of one subscriber a step nearer to what is desired."""
        for subscription in list(subscriber.subscriptions.values()):
            action = self._action(subscriber, subscription)
            if action is Action.UNBIND:
                self._unbind(subscriber, subscription)
                action = self._action(subscriber, subscription)
            if action is Action.FORGET:
                del subscriber.subscriptions[subscription.track]
        self.tell_permissions(subscriber)
        if isinstance(subscriber.sections, Sections):
            self._ask(subscriber, subscriber.sections, now)
        else:
            self._context.unoffered[subscriber.sid] = None

    # ------------------------------------------------------------------ inside

    def _ask(self, subscriber: Participant, sections: Sections, now: float) -> None:
        """Ask the client for the sections that it lacks."""
        timer = f"retry:{subscriber.sid}"
        if subscriber.session.offers.current is not None:
            return  # its plan will bind what it can, and `answered` comes back here
        waiting: dict[Kind, int] = {"audio": 0, "video": 0}
        for subscription in self._pending(subscriber):
            waiting[subscription.kind] += 1
        requirement = sections.requirement(waiting)
        if requirement is not None:
            audios, videos = requirement
            self._context.outbox.send(
                subscriber.sid,
                rtc.SignalResponse(
                    media_sections_requirement=rtc.MediaSectionsRequirement(num_audios=audios, num_videos=videos)
                ),
            )
            self._context.timers.set(timer, now + subscriber.retries.next())
        elif not sections.asked:
            subscriber.retries.reset()
            self._context.timers.cancel(timer)

    def _offer(self, subscriber: Participant, publisher: Participant, info: TrackInfo) -> None:
        if info.sid not in subscriber.subscriptions and not publisher.grants.hidden:
            subscriber.subscriptions[info.sid] = Subscription(
                track=info.sid, publisher=publisher.sid, kind=info.kind, wanted=subscriber.auto_subscribe
            )

    def _find(self, subscription: Subscription | None) -> TrackInfo | None:
        if subscription is None:
            return None
        publisher = self._context.roster.get(subscription.publisher)
        return publisher.publications.get(subscription.track) if publisher is not None else None

    def _desired(self, subscriber: Participant, subscription: Subscription) -> bool:
        publisher = self._context.roster.get(subscription.publisher)
        return (
            subscription.wanted
            and subscriber.grants.can_subscribe
            and publisher is not None
            and publisher.lets(subscriber, subscription.track)
        )

    def _action(self, subscriber: Participant, subscription: Subscription) -> Action:
        return reconcile(
            desired=self._desired(subscriber, subscription),
            available=self._find(subscription) is not None,
            bound=subscription.bound,
        )

    def _pending(self, subscriber: Participant) -> list[Subscription]:
        table = subscriber.subscriptions.values()
        return [each for each in table if self._action(subscriber, each) is Action.BIND]

    def _route(self, subscriber: Participant, subscription: Subscription) -> None:
        info = self._find(subscription)
        if subscription.routed or not subscription.answered or not subscriber.active or info is None:
            return
        subscription.routed = True
        self._reroute(
            subscription,
            RouteAdded(
                track=subscription.track,
                publisher=subscription.publisher,
                subscriber=subscriber.sid,
                mid=subscription.mid,
                kind=subscription.kind,
                generation=subscription.generation,
                paused=info.muted or subscription.wish.disabled,
                ceiling=subscription.wish.ceiling(info),
                since=max(subscription.since, subscriber.active_since or 0.0),
            ),
        )
        publisher = self._context.roster.get(subscription.publisher)
        if publisher is not None and publisher.publications.first_subscriber(subscription.track):
            told = rtc.TrackSubscribed(track_sid=subscription.track)
            self._context.outbox.send(publisher.sid, rtc.SignalResponse(track_subscribed=told))

    def _change(self, subscriber: Participant, subscription: Subscription, info: TrackInfo) -> None:
        if subscription.routed:
            wish = subscription.wish
            self._reroute(
                subscription,
                RouteChanged(
                    subscription.track,
                    subscriber.sid,
                    subscription.generation,
                    info.muted or wish.disabled,
                    wish.ceiling(info),
                ),
            )

    def _unbind(self, subscriber: Participant, subscription: Subscription) -> None:
        if subscription.routed:
            self._reroute(subscription, RouteRemoved(subscription.track, subscriber.sid, subscription.generation))
        if subscription.bound:
            subscriber.sections.release(subscription.unbind())

    def _reroute(self, subscription: Subscription, event: RouteAdded | RouteChanged | RouteRemoved) -> None:
        """A route begins, changes or ends, and with it perhaps what is wanted of the track."""
        self._context.demand[subscription.track] = subscription.publisher
        self._context.events.append(event)
