"""Two peer connections that signal to each other by plain calls: no server, no socket if their network is in memory.

async with peer_pair(network) as (one, other):
    channel = one.create_data_channel("chat")
    await negotiate(one, other)
    await one.wait_connected(timeout=10)
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import attrs

from pystack.base import SeededRandomness
from pystack.peer import Configuration, IceTransports, PeerConnection

__all__ = ["negotiate", "peer_pair"]


async def negotiate(offerer: PeerConnection, answerer: PeerConnection) -> None:
    """One whole exchange: an offer of ``offerer``, the answer of ``answerer``, with all candidates inside.

    Raises:
        Closed: one of them ended.
        TimeoutError: candidates did not come within 5 s.
    """
    await offerer.set_local_description()
    await offerer.wait_gathered(timeout=5)
    offer = offerer.local_description
    assert offer is not None
    await answerer.set_remote_description(offer)
    await answerer.set_local_description()
    await answerer.wait_gathered(timeout=5)
    answer = answerer.local_description
    assert answer is not None
    await offerer.set_remote_description(answer)


@asynccontextmanager
async def peer_pair(
    network: IceTransports, configuration: Configuration | None = None, *, seed: int = 0
) -> AsyncIterator[tuple[PeerConnection, PeerConnection]]:
    """Make two connections over one network; both are closed at the end.

    Args:
        network: makes the ICE transports of both, such as :class:`~pystack.testing.MemoryNetwork`.
        configuration: of both, apart from the network and the randomness.
        seed: of their randomness (certificates draw from the operating system all the same).
    """
    base = configuration or Configuration()
    one, other = (
        PeerConnection(attrs.evolve(base, mux=network, randomness=SeededRandomness(f"{seed}/{name}")))
        for name in ("one", "other")
    )
    try:
        yield one, other
    finally:
        await one.close()
        await other.close()
