"""One track on its way to one subscriber: the hot end of forwarding.

``forward`` is called for every packet of the track and does as little as it can: is this the layer, and its source?
Shift two numbers, write. It never waits; what a subscriber's transport does not take is dropped there and counted.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from math import inf
from typing import Final

from pystack.errors import Closed
from sfu.media.codecs import matching_payload_type
from sfu.media.layers import BEST
from sfu.media.outlet import Outlet
from sfu.media.ports import Codec, Packet
from sfu.media.quality import OBSERVER, QualityMeter
from sfu.media.spatial import Part
from sfu.tracks import Kind

__all__ = ["DownTrack"]

_NO_LAYER = "\0"  # no rid is called so
_DRY = 6  # looks without a report after which the receiver is not heard any more
_NO_SOURCE: Final = -1  # no SSRC
_STRAGGLING: Final = 1.0
"""Seconds after a change of the source in which packets of the one before are late, and not a change back."""


class DownTrack:
    """One subscriber of one track.

    Attributes:
        generation: of the binding that made it; a late end of another binding is not meant for it.
        ceiling: the best layer that the subscriber wants, 0 being the lowest.
        limit: the best layer that its path has room for.
        target: the rid that should be forwarded: the best below both.
        layer: the rid that is forwarded, until a key frame of the target comes; before the first, after a pause, and
            while a new source has not brought one, a value that no rid has.
        spatial_target: the spatial layer of an SVC stream up to which it should be forwarded, 0 without.
        spatial: the one up to which it is; a better one waits for a key frame, a lower one for the next picture.
        paused: muted by the publisher or disabled by the subscriber: nothing is forwarded.
        packets, octets: forwarded so far.
        drops: what was not, by why.
        since, first_packet: monotonic seconds of the binding and of the first packet forwarded (0 before).
        quality: how well it arrives.
        requested_after_ms: milliseconds from the binding to the first key-frame request, ``None`` without one.
    """

    __slots__ = (
        "_changed_at",
        "_codecs",
        "_dry",
        "_former",
        "_munger",
        "_on_wait",
        "_payload_types",
        "_sink",
        "_source",
        "ceiling",
        "drops",
        "first_packet",
        "generation",
        "layer",
        "limit",
        "octets",
        "packets",
        "paused",
        "quality",
        "requested_after_ms",
        "since",
        "spatial",
        "spatial_target",
        "target",
    )

    def __init__(
        self,
        kind: Kind,
        outlet: Outlet,
        codecs: dict[int, Codec],
        generation: int,
        paused: bool,
        ceiling: int,
        since: float,
        on_wait: Callable[[], None],
    ) -> None:
        self._sink = outlet.sink
        self._on_wait = on_wait
        self._source = self._former = _NO_SOURCE  # the publisher's SSRC of what is forwarded, and the one before
        self._changed_at = -inf
        self._codecs = codecs  # the publisher's, by payload type
        self._munger = munger = outlet.munger
        munger.clock_rate = next((codec.clock_rate for codec in codecs.values()), munger.clock_rate)
        self._payload_types: dict[int, int | None] = {}
        self.generation = generation
        self.paused = paused
        self.ceiling = ceiling
        self.limit = BEST
        self.target = ""
        self.layer = _NO_LAYER
        self.spatial_target = 0
        self.spatial = 0
        self.quality = QualityMeter(kind)
        self._dry = 0
        self.packets = 0
        self.octets = 0
        self.drops: dict[str, int] = {}
        self.since = since
        self.first_packet = 0.0
        self.requested_after_ms: float | None = None

    @property
    def waiting(self) -> bool:
        """Whether a key frame of the target is awaited."""
        return (self.layer != self.target or self.spatial < self.spatial_target) and not self.paused

    def forward(self, packet: Packet, rid: str, key_frame: bool, part: Part | None = None) -> None:
        """Forward one packet if it is of the right layer; ``part`` is its place in an SVC stream."""
        if self.paused:
            return
        now = packet.arrival
        if rid != self.layer:
            if rid != self.target or not key_frame:
                return
            self.layer = rid
            self._source = packet.ssrc
            self._munger.switch(packet.sequence_number, packet.timestamp, now)
        elif packet.ssrc != self._source and not self._follow(packet, key_frame):
            return
        if part is not None:
            layer, ends, first = part
            if key_frame or (first and self.spatial > self.spatial_target):
                self.spatial = self.spatial_target
            if layer > self.spatial:
                self._munger.leave_out(packet.sequence_number)
                return
            if ends and layer == self.spatial and not packet.marker:
                packet = copy.copy(packet)  # others get more of this picture
                packet.marker = True
        try:
            payload_type = self._payload_types[packet.payload_type]
        except KeyError:
            payload_type = self._learn(packet.payload_type)
        if payload_type is None:
            self._drop("codec")
            return
        numbers = self._munger.translate(packet.sequence_number, packet.timestamp, now)
        if numbers is None:
            self._drop("before switch")
            return
        try:
            taken = self._sink.write(
                packet, payload_type=payload_type, sequence_number=numbers[0], timestamp=numbers[1]
            )
        except Closed:  # its connection ended a moment ago; the room will say so
            taken = False
        if not taken:
            self._drop("transport")
            return
        if not self.packets:
            self.first_packet = now
        self.packets += 1
        self.octets += len(packet.payload)

    def pause(self, paused: bool) -> bool:
        """Stop or let run; return whether that changed anything. Running again begins with a key frame."""
        if paused == self.paused:
            return False
        self.paused = paused
        if paused:
            self.layer = _NO_LAYER
        return True

    def measure(self) -> None:
        """A while has passed: look at what the receiver reported."""
        window = self._sink.report_window("", OBSERVER)
        self._dry = 0 if window is not None and window.packets else self._dry + 1
        if self.paused:
            self._dry = 0
            self.quality.rest()
        elif window is not None and window.packets:
            delay = (window.max_round_trip_time or 0.0) / 2 + 2 * window.max_jitter / self._munger.clock_rate
            self.quality.measure(window.packets, window.lost, delay)
        elif self.packets and self._dry >= _DRY:
            self.quality.miss()

    def pad(self, octets: int) -> int:
        """Send so many bytes of padding to this subscriber; return how many went."""
        return 0 if self.paused else self._sink.pad(octets)

    def listen(self, on_key_frame_request: Callable[[], None] | None) -> None:
        """Tell the sink whom to ask for key frames (``None``: nobody any more)."""
        self._sink.on_key_frame_request = on_key_frame_request

    def _follow(self, packet: Packet, key_frame: bool) -> bool:
        """Another source (RFC 3550 section 8.2) sends the layer: go on with it, where it can be decoded."""
        now = packet.arrival
        if packet.ssrc == self._former and now - self._changed_at < _STRAGGLING:
            self._drop("former source")
            return False
        self._former, self._changed_at = self._source, now
        self._source = packet.ssrc
        if not key_frame:
            self.layer = _NO_LAYER
            self._on_wait()
            return False
        self._munger.switch(packet.sequence_number, packet.timestamp, now)
        return True

    def _learn(self, payload_type: int) -> int | None:
        codec = self._codecs.get(payload_type)
        if not self._sink.codecs:
            return None  # not negotiated yet: ask again at the next packet
        found = matching_payload_type(codec, self._sink.codecs) if codec is not None else None
        self._payload_types[payload_type] = found
        return found

    def _drop(self, why: str) -> None:
        self.drops[why] = self.drops.get(why, 0) + 1
