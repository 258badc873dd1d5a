"""One published track and everybody who receives it: a packet in, one call for each subscriber, nothing in between.

The list of subscribers is replaced and never changed in place, so a subscriber may come or go while a packet is on
its way through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from math import inf
from typing import Final

from sfu.media.codecs import fits
from sfu.media.downtrack import DownTrack
from sfu.media.keyframes import detector
from sfu.media.layers import BEST, LayerSelector
from sfu.media.loudness import Loudness
from sfu.media.outlet import Outlet
from sfu.media.ports import Codec, Packet, PacketSource
from sfu.media.quality import OBSERVER, QualityMeter
from sfu.media.rates import LayerRates
from sfu.media.spatial import SpatialLayers
from sfu.tracks import Kind

__all__ = ["UpTrack"]

_ASK_AGAIN: Final = 0.5
"""Seconds between requests while somebody waits for a key frame and packets arrive."""


class UpTrack:
    """The forwarder of one track.

    Attributes:
        priority: the larger the more important, where a path does not take everything.
        packets, octets: received so far.
        key_frames: begun so far (video).
        requests: key frames asked for.
        last_request: monotonic seconds of the latest of those.
        loudness: of an audio track; ``None`` for video.
        quality: how well it arrives here.
    """

    def __init__(self, sid: str, kind: Kind, source: PacketSource, rids: Sequence[str], priority: int = 0) -> None:
        self.sid = sid
        self.kind = kind
        self.priority = priority
        self.packets = 0
        self.octets = 0
        self.key_frames = 0
        self.requests = 0
        self.last_request = 0.0
        self.last_arrival = 0.0
        self.loudness = Loudness(source.codecs[0].clock_rate) if kind == "audio" and source.codecs else None
        self.quality = QualityMeter(kind)
        self._looked = False  # a track that has just begun need not have sent anything
        self._source = source
        self._layers = LayerSelector(rids)
        self._codecs: dict[int, Codec] = {codec.payload_type: codec for codec in source.codecs}
        self._spatial = SpatialLayers(self._codecs) if kind == "video" else None
        self._detectors = {number: detector(codec.name) for number, codec in self._codecs.items()}
        self._downs: dict[str, DownTrack] = {}
        self._fan_out: tuple[DownTrack, ...] = ()
        self._waiting = False
        self._rates = LayerRates()
        source.on_packet = self.receive

    def receive(self, packet: Packet, rid: str) -> None:
        """Take one packet and hand it to every subscriber; called synchronously by the publisher's transport."""
        now = packet.arrival
        size = len(packet.payload)
        self.packets += 1
        self.octets += size
        self.last_arrival = now
        rates = self._rates
        if now >= rates.due:
            rates.turn(now)
        key_frame, part = True, None
        if self._spatial is not None:  # it is video
            key_frame = self._detect(packet)
            changed = self._layers.seen(rid, now)
            part = self._spatial.read(packet)
            changed |= part is not None and self._spatial.seen(part[0], now)
            if changed:
                self._ask_for([down for down in self._fan_out if self._aim(down)], now)
        elif self.loudness is not None:
            self.loudness.hear(packet)
        layer = rid if part is None else part[0]
        try:
            rates.octets[layer] += size
        except KeyError:
            rates.octets[layer] = size
        for down in self._fan_out:
            down.forward(packet, rid, key_frame, part)
        if self._waiting:
            self._waiting = any(down.waiting for down in self._fan_out)
            if self._waiting and now - self.last_request >= _ASK_AGAIN:
                self._ask_for(self._fan_out, now)

    def add(
        self,
        subscriber: str,
        outlet: Outlet,
        generation: int,
        *,
        paused: bool,
        ceiling: int,
        since: float,
        now: float,
    ) -> None:
        """Forward to one more subscriber, and ask for a key frame at once."""
        self.remove(subscriber)
        down = DownTrack(self.kind, outlet, self._codecs, generation, paused, ceiling, since, self._source_changed)
        self._downs[subscriber] = down
        self._fan_out = tuple(self._downs.values())
        down.listen(partial(self._asked, down))
        self._aim(down)
        self._ask_for((down,), now)
        if not paused and self.kind == "video":
            down.requested_after_ms = round((now - since) * 1000, 1)

    def change(self, subscriber: str, generation: int, *, paused: bool, ceiling: int, now: float) -> None:
        """Pause one subscriber or let it run again; move it to the best layer that it wants."""
        down = self._downs.get(subscriber)
        if down is not None and down.generation == generation:
            changed = down.pause(paused)
            down.ceiling = ceiling
            if self._aim(down) or changed:
                self._ask_for((down,), now)

    def remove(self, subscriber: str, generation: int | None = None) -> None:
        """Stop forwarding to one subscriber; ``generation`` guards its replacement against a late end of the old."""
        down = self._downs.get(subscriber)
        if down is None or generation not in {None, down.generation}:
            return
        del self._downs[subscriber]
        self._fan_out = tuple(self._downs.values())
        down.listen(None)

    def close(self) -> None:
        """The track has ended: let go of both sides."""
        self._source.on_packet = None
        for subscriber in list(self._downs):
            self.remove(subscriber)

    def measure(self) -> None:
        """A while has passed: look at what came, and at what the subscribers report."""
        asked = [self._source.reception_window(rid, OBSERVER) for rid in self._layers.sent or ("",)]
        windows = [window for window in asked if window is not None]
        expected = sum(window.expected for window in windows)
        if expected:
            jitter = max(window.max_jitter for window in windows)
            self.quality.measure(expected, sum(window.lost for window in windows), 2 * jitter)
        elif self._looked and any(not down.paused for down in self._fan_out):
            self.quality.miss()
        else:
            self.quality.rest()
        self._looked = True
        for down in self._fan_out:
            down.measure()

    def request_key_frame(self, rid: str, now: float) -> None:
        """Ask the publisher for a key frame of one layer."""
        self.requests += 1
        self.last_request = now
        self._source.request_key_frame(rid)

    def down(self, subscriber: str) -> DownTrack | None:
        """The way to one subscriber."""
        return self._downs.get(subscriber)

    @property
    def downs(self) -> dict[str, DownTrack]:
        """The subscribers by session id."""
        return dict(self._downs)

    @property
    def layer(self) -> str:
        """The best rid that is being sent, ``""`` without simulcast."""
        return self._layers.best(BEST)

    def bitrate_bps(self, now: float) -> float:
        """What arrives of all its layers, in bits per second."""
        return self._rates.total(now)

    def costs(self, ceiling: int, now: float) -> tuple[float, ...]:
        """Bits a second of what a subscriber can get, lowest first, up to the layer ``ceiling``."""
        if not self._layers.alone:
            costs = [self._rates.of(rid, now) for rid in self._layers.ladder(ceiling)]
        elif self._spatial is not None and (best := self._spatial.best(ceiling)):
            costs = list(accumulate(self._rates.of(layer, now) for layer in range(best + 1)))
        else:
            costs = [self._rates.total(now)]
        return tuple(accumulate(costs, max))

    def fits(self, outlet: Outlet) -> bool:
        """Whether the codec that the publisher prefers was agreed there."""
        return fits(self._source.codecs, outlet.sink.codecs)

    def limit(self, down: DownTrack, layer: int, now: float) -> None:
        """Let one subscriber have no better layer than this index into its costs; ``BEST``: all that it wants."""
        if layer != BEST and not self._layers.alone:
            ladder = self._layers.ladder(down.ceiling)
            layer = self._layers.rank(ladder[min(layer, len(ladder) - 1)])
        if layer != down.limit:
            down.limit = layer
            if self._aim(down):
                self._ask_for((down,), now)

    def _asked(self, down: DownTrack) -> None:
        self.request_key_frame(down.target, self.last_arrival)

    def _source_changed(self) -> None:
        """Another source sends a layer, in the middle of a picture."""
        if not self._waiting:
            self._waiting = True
            self.last_request = -inf  # asked for once this packet has been to everybody

    def _aim(self, down: DownTrack) -> bool:
        """Let it have the best layers that it wants of those being sent; return whether those are others now."""
        aimed = down.target, down.spatial_target
        ceiling = min(down.ceiling, down.limit)
        down.target = self._layers.best(ceiling)
        if self._spatial is not None:
            # Where one stream is sent of several that were announced, its layers are inside. Encoders that do both have
            # no picture inside that is not also a stream.
            down.spatial_target = self._spatial.best(ceiling if self._layers.alone else BEST)
        return (down.target, down.spatial_target) != aimed

    def _ask_for(self, downs: Sequence[DownTrack], now: float) -> None:
        """Ask once for a key frame of each layer that somebody among ``downs`` waits for."""
        if self.kind == "video":
            for rid in dict.fromkeys(down.target for down in downs if down.waiting):
                self._waiting = True
                self.request_key_frame(rid, now)

    def _detect(self, packet: Packet) -> bool:
        detect = self._detectors.get(packet.payload_type)
        found = detect is not None and detect(packet.payload)
        self.key_frames += found
        return found
