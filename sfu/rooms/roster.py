"""Who is here: the only truth about it. Everything countable is computed from it and never stored."""

from __future__ import annotations

from collections.abc import Iterator

from sfu.rooms.participant import Participant

__all__ = ["Roster"]


class Roster:
    """Identity to participant, with a second way in by session id; both change in the same two methods."""

    def __init__(self) -> None:
        self._by_identity: dict[str, Participant] = {}
        self._by_sid: dict[str, Participant] = {}

    def __iter__(self) -> Iterator[Participant]:
        """Everybody, in order of joining; the roster may change meanwhile."""
        return iter(list(self._by_sid.values()))

    def __len__(self) -> int:
        return len(self._by_sid)

    def add(self, participant: Participant) -> None:
        """Let somebody in; the identity must be free."""
        assert participant.identity not in self._by_identity, "replace the old participant first"
        self._by_identity[participant.identity] = participant
        self._by_sid[participant.sid] = participant

    def remove(self, participant: Participant) -> bool:
        """Let this session go; false if it is not here (a newer session of its identity may be)."""
        if self._by_sid.pop(participant.sid, None) is None:
            return False
        del self._by_identity[participant.identity]
        return True

    def get(self, sid: str) -> Participant | None:
        """The participant with this session id."""
        return self._by_sid.get(sid)

    def by_identity(self, identity: str) -> Participant | None:
        """The participant with this identity."""
        return self._by_identity.get(identity)

    def others(self, participant: Participant) -> list[Participant]:
        """Everybody else."""
        return [each for each in self._by_sid.values() if each is not participant]

    @property
    def count(self) -> int:
        """How many participants there are; agents and recorders do not count."""
        return sum(not each.dependent for each in self._by_sid.values())

    @property
    def publishers(self) -> int:
        """How many participants publish something."""
        return sum(len(each.publications) > 0 for each in self._by_sid.values())
