"""What people ask of every stack: writers that never hang, a close that closes, a connect that can be cancelled."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from pystack.dtls import Certificate
from pystack.errors import Closed, TransportLost, WouldBlock
from pystack.peer import Configuration, ConnectionStateChanged, DataChannel, DataChannelAdded, PeerConnection, connect
from pystack.testing.link import LinkOptions
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair
from tests.sim.liveness.stage import TurnLoop, play

QUICK = Configuration(certificate=Certificate.generate(1.7e9))


def loop() -> TurnLoop:
    running = asyncio.get_running_loop()
    assert isinstance(running, TurnLoop)
    return running


def test_wish_2_two_hundred_parked_writers_of_a_vanished_peer_raise_one_reason_in_one_turn() -> None:
    async def main() -> list[weakref.ref[Any]]:
        network = MemoryNetwork(LinkOptions(delay=0.02))
        async with peer_pair(network, QUICK) as (one, other):
            channels = [one.create_data_channel(str(n)) for n in range(4)]
            await negotiate(one, other)
            for channel in channels:
                await channel.wait_open(timeout=10)
            network.black_hole()
            for _ in range(5):  # until nothing more departs
                for channel in channels:
                    with suppress(WouldBlock):
                        while True:
                            channel.write_nowait(bytes(60_000))
                await asyncio.sleep(0.05)
            turns: set[int] = set()
            reasons: list[object] = []

            async def write(channel: DataChannel) -> None:
                try:
                    await channel.write(b"never")
                except Closed as end:
                    turns.add(loop().turns)
                    reasons.append(end.reason)

            tasks = [asyncio.create_task(write(channels[n % 4])) for n in range(200)]

            def hear(event: object) -> None:
                if event == ConnectionStateChanged("failed"):
                    one.abort(TransportLost("ICE failed"))

            one.listen(hear)
            async with asyncio.timeout(25):
                await one.wait_closed()
            await asyncio.sleep(0)
            assert all(task.done() for task in tasks)
            assert len(turns) == 1
            assert len(reasons) == 200
            assert set(map(str, reasons)) == {"ICE failed"}
            await other.close()
            await asyncio.sleep(1)
            assert loop().timers() == []
            return [weakref.ref(thing) for thing in (one, *channels)]

    refs = play(main())
    gc.collect()
    assert [ref() for ref in refs] == [None] * 5


async def _new(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    one.create_data_channel("x")


async def _have_local_offer(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    one.create_data_channel("x")
    await one.set_local_description()


async def _have_remote_offer(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    other.create_data_channel("x")
    await other.set_local_description()
    assert other.local_description is not None
    await one.set_remote_description(other.local_description)


async def _connecting(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    one.create_data_channel("x")
    await negotiate(one, other)


async def _shaking_hands(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    await _connecting(one, other, network)
    while one.ice_connection_state not in {"connected", "completed"}:  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.001)


async def _secured(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    await _connecting(one, other, network)
    await one.wait_connected(timeout=10)


async def _open(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    channel = one.create_data_channel("x")
    await negotiate(one, other)
    await channel.wait_open(timeout=10)


async def _closing_a_channel(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    await _open(one, other, network)
    one.data_channels[0].begin_close()


async def _renegotiating(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    await _open(one, other, network)
    one.add_transceiver("video", track_id="t")
    await one.set_local_description()


async def _failed(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    await _open(one, other, network)
    network.black_hole()
    while one.connection_state != "failed":  # noqa: ASYNC110 - virtual time
        await asyncio.sleep(0.1)


STATES: list[Callable[[PeerConnection, PeerConnection, MemoryNetwork], Awaitable[None]]] = [
    _new,
    _have_local_offer,
    _have_remote_offer,
    _connecting,
    _shaking_hands,
    _secured,
    _open,
    _closing_a_channel,
    _renegotiating,
    _failed,
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__.strip("_"))
@pytest.mark.parametrize("peer", ["answers", "is silent", "is gone"])
def test_wish_3_close_in_every_state_returns_in_time_and_the_last_message_arrives(peer: str, state: Any) -> None:
    async def main() -> None:
        network = MemoryNetwork(LinkOptions(delay=0.01))
        async with peer_pair(network, QUICK) as (one, other):
            heard: list[object] = []

            def hear(event: object) -> None:
                if isinstance(event, DataChannelAdded):
                    event.channel.on_message = heard.append

            other.listen(hear)
            await state(one, other, network)
            if peer == "is silent":
                network.black_hole()
            elif peer == "is gone":
                other.abort()
            usable = one.connection_state == "connected" and one.data_channels and state in {_open, _renegotiating}
            if usable and peer == "answers":
                one.data_channels[0].write_nowait("the last word")
            begin = loop().time()
            await one.close(timeout=2)
            assert loop().time() - begin <= 2.001
            assert one.reason is not None
            if peer == "answers" and state is not _failed:
                assert loop().time() - begin < 1, "nobody had to be waited for"
                await asyncio.sleep(1)
                assert heard == (["the last word"] if usable else [])
            begin = loop().time()
            await one.close()
            assert loop().time() == begin
            await other.close()
            await asyncio.sleep(1)  # what was under way arrives nowhere
            assert loop().timers() == []
            assert asyncio.all_tasks() == {asyncio.current_task()}

    play(main())


def test_wish_5_a_connect_cancelled_at_each_await_point_leaves_nothing() -> None:
    async def main() -> tuple[int, list[weakref.ref[Any]]]:
        refs: list[weakref.ref[Any]] = []
        step = 0
        while True:
            network = MemoryNetwork(LinkOptions(delay=0.005))
            async with peer_pair(network, QUICK, seed=step) as (one, other):
                one.create_data_channel("x")
                one.add_transceiver("audio", track_id="t")
                task = asyncio.create_task(connect(one, other))
                for _ in range(step):
                    await asyncio.sleep(0 if step % 2 else 0.001)
                finished = task.done()
                task.cancel()
                await asyncio.wait([task])
                refs += [weakref.ref(one), weakref.ref(other)]
                assert task.cancelled() or finished
            del one, other, network
            await asyncio.sleep(1)
            assert loop().timers() == []
            assert asyncio.all_tasks() == {asyncio.current_task()}
            if finished:
                return step, refs
            step += 1

    steps, refs = play(main())
    gc.collect()
    assert not [ref() for ref in refs if ref() is not None]
    print(f"cancelled at {steps} points")
    assert steps > 10
