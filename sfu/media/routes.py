"""The route table of a room: which track flows to whom. Changed by the room's events, used by every packet."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import attrs

from sfu.media.downtrack import DownTrack
from sfu.media.outlet import Outlet
from sfu.media.ports import PacketSource
from sfu.media.uptrack import UpTrack
from sfu.tracks import Kind

__all__ = ["RouteTable"]


@attrs.frozen
class RoutedFlow:
    """A track on its way to one subscriber; a :class:`sfu.media.downlink.Flow`."""

    _track: UpTrack
    _down: DownTrack

    @property
    def key(self) -> Hashable:
        """What it is and what is wanted of it."""
        return self._track.sid, self._down.generation, self._down.ceiling, self._down.paused

    @property
    def priority(self) -> int:
        """That of the track."""
        return self._track.priority

    def costs(self, now: float) -> tuple[float, ...]:
        """Bits a second with each layer as the best."""
        return (0.0,) if self._down.paused else self._track.costs(self._down.ceiling, now)

    def limit(self, layer: int, now: float) -> None:
        """Let it have no better layer than this."""
        self._track.limit(self._down, layer, now)

    def pad(self, octets: int) -> int:
        """Send padding on it."""
        return self._down.pad(octets) if self._track.kind == "video" else 0


class RouteTable:
    """Published tracks by sid; their subscribers are in each of them."""

    def __init__(self) -> None:
        self._tracks: dict[str, UpTrack] = {}

    def __iter__(self) -> Iterator[UpTrack]:
        return iter(list(self._tracks.values()))

    def __len__(self) -> int:
        return len(self._tracks)

    def get(self, track: str) -> UpTrack | None:
        """The published track with this sid."""
        return self._tracks.get(track)

    def loudness(self, now: float) -> dict[str, float]:
        """How loud each audio track is, by sid, from 0.0 to 1.0."""
        return {track: each.loudness.at(now) for track, each in self._tracks.items() if each.loudness is not None}

    def measure(self) -> tuple[dict[str, float], dict[str, float]]:
        """A while has passed: the scores of tracks as they come, by sid, and the worst of each subscriber's."""
        tracks: dict[str, float] = {}
        subscribers: dict[str, float] = {}
        for sid, track in self._tracks.items():
            track.measure()
            if track.quality.score is not None:
                tracks[sid] = track.quality.score
            for subscriber, down in track.downs.items():
                if down.quality.score is not None:
                    subscribers[subscriber] = min(down.quality.score, subscribers.get(subscriber, 100.0))
        return tracks, subscribers

    def flows(self, subscriber: str) -> list[RoutedFlow]:
        """Everything that flows to one subscriber."""
        found = ((track, track.down(subscriber)) for track in self._tracks.values())
        return [RoutedFlow(track, down) for track, down in found if down is not None]

    def publish(
        self, track: str, kind: Kind, source: PacketSource, rids: Sequence[str] = (), priority: int = 0
    ) -> None:
        """Packets of ``source`` are this track from now on."""
        self.unpublish(track)
        self._tracks[track] = UpTrack(track, kind, source, rids, priority)

    def unpublish(self, track: str) -> None:
        """The track has ended; harmless when it is not here."""
        ended = self._tracks.pop(track, None)
        if ended is not None:
            ended.close()

    def add(
        self,
        track: str,
        subscriber: str,
        outlet: Outlet,
        generation: int,
        *,
        paused: bool,
        ceiling: int,
        since: float,
        now: float,
    ) -> bool:
        """Let a track flow to a subscriber; false if there is no such track."""
        uptrack = self._tracks.get(track)
        if uptrack is None:
            return False
        uptrack.add(subscriber, outlet, generation, paused=paused, ceiling=ceiling, since=since, now=now)
        return True

    def change(self, track: str, subscriber: str, generation: int, *, paused: bool, ceiling: int, now: float) -> None:
        """Pause one route or let it run, with layers up to ``ceiling``."""
        uptrack = self._tracks.get(track)
        if uptrack is not None:
            uptrack.change(subscriber, generation, paused=paused, ceiling=ceiling, now=now)

    def remove(self, track: str, subscriber: str, generation: int) -> None:
        """End one route; a binding that has been replaced since is left alone."""
        uptrack = self._tracks.get(track)
        if uptrack is not None:
            uptrack.remove(subscriber, generation)

    def clear(self) -> None:
        """The room has ended."""
        for track in list(self._tracks):
            self.unpublish(track)
