"""The clients' offers and our answers in one room: what each section carries, and what follows an answer.

The room decides on sections as values (``plan``); the runtime turns them into transceiver directions and an SDP, and
reports back (``answered`` or ``failed``). Nothing here waits: the watchdog of :class:`sfu.signal.Offers` bounds it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
from livekit.protocol import rtc

from sfu.rooms.broadcast import announce
from sfu.rooms.context import RoomContext
from sfu.rooms.events import OfferArrived, TrackPublished, TrackUnpublished
from sfu.rooms.participant import Participant
from sfu.rooms.subscribing import Subscribing
from sfu.signal import Offer
from sfu.tracks import OfferedSection, SectionPlan, Sections, TrackInfo

__all__ = ["Negotiation", "Planned"]


@attrs.frozen
class Planned:
    """What the plan of the offer in progress promised, to be settled when its answer is out."""

    offer_id: int
    sections: tuple[OfferedSection, ...]
    carried: dict[str, str]
    idle: frozenset[str]


class Negotiation:
    """The offers of all participants of one room."""

    def __init__(self, context: RoomContext, subscribing: Subscribing) -> None:
        self._context = context
        self._subscribing = subscribing
        self._planned: dict[str, Planned] = {}

    def offered(self, participant: Participant, offer: Offer, now: float) -> None:
        """A client offers."""
        self._begin(participant, participant.session.offers.add(offer, now))

    def plan(
        self, participant: Participant, offer_id: int, sections: Sequence[OfferedSection], now: float
    ) -> tuple[SectionPlan, ...]:
        """Decide what each section of the offer in progress carries."""
        taken = participant.publications.match(sections)
        carried: dict[str, str] = {}
        idle: frozenset[str] = frozenset()
        if isinstance(participant.sections, Sections):
            self._subscribing.lost(participant, participant.sections.observe(sections))
            self._subscribing.bind(participant, now)
            carried, idle = participant.sections.carried(), participant.sections.idle()
        self._planned[participant.sid] = Planned(offer_id, tuple(sections), carried, idle)
        return tuple(
            SectionPlan(
                mid=section.mid,
                receive=taken[section.mid].sid if section.mid in taken else "",
                codec=taken[section.mid].codec if section.mid in taken else "",
                send=carried.get(section.mid, ""),
                stream_id=self._subscribing.stream_id(participant, carried.get(section.mid, "")),
            )
            for section in sections
        )

    def answered(
        self, participant: Participant, offer_id: int, sdp: str, mime_types: Mapping[str, str], now: float
    ) -> None:
        """The answer is made: send it, and let everything that it settles follow."""
        current, following = participant.session.offers.finish(offer_id, now)
        planned = self._planned.pop(participant.sid, None)
        if not current or planned is None:
            return
        new, ended = participant.publications.settle(planned.sections, mime_types)
        tracks = {**participant.publications.by_mid(), **planned.carried}
        answer = rtc.SessionDescription(type="answer", sdp=sdp, id=offer_id, mid_to_track_id=tracks)
        self._context.outbox.send(participant.sid, rtc.SignalResponse(answer=answer))
        self.tracks_changed(participant, new, ended, now)
        self._begin(participant, following)
        self._subscribing.answered(participant, planned.carried, planned.idle, now)

    def tracks_changed(
        self, participant: Participant, new: Sequence[TrackInfo], ended: Sequence[TrackInfo], now: float
    ) -> None:
        """Tracks became live or ended: announce first, then let subscriptions follow."""
        if not new and not ended:
            return
        announce(participant, self._context.roster, self._context.outbox)
        self._context.changed(now)
        for info in ended:
            self._context.tell_of(TrackUnpublished, participant, info)
        for info in new:
            self._context.tell_of(TrackPublished, participant, info)
        self._subscribing.tracks_changed(participant, new, ended, now)

    def left(self, participant: Participant) -> None:
        """Nothing of this participant is in progress any more."""
        self._planned.pop(participant.sid, None)
        participant.session.offers.clear()
        self._context.timers.cancel(f"offer:{participant.sid}")

    def _begin(self, participant: Participant, offer: Offer | None) -> None:
        if offer is not None:
            self._context.events.append(OfferArrived(participant.sid, offer.id, offer.sdp))
        self._context.timers.set(f"offer:{participant.sid}", participant.session.offers.deadline)
