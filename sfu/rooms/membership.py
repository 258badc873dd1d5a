"""Coming and going: the one way in and the one way out of a room.

Whoever is let in is told of exactly once as joined or aborted, and leaves exactly once, whatever ends it. The leaver
is out of the roster before any event about it is made, so every count in an event excludes it.
"""

from __future__ import annotations

from livekit.protocol import models, rtc

from pystack.base import Backoff, Machine
from pystack.errors import InvalidArgument
from sfu.identifiers import PARTICIPANT, identifier
from sfu.rooms.broadcast import announce
from sfu.rooms.context import RoomContext
from sfu.rooms.events import (
    ConnectionAborted,
    ParticipantClosed,
    ParticipantJoined,
    ParticipantLeft,
    TrackUnpublished,
)
from sfu.rooms.lifecycle import PARTICIPANT_TABLE, LeaveReason, ParticipantInput, ParticipantState, leave_action
from sfu.rooms.negotiation import Negotiation
from sfu.rooms.participant import Admission, Participant
from sfu.rooms.snapshot import participant_message
from sfu.rooms.subscribing import Subscribing
from sfu.signal import Offers, SignalSession

__all__ = ["Membership", "RoomFull"]


class RoomFull(InvalidArgument):
    """The room has as many participants as it may have."""


class Membership:
    """Who is let in, who becomes active, who leaves."""

    def __init__(self, context: RoomContext, subscribing: Subscribing, negotiation: Negotiation) -> None:
        self._context = context
        self._subscribing = subscribing
        self._negotiation = negotiation

    def admit(self, admission: Admission, now: float) -> Participant:
        """Let somebody in and tell everybody; an older session of the same identity is replaced.

        Raises:
            RoomFull: and nobody was replaced.
        """
        context, options = self._context, self._context.options
        older = context.roster.by_identity(admission.identity)
        limit = options.max_participants
        if limit and not admission.dependent and older is None and context.roster.count >= limit:
            raise RoomFull(f"room {context.name!r} is full: it takes {limit} participants")
        if older is not None:
            self.depart(older, LeaveReason.DUPLICATE_IDENTITY, now, "the same identity joined again")
        participant = Participant(
            sid=identifier(PARTICIPANT, context.randomness),
            identity=admission.identity,
            name=admission.name,
            metadata=admission.metadata,
            attributes=dict(admission.attributes),
            grants=admission.grants,
            client=admission.client,
            kind=admission.kind,
            auto_subscribe=admission.auto_subscribe,
            joined_at=context.epoch + now,
            machine=Machine(PARTICIPANT_TABLE, ParticipantState.JOINING),
            session=SignalSession(Offers(options.negotiation_timeout), context.epoch),
            retries=Backoff(options.retry_interval, 10 * options.retry_interval),
        )
        participant.machine.move(ParticipantInput.ADMITTED)
        context.roster.add(participant)  # first the roster, then everything that counts it
        context.timers.cancel("empty")
        context.timers.set(f"join:{participant.sid}", now + options.join_timeout)
        self._subscribing.participant_joined(participant)
        context.outbox.send(participant.sid, rtc.SignalResponse(join=self._welcome(participant)))
        announce(participant, context.roster, context.outbox)
        context.changed(now)
        return participant

    def connected(self, participant: Participant, now: float) -> None:
        """The participant's transport works; only the first time counts."""
        if not participant.machine.allows(ParticipantInput.CONNECTED):
            return
        participant.machine.move(ParticipantInput.CONNECTED)
        participant.active_since = now
        self._context.timers.cancel(f"join:{participant.sid}")
        announce(participant, self._context.roster, self._context.outbox)
        self._context.tell_of(ParticipantJoined, participant)
        self._subscribing.became_active(participant)

    def depart(
        self, participant: Participant, reason: LeaveReason, now: float, message: str, *, tell: bool = True
    ) -> None:
        """Let somebody go: the only way out. Awaits nobody; harmless when it has left already.

        ``message`` is for people and logs; ``tell`` is whether a ``leave`` message may still reach the client.
        """
        context = self._context
        if not context.roster.remove(participant):
            return
        since = participant.active_since
        duration = now - since if since is not None else 0.0
        context.events.append(ParticipantClosed(participant.sid, participant.identity, reason, duration, message))
        if tell:
            leave = rtc.LeaveRequest(
                reason=int(reason),  # type: ignore[arg-type]
                action=leave_action(reason),
                can_reconnect=leave_action(reason) != rtc.LeaveRequest.DISCONNECT,
            )
            context.outbox.send(participant.sid, rtc.SignalResponse(leave=leave))
        context.timers.cancel(f"join:{participant.sid}")
        self._negotiation.left(participant)
        self._subscribing.participant_left(participant)
        ended = participant.publications.clear()
        participant.reason = int(reason)
        participant.machine.move(ParticipantInput.LEFT)
        announce(participant, context.roster, context.outbox)
        for info in ended:
            context.tell_of(TrackUnpublished, participant, info)
        self._subscribing.tracks_changed(participant, (), ended, now)
        context.tell_of(ParticipantLeft if since is not None else ConnectionAborted, participant)
        context.changed(now)
        if not any(not each.dependent for each in context.roster):
            context.timers.set("empty", now + context.options.departure_timeout)

    def _welcome(self, participant: Participant) -> rtc.JoinResponse:
        context, options = self._context, self._context.options
        own = participant_message(participant)
        own.state = models.ParticipantInfo.State.ACTIVE  # clients tie their media to it from the first message
        others = [each for each in context.roster.others(participant) if not each.grants.hidden]
        return rtc.JoinResponse(
            room=context.room_message(),
            participant=own,
            other_participants=[participant_message(each) for each in others],
            server_version=options.server_version,
            server_info=models.ServerInfo(
                edition=models.ServerInfo.Edition.Standard,
                version=options.server_version,
                protocol=16,
                debug_info=options.about,
            ),
            ping_interval=options.ping_interval,
            ping_timeout=options.ping_timeout,
            subscriber_primary=False,
            enabled_publish_codecs=[models.Codec(mime=mime) for mime in options.publish_codecs],
        )
