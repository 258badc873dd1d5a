"""What somebody may do to a room from outside: look who is there, mute, remove, change names and permissions.

Not a client's requests but its owner's, so a refusal is an exception with a text for whoever asked. Called by
``sfu.server.room_service`` through :class:`sfu.rooms.room.Room`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import attrs
from livekit.protocol import models, rtc

from sfu.rooms.broadcast import announce
from sfu.rooms.context import RoomContext
from sfu.rooms.grants import Grants
from sfu.rooms.lifecycle import LeaveReason
from sfu.rooms.membership import Membership
from sfu.rooms.negotiation import Negotiation
from sfu.rooms.options import too_much
from sfu.rooms.participant import Participant
from sfu.rooms.profile import change_profile
from sfu.rooms.snapshot import participant_message
from sfu.rooms.subscribing import Subscribing

__all__ = ["Administration", "RequestRefused"]


class RequestRefused(Exception):
    """It cannot be done; the text says why, and ``code`` is the word for that in Twirp."""

    def __init__(self, code: Literal["not_found", "invalid_argument", "failed_precondition"], message: str) -> None:
        super().__init__(message)
        self.code = code


@attrs.frozen(eq=False)
class Administration:
    """One room, from outside."""

    context: RoomContext
    membership: Membership
    negotiation: Negotiation
    subscribing: Subscribing

    def participants(self) -> list[models.ParticipantInfo]:
        """Everybody, the hidden ones included."""
        return [participant_message(each) for each in self.context.roster]

    def participant(self, identity: str) -> models.ParticipantInfo:
        """One of them."""
        return participant_message(self._find(identity))

    def remove(self, identity: str, now: float) -> None:
        """Let somebody go."""
        participant = self._find(identity)
        self.membership.depart(participant, LeaveReason.PARTICIPANT_REMOVED, now, "removed by the room's owner")

    def mute(self, identity: str, track: str, muted: bool) -> models.TrackInfo:
        """Mute a track: for everybody at once, and the client is told to do so too.

        Nobody is unmuted from outside: who speaks decides that.
        """
        participant = self._find(identity)
        info = participant.publications.find(track)
        if info is None:
            raise RequestRefused("not_found", f"{identity!r} publishes no track {track!r}")
        if not muted and info.muted:
            raise RequestRefused("failed_precondition", "a track can only be unmuted by its publisher")
        changed = self.subscribing.mute(participant, track, muted)
        if changed is not None:
            told = rtc.MuteTrackRequest(sid=track, muted=muted)
            self.context.outbox.send(participant.sid, rtc.SignalResponse(mute=told))
        return (changed or info).to_message()

    def update(
        self,
        identity: str,
        now: float,
        *,
        name: str = "",
        metadata: str = "",
        attributes: Mapping[str, str] | None = None,
        grants: Grants | None = None,
    ) -> models.ParticipantInfo:
        """Change what is said of somebody, and what it may do; what is empty stays as it is.

        An attribute with an empty value is removed. What may not be published any more ends.
        """
        participant = self._find(identity)
        if excess := change_profile(
            participant, self.context.options, name=name, metadata=metadata, attributes=attributes or {}
        ):
            raise RequestRefused("invalid_argument", excess)
        if grants is not None:
            was_hidden = participant.grants.hidden
            participant.grants = attrs.evolve(
                grants, hidden=was_hidden, recorder=participant.grants.recorder, agent=participant.grants.agent
            )
            self._enforce(participant, now)
        announce(participant, self.context.roster, self.context.outbox, to_self=True)
        return participant_message(participant)

    def subscribe(self, identity: str, tracks: Iterable[str], wanted: bool, now: float) -> None:
        """Let somebody have tracks, or not; unknown ones are ignored."""
        self.subscribing.want(self._find(identity), tracks, wanted, now)

    def set_metadata(self, metadata: str, now: float) -> models.Room:
        """Change what is said of the room; everybody is told at once."""
        if excess := too_much(self.context.options, name="", metadata=metadata, attributes={}):
            raise RequestRefused("invalid_argument", excess)
        self.context.metadata = metadata
        room = self.context.room_message()
        update = rtc.SignalResponse(room_update=rtc.RoomUpdate(room=room))
        self.context.outbox.send_all((each.sid for each in self.context.roster), update)
        return room

    def _find(self, identity: str) -> Participant:
        participant = self.context.roster.by_identity(identity)
        if participant is None:
            raise RequestRefused("not_found", f"nobody called {identity!r} is in room {self.context.name!r}")
        return participant

    def _enforce(self, participant: Participant, now: float) -> None:
        """Its permissions have changed: what is not allowed any more ends, what is allowed may begin."""
        grants = participant.grants
        forbidden = [
            info.sid
            for info in participant.publications
            if not grants.may_publish(info.source, audio=info.kind == "audio")
        ]
        ended = participant.publications.end(forbidden)
        for info in ended:
            told = rtc.TrackUnpublishedResponse(track_sid=info.sid)
            self.context.outbox.send(participant.sid, rtc.SignalResponse(track_unpublished=told))
        self.negotiation.tracks_changed(participant, (), ended, now)
        self.subscribing.refresh(participant, now)
