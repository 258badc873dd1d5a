"""What a room says about one published track: a versioned value that is never changed in place.

Consumers keep the newest version and ignore older ones; the mute state travels here and nowhere else, so whoever is
made later than a mute still learns of it. Called by ``tracks.publication`` and ``rooms``.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final, Literal

import attrs
from livekit.protocol import models, rtc

__all__ = ["Kind", "TrackInfo"]

Kind = Literal["audio", "video"]

_SCALABLE: Final = frozenset({"video/vp9", "video/av1"})


@attrs.frozen(kw_only=True)
class TrackInfo:
    """One published track, as announced to everybody.

    Attributes:
        sid: ``TR_…``, unique in the server.
        version: grows with each change; an older one is ignored by those who know a newer one.
        kind: ``"audio"`` or ``"video"``.
        muted: what the publisher last said.
        request: what the publisher asked for (its ``AddTrackRequest`` as bytes): layers, features, encryption.
        mid: the media section of the publisher, ``""`` until negotiated.
        mime_type: ``video/VP8``, ``""`` until negotiated.
        rids: the simulcast layers as offered, in the order of the offer.
    """

    sid: str
    kind: Kind
    version: int = 1
    name: str = ""
    source: int = 0
    muted: bool = False
    width: int = 0
    height: int = 0
    stream: str = ""
    mid: str = ""
    mime_type: str = ""
    rids: tuple[str, ...] = ()
    cid: str = ""
    request: bytes = b""

    @cached_property
    def layer_sides(self) -> tuple[int, ...]:
        """The shorter side of each layer in pixels, lowest layer first.

        As the publisher announced it; where it announced another number of layers than it sends in simulcast, each
        halves the one above it. What is not simulcast may have its layers inside one stream.
        """
        announced = rtc.AddTrackRequest.FromString(self.request).layers
        sides = sorted(min(layer.width, layer.height) for layer in announced)
        if len(self.rids) < 2 or len(sides) == len(self.rids):
            return tuple(sides)
        whole = min(self.width, self.height)
        return tuple(whole >> above for above in reversed(range(len(self.rids))))

    @property
    def codec(self) -> str:
        """The name of the codec that the publisher asked for, ``""`` for any.

        Browsers send what stands first in the answer to their offer.
        """
        asked = rtc.AddTrackRequest.FromString(self.request).simulcast_codecs
        return asked[0].codec.lower().rpartition("/")[2] if asked else ""

    @property
    def scalable(self) -> bool:
        """Whether its codec can put layers into one stream (SVC)."""
        return self.mime_type.lower() in _SCALABLE

    def evolve(self, **changes: Any) -> TrackInfo:
        """Return the next version with ``changes``; the very same object when nothing changes.

        Applying the same state twice therefore has no effect anywhere.
        """
        if all(getattr(self, name) == value for name, value in changes.items()):
            return self
        return attrs.evolve(self, version=self.version + 1, **changes)

    def to_message(self) -> models.TrackInfo:
        """Return a fresh LiveKit ``TrackInfo`` message."""
        asked = rtc.AddTrackRequest.FromString(self.request)
        message = models.TrackInfo(
            sid=self.sid,
            type=models.TrackType.AUDIO if self.kind == "audio" else models.TrackType.VIDEO,
            name=self.name,
            muted=self.muted,
            width=self.width,
            height=self.height,
            simulcast=len(self.rids) > 1 or (self.scalable and len(asked.layers) > 1),
            disable_dtx=asked.disable_dtx,
            source=self.source,  # type: ignore[arg-type]
            mime_type=self.mime_type,
            mid=self.mid,
            stereo=asked.stereo,
            disable_red=asked.disable_red,
            encryption=asked.encryption,
            stream=self.stream,
            layers=asked.layers,
            audio_features=asked.audio_features,
            backup_codec_policy=asked.backup_codec_policy,
            packet_trailer_features=asked.packet_trailer_features,
        )
        message.version.unix_micro = self.version
        if self.mime_type:
            message.codecs.add(mime_type=self.mime_type, mid=self.mid, cid=self.cid, layers=asked.layers)
        return message
