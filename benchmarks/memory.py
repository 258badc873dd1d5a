"""Memory: resident bytes of a peer connection that is open and idle, with one data channel.

Pairs are opened one after the other in one process and left alone. What a connection holds is the slope of the resident
size over their number, fitted from several points after a first lot that fills caches and arenas, so that neither the
interpreter nor the imports are in it.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path

from benchmarks.ends import AiortcEnd, End, OurEnd
from benchmarks.rounds import Benchmark, Case

_WARM = 10
_STEPS = 6
_PAIRS = 10
_SETTLE = 1.5
"""Seconds before each measurement: what a connection does soon after it opened is over."""
_LIMIT = 240.0
_PAGE = 4096


def resident_bytes() -> int:
    """The resident size of this process (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def slope(points: list[tuple[int, int]]) -> float:
    """The slope of the least-squares line through ``points``."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)


def _idle(make: Callable[[], End]) -> Callable[[], float]:
    async def run() -> float:
        ends: list[End] = []

        async def add(pairs: int) -> None:
            for _ in range(pairs):
                offerer, answerer = make(), make()
                ends.extend((offerer, answerer))
                await offerer.accept(await answerer.answer(await offerer.offer()))
                await offerer.opened()
                await answerer.opened()
            await asyncio.sleep(_SETTLE)
            gc.collect()

        await add(_WARM)
        points = [(len(ends), resident_bytes())]
        for _ in range(_STEPS):
            await add(_PAIRS)
            points.append((len(ends), resident_bytes()))
        for end in ends:
            await end.close()
        return slope(points) / 1024

    return lambda: asyncio.run(asyncio.wait_for(run(), _LIMIT))


BENCHMARK = Benchmark(
    name="memory",
    title="Resident memory of an idle peer connection: how much less than aiortc's",
    packages=("cryptography", "aioice", "aiortc"),
    rounds=3,
    cases=[
        Case(
            name="idle",
            unit="KiB/connection",
            ours=_idle(OurEnd),
            peer=_idle(AiortcEnd),
            peer_name="aiortc",
            peer_package="aiortc",
            target=1.43,  # at most 0.7 of the peer's
        )
    ],
)
