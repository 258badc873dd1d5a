"""Candidates that come after a description was made: into its text, where trickled ones belong (RFC 8840 4.2).

Called by ``pystack.peer`` to show a local (or remote) description with all that is known by now.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from pystack.errors import InvalidArgument
from pystack.sdp.attributes.grouping import Group, parse_mid
from pystack.sdp.attributes.ice import candidate_text
from pystack.sdp.model import MediaSection, SessionDescriptionModel, attribute
from pystack.sdp.parse import parse
from pystack.sdp.write import write

__all__ = ["with_candidates"]


def with_candidates(text: str, candidates: Iterable[str], *, complete: bool = False, mid: str | None = None) -> str:
    """Return ``text`` with ``candidates`` added to the section ``mid``, or to the one that has the bundled transport.

    Candidates that stand there already are not repeated. ``complete`` adds ``a=end-of-candidates``. A text without a
    living section is returned as it is.

    Raises:
        DecodeError: ``text`` is no description.
        InvalidArgument: a candidate has a line break, or there is no section ``mid``.
    """
    model = parse(text)
    index = _find(model, mid)
    if index is None:
        if mid is not None:
            raise InvalidArgument(f"the description has no section with a=mid:{mid[:30]}")
        return text
    section = model.media[index]
    known = {candidate_text(line.value) for line in section.all("candidate")}
    new: list[str] = []
    for candidate in map(candidate_text, candidates):
        if not candidate.isprintable():
            raise InvalidArgument(f"a candidate has a line break or a control character: {candidate[:60]!r}")
        if candidate and candidate not in known:
            known.add(candidate)
            new.append(candidate.removeprefix("candidate:"))
    lines = [*section.lines, *(attribute("candidate", candidate) for candidate in new)]
    if complete and not section.has("end-of-candidates"):
        lines.append(attribute("end-of-candidates"))
    media = (*model.media[:index], attrs.evolve(section, lines=tuple(lines)), *model.media[index + 1 :])
    return write(attrs.evolve(model, media=media))


def _find(model: SessionDescriptionModel, mid: str | None) -> int | None:
    mids = [section.read_first("mid", parse_mid) for section in model.media]
    if mid is not None:
        return mids.index(mid) if mid in mids else None
    alive = [index for index, section in enumerate(model.media) if _alive(section)]
    for group in model.read("group", Group.parse):
        by_mid = {mids[index]: index for index in reversed(alive)}
        tagged = (by_mid[name] for name in group.mids if name in by_mid)
        if group.semantics.upper() == "BUNDLE":
            return next(tagged, alive[0] if alive else None)
    return alive[0] if alive else None


def _alive(section: MediaSection) -> bool:
    return section.port != 0 or section.has("bundle-only")
