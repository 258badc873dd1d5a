"""Who hears of what: the queue of outgoing signalling, and announcements of participants.

Messages leave in the order in which they were queued, so what a client must know first (a participant and its tracks)
is queued first (before the media section that carries them).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import inf

from livekit.protocol import rtc

from sfu.rooms.participant import Participant
from sfu.rooms.roster import Roster
from sfu.rooms.snapshot import participant_message

__all__ = ["Outbox", "announce"]


class Outbox:
    """Outgoing signalling, oldest first, each frame with the session id that it is for."""

    def __init__(self) -> None:
        self._frames: deque[tuple[bytes, str]] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    def send(self, sid: str, response: rtc.SignalResponse) -> None:
        """Queue a message for one participant."""
        self._frames.append((response.SerializeToString(deterministic=True), sid))

    def send_all(self, sids: Iterable[str], response: rtc.SignalResponse) -> None:
        """Queue one message for many; it is serialised once."""
        frame = response.SerializeToString(deterministic=True)
        self._frames.extend((frame, sid) for sid in sids)

    def take(self, limit: float = inf) -> list[tuple[bytes, str]]:
        """Hand over at most ``limit`` frames."""
        count = int(min(limit, len(self._frames)))
        return [self._frames.popleft() for _ in range(count)]


def announce(participant: Participant, roster: Roster, outbox: Outbox, *, to_self: bool = False) -> None:
    """Tell everybody the participant as it is now, as a new version; nobody but itself if it is hidden."""
    participant.version += 1
    update = rtc.SignalResponse(update=rtc.ParticipantUpdate(participants=[participant_message(participant)]))
    if not participant.grants.hidden:
        outbox.send_all((other.sid for other in roster.others(participant)), update)
    if to_self:
        outbox.send(participant.sid, update)
