"""Paths in memory keep the rules of a datagram path, and ICE in memory connects, fails and restarts."""

import asyncio
from collections.abc import Awaitable, Callable

import attrs
import pytest

from pystack.aio.transport import IceParameters
from pystack.errors import LocalProtocolError, TransportLost
from pystack.testing import LinkOptions, run
from pystack.testing.mempath import MemoryNetwork, MemoryTransport, memory_paths


def test_datagrams_arrive_in_batches_after_their_delay() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        one, other = memory_paths(LinkOptions(delay=0.1))
        seen: list[tuple[list[bytes], float]] = []
        other.on_datagrams = lambda batch, now: seen.append((batch, now))
        assert one.send([b"a", b"b"]) == 2
        await asyncio.sleep(0.05)
        one.send([b"c"])
        await asyncio.sleep(1)
        assert seen == [([b"a", b"b"], pytest.approx(1000.1)), ([b"c"], pytest.approx(1000.15))]
        assert loop.time() == pytest.approx(1001.05)

    run(main())


def test_a_refused_batch_is_answered_by_exactly_one_writable() -> None:
    async def main() -> None:
        one, other = memory_paths(LinkOptions(rate_bps=80_000))
        one.buffer = 10_000
        got: list[bytes] = []
        woken: list[float] = []
        other.on_datagrams = lambda batch, now: got.extend(batch)
        one.on_writable = lambda: woken.append(asyncio.get_running_loop().time())
        batch = [bytes([number]) * 1000 for number in range(30)]
        accepted = one.send(batch)
        assert accepted == 10
        assert not one.writable
        assert one.send(batch[accepted:]) == 0
        await asyncio.sleep(0.6)
        assert len(woken) == 1
        assert one.writable
        assert one.send(batch[accepted:]) == 6
        await asyncio.sleep(60)
        assert len(woken) == 2
        assert got == batch[:16]

    run(main())


def test_nothing_is_called_after_close() -> None:
    async def main() -> None:
        one, other = memory_paths(LinkOptions(delay=0.1, rate_bps=8000))
        one.buffer = 100
        calls: list[str] = []
        other.on_datagrams = lambda batch, now: calls.append("datagrams")
        one.on_writable = lambda: calls.append("writable")
        assert one.send([bytes(200), bytes(200)]) == 1
        other.close()
        one.close()
        assert not one.writable
        assert one.send([b"gone"]) == 1
        await asyncio.sleep(10)
        assert calls == []
        one.close()

    run(main())


def test_an_earlier_arrival_rearms_the_timer() -> None:
    async def main() -> None:
        one, other = memory_paths(LinkOptions(delay=5.0))
        got: list[bytes] = []
        other.on_datagrams = lambda batch, now: got.extend(batch)
        one.link.options = attrs.evolve(one.link.options, reorder=1.0)
        one.send([b"slow"])
        one.link.options = LinkOptions()
        one.send([b"fast"])
        await asyncio.sleep(0.01)
        assert got == [b"fast"]
        await asyncio.sleep(10)
        assert got == [b"fast", b"slow"]

    run(main())


async def until(condition: Callable[[], object], limit: float = 60.0) -> None:
    async with asyncio.timeout(limit):
        while not condition():  # noqa: ASYNC110 - time is simulated
            await asyncio.sleep(0.01)


def introduce(one: MemoryTransport, other: MemoryTransport) -> None:
    for here, there in ((one, other), (other, one)):
        here.gather()
        here.set_remote_parameters(there.local_parameters)
        here.add_remote_candidate(there.local_candidates[0] if there.local_candidates else None)
        here.start(controlling=here is one)


def with_pair(
    body: Callable[[MemoryTransport, MemoryTransport], Awaitable[None]], options: LinkOptions | None = None
) -> None:
    async def main() -> None:
        network = MemoryNetwork(options)
        one, other = network.transport(), network.transport(lite=True)
        await body(one, other)
        one.close()
        other.close()
        other.close()
        await one.wait_closed()

    run(main())


