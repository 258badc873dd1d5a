"""The receiving media sections of a subscriber that makes the offers: which are free, and how many more are needed.

With a single peer connection only the client offers, so a server that wants to send a track asks the client for
sections (``media_sections_requirement``) and waits for its offer.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from sfu.tracks.section import OfferedSection
from sfu.tracks.section_table import Section, SectionTable
from sfu.tracks.track_info import Kind

__all__ = ["Sections"]


@attrs.define(eq=False)
class Sections(SectionTable):
    """The sections of one subscriber, by mid.

    Attributes:
        asked: a requirement is out and no offer that fulfils it came yet.
    """

    _expected: dict[Kind, int] = attrs.field(factory=lambda: {"audio": 0, "video": 0})
    asked: bool = False

    def observe(self, offered: Iterable[OfferedSection]) -> list[str]:
        """An offer came. Return the sids of tracks whose section cannot carry them any more."""
        usable = {section.mid: section.kind for section in offered if section.receives and not section.sends}
        lost = [s.track for mid, s in self._sections.items() if mid not in usable and s.track]
        self._sections = {mid: self._sections.get(mid) or Section(kind) for mid, kind in usable.items()}
        if all(self._count(kind) >= self._expected[kind] for kind in self._expected):
            self.asked = False
        for kind in self._expected:
            self._expected[kind] = max(self._expected[kind], self._count(kind))
        return lost

    def requirement(self, pending: dict[Kind, int]) -> tuple[int, int] | None:
        """What to ask of the client so that ``pending`` tracks can be bound: (audios, videos), or ``None``.

        ``(0, 0)`` asks for a fresh offer without new sections: some are free, or some must be answered inactive.
        """
        additional: dict[Kind, int] = {"audio": 0, "video": 0}
        for kind, waiting in pending.items():
            coming = self._expected[kind] - self._count(kind)
            additional[kind] = max(0, waiting - len(self._free(kind)) - coming)
        retiring = any(section.retiring for section in self._sections.values())
        more = additional["audio"] + additional["video"]
        if not more and (self.asked or not (retiring or any(pending.values()))):
            return None
        for kind, count in additional.items():
            self._expected[kind] += count
        self.asked = True
        return additional["audio"], additional["video"]

    def give_up_waiting(self) -> None:
        """The client did not do what was asked; ask anew from what it really has."""
        self.asked = False
        for kind in self._expected:
            self._expected[kind] = self._count(kind)

    def _count(self, kind: Kind) -> int:
        return sum(section.kind == kind for section in self._sections.values())
