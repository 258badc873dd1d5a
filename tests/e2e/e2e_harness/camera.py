"""A camera for Chromium whose picture is worth a bitrate: the built-in fake one is a flat drawing of few bits.

A Y4M file (a header line, then planes of I420) that Chromium plays in a loop with
``--use-file-for-fake-video-capture``.
"""

from __future__ import annotations

import random
from pathlib import Path

FRAMES = 20
RATE = 20


def write_camera(path: Path, width: int = 1280, height: int = 720) -> str:
    """Write a 720p clip of a rough texture that drifts; return the flag that makes it the camera."""
    chance = random.Random(1)
    # Blocks of brightness, so that it is no pure noise, with grain on top; wider than the picture, to move over it.
    wide = width + 8 * FRAMES
    rows = []
    for block in range(height // 8):
        tones = random.Random(block).choices(range(60, 200), k=wide // 8)
        line = bytes(tone for tone in tones for _ in range(8))
        for _ in range(8):
            grain = chance.randbytes(wide)
            rows.append(bytes(map(int.__add__, line, (value & 15 for value in grain))))
    chroma = bytes([128]) * (width * height // 2)
    with path.open("wb") as file:
        file.write(b"YUV4MPEG2 W%d H%d F%d:1 Ip A1:1 C420jpeg\n" % (width, height, RATE))
        for frame in range(FRAMES):
            # There and back, so that the loop has no jump.
            at = 8 * min(frame, FRAMES - frame)
            file.write(b"FRAME\n" + b"".join(row[at : at + width] for row in rows) + chroma)
    return f"--use-file-for-fake-video-capture={path}"
