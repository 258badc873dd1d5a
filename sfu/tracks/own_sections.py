"""The media sections that we offer to a subscriber on a peer connection of their own: as many as are wanted.

They are called by names of ours, because a section has no mid before the first offer that holds it.

A track that comes back does not return to the section that it had: LiveKit's native SDKs tell of it only in another
one. That section is given up for a new one, so that there are never many.
"""

from __future__ import annotations

import attrs

from sfu.tracks.section_table import Section, SectionTable
from sfu.tracks.track_info import Kind

__all__ = ["OwnSections"]


@attrs.define(eq=False)
class OwnSections(SectionTable):
    """The sections of one subscriber, by name.

    Attributes:
        unsaid: what they carry differs from what the latest offer says. The first offer is due with no section at
            all: it brings the transport.
    """

    unsaid: bool = True
    _made: int = 0

    def take(self, kind: Kind, track: str) -> str:
        """Let a free section of this kind carry ``track``, or a new one; return its name."""
        self.unsaid = True
        free = self._free(kind)
        for name in free:
            if self._sections[name].last != track:
                self._sections[name].track = track
                return name
        for name in free:
            del self._sections[name]
        name = f"{kind}-{self._made}"
        self._made += 1
        self._sections[name] = Section(kind, track)
        return name

    def release(self, name: str) -> None:
        """The track of this section is gone; the section retires until the client knows that it is inactive."""
        self.unsaid = True
        super().release(name)

    def kinds(self) -> dict[str, Kind]:
        """``{name: kind}`` of all sections, in the order in which they were made."""
        return {name: section.kind for name, section in self._sections.items()}
