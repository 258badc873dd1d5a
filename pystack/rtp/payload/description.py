"""What a forwarder wants to know of a payload, the same for every codec."""

from __future__ import annotations

import attrs

__all__ = ["PayloadDescription"]


@attrs.define
class PayloadDescription:
    """One packet's place in its stream, as far as its payload tells.

    Attributes:
        key_frame: a key frame begins here: a decoder that knows nothing can begin with it.
        starts: a frame begins here; with H.264 and H.265, which do not tell frames, a NAL unit.
        ends: that frame, or NAL unit, ends here; what a payload does not tell is true (the marker bit ends a picture).
        spatial: spatial layer, 0 the lowest; ``None`` if it is not told.
        temporal: temporal layer, 0 the lowest; ``None`` if it is not told.
        switch_up: a receiver of lower temporal layers may go up to this packet's from here on.
        discardable: no other frame refers to this one.
        picture_id: number of the picture; ``None`` if it is not told.
        picture_id_bits: 7 or 15; 0 if there is none.
        tl0_picture_index: number of the lowest temporal layer's picture, 8 bits; ``None`` if it is not told.
    """

    key_frame: bool = False
    starts: bool = True
    ends: bool = True
    spatial: int | None = None
    temporal: int | None = None
    switch_up: bool = False
    discardable: bool = False
    picture_id: int | None = None
    picture_id_bits: int = 0
    tl0_picture_index: int | None = None
