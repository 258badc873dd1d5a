"""Coming and going: the one way in and the one way out of a room.

Whoever is let in is told of exactly once as joined or aborted, and leaves exactly once, whatever ends it. The leaver
is out of the roster before any event about it is made, so every count in an event excludes it.
"""

from __future__ import annotations

from typing import Final

from livekit.protocol import models, rtc

from pystack.base import Backoff, Machine
from pystack.errors import InvalidArgument
from sfu.identifiers import PARTICIPANT, identifier
from sfu.rooms.broadcast import announce
from sfu.rooms.context import RoomContext
from sfu.rooms.data_routing import DataRouting
from sfu.rooms.dynacast import Dynacast
from sfu.rooms.events import (
    ConnectionAborted,
    ParticipantClosed,
    ParticipantJoined,
    ParticipantLeft,
    TrackUnpublished,
)
from sfu.rooms.lifecycle import PARTICIPANT_TABLE, LeaveReason, ParticipantInput, ParticipantState, leave_action
from sfu.rooms.negotiation import Negotiation
from sfu.rooms.offering import Offering
from sfu.rooms.participant import Admission, Participant
from sfu.rooms.qualities import Qualities
from sfu.rooms.snapshot import participant_message
from sfu.rooms.speakers import Speakers
from sfu.rooms.subscribing import Subscribing
from sfu.signal import Offers, Proposals, SignalSession
from sfu.tracks import OwnSections, Sections

__all__ = ["Membership", "RoomFull"]

_MISSED: Final = 1000
"""Departures that are kept for somebody who is away."""


class RoomFull(InvalidArgument):
    """The room has as many participants as it may have."""


