"""One published track and everybody who receives it: a packet in, one call for each subscriber, nothing in between.

The list of subscribers is replaced and never changed in place, so a subscriber may come or go while a packet is on
its way through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sfu.media.downtrack import DownTrack
from sfu.media.keyframes import detector
from sfu.media.layers import LayerSelector
from sfu.media.outlet import Outlet
from sfu.media.ports import Codec, Packet, PacketSource
from sfu.tracks import Kind

__all__ = ["UpTrack"]

_ASK_AGAIN: Final = 0.5
"""Seconds between requests while somebody waits for a key frame and packets arrive."""


class UpTrack:
    """The forwarder of one track.

    Attributes:
        packets, octets: received so far.
        key_frames: begun so far (video).
        requests: key frames asked for.
        last_request: monotonic seconds of the latest of those.
    """

    def __init__(self, sid: str, kind: Kind, source: PacketSource, rids: Sequence[str]) -> None:
        self.sid = sid
        self.kind = kind
        self.packets = 0
        self.octets = 0
        self.key_frames = 0
        self.requests = 0
        self.last_request = 0.0
        self.last_arrival = 0.0
        self._source = source
        self._layers = LayerSelector(rids)
        self._codecs: dict[int, Codec] = {codec.payload_type: codec for codec in source.codecs}
        self._detectors = {number: detector(codec.name) for number, codec in self._codecs.items()}
        self._downs: dict[str, DownTrack] = {}
        self._fan_out: tuple[DownTrack, ...] = ()
        self._waiting = False
        self._rate_from = 0.0
        self._rate_octets = 0
        self._rate_bps = 0.0
        source.on_packet = self.receive

    def receive(self, packet: Packet, rid: str) -> None:
        """Take one packet and hand it to every subscriber; called synchronously by the publisher's transport."""
        now = packet.arrival
        size = len(packet.payload)
        self.packets += 1
        self.octets += size
        self.last_arrival = now
        if now - self._rate_from >= 1.0:
            self._measure(now)
        key_frame = True
        if self.kind == "video":
            key_frame = self._detect(packet)
            if self._layers.seen(rid, now) and self._downs:
                self.request_key_frame(now)
        elif rid != self._layers.target:
            self._layers.seen(rid, now)
        target = self._layers.target
        for down in self._fan_out:
            down.forward(packet, rid, target, key_frame)
        if self._waiting:
            self._waiting = any(down.waiting for down in self._fan_out)
            if self._waiting and now - self.last_request >= _ASK_AGAIN:
                self.request_key_frame(now)

    def add(self, subscriber: str, outlet: Outlet, generation: int, *, paused: bool, since: float, now: float) -> None:
        """Forward to one more subscriber, and ask for a key frame at once."""
        self.remove(subscriber)
        down = DownTrack(outlet, self._codecs, generation, paused, since)
        self._downs[subscriber] = down
        self._fan_out = tuple(self._downs.values())
        down.listen(self._asked)
        if not paused:
            self._await_key_frame(now)
            down.requested_after_ms = round((now - since) * 1000, 1)

    def pause(self, subscriber: str, generation: int, paused: bool, now: float) -> None:
        """Pause one subscriber or let it run again."""
        down = self._downs.get(subscriber)
        if down is not None and down.generation == generation and down.pause(paused) and not paused:
            self._await_key_frame(now)

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

    def request_key_frame(self, now: float) -> None:
        """Ask the publisher for a key frame of the layer that should be forwarded."""
        self.requests += 1
        self.last_request = now
        self._source.request_key_frame(self._layers.target)

    @property
    def downs(self) -> dict[str, DownTrack]:
        """The subscribers by session id."""
        return dict(self._downs)

    @property
    def layer(self) -> str:
        """The rid that is being forwarded, ``""`` without simulcast."""
        return self._layers.target

    def bitrate_bps(self, now: float) -> float:
        """What arrived during the last full second, in bits per second."""
        return self._rate_bps if now - self.last_arrival < 2.0 else 0.0

    def _asked(self) -> None:
        self.request_key_frame(self.last_arrival)

    def _await_key_frame(self, now: float) -> None:
        if self.kind == "video":
            self._waiting = True
            self.request_key_frame(now)

    def _detect(self, packet: Packet) -> bool:
        detect = self._detectors.get(packet.payload_type)
        found = detect is not None and detect(packet.payload)
        self.key_frames += found
        return found

    def _measure(self, now: float) -> None:
        passed = now - self._rate_from
        self._rate_bps = (self.octets - self._rate_octets) * 8 / passed if self._rate_from else 0.0
        self._rate_from = now
        self._rate_octets = self.octets
