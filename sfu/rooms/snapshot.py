"""The room and its participants as LiveKit messages, computed at the moment of asking.

:func:`room_message` and :func:`participant_message` are pure functions of the roster: events use them, so a count in
an event is exact at that event. :class:`Announcer` only decides *when* the room's message is broadcast to everybody:
at once when it has not been for a while, else after the interval, so a burst of joins is one update.
"""

from __future__ import annotations

from math import inf

import attrs
from livekit.protocol import models

from sfu.rooms.options import RoomOptions
from sfu.rooms.participant import Participant
from sfu.rooms.roster import Roster

__all__ = ["Announcer", "participant_message", "room_message"]


def room_message(
    sid: str, name: str, created_at: float, roster: Roster, metadata: str, options: RoomOptions
) -> models.Room:
    """The room as of now; ``created_at`` is Unix time in seconds."""
    return models.Room(
        sid=sid,
        name=name,
        creation_time=int(created_at),
        creation_time_ms=int(created_at * 1000),
        num_participants=roster.count,
        num_publishers=roster.publishers,
        metadata=metadata,
        empty_timeout=int(options.empty_timeout),
        departure_timeout=int(options.departure_timeout),
        max_participants=options.max_participants,
    )


def participant_message(participant: Participant) -> models.ParticipantInfo:
    """One participant with its live tracks."""
    return models.ParticipantInfo(
        sid=participant.sid,
        identity=participant.identity,
        name=participant.name,
        state=int(participant.state),  # type: ignore[arg-type]
        metadata=participant.metadata,
        attributes=participant.attributes,
        joined_at=int(participant.joined_at),
        joined_at_ms=int(participant.joined_at * 1000),
        version=participant.version,
        permission=participant.grants.to_message(),
        is_publisher=len(participant.publications) > 0,
        kind=participant.kind,  # type: ignore[arg-type]
        kind_details=participant.kind_details,  # type: ignore[arg-type]
        disconnect_reason=participant.reason,  # type: ignore[arg-type]
        client_protocol=participant.client.client_protocol,
        capabilities=participant.client.capabilities,
        tracks=[info.to_message() for info in participant.publications],
        data_tracks=[track.info for track in participant.data_tracks],
    )


@attrs.define(eq=False)
class Announcer:
    """When the room's own message is broadcast: at most once per ``interval`` seconds.

    Attributes:
        deadline: when the next broadcast is due, ``inf`` for none.
    """

    interval: float
    deadline: float = inf
    _last: float = -inf

    def mark_dirty(self, now: float) -> None:
        """Something that the message shows has changed."""
        self.deadline = min(self.deadline, max(now, self._last + self.interval))

    def due(self, now: float) -> bool:
        """Whether to broadcast now; asking spends it."""
        if now < self.deadline:
            return False
        self.deadline = inf
        self._last = now
        return True

    def stop(self) -> None:
        """The room ends."""
        self.deadline = inf
