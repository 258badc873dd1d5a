"""System test T1: a peer that dies right after its association stands, while its signalling goes on.

Three channels were opened before; user data on all of them and five negotiations follow into the void. Everything
ends within 25 s of the last packet, and a hundred such peers leave what one leaves: nothing.
"""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import Counter
from typing import Any

import pytest

from pystack.dtls import Certificate
from pystack.errors import Closed, TransportLost
from pystack.peer import Configuration, ConnectionStateChanged, DataChannel, PeerConnection
from pystack.sctp import AssociationState
from pystack.testing.link import LinkOptions
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair
from tests.sim.liveness.stage import TurnLoop, play

QUICK = Configuration(certificate=Certificate.generate(1.7e9))
BOUND = 25.0


async def _write(channel: DataChannel, ends: list[str]) -> None:
    try:
        while True:
            await channel.write(bytes(20_000))
    except Closed as end:
        ends.append(type(end.reason).__name__)


async def _die(seed: int) -> list[weakref.ref[Any]]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, TurnLoop)
    network = MemoryNetwork(LinkOptions(delay=0.02))
    async with peer_pair(network, QUICK, seed=seed) as (one, other):
        last = 0.0
        dead = False

        def lose(_: int, data: bytes) -> bool:
            nonlocal last
            if not dead:
                last = loop.time()
            return dead

        for connection in (one, other):
            connection._ice.link.lose = lose  # type: ignore[attr-defined]
        channels = [one.create_data_channel(name) for name in ("reliable", "lossy", "tracks")]

        def hear(event: object) -> None:
            if event == ConnectionStateChanged("failed"):
                one.abort(TransportLost("no path to the peer"))

        one.listen(hear)
        await negotiate(one, other)
        while one._session._association.state is not AssociationState.ESTABLISHED:  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.001)
        dead = True
        ends: list[str] = []
        writers = [asyncio.create_task(_write(channel, ends)) for channel in channels]
        openers = [asyncio.create_task(channel.wait_open()) for channel in channels]
        for turn in range(5):
            one.add_transceiver("video", track_id=f"t{turn}")
            begin = loop.time()
            await negotiate(one, other)
            assert loop.time() - begin < 1, "a negotiation waited for the dead peer"
            assert one._operations.idle
        async with asyncio.timeout(BOUND):
            await one.wait_closed()
        assert loop.time() - last < BOUND
        await asyncio.sleep(0)
        assert all(task.done() for task in (*writers, *openers))
        # An OPEN that is not answered ends its channel first, unless the path is given up before that.
        assert len(ends) == 3
        assert set(ends) <= {"RemoteProtocolError", "TransportLost"}
        for opener in openers:
            assert opener.exception() is None or isinstance(opener.exception(), Closed)
        refs = [weakref.ref(one), *map(weakref.ref, channels)]
    await asyncio.sleep(1)  # what was under way arrives nowhere
    assert loop.timers() == []
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return refs


def _census() -> Counter[str]:
    gc.collect()
    counted = Counter(
        f"{type(each).__module__}.{type(each).__qualname__}"
        for each in gc.get_objects()
        if str(type(each).__module__).partition(".")[0] in {"pystack", "asyncio", "_asyncio"}
    )
    counted.pop("asyncio.timeouts.Timeout", None)
    return counted


def _repeat(times: int) -> None:
    async def main() -> None:
        await _die(0)
        before = _census()
        for seed in range(1, times + 1):
            refs = await _die(seed)
            if seed % 25 == 0 or seed == times:
                gc.collect()
                assert [ref() for ref in refs] == [None] * 4
        after = _census()
        assert after - before == Counter(), "objects are left"
        print(f"{times} dead peers: {before.total()} objects of ours before, {after.total()} after")

    play(main(), limit=1e6)


def test_t1_thirty_peers_die_after_their_association_stands() -> None:
    _repeat(30)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_t1_five_hundred_peers_die_after_their_association_stands() -> None:
    _repeat(500)


def test_census_counts_a_connection_that_is_kept() -> None:
    async def main() -> None:
        before = _census()
        kept = PeerConnection(QUICK)
        assert (_census() - before)["pystack.peer.connection.PeerConnection"] == 1
        await kept.close()

    play(main())
