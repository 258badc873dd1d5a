"""A room: the composer of everything that decides who is here, what they publish and what they receive.

It has the five members of a core that speaks in ``(frame, path)``: the frames are signalling messages and the path is
a participant's session id. So a room runs with no socket and no sleep, and the laws of every core hold for it. Media
never passes through it: it only says which routes there are. Called by ``sfu.server.runtime``.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from math import inf
from typing import Any

import attrs
from livekit.protocol import models, rtc

from pystack.base import Ended, Randomness
from pystack.errors import LOCAL, DecodeError, LocalProtocolError
from sfu.identifiers import ROOM, identifier
from sfu.rooms.administration import Administration
from sfu.rooms.context import RoomContext
from sfu.rooms.data_routing import DataRouting
from sfu.rooms.dynacast import Dynacast
from sfu.rooms.events import RoomFinished, RoomStarted
from sfu.rooms.lifecycle import LeaveReason
from sfu.rooms.membership import Membership
from sfu.rooms.negotiation import Negotiation
from sfu.rooms.offering import Offering
from sfu.rooms.options import RoomOptions
from sfu.rooms.participant import Admission, Participant
from sfu.rooms.qualities import Qualities
from sfu.rooms.requests import Requests
from sfu.rooms.roster import Roster
from sfu.rooms.snapshot import Announcer
from sfu.rooms.speakers import Speakers
from sfu.rooms.subscribing import Subscribing
from sfu.signal import MAX_BAD_FRAMES, Offer
from sfu.tracks import OfferedSection, SectionPlan

__all__ = ["Room"]


class Room:
    """One room as a core.

    Attributes:
        name: chosen by whoever made it.
        sid: ``RM_…``.
        ended: nobody can join any more; a join makes a new room.
        administration: what its owner may do to it from outside; a command like the others.
        drops: counts of what was dropped, by why.
    """

    def __init__(
        self, name: str, options: RoomOptions, randomness: Randomness, now: float, *, epoch: float = 0.0
    ) -> None:
        """Open a room; ``epoch`` is Unix time at monotonic zero, for the wall-clock fields of messages."""
        self.name = name
        self.sid = identifier(ROOM, randomness)
        self.ended = False
        self.drops: dict[str, int] = {}
        self._context = RoomContext(
            sid=self.sid,
            name=name,
            options=options,
            randomness=randomness,
            epoch=epoch,
            created_at=epoch + now,
            announcer=Announcer(options.snapshot_interval),
        )
        self._subscribing = Subscribing(self._context)
        self._negotiation = Negotiation(self._context, self._subscribing)
        self._offering = Offering(self._context, self._subscribing)
        self._speakers = Speakers(self._context)
        self._qualities = Qualities(self._context)
        self._data = DataRouting(self._context)
        self._dynacast = Dynacast(self._context)
        self._membership = Membership(
            self._context,
            self._subscribing,
            self._negotiation,
            self._offering,
            self._speakers,
            self._qualities,
            self._data,
            self._dynacast,
        )
        self.administration = Administration(self._context, self._membership, self._negotiation, self._subscribing)
        self._requests = Requests(
            self._context,
            self._membership,
            self._negotiation,
            self._offering,
            self._subscribing,
            self._data,
            self._dynacast,
        )
        self._context.timers.set("empty", now + options.empty_timeout)
        self._context.tell(RoomStarted)

    # ------------------------------------------------------------------ the five members

    @property
    def deadline(self) -> float:
        """When ``tick`` is due, in monotonic seconds."""
        return self._context.timers.deadline

    def receive(self, data: bytes, path: Hashable, now: float) -> None:
        """Take one binary signalling frame of the participant ``path``. Never raises on what a client sent."""
        participant = self._context.roster.get(str(path))
        if participant is None:
            self._drop("unknown participant")
            return
        try:
            request, replies = participant.session.receive(data, now)
        except DecodeError:
            self._drop("undecodable frame")
            if participant.session.bad_frames >= MAX_BAD_FRAMES:
                self._membership.depart(participant, LeaveReason.STATE_MISMATCH, now, "too many undecodable frames")
            return
        for reply in replies:
            self._context.outbox.send(participant.sid, reply)
        if request is not None:
            self._requests.handle(participant, request, now)

    def tick(self, now: float) -> None:
        """Time has come for what is due."""
        while timers := self._context.timers.expired(now):  # one may make another due at once
            for timer in timers:
                what, _, sid = timer.partition(":")
                participant = self._context.roster.get(sid)
                if what == "dynacast":
                    self._dynacast.expired(sid)
                elif what == "empty":
                    self.end(now, LeaveReason.ROOM_CLOSED)
                elif what == "snapshot":
                    self._broadcast_room(now)
                elif participant is not None:
                    self._expire(what, participant, now)

    def flush(self, now: float, limit: float = inf) -> list[tuple[bytes, Hashable]]:
        """Hand over at most ``limit`` outgoing frames, each with the session id that it is for."""
        self._offering.settle(now)  # once for all that an input changed
        self._dynacast.settle(now)
        return list(self._context.outbox.take(limit))

    def take_events(self) -> list[Any]:
        """What happened and what should be done, oldest first (``sfu.rooms.events``)."""
        events, self._context.events = self._context.events, []
        return events

    # ------------------------------------------------------------------ commands

    def join(
        self,
        admission: Admission,
        now: float,
        *,
        offer: Offer | None = None,
        tracks: Sequence[rtc.AddTrackRequest] = (),
    ) -> str:
        """Let somebody in and return the session id; what comes with joining is carried out at once.

        Raises:
            LocalProtocolError: the room has ended.
            RoomFull: it has as many participants as it may have.
        """
        if self.ended:
            raise LocalProtocolError("join", "ended")
        participant = self._membership.admit(admission, now)
        for asked in tracks:
            self._requests.handle_add_track(participant, asked, now)
        if offer is not None:
            self._negotiation.offered(participant, offer, now)
        return participant.sid

    def leave(self, sid: str, reason: LeaveReason, now: float, message: str, *, tell: bool = True) -> None:
        """Let a participant go; harmless when it has left already."""
        participant = self._context.roster.get(sid)
        if participant is not None:
            self._membership.depart(participant, reason, now, message, tell=tell)

    def signal_lost(self, sid: str, now: float) -> None:
        """The participant's signalling is lost; its media may go on, and it may come back."""
        participant = self._context.roster.get(sid)
        if participant is not None:
            self._membership.signal_lost(participant, now)

    def resume(self, identity: str, sid: str, now: float, *, last_sequence: int = 0) -> bool:
        """A client is back with new signalling, and wants to go on as the participant that it was.

        Args:
            identity: as its token says.
            sid: the session that it wants back; ``""`` is the one of its identity.
            now: the time.
            last_sequence: of its reliable data messages, the number of the last that arrived.

        Returns:
            whether it can; else it has to join anew.
        """
        participant = self._context.roster.by_identity(identity)
        if participant is None or sid not in {"", participant.sid} or not participant.active:
            return False
        self._membership.resumed(participant, now, last_sequence)
        return True

    def heard(self, loudness: Mapping[str, float]) -> None:
        """Audio tracks are so loud now, by sid, from 0.0 to 1.0: whoever receives them is told who speaks."""
        if not self.ended:
            self._speakers.heard(loudness)

    def measured(self, tracks: Mapping[str, float], subscribers: Mapping[str, float]) -> None:
        """Connections are so good now, from 0 to 100; as :meth:`Qualities.measured`."""
        if not self.ended:
            self._qualities.measured(tracks, subscribers)

    def connected(self, sid: str, now: float) -> None:
        """The participant's transport works."""
        participant = self._context.roster.get(sid)
        if participant is not None:
            self._membership.connected(participant, now)

    def plan(
        self, sid: str, offer_id: int, sections: Sequence[OfferedSection], now: float
    ) -> tuple[SectionPlan, ...] | None:
        """Decide what the sections of the offer in progress carry; ``None`` if that offer is not in progress."""
        participant = self._context.roster.get(sid)
        if participant is None:
            return None
        current = participant.session.offers.current
        if current is None or current.id != offer_id:
            return None
        return self._negotiation.plan(participant, offer_id, sections, now)

    def answered(
        self, sid: str, offer_id: int, sdp: str, now: float, *, mime_types: Mapping[str, str] | None = None
    ) -> None:
        """The answer to the offer in progress is made; ``mime_types`` tells what each section of it receives."""
        participant = self._context.roster.get(sid)
        if participant is not None:
            self._negotiation.answered(participant, offer_id, sdp, mime_types or {}, now)

    def offer_made(self, sid: str, offer_id: int, sdp: str, mids: Mapping[str, str]) -> None:
        """The offer of ours that was wanted is made; ``mids`` is where its sections are, by name."""
        participant = self._context.roster.get(sid)
        if participant is not None:
            self._offering.made(participant, offer_id, sdp, mids)

    def answer_applied(self, sid: str, offer_id: int, now: float) -> None:
        """The client's answer to our offer is in force."""
        participant = self._context.roster.get(sid)
        if participant is not None:
            self._offering.applied(participant, offer_id, now)

    def negotiation_failed(self, sid: str, message: str, now: float) -> None:
        """The offer in progress, the client's or ours, comes to nothing: the client is told why, and leaves."""
        participant = self._context.roster.get(sid)
        if participant is not None:
            self._requests.respond(participant, rtc.RequestResponse.INVALID_REQUEST, message)
            self._membership.depart(participant, LeaveReason.STATE_MISMATCH, now, message)

    def undecodable(self, track: str, subscriber: str) -> None:
        """A track is sent with a codec that this subscriber did not agree to: it is told so."""
        participant = self._context.roster.get(subscriber)
        if participant is not None:
            self._subscribing.refuse(participant, track, models.SubscriptionError.SE_CODEC_UNSUPPORTED)

    def configure(
        self,
        now: float,
        *,
        metadata: str = "",
        empty_timeout: int = 0,
        departure_timeout: int = 0,
        max_participants: int = 0,
    ) -> None:
        """Its owner chooses for this room; what is empty or 0 stays as it is.

        Raises:
            RequestRefused: the metadata are too long.
        """
        context, options = self._context, self._context.options
        if metadata:
            self.administration.set_metadata(metadata, now)
        context.options = attrs.evolve(
            options,
            empty_timeout=empty_timeout or options.empty_timeout,
            departure_timeout=departure_timeout or options.departure_timeout,
            max_participants=max_participants or options.max_participants,
        )
        if empty_timeout and context.timers.armed("empty") and not context.roster.count:
            context.timers.set("empty", now + empty_timeout)

    def end(self, now: float, reason: LeaveReason = LeaveReason.ROOM_CLOSED) -> None:
        """End the room: everybody leaves, and nobody comes in any more."""
        if self.ended:
            return
        self.ended = True
        for participant in self._context.roster:
            self._membership.depart(participant, reason, now, "the room ended")
        self._context.announcer.stop()
        self._context.timers.clear()
        self._context.tell(RoomFinished)
        self._context.events.append(Ended(LOCAL))

    # ------------------------------------------------------------------ reading

    def message(self) -> models.Room:
        """The room as LiveKit's message, as of now."""
        return self._context.room_message()

    @property
    def max_participants(self) -> int:
        """How many may be here; 0 for any number."""
        return self._context.options.max_participants

    @property
    def roster(self) -> Roster:
        """Who is here."""
        return self._context.roster

    def data_route(self, publisher: str, handle: int) -> Sequence[tuple[str, int]] | None:
        """Whom a packet of this data track goes to, each with the handle that it has there; ``None`` if there is none.

        Hot.
        """
        return self._data.route(publisher, handle)

    def participant(self, sid: str) -> Participant | None:
        """The participant with this session id."""
        return self._context.roster.get(sid)

    # ------------------------------------------------------------------ inside

    def _expire(self, what: str, participant: Participant, now: float) -> None:
        if what == "join":
            self._membership.depart(participant, LeaveReason.JOIN_FAILURE, now, "no transport within the join time-out")
        elif what == "away":
            why = "the signal connection did not come back"
            self._membership.depart(participant, LeaveReason.SIGNAL_CLOSE, now, why, tell=False)
        elif what == "offer":
            self.negotiation_failed(participant.sid, "the offer was not answered in time", now)
        elif what == "proposal":
            why = "the client did not answer our offer in time"
            self._membership.depart(participant, LeaveReason.CONNECTION_TIMEOUT, now, why)
        elif what == "retry":
            self._subscribing.retry(participant, now)

    def _broadcast_room(self, now: float) -> None:
        if self._context.announcer.due(now):
            update = rtc.SignalResponse(room_update=rtc.RoomUpdate(room=self._context.room_message()))
            self._context.outbox.send_all((each.sid for each in self._context.roster), update)

    def _drop(self, why: str) -> None:
        self.drops[why] = self.drops.get(why, 0) + 1
