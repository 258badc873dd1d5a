"""What a subscriber wants to see of a track, and which layer that is at most."""

from __future__ import annotations

import attrs
from livekit.protocol import models

from sfu.tracks.track_info import TrackInfo

__all__ = ["Wish"]


@attrs.frozen(kw_only=True)
class Wish:
    """What a subscriber last said of one track (``track_setting``).

    Attributes:
        disabled: nothing for now, for example while the picture is out of sight.
        quality: ``VideoQuality``; counts where no size is given.
        width, height: of the picture on the subscriber's screen, in pixels; 0 where it did not say.
    """

    disabled: bool = False
    quality: int = models.VideoQuality.HIGH
    width: int = 0
    height: int = 0

    def ceiling(self, info: TrackInfo) -> int:
        """The best layer that is of use to the subscriber, 0 being the lowest.

        For a size that is the lowest layer that fills it: shorter sides are compared, since either picture may stand
        upright.
        """
        top = max(len(info.layer_sides) - 1, 0)
        wanted = min(self.width, self.height) or max(self.width, self.height)
        if not wanted:
            return min(self.quality, top)
        return next((rank for rank, side in enumerate(info.layer_sides) if side >= wanted), top)
