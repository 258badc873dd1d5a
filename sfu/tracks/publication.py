"""What one participant publishes: tracks asked for, then tracks that a media section carries.

A track is *pending* from ``add_track`` until an offer brings a section whose ``a=msid`` names its client id; then it
is *live* until a later offer no longer sends on that section. Only live tracks are announced to others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs
from livekit.protocol import models, rtc

from sfu.tracks.section import OfferedSection
from sfu.tracks.track_info import TrackInfo

__all__ = ["MAX_LIVE", "MAX_PENDING", "Publications"]

MAX_PENDING = 20
"""Tracks that may wait for their offer at one time."""
MAX_LIVE = 64
"""Tracks that one participant may publish."""


@attrs.define(eq=False)
class Publications:
    """The published tracks of one participant; the only place that knows which exist."""

    _pending: dict[str, TrackInfo] = attrs.field(factory=dict)  # by client id, in order of asking
    _matched: dict[str, TrackInfo] = attrs.field(factory=dict)  # by mid: planned, not yet answered
    _live: dict[str, TrackInfo] = attrs.field(factory=dict)  # by sid
    _subscribed: set[str] = attrs.field(factory=set)  # sids of live tracks that somebody has had

    def __iter__(self) -> Iterator[TrackInfo]:
        """The live tracks, oldest first."""
        return iter(self._live.values())

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, sid: str) -> bool:
        return sid in self._live

    def get(self, sid: str) -> TrackInfo | None:
        """The live track with this sid."""
        return self._live.get(sid)

    def pending(self, cid: str) -> TrackInfo | None:
        """The track that waits for its offer under this client id."""
        return self._pending.get(cid)

    def find(self, sid: str) -> TrackInfo | None:
        """The track with this sid, live or on its way to be."""
        tables = (self._live, self._pending, self._matched)
        return next((info for table in tables for info in table.values() if info.sid == sid), None)

    def knows(self, sid: str) -> bool:
        """Whether the track is live, or on its way to be."""
        return self.find(sid) is not None

    def first_subscriber(self, sid: str) -> bool:
        """A live track flows to somebody; whether that is for the first time (its publisher is told once)."""
        if sid in self._subscribed or sid not in self._live:
            return False
        self._subscribed.add(sid)
        return True

    @property
    def full(self) -> bool:
        """Whether another ``add_track`` would be one too many."""
        return len(self._pending) >= MAX_PENDING or len(self._live) + len(self._pending) >= MAX_LIVE

    def request(self, asked: rtc.AddTrackRequest, sid: str) -> TrackInfo:
        """Take an ``add_track``; the same client id asked twice keeps its first sid."""
        known = self._pending.get(asked.cid)
        info = TrackInfo(
            sid=known.sid if known else sid,
            version=known.version + 1 if known else 1,
            kind="audio" if asked.type == models.TrackType.AUDIO else "video",
            name=asked.name,
            source=asked.source,
            muted=asked.muted,
            width=asked.width,
            height=asked.height,
            stream=asked.stream,
            cid=asked.cid,
            request=asked.SerializeToString(),
        )
        self._pending[asked.cid] = info
        return info

    def change(self, sid: str, **changes: Any) -> TrackInfo | None:
        """Change what is said of a pending or live track; ``None`` if unknown or already so."""
        for table in (self._live, self._pending, self._matched):
            for key, info in table.items():
                if info.sid == sid:
                    changed = info.evolve(**changes)
                    table[key] = changed
                    return changed if changed is not info else None
        return None

    def match(self, sections: Iterable[OfferedSection]) -> dict[str, TrackInfo]:
        """Decide which section carries which track, by mid, for every section that we take.

        By client id; failing that, the only pending track of that kind, because some browsers write another id into
        ``a=msid`` than the one that the page sees.
        """
        taken: dict[str, TrackInfo] = {}
        by_mid = {info.mid: info for info in self._live.values()}
        for section in sections:
            if not section.sends:
                continue
            live = by_mid.get(section.mid)
            info = self._pending.get(section.track_id)
            if live is not None and (info is None or section.track_id == live.cid):
                taken[section.mid] = live
                continue
            if info is None and section.mid in self._matched:
                info = self._matched[section.mid]
            if info is None:
                of_kind = [each for each in self._pending.values() if each.kind == section.kind]
                info = of_kind[0] if len(of_kind) == 1 else None
            if info is None or info.kind != section.kind:
                continue
            self._pending.pop(info.cid, None)
            taken[section.mid] = self._matched[section.mid] = info.evolve(
                mid=section.mid, rids=section.rids, cid=info.cid or section.track_id
            )
        return taken

    def settle(
        self, sections: Iterable[OfferedSection], mime_types: Mapping[str, str]
    ) -> tuple[list[TrackInfo], list[TrackInfo]]:
        """The answer went out, with these codecs by mid: return the tracks that are new, and those that ended."""
        sending = {section.mid for section in sections if section.sends}
        replaced = {mid for mid in self._matched if mid in sending}
        ended = [info for info in self._live.values() if info.mid not in sending or info.mid in replaced]
        for info in ended:
            del self._live[info.sid]
            self._subscribed.discard(info.sid)
        matched = [(mid, self._matched.pop(mid)) for mid in list(self._matched) if mid in sending]
        new = [info.evolve(mime_type=mime_types.get(mid, info.mime_type)) for mid, info in matched]
        for info in new:
            self._live[info.sid] = info
        return new, ended

    def end(self, sids: Iterable[str]) -> list[TrackInfo]:
        """These tracks end, whatever the client sends; return those that were live."""
        ended = [info for sid in sids if (info := self._live.pop(sid, None)) is not None]
        self._subscribed.difference_update(info.sid for info in ended)
        return ended

    def by_mid(self) -> dict[str, str]:
        """``{mid: sid}`` of the live tracks."""
        return {info.mid: info.sid for info in self._live.values()}

    def clear(self) -> list[TrackInfo]:
        """The participant leaves: forget everything and return what was live."""
        ended = list(self._live.values())
        self._live.clear()
        self._subscribed.clear()
        self._pending.clear()
        self._matched.clear()
        return ended
