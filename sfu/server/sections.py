"""From an SDP offer to the sections that a room decides on.

The room needs the client's own words (which sections send, under which track id), so they are read from the offer
itself; the peer connection sees the same text. Called by ``sfu.server.media_session``.
"""

from __future__ import annotations

from typing import Final

from pystack.sdp import MediaSection, SessionDescriptionModel, parse
from sfu.tracks import Kind, OfferedSection

__all__ = ["offered_sections"]

_DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")


def offered_sections(sdp: str) -> tuple[OfferedSection, ...]:
    """The audio and video sections of an offer, in their order.

    Raises:
        DecodeError: not a session description.
    """
    model = parse(sdp)
    sections = []
    for media in model.media:
        kind: Kind | None = "audio" if media.kind == "audio" else "video" if media.kind == "video" else None
        mid = _first(media, "mid")
        if kind is None or not mid or (media.port == 0 and not media.has("bundle-only")):
            continue
        direction = _direction(media, model)
        sections.append(
            OfferedSection(
                mid=mid,
                kind=kind,
                sends=direction in {"sendrecv", "sendonly"},
                receives=direction in {"sendrecv", "recvonly"},
                track_id=_track_id(media),
                rids=tuple(
                    (line.content or "").split()[0]
                    for line in media.all("rid")
                    if (line.content or "").endswith("send") or " send " in (line.content or "")
                ),
            )
        )
    return tuple(sections)


def _first(media: MediaSection, name: str) -> str:
    lines = media.all(name)
    return (lines[0].content or "").strip() if lines else ""


def _direction(media: MediaSection, model: SessionDescriptionModel) -> str:
    for level in (media, model):
        for direction in _DIRECTIONS:
            if level.has(direction):
                return direction
    return "sendrecv"  # RFC 8866 section 6.7


def _track_id(media: MediaSection) -> str:
    parts = _first(media, "msid").split()
    return parts[1] if len(parts) > 1 else ""
