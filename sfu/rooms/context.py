"""What the parts of one room share: the roster, the two trays, the timers, and the arguments of the room."""

from __future__ import annotations

from typing import Any

import attrs
from livekit.protocol import models

from pystack.base import Randomness, TimerSet
from sfu.rooms.broadcast import Outbox
from sfu.rooms.options import RoomOptions
from sfu.rooms.participant import Participant
from sfu.rooms.roster import Roster
from sfu.rooms.snapshot import Announcer, participant_message, room_message

__all__ = ["RoomContext"]


@attrs.define(eq=False, kw_only=True)
class RoomContext:
    """The shared ground of ``membership``, ``negotiation``, ``subscribing`` and ``requests``.

    Attributes:
        epoch: Unix time in seconds at monotonic zero.
        created_at: Unix time in seconds.
        events: what ``take_events`` will hand over.
        number: of the latest numbered event.
        metadata: what its owner says of the room.
        unoffered: session ids of those to whom we may have something new to offer, as keys in the order of arrival.
        demand: tracks for which the demand may have changed, with their publishers, since that was looked at last.
    """

    sid: str
    name: str
    options: RoomOptions
    randomness: Randomness
    epoch: float
    created_at: float
    announcer: Announcer
    roster: Roster = attrs.field(factory=Roster)
    outbox: Outbox = attrs.field(factory=Outbox)
    timers: TimerSet = attrs.field(factory=TimerSet)
    events: list[Any] = attrs.field(factory=list)
    number: int = 0
    metadata: str = ""
    unoffered: dict[str, None] = attrs.field(factory=dict)
    demand: dict[str, str] = attrs.field(factory=dict)

    def room_message(self) -> models.Room:
        """The room as of this moment."""
        return room_message(self.sid, self.name, self.created_at, self.roster, self.metadata, self.options)

    def tell(self, event: type[Any], *details: Any) -> None:
        """Emit a numbered event with the room as of this moment."""
        self.number += 1
        self.events.append(event(self.number, self.room_message(), *details))

    def tell_of(self, event: type[Any], participant: Participant, *details: Any) -> None:
        """Emit a numbered event about one participant."""
        self.tell(event, participant_message(participant), *details)

    def changed(self, now: float) -> None:
        """A count of the room has changed: broadcast it soon."""
        self.announcer.mark_dirty(now)
        self.timers.set("snapshot", self.announcer.deadline)
