"""The media sections that we offer to a subscriber on a peer connection of their own: as many as are wanted.

They are called by names of ours, because a section has no mid before the first offer that holds it.
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

    def take(self, kind: Kind, track: str) -> str:
        """Let a free section of this kind carry ``track``, or a new one; return its name."""
        self.unsaid = True
        name = super().take(kind, track)
        if not name:
            name = f"{kind}-{len(self._sections)}"
            self._sections[name] = Section(kind, track)
        return name

    def release(self, name: str) -> None:
        """The track of this section is gone; the section retires until the client knows that it is inactive."""
        self.unsaid = True
        super().release(name)

    def kinds(self) -> dict[str, Kind]:
        """``{name: kind}`` of all sections, in the order in which they were made."""
        return {name: section.kind for name, section in self._sections.items()}
