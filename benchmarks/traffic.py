"""The packets that a camera sends, as bursts of payload sizes: what forwarding is measured with."""

from __future__ import annotations

import random
from collections.abc import Iterator

__all__ = ["PAYLOAD", "bursts"]

PAYLOAD = 1088
"""Bytes of a full packet's payload; 1,100 with its header."""
_FRAME = 8_300
"""Bytes of a frame on average: 2 Mbit/s at 30 frames a second."""
_KEY_FRAME = 60_000
_EVERY = 90
"""Frames from one key frame to the next."""


def bursts(kind: str) -> Iterator[tuple[int, ...]]:
    """The sizes of the packets of one frame after the other, without end.

    Args:
        kind: ``"equal"`` for sixteen full packets each; ``"real"`` for frames as an encoder makes them: of many sizes,
            cut into parts of nearly equal length, a large key frame now and then.
    """
    draw = random.Random(7)
    number = 0
    while True:
        if kind == "equal":
            yield (PAYLOAD,) * 16
        else:
            size = _KEY_FRAME if number % _EVERY == 0 else max(200, int(draw.gauss(_FRAME, _FRAME / 3)))
            parts = -(-size // PAYLOAD)
            yield tuple(size // parts + (part < size % parts) for part in range(parts))
        number += 1
