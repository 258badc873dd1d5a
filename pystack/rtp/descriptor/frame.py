"""What a dependency descriptor says of one frame, once its template is looked up."""

from __future__ import annotations

import attrs

from pystack.rtp.descriptor.structure import DecodeTargetIndication

__all__ = ["FrameDependencies"]


@attrs.frozen(kw_only=True)
class FrameDependencies:
    """One frame.

    Attributes:
        frame_number: its number, 16 bits; counts the frames of all layers.
        spatial_id: its spatial layer.
        temporal_id: its temporal layer.
        dtis: what it is to each decode target.
        fdiffs: how many frames back its references are; empty for a key frame.
        chain_fdiffs: for each chain how many frames back its last frame is; 0: the chain begins here.
        resolution: width and height of its spatial layer in pixels; ``None`` if they are not told.
    """

    frame_number: int
    spatial_id: int
    temporal_id: int
    dtis: tuple[DecodeTargetIndication, ...]
    fdiffs: tuple[int, ...]
    chain_fdiffs: tuple[int, ...]
    resolution: tuple[int, int] | None
