"""A connection whose path is gone for good: whoever waits on it is released, unless an ICE restart comes in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pystack.errors import Closed
from pystack.peer import Configuration, ConnectionStateChanged, PeerConnection
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair


async def failing(*connections: PeerConnection) -> None:
    """Wait until one of them has failed."""
    async with asyncio.timeout(60):
        while all(connection.connection_state != "failed" for connection in connections):  # noqa: ASYNC110 - simulated
            await asyncio.sleep(0.5)


async def connected(one: PeerConnection, other: PeerConnection) -> None:
    await negotiate(one, other)
    await one.wait_connected(timeout=10)
    await other.wait_connected(timeout=10)


WAITS: dict[str, Callable[[PeerConnection], Awaitable[object]]] = {
    "next_track": lambda connection: connection.next_track(),
    "next_data_channel": lambda connection: connection.next_data_channel(),
    "read": lambda connection: connection.data_channels[0].read(),
    "write": lambda connection: connection.data_channels[0].write(bytes(200_000)),
    "read packets": lambda connection: connection.transceivers[0].receiver.read(),
    "read RTCP": lambda connection: connection.rtcp.read(),
    "wait_closed": lambda connection: connection.wait_closed(),
}


@pytest.mark.parametrize("before", [False, True], ids=["up", "never up"])
def test_everything_that_waits_ends_some_time_after_the_path_failed(before: bool) -> None:
    async def main() -> None:
        network = MemoryNetwork()
        async with peer_pair(network, Configuration(failed_timeout=20)) as (one, other):
            chat = one.create_data_channel("chat")
            one.add_track("audio")
            if before:
                await negotiate(one, other)
                network.black_hole()
            else:
                await connected(one, other)
                await chat.wait_open(timeout=10)
                network.black_hole()
            states: list[str] = []
            one.listen(lambda each: states.append(each.state) if isinstance(each, ConnectionStateChanged) else None)
            waiting = {name: asyncio.ensure_future(wait(one)) for name, wait in WAITS.items()}
            if before:
                waiting["wait_open"] = asyncio.ensure_future(chat.wait_open())
            loop = asyncio.get_running_loop()
            await failing(one)
            failed_at = loop.time()
            assert not any(each.done() for name, each in waiting.items() if name != "write")
            _, pending = await asyncio.wait(waiting.values(), timeout=60)
            assert not pending
            assert 19 <= loop.time() - failed_at <= 21
            assert one.reason is not None
            assert states[-2:] == ["failed", "closed"]
            for name, each in waiting.items():
                ended = each.exception()
                assert isinstance(ended, Closed) or (ended is None and name in {"wait_closed", "write"}), name

    run(main())


def test_an_ice_restart_in_time_brings_it_back_and_the_end_does_not_come() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        async with peer_pair(network) as (one, other):
            one.add_track("audio")
            await connected(one, other)
            network.black_hole()
            await failing(one, other)
            network.heal()
            one.restart_ice()
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            await asyncio.sleep(600)
            assert one.connection_state == "connected"

    run(main())


def test_as_with_the_w3c_it_stays_failed_if_told_to() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        async with peer_pair(network, Configuration(failed_timeout=None)) as (one, other):
            one.add_track("audio")
            await connected(one, other)
            network.black_hole()
            await asyncio.sleep(3600)
            assert (one.connection_state, one.reason) == ("failed", None)
            with pytest.raises(Closed, match=r"^peer connection failed ← "):
                await one.wait_connected(timeout=5)

    run(main())
