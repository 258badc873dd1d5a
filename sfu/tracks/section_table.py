"""The media sections of one subscriber that can carry something to it, whoever makes them.

A section that carried a track must be said to be ``inactive`` once before it may carry another: browsers announce a
remote track only when a section *becomes* active.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from sfu.tracks.track_info import Kind

__all__ = ["Section", "SectionTable"]


@attrs.define(eq=False)
class Section:
    """One section.

    Attributes:
        track: the sid of the track that it carries, or will carry; ``""`` for none.
        last: the track that it carried before; ``""`` for none.
        retiring: it carried a track, and the client was not yet told that it is inactive.
    """

    kind: Kind
    track: str = ""
    last: str = ""
    retiring: bool = False


@attrs.define(eq=False)
class SectionTable:
    """Sections by what they are called: the mid, or our own name for a section of which we make the offer."""

    _sections: dict[str, Section] = attrs.field(factory=dict)

    def take(self, kind: Kind, track: str) -> str:
        """Let a free section of this kind carry ``track``; return its name, ``""`` if there is none."""
        for name in self._free(kind):
            self._sections[name].track = track
            return name
        return ""

    def release(self, name: str) -> None:
        """The track of this section is gone; the section retires until the client knows that it is inactive."""
        section = self._sections.get(name)
        if section is not None and section.track:
            section.last, section.track = section.track, ""
            section.retiring = True

    def carried(self) -> dict[str, str]:
        """``{name: track sid}`` of the sections in use."""
        return {name: section.track for name, section in self._sections.items() if section.track}

    def idle(self) -> frozenset[str]:
        """The sections that a description made now says to be inactive."""
        return frozenset(name for name, section in self._sections.items() if not section.track)

    def settle(self, inactive: Iterable[str]) -> None:
        """The client knows that these sections are inactive: they are free again."""
        for name in inactive:
            section = self._sections.get(name)
            if section is not None and not section.track:
                section.retiring = False

    def _free(self, kind: Kind) -> list[str]:
        return [
            name
            for name, section in self._sections.items()
            if section.kind == kind and not section.track and not section.retiring
        ]
