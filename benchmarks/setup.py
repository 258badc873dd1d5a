"""Setting up: from the offer to the open data channel, both ends in one process, over 127.0.0.1.

The CPU of everything between making two peer connections and the channel being open on both sides: certificates, SDP,
ICE, DTLS, SCTP. Some pairs come first, so that imports, caches and the interpreter's own adaptation to the code are not
in the figure: it is what a connection costs a program that has been making them for a while. Closing is not in it.
What was imported is then frozen on both sides: how long the collector takes to pass over it depends on what else a
process has loaded, and not on what a connection costs.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

from benchmarks.clock import cpu_seconds
from benchmarks.ends import AiortcEnd, End, OurEnd
from benchmarks.rounds import Benchmark, Case

_WARM = 10
_PAIRS = 100
_LIMIT = 120.0


def _offer_to_open(make: Callable[[], End]) -> Callable[[], float]:
    async def one() -> float:
        start = cpu_seconds()
        offerer, answerer = make(), make()
        await offerer.accept(await answerer.answer(await offerer.offer()))
        await offerer.opened()
        await answerer.opened()
        spent = cpu_seconds() - start
        await offerer.close()
        await answerer.close()
        return spent

    async def run() -> float:
        for _ in range(_WARM):
            await one()
        gc.collect()
        gc.freeze()
        # One after the other, so the sum is what one of them costs at rest.
        return sum([await one() for _ in range(_PAIRS)]) / _PAIRS * 1000

    return lambda: asyncio.run(asyncio.wait_for(run(), _LIMIT))


BENCHMARK = Benchmark(
    name="setup",
    title="Offer to open data channel, CPU of both ends: how much less than aiortc",
    packages=("cryptography", "crc32c", "aioice", "aiortc"),
    cases=[
        Case(
            name="offer-to-open",
            unit="CPU-ms/pair",
            ours=_offer_to_open(OurEnd),
            peer=_offer_to_open(AiortcEnd),
            peer_name="aiortc",
            peer_package="aiortc",
            target=1.5,
        )
    ],
)