def test_transports_find_each_other_and_carry() -> None:
    async def body(one: MemoryTransport, other: MemoryTransport) -> None:
        candidates: list[str | None] = []
        states: list[str] = []
        one.on_candidate, one.on_state = candidates.append, states.append
        assert one.local_candidates == ()
        assert one.selected_pair is None
        assert one.send([b"early"]) == 0
        assert not one.writable
        introduce(one, other)
        await until(lambda: one.state == other.state == "connected")
        assert states == ["checking", "connected"]
        assert candidates == [one.local_candidates[0], None]
        assert one.gathering_state == "complete"
        assert one.selected_pair is not None
        assert one.remote_parameters == other.local_parameters
        assert other.local_parameters.lite
        got: list[bytes] = []
        other.on_datagrams = lambda batch, now: got.extend(batch)
        assert one.writable
        assert one.send([b"\x16one", b"\x80two"]) == 2
        await asyncio.sleep(1)
        assert got == [b"\x16one", b"\x80two"]
        assert one.counters()["datagrams_out"] == 2
        assert other.counters()["datagrams_in"] == 2
        with pytest.raises(LocalProtocolError):
            one.set_remote_parameters(IceParameters("x", "y"))

    with_pair(body, LinkOptions(delay=0.05, loss=0.1))


def test_a_black_hole_disconnects_and_then_fails() -> None:
    async def body(one: MemoryTransport, other: MemoryTransport) -> None:
        introduce(one, other)
        await until(lambda: one.state == other.state == "connected")
        began = asyncio.get_running_loop().time()
        one.link.black_hole()
        states: list[tuple[str, float]] = []
        other.on_state = lambda state: states.append((state, asyncio.get_running_loop().time() - began))
        await until(lambda: other.state == "failed")
        assert [state for state, _ in states] == ["disconnected", "failed"]
        assert 7 < states[0][1] < 13
        assert states[1][1] < 18
        assert isinstance(other.reason, TransportLost)
        assert other.send([b"x"]) == 1

    with_pair(body)


def test_a_short_black_hole_heals() -> None:
    async def body(one: MemoryTransport, other: MemoryTransport) -> None:
        introduce(one, other)
        await until(lambda: one.state == other.state == "connected")
        one.link.black_hole()
        await until(lambda: other.state == "disconnected")
        one.link.heal()
        await until(lambda: other.state == "connected")

    with_pair(body)


def test_a_network_is_cut_and_mended_as_a_whole() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        one, other = network.transport(), network.transport()
        introduce(one, other)
        await until(lambda: one.state == other.state == "connected")
        network.black_hole()
        await until(lambda: one.state == other.state == "disconnected")
        network.heal()
        await until(lambda: one.state == other.state == "connected")
        one.close()
        other.close()

    run(main())


def test_restart_takes_new_credentials() -> None:
    async def body(one: MemoryTransport, other: MemoryTransport) -> None:
        introduce(one, other)
        await until(lambda: one.state == other.state == "connected")
        before = one.local_parameters
        one.restart()
        other.restart()
        assert one.local_parameters.ufrag != before.ufrag
        introduce(one, other)
        await asyncio.sleep(30)
        assert one.state == other.state == "connected"
        one.link.black_hole()
        await until(lambda: other.state == "failed")
        one.link.heal()
        other.restart()
        one.restart()
        introduce(one, other)
        await until(lambda: one.state == other.state == "connected")

    with_pair(body)


def test_data_before_the_checks_is_counted_and_dropped() -> None:
    async def body(one: MemoryTransport, other: MemoryTransport) -> None:
        introduce(one, other)
        await until(lambda: one.state == other.state == "connected")
        other.restart()
        other._state = "checking"
        one.send([b"\x16"])
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert other.counters()["too_early"] == 1

    with_pair(body)
