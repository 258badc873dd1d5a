"""A peer that vanishes: everything ends by itself, within bounds that are written down (rule L6; AC2.2, 3.2, 6.1, 6.2).

The bounds are computed here from the options that are in force, and compared with what is seen;
``docs/explanation/liveness.md`` promises them.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Any

import attrs
import pytest

from pystack.base import SeededRandomness
from pystack.datachannel import ChannelOptions
from pystack.errors import TransportLost, WouldBlock
from pystack.peer import Configuration, ConnectionStateChanged, DataChannel, PeerConnection
from pystack.sctp import Association, AssociationOptions, AssociationState, Ended, Established
from pystack.testing.link import LinkOptions
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.pair import Pair
from pystack.testing.peers import negotiate, peer_pair
from tests.sim.liveness.stage import CERTIFICATE, Exit, Owner, current, play

RFC = AssociationOptions(rto_min=1.0)


def bound(options: AssociationOptions, first: float) -> float:
    """Seconds from the last transmission to the end, by the retransmission timer alone, when it starts at ``first``."""
    total, rto = 0.0, first
    for _ in range(options.max_association_retransmits + 1):
        total += rto
        rto = min(2 * rto, options.rto_max)
    return total


def pair(options: AssociationOptions, delay: float = 0.0) -> Pair[Association]:
    cores = [Association(options, SeededRandomness(name)) for name in "ab"]
    pair = Pair(*cores, LinkOptions(delay=delay))
    pair.a.core.connect(pair.now)
    return pair


def end_of(pair: Pair[Association]) -> tuple[float, Any]:
    """Run until the left association has ended; how long it took, and why."""
    took = pair.run(lambda: pair.a.saw(Ended), limit=10_000)
    return took, pair.a.all(Ended)[0].reason


def test_the_bounds_are_what_is_written() -> None:
    ours = AssociationOptions()
    assert bound(RFC, RFC.rto_initial) == bound(ours, ours.rto_initial) == 363
    assert bound(ours, ours.rto_min) == pytest.approx(282)
    assert bound(ours, ours.rto_max) + ours.rto_max == 720


BOTH = pytest.mark.parametrize("options", [RFC, AssociationOptions()], ids=["rfc9260", "ours"])


@BOTH
def test_data_into_the_void_ends_the_association_at_the_bound(options: AssociationOptions) -> None:
    world = pair(options)
    world.run(lambda: world.a.saw(Established))  # the COOKIE-ACK has come, and nothing was measured yet
    world.black_hole()
    assert world.a.core.send(0, b"into the void", world.now, ppid=53)
    took, reason = end_of(world)
    assert took <= bound(options, 1.0)
    print(f"\nafter the COOKIE-ACK: {took:.1f} s")
    assert isinstance(reason, TransportLost)
    assert world.a.core.deadline == inf


@BOTH
def test_without_heartbeats_it_is_the_bound_exactly(options: AssociationOptions) -> None:
    world = pair(attrs.evolve(options, heartbeat_interval=0))
    world.run(lambda: world.a.saw(Established))
    world.black_hole()
    assert world.a.core.send(0, b"into the void", world.now, ppid=53)
    assert end_of(world)[0] == pytest.approx(bound(options, 1.0))


@BOTH
def test_on_a_fast_path_the_bound_starts_at_the_smallest_time_out(options: AssociationOptions) -> None:
    world = pair(options)
    world.run(lambda: world.a.saw(Established) and world.b.saw(Established))
    for _ in range(30):
        world.a.core.send(0, b"measured", world.now, ppid=53)
        world.run(for_=1)
    world.black_hole()
    assert world.a.core.send(0, b"into the void", world.now, ppid=53)
    took, _ = end_of(world)
    assert took <= bound(options, options.rto_min) + 1e-6
    print(f"\non a fast path: {took:.1f} s")


@pytest.mark.parametrize("interval", [0.0, 30.0])
def test_a_peer_that_vanishes_with_its_window_closed_is_noticed_within_the_longest_bound(interval: float) -> None:
    """The time-out of a window probe may have backed off to its maximum before the peer went."""
    options = AssociationOptions(receive_window=20_000, max_message_size=16_384, heartbeat_interval=interval)
    world = pair(options)
    world.run(lambda: world.a.saw(Established) and world.b.saw(Established))
    for _ in range(100):
        world.a.core.send(0, bytes(1000), world.now, ppid=53)
    world.run(for_=900)
    assert interval or world.a.core.stats().rto == options.rto_max
    assert world.a.core.state is AssociationState.ESTABLISHED  # for as long as the peer answers
    world.black_hole()
    took, reason = end_of(world)
    # The first expiry is forgiven if the peer had answered the probe before.
    assert took <= bound(options, options.rto_max) + options.rto_max == 720
    assert isinstance(reason, TransportLost)
    print(f"\nwindow closed: {took:.1f} s")


def test_an_idle_association_notices_by_its_heartbeats() -> None:
    """Nothing is under way, so nothing waits for room; readers do wait."""
    options = AssociationOptions()
    world = pair(options)
    world.run(lambda: world.a.saw(Established) and world.b.saw(Established))
    world.run(for_=100)
    world.black_hole()
    took, reason = end_of(world)
    longest, rto = 0.0, options.rto_initial
    for _ in range(options.max_association_retransmits + 1):
        longest += options.heartbeat_interval + 1.5 * rto
        rto = min(2 * rto, options.rto_max)
    assert took <= longest + options.rto_max
    assert isinstance(reason, TransportLost)
    print(f"\nidle: {took:.1f} s, at most {longest + options.rto_max:.1f} s")


def test_unlimited_must_be_asked_for() -> None:
    world = pair(AssociationOptions(max_association_retransmits=0, heartbeat_interval=0))
    world.run(lambda: world.a.saw(Established))
    world.black_hole()
    world.a.core.send(0, b"into the void", world.now, ppid=53)
    world.run(for_=3000)
    assert world.a.core.state is AssociationState.ESTABLISHED


@attrs.define
class Vanished:
    one: PeerConnection
    owner: Owner
    exits: dict[str, Exit]
    at: float
    tasks: list[asyncio.Task[None]]


def vanish_after_cookie_ack(one: PeerConnection, other: PeerConnection, *, ice_too: bool) -> None:
    """From the COOKIE-ACK on nothing of the peer arrives any more, and nothing arrives there."""

    def is_lost(number: int, data: bytes) -> bool:
        established = one._session._association.state is AssociationState.ESTABLISHED
        return established and (ice_too or data[:1] != b"\0")

    for connection in (one, other):
        transport: Any = connection._ice
        transport.link.lose = is_lost


async def _park(owner: Owner, name: str, channel: DataChannel) -> list[asyncio.Task[None]]:
    """Fill the channel, and leave a writer behind."""
    try:
        while True:
            channel.write_nowait(bytes(60_000))
    except WouldBlock:
        return [owner.wait(name, channel.write(b"never")), owner.wait(f"{name}: writable", channel.writable())]


async def _vanished(network: MemoryNetwork, one: PeerConnection, other: PeerConnection, *, ice_too: bool) -> Vanished:
    exits: dict[str, Exit] = {}
    owner = Owner(one, exits)
    early = [one.create_data_channel(f"early {n}") for n in range(3)]
    agreed = [one.create_data_channel(f"agreed {n}", negotiated=True, id=100 + n) for n in range(2)]
    tasks = [owner.wait(f"opener of {channel.label}", channel.wait_open()) for channel in early]
    tasks += [owner.wait(f"reader of {channel.label}", channel.read()) for channel in (*early, *agreed)]
    tasks += [owner.wait(f"early writer of {early[0].label}", early[0].write(b"waits for the OPEN"))]
    vanish_after_cookie_ack(one, other, ice_too=ice_too)
    await negotiate(one, other)
    begin = current().time()
    while one._session._association.state is not AssociationState.ESTABLISHED:
        assert current().time() - begin < 10
        await asyncio.sleep(0.001)
    assert one._operations.idle  # AC2.2: nobody waits for the peer in there
    await asyncio.sleep(0)
    at = current().time()
    tasks += await _park(owner, "writer of agreed 0", agreed[0])
    tasks += await _park(owner, "writer of early 1", early[1])
    tasks += [owner.wait("closer of agreed 1", agreed[1].close(timeout=inf))]
    late = one.create_data_channel("late")
    tasks += [owner.wait("opener of late", late.wait_open())]
    # AC2.2, 2.7: while it all hangs, what is known can be read, and another exchange is not held up.
    assert [channel.id for channel in early] == [0, 2, 4] or [channel.id for channel in early] == [1, 3, 5]
    assert early[1].buffered_amount >= 60_000
    await asyncio.wait_for(one.set_local_description(), 0.1)
    return Vanished(one, owner, exits, at, tasks)


def _configuration() -> Configuration:
    return Configuration(certificate=CERTIFICATE)


def test_without_help_from_below_everything_ends_within_the_bound() -> None:
    """Consent goes on, as behind a relay that answers for a dead peer: SCTP is alone."""

    async def main() -> None:
        network = MemoryNetwork(LinkOptions(delay=0.02))
        async with peer_pair(network, _configuration()) as (one, other):
            it = await _vanished(network, one, other, ice_too=False)
            await asyncio.sleep(bound(AssociationOptions(), 1.0) + 1)
            assert not [task.get_name() for task in it.tasks if not task.done()]
            times = {name: exit_.at - it.at for name, exit_ in it.exits.items()}
            patience = ChannelOptions().open_timeout
            for name, seconds in times.items():
                if "opener" in name or "early" in name:
                    assert seconds <= patience + 0.1, name
                assert seconds <= bound(AssociationOptions(), 1.0), name
            assert it.exits["writer of agreed 0"].how == "Closed(TransportLost)"
            assert it.exits["opener of early 0"].how == "Closed(RemoteProtocolError)"
            for name, seconds in times.items():
                print(f"{seconds:8.2f} s  {name}: {it.exits[name].how}")

    play(main())


@pytest.mark.parametrize("way", ["close", "abort"])
def test_when_ice_reports_the_loss_and_the_application_closes_25_s_are_enough(way: str) -> None:
    async def main() -> None:
        network = MemoryNetwork(LinkOptions(delay=0.02))
        async with peer_pair(network, _configuration()) as (one, other):
            closing: list[asyncio.Task[None]] = []

            def hear(event: object) -> None:
                if event == ConnectionStateChanged("failed"):
                    if way == "abort":
                        one.abort(TransportLost("ICE failed"))
                    else:
                        closing.append(asyncio.create_task(one.close()))

            one.listen(hear)
            it = await _vanished(network, one, other, ice_too=True)
            await asyncio.sleep(25)
            assert one.reason is not None
            assert not [task.get_name() for task in it.tasks if not task.done()]
            assert all(task.done() for task in closing)
            assert one._session.deadline == inf  # AC6.2: all timers have stopped
            assert one._session._association.deadline == inf
            print(f"\n{way}: everything ended after {max(e.at for e in it.exits.values()) - it.at:.2f} s")

    play(main())


def test_a_path_that_is_never_writable_ends_the_association_too() -> None:
    """AC9.4: nothing departs, so no retransmission timer runs; the heartbeats notice."""

    async def main() -> None:
        network = MemoryNetwork(LinkOptions(delay=0.02))
        async with peer_pair(network, _configuration()) as (one, other):
            channel = one.create_data_channel("x", negotiated=True, id=1)
            await negotiate(one, other)
            await channel.wait_open(timeout=10)
            transport: Any = one._ice
            transport.send = lambda batch: 0
            exits: dict[str, Exit] = {}
            owner = Owner(one, exits)
            begin = current().time()
            tasks = await _park(owner, "writer", channel)
            await asyncio.sleep(1200)
            assert all(task.done() for task in tasks)
            assert exits["writer"].how == exits["writer: writable"].how == "Closed(TransportLost)"
            print(f"\nnever writable: {exits['writer'].at - begin:.1f} s")

    play(main())
