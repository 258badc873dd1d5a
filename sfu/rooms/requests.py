"""What clients ask for through signalling: one function for each kind of request, and a table of them.

A request never raises, whatever the client wrote; what may not be is answered with a ``request_response`` that says
why. Unknown or not yet supported requests are answered or ignored, never fatal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs
from livekit.protocol import models, rtc

from sfu.identifiers import TRACK, identifier
from sfu.rooms.broadcast import announce
from sfu.rooms.context import RoomContext
from sfu.rooms.data_routing import DataRouting
from sfu.rooms.dynacast import Dynacast
from sfu.rooms.events import CandidateArrived
from sfu.rooms.lifecycle import LeaveReason
from sfu.rooms.membership import Membership
from sfu.rooms.negotiation import Negotiation
from sfu.rooms.offering import Offering
from sfu.rooms.participant import Participant, SubscriptionRules
from sfu.rooms.profile import change_profile
from sfu.rooms.subscribing import Subscribing
from sfu.signal import Offer
from sfu.tracks import TrackInfo, Wish

__all__ = ["MAX_CANDIDATE", "Requests"]

MAX_CANDIDATE: Final = 4096
"""The longest ICE candidate (as JSON) that is looked at, in characters."""

_ECHOED: Final = 256
"""The longest name of a track that a refusal repeats, in characters."""
_FEATURES: Final = 64
_UNKNOWN: Final = 100
"""Unknown tracks that one request is answered for."""

_Response = rtc.RequestResponse


@attrs.frozen(eq=False)
class Requests:
    """Dispatches the requests of one room's clients."""

    context: RoomContext
    membership: Membership
    negotiation: Negotiation
    offering: Offering
    subscribing: Subscribing
    data: DataRouting
    dynacast: Dynacast

    def handle(self, participant: Participant, request: rtc.SignalRequest, now: float) -> None:
        """Carry out one request."""
        kind = request.WhichOneof("message")
        handler = _HANDLERS.get(kind or "")
        if handler is not None:
            handler(self, participant, getattr(request, str(kind)), now)

    def respond(self, participant: Participant, reason: int, message: str, **echo: Any) -> None:
        """Say what became of a request, and why it was refused; ``echo`` is the request itself or its id."""
        response = _Response(reason=reason, message=message, **echo)  # type: ignore[arg-type]
        self.context.outbox.send(participant.sid, rtc.SignalResponse(request_response=response))

    def handle_offer(self, participant: Participant, offer: rtc.SessionDescription, now: float) -> None:
        """An SDP offer."""
        self.negotiation.offered(participant, Offer(offer.id, offer.sdp), now)

    def handle_answer(self, participant: Participant, answer: rtc.SessionDescription, now: float) -> None:
        """An SDP answer to an offer of ours."""
        self.offering.answered(participant, answer)

    def handle_trickle(self, participant: Participant, trickle: rtc.TrickleRequest, now: float) -> None:
        """An ICE candidate; with one peer connection the target is always the publisher's."""
        if trickle.candidateInit and len(trickle.candidateInit) <= MAX_CANDIDATE:
            outbound = trickle.target == rtc.SignalTarget.SUBSCRIBER
            self.context.events.append(CandidateArrived(participant.sid, trickle.candidateInit, outbound))

    def handle_add_track(self, participant: Participant, asked: rtc.AddTrackRequest, now: float) -> None:
        """The client is about to publish a track."""
        if not participant.grants.may_publish(asked.source, audio=asked.type == models.TrackType.AUDIO):
            self.respond(
                participant, _Response.NOT_ALLOWED, "the token does not allow publishing this source", add_track=asked
            )
            return
        if participant.publications.full:
            self.respond(participant, _Response.LIMIT_EXCEEDED, "too many tracks are being published", add_track=asked)
            return
        limit = self.context.options.max_request
        if not asked.cid or asked.ByteSize() > limit:
            short = rtc.AddTrackRequest(cid=asked.cid if len(asked.cid) <= _ECHOED else "", type=asked.type)
            why = f"add_track needs a cid and at most {limit} bytes"
            self.respond(participant, _Response.INVALID_REQUEST, why, add_track=short)
            return
        pending = participant.publications.pending(asked.cid)
        if pending is not None and (pending.kind == "audio") != (asked.type == models.TrackType.AUDIO):
            why = f"a track of kind {pending.kind!r} waits for its offer under this cid"
            self.respond(participant, _Response.INVALID_REQUEST, why, add_track=asked)
            return
        info = participant.publications.request(asked, identifier(TRACK, self.context.randomness))
        published = rtc.TrackPublishedResponse(cid=asked.cid, track=info.to_message())
        self.context.outbox.send(participant.sid, rtc.SignalResponse(track_published=published))

    def handle_mute(self, participant: Participant, mute: rtc.MuteTrackRequest, now: float) -> None:
        """The client muted or unmuted one of its tracks."""
        info = self.subscribing.mute(participant, mute.sid, mute.muted)
        if info is not None and mute.sid in participant.publications and not mute.muted:
            self.dynacast.unmuted(participant, info)

    def handle_update_audio_track(
        self, participant: Participant, update: rtc.UpdateLocalAudioTrack, now: float
    ) -> None:
        """The client has another microphone, or treats its sound in another way."""
        info = participant.publications.find(update.track_sid)
        if info is None or info.kind != "audio" or len(update.features) > _FEATURES:
            self._no_such_track(participant, update.track_sid, info, update_audio_track=update)
            return
        asked = rtc.AddTrackRequest.FromString(info.request)
        del asked.audio_features[:]
        asked.audio_features.extend(dict.fromkeys(update.features))
        asked.stereo = models.AudioTrackFeature.TF_STEREO in update.features
        asked.disable_dtx = models.AudioTrackFeature.TF_NO_DTX in update.features
        self.subscribing.describe(participant, info.sid, request=asked.SerializeToString())

    def handle_update_video_track(
        self, participant: Participant, update: rtc.UpdateLocalVideoTrack, now: float
    ) -> None:
        """The client's pictures have another size."""
        info = participant.publications.find(update.track_sid)
        if info is None or info.kind != "video":
            self._no_such_track(participant, update.track_sid, info, update_video_track=update)
            return
        self.subscribing.describe(participant, info.sid, width=update.width, height=update.height)

    def _no_such_track(self, participant: Participant, sid: str, info: TrackInfo | None, **echo: Any) -> None:
        reason = _Response.NOT_FOUND if info is None else _Response.INVALID_REQUEST
        short = {name: type(request)(track_sid=sid[:_ECHOED]) for name, request in echo.items()}
        self.respond(participant, reason, "there is no such track of this kind, or it cannot be so", **short)

    def handle_subscription(self, participant: Participant, update: rtc.UpdateSubscription, now: float) -> None:
        """The client wants tracks, or does not want them any more."""
        tracks = _tracks_of(update)
        unknown = [sid for sid in tracks if sid not in participant.subscriptions] if update.subscribe else []
        for sid in unknown[:_UNKNOWN]:
            self.subscribing.refuse(participant, sid[:_ECHOED], models.SubscriptionError.SE_TRACK_NOTFOUND)
        self.subscribing.want(participant, tracks, update.subscribe, now)

    def handle_track_setting(self, participant: Participant, setting: rtc.UpdateTrackSettings, now: float) -> None:
        """The client says what it wants to see of tracks: nothing for now, or a layer of them."""
        wish = Wish(
            disabled=setting.disabled or setting.quality == models.VideoQuality.OFF,
            quality=setting.quality,
            width=setting.width,
            height=setting.height,
        )
        self.subscribing.wish(participant, setting.track_sids, wish)

    def handle_sync_state(self, participant: Participant, state: rtc.SyncState, now: float) -> None:
        """The client, back from a lost signal connection, says how it remembers things."""
        known, data = participant.publications, participant.data_tracks
        unknown = [each.track.sid for each in state.publish_tracks if not known.knows(each.track.sid)]
        unknown += [each.info.sid for each in state.publish_data_tracks if not data.knows(each.info.sid)]
        if unknown:
            why = f"the client publishes {unknown[0][:64]!r}, which is not known here"
            self.membership.depart(participant, LeaveReason.STATE_MISMATCH, now, why, come_back=True)
            return
        for sid in frozenset(state.track_sids_disabled):
            subscription = participant.subscriptions.get(sid)
            if subscription is not None:
                self.subscribing.wish(participant, [sid], attrs.evolve(subscription.wish, disabled=True))
        if state.HasField("subscription"):
            wanted = state.subscription
            self.subscribing.want(participant, _tracks_of(wanted), wanted.subscribe, now)
        if state.HasField("data_subscription"):
            self.data.want(participant, state.data_subscription)

    def handle_subscription_permission(
        self, participant: Participant, permission: rtc.SubscriptionPermission, now: float
    ) -> None:
        """The publisher says who may have its tracks."""
        limit = self.context.options.max_metadata
        if permission.ByteSize() > limit:
            self.respond(participant, _Response.LIMIT_EXCEEDED, f"subscription_permission is above {limit} bytes")
            return
        by_identity: dict[str, frozenset[str] | None] = {}
        for each in permission.track_permissions:
            tracks = None if each.all_tracks else frozenset(each.track_sids)
            named = self.context.roster.get(each.participant_sid)
            identity = each.participant_identity or (named.identity if named is not None else "")
            if identity:  # of people, not of their sessions: who joins anew is still the same
                by_identity[identity] = tracks
        participant.rules = SubscriptionRules(everybody=permission.all_participants, by_identity=by_identity)
        for subscriber in self.context.roster.others(participant):
            self.subscribing.refresh(subscriber, now)
        self.data.refresh()

    def handle_update_metadata(
        self, participant: Participant, update: rtc.UpdateParticipantMetadata, now: float
    ) -> None:
        """The client changes its own name, metadata or attributes."""
        echo = {"request_id": update.request_id}
        if not participant.grants.can_update_metadata:
            self.respond(participant, _Response.NOT_ALLOWED, "the token lacks canUpdateOwnMetadata", **echo)
            return
        excess = change_profile(
            participant,
            self.context.options,
            name=update.name,
            metadata=update.metadata,
            attributes=update.attributes,
        )
        if excess:
            self.respond(participant, _Response.LIMIT_EXCEEDED, excess, **echo)
            return
        announce(participant, self.context.roster, self.context.outbox, to_self=True)
        if update.request_id:
            self.respond(participant, _Response.OK, "", **echo)

    def handle_leave(self, participant: Participant, leave: rtc.LeaveRequest, now: float) -> None:
        """The client says goodbye."""
        self.membership.depart(participant, LeaveReason.CLIENT_INITIATED, now, "the client left", tell=False)

    def handle_publish_data_track(
        self, participant: Participant, asked: rtc.PublishDataTrackRequest, now: float
    ) -> None:
        """The client publishes a data track."""
        limit = self.context.options.max_request
        if not participant.grants.can_publish_data:
            why = "the token does not allow publishing data"
            self.respond(participant, _Response.NOT_ALLOWED, why, publish_data_track=asked)
        elif asked.ByteSize() > limit:
            why = f"a data track is announced by at most {limit} bytes"
            short = rtc.PublishDataTrackRequest(pub_handle=asked.pub_handle)
            self.respond(participant, _Response.INVALID_REQUEST, why, publish_data_track=short)
        elif (refusal := participant.data_tracks.refusal(asked)) is not None:
            self.respond(participant, *refusal, publish_data_track=asked)
        else:
            self.data.publish(participant, asked)

    def handle_unpublish_data_track(
        self, participant: Participant, asked: rtc.UnpublishDataTrackRequest, now: float
    ) -> None:
        """The client ends a data track."""
        if not self.data.unpublish(participant, asked.pub_handle):
            why = f"there is no data track of handle {asked.pub_handle}"
            self.respond(participant, _Response.NOT_FOUND, why, unpublish_data_track=asked)

    def handle_data_subscription(
        self, participant: Participant, update: rtc.UpdateDataSubscription, now: float
    ) -> None:
        """The client wants data tracks, or does not want them any more."""
        self.data.want(participant, update)


def _tracks_of(update: rtc.UpdateSubscription) -> list[str]:
    return [*update.track_sids, *(sid for group in update.participant_tracks for sid in group.track_sids)]


_HANDLERS: Final[dict[str, Callable[[Requests, Participant, Any, float], None]]] = {
    "offer": Requests.handle_offer,
    "answer": Requests.handle_answer,
    "trickle": Requests.handle_trickle,
    "add_track": Requests.handle_add_track,
    "mute": Requests.handle_mute,
    "update_audio_track": Requests.handle_update_audio_track,
    "update_video_track": Requests.handle_update_video_track,
    "subscription": Requests.handle_subscription,
    "track_setting": Requests.handle_track_setting,
    "sync_state": Requests.handle_sync_state,
    "subscription_permission": Requests.handle_subscription_permission,
    "update_metadata": Requests.handle_update_metadata,
    "leave": Requests.handle_leave,
    "publish_data_track_request": Requests.handle_publish_data_track,
    "unpublish_data_track_request": Requests.handle_unpublish_data_track,
    "update_data_subscription": Requests.handle_data_subscription,
}
