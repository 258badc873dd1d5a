"""Full agents on virtual time: their sockets are a simulated network, everything above them is the real thing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
import pytest

import pystack.aio.ice as agent_module
from pystack import Configuration, PeerConnection
from pystack.aio import FullIceOptions, FullTransport
from pystack.base import SeededRandomness
from pystack.dtls import Certificate
from pystack.errors import Closed, TransportLost
from pystack.testing.loop import run
from pystack.testing.peers import negotiate

CERTIFICATE = Certificate.generate(1.7e9)
DELAY = 0.02


class Network:
    """UDP in memory: what is sent to a bound address arrives there, unless the network is cut."""

    def __init__(self) -> None:
        self.cut = False
        self.bound: dict[tuple[str, int], MemoryUdp] = {}

    def bind(self, host: str, port: int, options: object = None) -> tuple[str, int]:
        return host, port or 40_000 + len(self.bound)


class MemoryUdp:
    """A :class:`~pystack.aio.udp.UdpEndpoint` on that network."""

    def __init__(self, network: Network, address: tuple[str, int]) -> None:
        self.on_runs: Callable[[list[Any], float], None] = lambda runs, now: None
        self.on_writable: Callable[[], None] = lambda: None
        self.address = address
        self.blocked = False
        self.counters: Counter[str] = Counter()
        self._network = network
        network.bound[address] = self

    def send(self, batch: Sequence[bytes], address: tuple[Any, ...]) -> int:
        if not self._network.cut:
            asyncio.get_running_loop().call_later(DELAY, self._arrive, list(batch), (address[0], address[1]))
        return len(batch)

    def _arrive(self, batch: list[bytes], address: tuple[str, int]) -> None:
        there = self._network.bound.get(address)
        if there is not None and not self._network.cut:
            there.on_runs([(self.address, batch)], asyncio.get_running_loop().time())

    def close(self) -> None:
        self._network.bound.pop(self.address, None)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[Network]:
    network = Network()
    monkeypatch.setattr(agent_module, "local_addresses", lambda **_: ["192.0.2.1"])
    monkeypatch.setattr(agent_module, "bind_udp", network.bind)
    monkeypatch.setattr(agent_module, "open_udp", lambda loop, address, options: MemoryUdp(network, address))
    yield network
    assert network.bound == {}, "a socket is left"


def test_a_peer_that_vanishes_is_noticed_by_consent_in_the_documented_time(network: Network) -> None:
    """RFC 7675, ours: 10 s without an answer is disconnected, 5 s more is the end; requests go every 1.6 to 2.4 s."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        configuration = Configuration(certificate=CERTIFICATE)
        one, other = (
            PeerConnection(attrs.evolve(configuration, randomness=SeededRandomness(name))) for name in ("a", "b")
        )
        channel = one.create_data_channel("x")
        await negotiate(one, other)
        await channel.wait_open(timeout=10)
        await asyncio.sleep(600)
        assert one.connection_state == other.connection_state == "connected", "consent lasts as long as it is given"
        network.cut = True
        cut = loop.time()
        states: list[tuple[float, str]] = []
        for connection in (one, other):
            connection._ice.on_state = lambda state, on=connection: (  # type: ignore[misc]
                states.append((loop.time() - cut, state)),
                on._handle_ice_state(state),
            )
        reading = asyncio.ensure_future(channel.read())
        await asyncio.sleep(16)
        assert [state for _, state in states] == ["disconnected", "disconnected", "failed", "failed"]
        # The last answer came up to 2.4 s and a round trip before the cut.
        assert all(10 - 2.4 - 2 * DELAY <= at <= 10 for at, state in states if state == "disconnected")
        assert all(15 - 2.4 - 2 * DELAY <= at <= 15 for at, state in states if state == "failed")
        assert one.connection_state == other.connection_state == "failed"
        assert isinstance(one._ice.reason, TransportLost)
        began = loop.time()
        await asyncio.gather(one.close(), other.close())
        assert loop.time() - began <= 3
        with pytest.raises(Closed):
            await reading

    run(main())


def test_consent_is_asked_for_at_the_pace_of_rfc_7675_and_measures_the_round_trip(network: Network) -> None:
    async def main() -> None:
        one, other = (FullTransport(FullIceOptions(), SeededRandomness(name)) for name in ("a", "b"))
        for transport in (one, other):
            transport.gather()
        for transport, peer in ((one, other), (other, one)):
            transport.set_remote_parameters(peer.local_parameters)
            for candidate in peer.local_candidates:
                transport.add_remote_candidate(candidate)
            transport.start(transport is one)
        await asyncio.sleep(1)
        before = one.selected_pair
        assert before is not None
        await asyncio.sleep(1000)
        after = one.selected_pair
        assert after is not None
        asked = after.requests - before.requests
        assert 1000 / 2.4 <= asked <= 1000 / 1.6
        assert 0 <= asked - (after.responses - before.responses) <= 1
        assert after.checks_sent == before.checks_sent, "what keeps a path alive is not counted as finding it"
        there = other.selected_pair
        assert there is not None
        # Everything that one side asked the other has heard and answered, and the other way round.
        assert 0 <= after.checks_sent + after.requests - there.checks <= 1
        assert 0 <= there.checks - there.answers <= 1
        assert 0 <= there.answers - after.responses <= 1
        assert after.round_trip_time == pytest.approx(2 * DELAY)
        assert after.total_round_trip_time == pytest.approx(after.responses * 2 * DELAY)
        for transport in (one, other):
            transport.close()
            await transport.wait_closed()

    run(main())
