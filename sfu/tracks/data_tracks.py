"""The data tracks that one participant publishes: named streams of byte frames, which the server only forwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import attrs
from livekit.protocol import models, rtc

__all__ = ["MAX_DATA_TRACKS", "DataTrack", "DataTracks", "Handles"]

MAX_DATA_TRACKS: Final = 64
"""Data tracks that one participant may publish."""
_MAX_HANDLE: Final = 0xFFFF
_MAX_NAME: Final = 256

_Reason = rtc.RequestResponse


@attrs.frozen
class DataTrack:
    """One of them; ``handle`` is what its publisher calls it in packets."""

    sid: str
    handle: int
    info: models.DataTrackInfo


class DataTracks:
    """The data tracks of one participant, by the handle that it chose."""

    def __init__(self) -> None:
        self._by_handle: dict[int, DataTrack] = {}

    def __iter__(self) -> Iterator[DataTrack]:
        """All of them, oldest first; the table may change meanwhile."""
        return iter(list(self._by_handle.values()))

    def __len__(self) -> int:
        return len(self._by_handle)

    def knows(self, sid: str) -> bool:
        """Whether one of them has this sid."""
        return any(track.sid == sid for track in self._by_handle.values())

    def refusal(self, asked: rtc.PublishDataTrackRequest) -> tuple[_Reason.Reason, str] | None:
        """Why this cannot be published, and in words; ``None`` if it can."""
        if not 0 < asked.pub_handle <= _MAX_HANDLE:
            return _Reason.INVALID_HANDLE, f"a handle is a number from 1 to {_MAX_HANDLE}, not {asked.pub_handle}"
        if not 0 < len(asked.name) <= _MAX_NAME:
            return _Reason.INVALID_NAME, f"a data track has a name of 1 to {_MAX_NAME} characters"
        if asked.pub_handle in self._by_handle:
            return _Reason.DUPLICATE_HANDLE, f"handle {asked.pub_handle} is in use"
        if any(track.info.name == asked.name for track in self._by_handle.values()):
            return _Reason.DUPLICATE_NAME, f"a data track {asked.name!r} is published already"
        if len(self._by_handle) >= MAX_DATA_TRACKS:
            return _Reason.LIMIT_EXCEEDED, f"{MAX_DATA_TRACKS} data tracks are the limit"
        return None

    def publish(self, asked: rtc.PublishDataTrackRequest, sid: str) -> DataTrack:
        """Take a request that nothing speaks against."""
        info = models.DataTrackInfo(pub_handle=asked.pub_handle, sid=sid, name=asked.name, encryption=asked.encryption)
        if asked.HasField("frame_encoding"):
            info.frame_encoding.CopyFrom(asked.frame_encoding)
        if asked.HasField("schema"):
            info.schema.CopyFrom(asked.schema)
        track = self._by_handle[asked.pub_handle] = DataTrack(sid, asked.pub_handle, info)
        return track

    def unpublish(self, handle: int) -> DataTrack | None:
        """End one; ``None`` if there is none of this handle."""
        return self._by_handle.pop(handle, None)

    def clear(self) -> None:
        """The publisher left."""
        self._by_handle.clear()


class Handles:
    """What one subscriber's packets call the data tracks that it receives.

    16-bit numbers from 1; one that is in use is not given again.
    """

    def __init__(self) -> None:
        self._next = 1
        self._by_track: dict[str, int] = {}

    def __contains__(self, track: str) -> bool:
        return track in self._by_track

    def __getitem__(self, track: str) -> int:
        return self._by_track[track]

    def __len__(self) -> int:
        return len(self._by_track)

    def set(self, tracks: Iterable[str]) -> bool:
        """Receive these from now on and no others; return whether that is a change. What stays keeps its handle."""
        wanted = dict.fromkeys(tracks)
        gone = [track for track in self._by_track if track not in wanted]
        new = [track for track in wanted if track not in self._by_track]
        for track in gone:
            del self._by_track[track]
        taken = set(self._by_track.values())
        for track in new:
            while not self._next or self._next in taken:
                self._next = (self._next + 1) & _MAX_HANDLE
            self._by_track[track] = self._next
            taken.add(self._next)
            self._next = (self._next + 1) & _MAX_HANDLE
        return bool(gone or new)
