"""Candidates that come after a description was made: into its text, where trickled ones belong (RFC 8840 4.2).

Called by ``pystack.peer`` to show a local description with all that is known by now. The text is one that was written
here, so its lines are taken as they are: reading it again would check what was never in doubt, once per connection.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pystack.errors import InvalidArgument
from pystack.sdp.attributes.ice import candidate_text

__all__ = ["with_candidates"]

_GROUP: Final = "a=group:BUNDLE "
_END: Final = "a=end-of-candidates"


def with_candidates(text: str, candidates: Iterable[str], *, complete: bool = False, mid: str | None = None) -> str:
    """Return ``text`` with ``candidates`` added to the section ``mid``, or to the one that has the bundled transport.

    Candidates that stand there already are not repeated. ``complete`` adds ``a=end-of-candidates``. A text without a
    living section is returned as it is.

    Args:
        text: a description as ``create_offer`` and ``create_answer`` write it: every line ends in CRLF.
        candidates: with or without ``a=`` and ``candidate:``; empty ones are passed over.
        complete: whether there will be no more.
        mid: the section to add them to.

    Raises:
        InvalidArgument: a candidate has a line break, or there is no section ``mid``.
    """
    session, *media = (part.split("\r\n") for part in text.removesuffix("\r\n").split("\r\nm="))
    section = _find(session, media, mid)
    if section is None:
        if mid is not None:
            raise InvalidArgument(f"the description has no section with a=mid:{mid[:30]}")
        return text
    known = {candidate_text(line) for line in section if line.startswith("a=candidate:")}
    for candidate in map(candidate_text, candidates):
        if not candidate.isprintable():
            raise InvalidArgument(f"a candidate has a line break or a control character: {candidate[:60]!r}")
        if candidate and candidate not in known:
            known.add(candidate)
            section.append(f"a={candidate}")
    if complete and _END not in section:
        section.append(_END)
    return "\r\nm=".join("\r\n".join(part) for part in (session, *media)) + "\r\n"


def _find(session: list[str], media: list[list[str]], mid: str | None) -> list[str] | None:
    """The lines of the section; the first of them is what follows ``m=``."""
    if mid is not None:
        return next((section for section in media if f"a=mid:{mid}" in section), None)
    alive = [section for section in media if section[0].split(" ")[1:2] != ["0"] or "a=bundle-only" in section]
    for line in session:
        if line.startswith(_GROUP):
            bundle = (f"a=mid:{name}" for name in line.removeprefix(_GROUP).split())
            tagged = (section for name in bundle for section in alive if name in section)
            return next(tagged, alive[0] if alive else None)
    return alive[0] if alive else None
