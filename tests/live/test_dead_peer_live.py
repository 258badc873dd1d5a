"""System test T1 once over real sockets: a relay of ours swallows everything once the association stands."""

from __future__ import annotations

import asyncio
import gc
import os
import time
import weakref
from functools import partial

import pytest

from pystack import Closed, Configuration, ConnectionStateChanged, PeerConnection, SessionDescription, TransportLost
from pystack.sctp import AssociationState
from tests.interop.lossy_relay import LOOPBACK, LossyRelay

ALONE = Configuration(loopback=True, address_filter=lambda address: address == LOOPBACK)


def sockets() -> int:
    return len(os.listdir("/proc/self/fd"))


async def exchange(relay: LossyRelay, one: PeerConnection, other: PeerConnection) -> None:
    """The signalling goes on whatever the path does; the only path is through the relay."""
    await one.set_local_description()
    await one.wait_gathered(timeout=5)
    assert one.local_description is not None
    offer = SessionDescription("offer", relay.conceal(one.local_description.sdp))
    await other.set_remote_description(offer)
    await other.set_local_description()
    await other.wait_gathered(timeout=5)
    assert other.local_description is not None
    await one.set_remote_description(SessionDescription("answer", relay.rewrite(other.local_description.sdp)))


def give_up(connection, event) -> None:
    if event == ConnectionStateChanged("failed"):
        connection.abort(TransportLost("no path to the peer"))


async def write_for_ever(channel) -> None:
    while True:
        await channel.write(bytes(20_000))


@pytest.mark.timeout(60)
def test_t1_a_peer_that_dies_is_gone_within_25_seconds_and_nothing_is_left():
    async def main():
        gc.collect()
        before = sockets()
        async with LossyRelay.open(seed=1) as relay, PeerConnection(ALONE) as other:
            one = PeerConnection(ALONE)
            channels = [one.create_data_channel(name) for name in ("reliable", "lossy", "tracks")]

            one.listen(partial(give_up, one))
            await exchange(relay, one, other)
            while one._session._association.state is not AssociationState.ESTABLISHED:  # noqa: ASYNC110 - it rings no bell
                await asyncio.sleep(0.001)
            relay.loss = 1.0
            died = time.monotonic()
            writers = [asyncio.create_task(write_for_ever(channel)) for channel in channels]
            for turn in range(5):
                one.add_transceiver("video", track_id=f"t{turn}")
                began = time.monotonic()
                await exchange(relay, one, other)
                assert time.monotonic() - began < 2
            async with asyncio.timeout(25):
                await one.wait_closed()
            print(f"gone after {time.monotonic() - died:.1f} s")
            ends = await asyncio.gather(*writers, return_exceptions=True)
            assert [type(end) for end in ends] == [Closed] * 3
            await one.close()
            refs = [weakref.ref(one), *map(weakref.ref, channels)]
            del one, channels, ends, writers
            await asyncio.sleep(0)
            gc.collect()
            assert [ref() for ref in refs] == [None] * 4
        await asyncio.sleep(0.1)
        gc.collect()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert sockets() == before

    asyncio.run(main())
