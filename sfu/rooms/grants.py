"""What a participant may do, as its token said. A value; checked in one place each, where the thing is done."""

from __future__ import annotations

from typing import Final

import attrs
from livekit.protocol import models

__all__ = ["Grants"]

_AUDIO_SOURCES: Final = frozenset({models.TrackSource.MICROPHONE, models.TrackSource.SCREEN_SHARE_AUDIO})


@attrs.frozen(kw_only=True)
class Grants:
    """The video grant of a LiveKit token, with its defaults resolved.

    Attributes:
        publish_sources: numbers of ``TrackSource`` that may be published; empty for all.
        hidden: the others are not told about this participant.
        dependent: an agent or a recorder: does not count and does not keep a room alive.
    """

    can_publish: bool = True
    can_subscribe: bool = True
    can_publish_data: bool = True
    can_update_metadata: bool = False
    publish_sources: frozenset[int] = frozenset()
    hidden: bool = False
    recorder: bool = False
    agent: bool = False

    @property
    def dependent(self) -> bool:
        """Whether the participant only serves others: neither counted nor a reason to keep a room."""
        return self.recorder or self.agent

    def may_publish(self, source: int, *, audio: bool) -> bool:
        """Whether a track of this source and kind may be published; no camera passes as a microphone."""
        if not self.publish_sources:
            return self.can_publish
        return self.can_publish and source in self.publish_sources and audio == (source in _AUDIO_SOURCES)

    def to_message(self) -> models.ParticipantPermission:
        """Return a fresh LiveKit ``ParticipantPermission``."""
        return models.ParticipantPermission(
            can_subscribe=self.can_subscribe,
            can_publish=self.can_publish,
            can_publish_data=self.can_publish_data,
            can_publish_sources=sorted(self.publish_sources),  # type: ignore[arg-type]
            hidden=self.hidden,
            recorder=self.recorder,
            can_update_metadata=self.can_update_metadata,
            agent=self.agent,
        )