class Membership:
    """Who is let in, who becomes active, who leaves."""

    def __init__(
        self,
        context: RoomContext,
        subscribing: Subscribing,
        negotiation: Negotiation,
        offering: Offering,
        speakers: Speakers,
        qualities: Qualities,
        data: DataRouting,
        dynacast: Dynacast,
    ) -> None:
        self._context = context
        self._subscribing = subscribing
        self._negotiation = negotiation
        self._offering = offering
        self._speakers = speakers
        self._qualities = qualities
        self._data = data
        self._dynacast = dynacast

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
            kind_details=admission.kind_details,
            auto_subscribe=admission.auto_subscribe,
            joined_at=context.epoch + now,
            machine=Machine(PARTICIPANT_TABLE, ParticipantState.JOINING),
            session=SignalSession(
                Offers(options.negotiation_timeout), Proposals(options.negotiation_timeout), context.epoch
            ),
            sections=OwnSections() if admission.dual else Sections(),
            retries=Backoff(options.retry_interval, 10 * options.retry_interval),
        )
        participant.machine.move(ParticipantInput.ADMITTED)
        context.roster.add(participant)  # first the roster, then everything that counts it
        if not participant.dependent:
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

    def signal_lost(self, participant: Participant, now: float) -> None:
        """Its signalling is lost: while its media may go on, it is kept for a while, to come back."""
        patience = self._context.options.resume_timeout
        if not patience or not participant.active:
            self.depart(participant, LeaveReason.SIGNAL_CLOSE, now, "the signal connection closed", tell=False)
        elif participant.missed is None:
            participant.missed = []
            self._offering.away(participant)
            self._context.timers.set(f"away:{participant.sid}", now + patience)

    def resumed(self, participant: Participant, now: float, last_sequence: int) -> None:
        """Its signalling is back: tell it how everything is by now."""
        context = self._context
        missed, participant.missed = participant.missed or [], None
        context.timers.cancel(f"away:{participant.sid}")
        welcome = rtc.ReconnectResponse(server_info=self._server(), last_message_seq=last_sequence)
        context.outbox.send(participant.sid, rtc.SignalResponse(reconnect=welcome))
        present = [each for each in context.roster.others(participant) if not each.grants.hidden]
        told = [*missed, *map(participant_message, [*present, participant])]
        context.outbox.send(participant.sid, rtc.SignalResponse(update=rtc.ParticipantUpdate(participants=told)))
        context.outbox.send(
            participant.sid, rtc.SignalResponse(room_update=rtc.RoomUpdate(room=context.room_message()))
        )
        self._speakers.forget(participant)
        self._qualities.forget(participant)
        self._data.tell(participant)
        self._dynacast.tell_again(participant)
        self._subscribing.tell_permissions(participant, again=True)
        self._subscribing.retry(participant, now)  # what it was asked for may never have reached it
        self._offering.back(participant)

    def depart(
        self,
        participant: Participant,
        reason: LeaveReason,
        now: float,
        message: str,
        *,
        tell: bool = True,
        come_back: bool = False,
    ) -> None:
        """Let somebody go: the only way out. Awaits nobody; harmless when it has left already.

        ``message`` is for people and logs; ``tell`` is whether a ``leave`` message may still reach the client, and
        ``come_back`` whether that asks it to join anew whatever the reason is.
        """
        context = self._context
        if not context.roster.remove(participant):
            return
        since = participant.active_since
        duration = now - since if since is not None else 0.0
        context.events.append(ParticipantClosed(participant.sid, participant.identity, reason, duration, message))
        if tell:
            action = rtc.LeaveRequest.RECONNECT if come_back else leave_action(reason)
            leave = rtc.LeaveRequest(
                reason=int(reason),  # type: ignore[arg-type]
                action=action,
                can_reconnect=action != rtc.LeaveRequest.DISCONNECT,
            )
            context.outbox.send(participant.sid, rtc.SignalResponse(leave=leave))
        context.timers.cancel(f"join:{participant.sid}")
        context.timers.cancel(f"away:{participant.sid}")
        self._negotiation.left(participant)
        self._offering.left(participant)
        self._subscribing.participant_left(participant)
        self._speakers.forget(participant)
        self._qualities.forget(participant)
        self._data.left(participant)
        ended = participant.publications.clear()
        participant.reason = int(reason)
        participant.machine.move(ParticipantInput.LEFT)
        announce(participant, context.roster, context.outbox)
        self._remember(participant, now)
        for info in ended:
            context.tell_of(TrackUnpublished, participant, info)
        self._subscribing.tracks_changed(participant, (), ended, now)
        context.tell_of(ParticipantLeft if since is not None else ConnectionAborted, participant)
        context.changed(now)
        if not participant.dependent and not context.roster.count:
            context.timers.set("empty", now + context.options.departure_timeout)

    def _remember(self, departed: Participant, now: float) -> None:
        """Who is away cannot hear of it now; one that missed too much joins anew instead."""
        # No more than says who it was: names, metadata and tracks of a thousand would be too much to keep.
        gone = models.ParticipantInfo(
            sid=departed.sid,
            identity=departed.identity,
            state=models.ParticipantInfo.State.DISCONNECTED,
            version=departed.version,
            disconnect_reason=departed.reason,  # type: ignore[arg-type]
        )
        for other in () if departed.grants.hidden else self._context.roster:
            if other.missed is not None:
                other.missed.append(gone)
                if len(other.missed) >= _MISSED:
                    self._context.timers.set(f"away:{other.sid}", now)

    def _server(self) -> models.ServerInfo:
        options = self._context.options
        return models.ServerInfo(
            edition=models.ServerInfo.Edition.Standard,
            version=options.server_version,
            protocol=16,
            debug_info=options.about,
        )

    def _welcome(self, participant: Participant) -> rtc.JoinResponse:
        context, options = self._context, self._context.options
        own = participant_message(participant)
        own.state = models.ParticipantInfo.State.ACTIVE  # clients tie their media to it from the first message
        others = [each for each in context.roster.others(participant) if not each.grants.hidden]
        dual = isinstance(participant.sections, OwnSections)
        return rtc.JoinResponse(
            room=context.room_message(),
            participant=own,
            other_participants=[participant_message(each) for each in others],
            server_version=options.server_version,
            server_info=self._server(),
            ping_interval=options.ping_interval,
            ping_timeout=options.ping_timeout,
            subscriber_primary=dual and participant.grants.can_subscribe,
            fast_publish=dual and participant.grants.can_publish,
            enabled_publish_codecs=[models.Codec(mime=mime) for mime in options.publish_codecs],
        )
