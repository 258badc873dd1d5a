"""Our offers to clients that have a second peer connection, on which we offer, for what they receive.

LiveKit's ``/rtc``. Whoever changes what such a client should receive only marks it; once per input, :meth:`settle`
makes one offer of everything. The runtime turns sections into an SDP and reports back (``made``), the client answers
(``answered``), the runtime applies that (``applied``); meanwhile nothing else is offered to that client. Nothing here
waits: the watchdog of :class:`sfu.signal.Proposals` bounds it.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from livekit.protocol import rtc

from sfu.rooms.context import RoomContext
from sfu.rooms.events import AnswerArrived, OfferWanted
from sfu.rooms.participant import Participant
from sfu.rooms.subscribing import Subscribing
from sfu.tracks import OwnSections, SentSection

__all__ = ["Offering"]


@attrs.frozen
class _Said:
    """What the offer in progress says, to be settled when its answer was applied."""

    carried: dict[str, str]
    idle: frozenset[str]


class Offering:
    """Our offers to all participants of one room."""

    def __init__(self, context: RoomContext, subscribing: Subscribing) -> None:
        self._context = context
        self._subscribing = subscribing
        self._said: dict[str, _Said] = {}

    def settle(self, now: float) -> None:
        """Offer what is new to those who were marked since the last call."""
        marked, self._context.unoffered = self._context.unoffered, {}
        for sid in marked:
            participant = self._context.roster.get(sid)
            if participant is not None and isinstance(participant.sections, OwnSections):
                self._propose(participant, participant.sections, now)

    def made(self, participant: Participant, offer_id: int, sdp: str, mids: Mapping[str, str]) -> None:
        """The offer in progress is made, with these mids by section name: send it."""
        proposals = participant.session.proposals
        said = self._said.get(participant.sid)
        if proposals.current != offer_id or said is None:
            return  # another one has taken its place
        proposals.made = True
        tracks = {mids[name]: track for name, track in said.carried.items() if name in mids}
        offer = rtc.SessionDescription(type="offer", sdp=sdp, id=offer_id, mid_to_track_id=tracks)
        self._context.outbox.send(participant.sid, rtc.SignalResponse(offer=offer))

    def answered(self, participant: Participant, answer: rtc.SessionDescription) -> None:
        """The client answers; an answer that nobody waits for is ignored."""
        proposals = participant.session.proposals
        if proposals.awaits(answer.id):
            proposals.answered = True
            self._context.events.append(AnswerArrived(participant.sid, proposals.current, answer.sdp))

    def applied(self, participant: Participant, offer_id: int, now: float) -> None:
        """The answer to the offer in progress was applied: what it promised flows."""
        proposals = participant.session.proposals
        said = self._said.get(participant.sid)
        if proposals.current != offer_id or said is None:
            return
        self._drop(participant)
        self._subscribing.answered(participant, said.carried, said.idle, now)

    def away(self, participant: Participant) -> None:
        """The client's signalling is lost: an offer in progress will not be answered."""
        self._drop(participant)

    def back(self, participant: Participant) -> None:
        """Signalling goes on: nobody knows what the client has heard of the latest offer, and ICE starts afresh."""
        self._drop(participant)
        participant.session.proposals.restart = True
        self._context.unoffered[participant.sid] = None

    def left(self, participant: Participant) -> None:
        """Nothing of this participant is in progress any more."""
        self._drop(participant)
        self._context.unoffered.pop(participant.sid, None)

    def _propose(self, participant: Participant, sections: OwnSections, now: float) -> None:
        proposals = participant.session.proposals
        if proposals.current or participant.missed is not None:
            return  # `applied` or `back` marks it again
        self._subscribing.bind(participant, now)
        if not sections.unsaid and not proposals.restart:
            return
        restart, carried = proposals.restart, sections.carried()
        offer_id = proposals.begin(now)
        sections.unsaid = False
        self._said[participant.sid] = _Said(carried, sections.idle())
        self._context.timers.set(f"proposal:{participant.sid}", proposals.deadline)
        offered = tuple(
            SentSection(
                name=name,
                kind=kind,
                track=carried.get(name, ""),
                stream_id=self._subscribing.stream_id(participant, carried.get(name, "")),
            )
            for name, kind in sections.kinds().items()
        )
        self._context.events.append(OfferWanted(participant.sid, offer_id, offered, restart))

    def _drop(self, participant: Participant) -> None:
        self._said.pop(participant.sid, None)
        participant.session.proposals.finish()
        self._context.timers.cancel(f"proposal:{participant.sid}")
