"""Full agents: they find each other whatever is missing, notice silence, restart beside themselves, and end at once."""

import asyncio
import gc
import os
import random
import socket
import weakref

import pytest

from pystack.aio import FullIceOptions, FullTransport, IceParameters, IceServer, UdpOptions
from pystack.aio.addresses import local_addresses
from pystack.aio.udp import bind_udp, open_udp
from pystack.errors import Closed, InvalidArgument, LocalProtocolError, TransportLost
from pystack.ice import ConsentOptions
from pystack.ice.stun import BINDING, Attribute, StunClass, binding_request, build, encode_xor_address, parse
from pystack.testing.strategies import mutate

HOST = local_addresses(ipv6=False)[0]


class NoReaders(asyncio.SelectorEventLoop):
    """A loop that cannot watch sockets, as Windows' Proactor."""

    def add_reader(self, *_):
        raise NotImplementedError


def uvloop_factory():
    import uvloop

    return uvloop.new_event_loop()


def go(main, loop_factory=None, debug=True):
    with asyncio.Runner(debug=debug, loop_factory=loop_factory) as runner:
        return runner.run(main)


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - sockets ring no bell
            await asyncio.sleep(0.002)


class Ear:
    """Listens to a transport."""

    def __init__(self, transport):
        self.data = []
        self.states = []
        self.candidates = []
        self.writable = 0
        transport.on_datagrams = lambda batch, now: self.data.extend(batch)
        transport.on_state = self.states.append
        transport.on_candidate = self.candidates.append
        transport.on_writable = self._writable

    def _writable(self):
        self.writable += 1


def make(**options):
    transport = FullTransport(FullIceOptions(**options))
    return transport, Ear(transport)


def negotiate(a, b, *, candidates=True):
    a.set_remote_parameters(b.local_parameters)
    b.set_remote_parameters(a.local_parameters)
    if candidates:
        trickle(a, b)
        trickle(b, a)


def trickle(source, target):
    for candidate in source.local_candidates:
        target.add_remote_candidate(candidate)
    target.add_remote_candidate(None)


async def connected_pair(left=None, right=None, roles=(True, False)):
    (a, ear_a), (b, ear_b) = make(**(left or {})), make(**(right or {}))
    a.gather()
    b.gather()
    negotiate(a, b)
    a.start(roles[0])
    b.start(roles[1])
    await until(lambda: a.state == b.state == "connected")
    return a, ear_a, b, ear_b


async def closed(*transports):
    for transport in transports:
        transport.close()
    for transport in transports:
        await transport.wait_closed()
    assert len(asyncio.all_tasks()) == 1


@pytest.mark.parametrize("loop_factory", [None, NoReaders, uvloop_factory])
def test_two_agents_connect_and_carry_both_ways(loop_factory):
    if loop_factory is uvloop_factory:
        pytest.importorskip("uvloop")

    async def main():
        a, ear_a, b, ear_b = await connected_pair()
        batch = [random.Random(at).randbytes(1200) for at in range(100)]
        batch = [b"\x80" + data for data in batch] + [b"\x81short"]
        left = list(batch)
        while left:
            del left[: a.send(left)]
            await asyncio.sleep(0.002)
        await until(lambda: len(ear_b.data) == len(batch))
        assert ear_b.data == batch
        assert b.send([b"\x80 back"]) == 1
        await until(lambda: ear_a.data == [b"\x80 back"])
        assert a.selected_pair.remote == b.selected_pair.local
        assert a.selected_pair.local_type == "host"
        assert ear_a.states == ["checking", "connected"]
        assert a.counters()["bytes_out"] > 120_000
        await closed(a, b)

    go(main(), loop_factory)


@pytest.mark.parametrize("roles", [(True, True), (False, False)])
@pytest.mark.parametrize("ties", [(0, 1 << 63), (1 << 63, 0)])
def test_a_peer_that_checked_before_we_began_has_the_role_that_it_told(roles, ties):
    """It was answered, and nominates once: who then took the same role, tie-breaker or not, would never hear of it."""

    async def main():
        (a, _), (b, ear_b) = make(), make()
        a._agent._tie_breaker, b._agent._tie_breaker = ties
        a.gather()
        b.gather()
        a.set_remote_parameters(b.local_parameters)
        trickle(b, a)
        a.start(roles[0])
        await until(lambda: b._agent._early_checks)
        b.set_remote_parameters(a.local_parameters)
        trickle(a, b)
        b.start(roles[1])
        await until(lambda: a.state == b.state == "connected")
        assert (a.controlling, b.controlling) == (roles[0], not roles[0])
        a.send([b"\x80 x"])
        await until(lambda: ear_b.data)
        await closed(a, b)

    go(main())


@pytest.mark.parametrize("roles", [(True, False), (False, True), (True, True), (False, False)])
def test_roles_may_be_anything(roles):
    async def main():
        a, _, b, ear_b = await connected_pair(roles=roles)
        a.send([b"\x80 x"])
        await until(lambda: ear_b.data)
        await closed(a, b)

    go(main())


@pytest.mark.parametrize("breakers", [(0, 1 << 63), (1 << 63, 0)])
def test_checks_before_the_answer_do_not_turn_the_roles(breakers):
    """The answerer knows both roles and checks at once; the offerer is told its own with the answer only."""

    async def main():
        (a, _), (b, _) = make(), make()
        for transport, breaker in zip((a, b), breakers, strict=True):
            transport._agent._tie_breaker = breaker
        a.gather()
        b.gather()
        b.set_remote_parameters(a.local_parameters)
        trickle(a, b)
        b.start(False)
        await until(lambda: a._agent._early_checks or b._agent.ice_controlling)
        a.set_remote_parameters(b.local_parameters)
        trickle(b, a)
        a.start(True)
        await until(lambda: a.state == b.state == "connected")
        assert (a._agent.ice_controlling, b._agent.ice_controlling) == (True, False)
        await closed(a, b)

    go(main())


def test_the_peers_own_checks_are_enough():
    # The peer hides its addresses, and says that there will be no others.
    async def main():
        (a, _), (b, _) = make(), make()
        a.gather()
        b.gather()
        a.set_remote_parameters(b.local_parameters)
        b.set_remote_parameters(a.local_parameters)
        a.add_remote_candidate("candidate:0 1 UDP 2122252543 0b1c2d3e-1111-4222-8333-444455556666.local 53011 typ host")
        a.add_remote_candidate("")
        a.start(True)
        await asyncio.sleep(0.1)
        assert a.state == "checking"
        trickle(a, b)
        b.start(False)
        await until(lambda: a.state == b.state == "connected")
        assert a.counters()["candidate_mdns"] == 1
        await closed(a, b)

    go(main())


def test_everything_may_come_in_any_order():
    async def main():
        (a, _), (b, _) = make(), make()
        a.start(True)
        a.gather()
        b.gather()
        trickle(b, a)
        b.start(False)
        b.set_remote_parameters(a.local_parameters)
        await asyncio.sleep(0.1)
        trickle(a, b)
        a.set_remote_parameters(b.local_parameters)
        await until(lambda: a.state == b.state == "connected")
        await closed(a, b)

    go(main())


def test_what_cannot_be_used_is_counted():
    async def main():
        a, _ = make()
        for text in (
            "nonsense",
            "candidate:1 1 tcp 1 10.0.0.1 9 typ host tcptype active",
            "candidate:1 2 udp 1 10.0.0.1 9 typ host",
            "candidate:1 1 udp 1 name.example 9 typ host",
            *(f"candidate:1 1 udp 1 10.0.0.1 {port} typ host" for port in range(1, 200)),
        ):
            a.add_remote_candidate(text)
        counters = a.counters()
        assert counters["candidate_malformed"] == counters["candidate_tcp"] == counters["candidate_component"] == 1
        assert counters["candidate_address"] == 1
        assert counters["candidate_too_many"] == 99
        await closed(a)

    go(main())


def test_without_a_peer_it_fails_in_time_and_says_why():
    async def main():
        a, ear = make(connect_timeout=0.15)
        a.gather()
        a.set_remote_parameters(IceParameters("peer", "p" * 22))
        a.add_remote_candidate(f"candidate:1 1 udp 1 {HOST} 9 typ host")
        a.start(True)
        await until(lambda: a.state == "failed")
        assert ear.states == ["checking", "failed"]
        assert isinstance(a.reason, TransportLost)
        assert "0.15 s" in str(a.reason)
        assert a.send([b"\x80"]) == 0
        await closed(a)

    go(main())


PATIENCE = ConsentOptions(interval=0.05, disconnected_after=0.2, failed_after=0.1)


def test_a_peer_that_vanishes_is_noticed_and_a_restart_finds_another():
    async def main():
        a, ear, b, _ = await connected_pair(left={"consent": PATIENCE})
        await asyncio.sleep(0.5)
        assert a.state == "connected"
        b.close()
        await until(lambda: a.state == "failed")
        assert ear.states == ["checking", "connected", "disconnected", "failed"]
        assert "consent" in str(a.reason)
        assert a.selected_pair is None
        assert not a.writable
        a.restart()
        c, _ = make()
        a.gather()
        c.gather()
        negotiate(a, c)
        a.start(True)
        c.start(False)
        await until(lambda: a.state == c.state == "connected")
        assert ear.states[4:] == ["checking", "connected"]
        assert a.reason is None
        await closed(a, b, c)

    go(main())


def test_a_short_silence_is_forgiven():
    async def main():
        patience = ConsentOptions(interval=0.05, disconnected_after=0.2, failed_after=5.0)
        a, ear, b, _ = await connected_pair(left={"consent": patience})
        loop = asyncio.get_running_loop()
        deaf = [host.socket for host in b._agent.hosts]
        handlers = [endpoint.on_runs for endpoint in deaf]
        for endpoint in deaf:
            endpoint.on_runs = lambda *_: None
        await until(lambda: a.state == "disconnected")
        for endpoint, handler in zip(deaf, handlers, strict=True):
            endpoint.on_runs = handler
        began = loop.time()
        await until(lambda: a.state == "connected")
        assert loop.time() - began < 1
        assert ear.states == ["checking", "connected", "disconnected", "connected"]
        await closed(a, b)

    go(main())


def test_a_restart_keeps_the_data_flowing_and_lets_the_old_sockets_go():
    async def main():
        a, ear_a, b, ear_b = await connected_pair()
        fds = len(os.listdir("/proc/self/fd"))
        first = a.local_parameters
        for transport in (a, b):
            transport.restart()
            transport.gather()
        assert a.local_parameters != first
        assert a.send([b"\x80 old path"]) == 1
        await until(lambda: ear_b.data == [b"\x80 old path"])
        old = a.selected_pair
        negotiate(a, b)
        a.start(False)  # the roles may change, too
        b.start(True)
        await until(lambda: a.selected_pair != old and b.selected_pair.local == a.selected_pair.remote)
        assert a.send([b"\x80 new"]) == b.send([b"\x80 path"]) == 1
        await until(lambda: len(ear_b.data) == 2 and len(ear_a.data) == 1)
        assert ear_a.states == ear_b.states == ["checking", "connected"]
        await until(lambda: len(os.listdir("/proc/self/fd")) == fds)
        await closed(a, b)

    go(main())


def test_a_restart_that_leads_nowhere_leaves_the_old_path():
    async def main():
        a, _, b, ear_b = await connected_pair(left={"connect_timeout": 0.2})
        a.restart()
        a.restart()
        a.gather()
        a.set_remote_parameters(IceParameters("peer", "p" * 22))
        a.start(True)
        await asyncio.sleep(0.4)
        assert a.state == "connected"
        assert a.send([b"\x80 still"]) == 1
        await until(lambda: ear_b.data)
        await closed(a, b)

    go(main())


def test_the_path_is_lost_while_a_restart_is_under_way():
    async def main():
        a, ear, b, _ = await connected_pair(left={"consent": PATIENCE, "connect_timeout": 1.0})
        b.close()
        a.restart()
        a.gather()
        a.set_remote_parameters(IceParameters("peer", "p" * 22))
        a.start(True)
        await until(lambda: a.state == "failed")
        assert ear.states == ["checking", "connected", "disconnected", "checking", "failed"]
        await closed(a, b)

    go(main())


def test_remote_parameters_are_checked_and_change_only_with_a_restart():
    async def main():
        (a, _), (b, _) = make(), make()
        with pytest.raises(InvalidArgument):
            a.set_remote_parameters(IceParameters("x", "y"))
        negotiate(a, b, candidates=False)
        negotiate(a, b, candidates=False)
        assert a.remote_parameters == b.local_parameters
        with pytest.raises(LocalProtocolError, match="restart"):
            a.set_remote_parameters(a.local_parameters)
        await closed(a, b)
        with pytest.raises(Closed):
            a.restart()
        a.gather()
        a.start(True)
        a.set_remote_parameters(IceParameters("x", "y"))
        a.add_remote_candidate("nonsense")
        assert a.state == "closed"

    go(main())


def test_gathering_announces_what_is_there_at_once():
    async def main():
        a, ear = make()
        assert a.gathering_state == "new"
        assert a.local_candidates == ()
        a.gather()
        a.gather()
        assert a.gathering_state == "complete"
        assert [line.split()[4] for line in a.local_candidates] == local_addresses()
        assert ear.candidates == [*a.local_candidates, None]
        priorities = [int(line.split()[3]) for line in a.local_candidates]
        assert len(set(priorities)) == len(priorities)
        await closed(a)

    go(main())


def test_addresses_are_filtered_and_ports_come_from_the_range():
    async def main():
        a, _ = make(address_filter=lambda address: address == HOST, port_range=(42310, 42312))
        b, _ = make(ipv6=False, loopback=True)
        held = [bind_udp(HOST, port) for port in (42310, 42311)]
        a.gather()
        b.gather()
        assert [line.split()[4:6] for line in a.local_candidates] == [[HOST, "42312"]]
        assert "127.0.0.1" in [line.split()[4] for line in b.local_candidates]
        c, ear = make(ipv6=False, port_range=(42310, 42312))
        c.gather()
        assert ear.candidates == [None]
        assert c.counters()["gather_bind"] == 1
        for sock in held:
            sock.close()
        await closed(a, b, c)

    go(main())


class StunServer:
    """Answers every request with an address of its choice."""

    def __init__(self, loop, mapped):
        self.endpoint = open_udp(loop, bind_udp(HOST, 0), UdpOptions())
        self.endpoint.on_runs = self._received
        self.mapped = mapped

    def _received(self, runs, now):
        for address, datagrams in runs:
            for data in datagrams:
                request = parse(data)
                mapped = encode_xor_address(*self.mapped, request.transaction_id)
                answer = build(
                    BINDING, StunClass.SUCCESS, request.transaction_id, [(Attribute.XOR_MAPPED_ADDRESS, mapped)]
                )
                self.endpoint.send([answer], address)


def test_a_stun_server_gives_a_reflexive_candidate_that_trickles():
    async def main():
        server = StunServer(asyncio.get_running_loop(), ("203.0.113.9", 4444))
        a, ear = make(servers=(IceServer(host=HOST, port=server.endpoint.address[1]),), ipv6=False)
        a.gather()
        assert a.gathering_state == "gathering"
        assert len(ear.candidates) == 1
        await until(lambda: a.gathering_state == "complete")
        (line,) = [line for line in a.local_candidates if "srflx" in line]
        assert " 203.0.113.9 4444 typ srflx raddr " in line
        assert ear.candidates == [*a.local_candidates, None]
        server.endpoint.close()
        await closed(a)

    go(main())


def test_servers_that_do_not_answer_end_the_gathering_in_time():
    async def main():
        silent = bind_udp(HOST, 0)
        port = silent.getsockname()[1]
        servers = (
            IceServer(host=HOST, port=port),
            IceServer(host=HOST, port=port, kind="turn", username="u", credential="c"),
            IceServer(host="name.invalid", port=1),
            IceServer(host=HOST, port=port, kind="turn", transport="tcp", username="u", credential="c"),
        )
        a, ear = make(servers=servers, gather_timeout=0.3)
        a.gather()
        await until(lambda: a.gathering_state == "complete")
        assert ear.candidates[-1] is None
        assert a.counters()["gather_turn_failed"] == 2
        silent.close()
        await closed(a)

    go(main())


def test_relay_only_without_a_relay_has_no_candidates():
    async def main():
        a, ear = make(policy="relay")
        a.gather()
        assert ear.candidates == [None]
        assert a.local_candidates == ()
        await closed(a)

    go(main())


def test_closing_while_gathering_takes_no_more_than_a_second():
    async def main():
        loop = asyncio.get_running_loop()
        silent = bind_udp(HOST, 0)
        port = silent.getsockname()[1]
        servers = (
            IceServer(host=HOST, port=port),
            IceServer(host=HOST, port=port, kind="turn", username="u", credential="c"),
        )
        a, _ = make(servers=servers)
        a.gather()
        await asyncio.sleep(0.1)
        began = loop.time()
        await closed(a)
        assert loop.time() - began < 1.1
        silent.close()

    go(main())


def test_noise_and_strangers_at_a_port_of_ours():
    async def main():
        a, ear_a, b, _ = await connected_pair()
        rng = random.Random(3)
        host, port = a.selected_pair.local
        stranger = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        local = a.local_parameters
        check = binding_request(
            bytes(12), f"{local.ufrag}:{b.local_parameters.ufrag}", b"guessed", priority=1, tie_breaker=1
        )
        before = a.counters()["socket_datagrams_in"]
        for turn in range(1000):
            data = rng.randbytes(rng.randrange(1, 200)) if turn % 3 else (mutate(check, rng) or b"\0")
            stranger.sendto(data, (host, port))
            if turn % 50 == 0:
                stranger.sendto(binding_request(bytes(12), "who:knows", b"x", priority=1, tie_breaker=1), (host, port))
                stranger.sendto(check.replace(bytes(12), bytes(11) + b"x"), (host, port))
                await asyncio.sleep(0)
        await until(lambda: a.counters()["socket_datagrams_in"] - before == 1040)
        assert b.send([b"\x80 hello"]) == 1
        await until(lambda: ear_a.data == [b"\x80 hello"])
        counters = a.counters()
        assert counters["unknown_source"] > 300
        assert counters["stun_unknown_session"] >= 20
        stranger.close()
        await closed(a, b)

    go(main(), debug=False)


def test_a_refused_send_is_answered_when_there_is_a_path():
    async def main():
        (a, ear), (b, ear_b) = make(), make()
        assert a.send([b"\x16 hello"]) == 0
        assert not a.writable
        a.gather()
        b.gather()
        negotiate(a, b)
        a.start(True)
        b.start(False)
        await until(lambda: ear.writable == 1)
        assert a.writable
        assert a.send([b"\x16 hello"]) == 1
        await until(lambda: ear_b.data)
        await closed(a, b)

    go(main())


@pytest.mark.parametrize("name", ["on_state", "on_datagrams", "on_candidate", "on_writable"])
def test_closing_from_inside_a_callback(name):
    async def main():
        (a, _), (b, _) = make(), make()
        setattr(a, name, lambda *_: a.close())
        a.send([b"\x80 early"])
        a.gather()
        b.gather()
        if a.state != "closed":
            negotiate(a, b)
        a.start(True)
        b.start(False)
        if name in {"on_datagrams", "on_writable"}:
            await until(lambda: b.state == "connected" or a.state == "closed")
            b.send([b"\x80 data"])
        await until(lambda: a.state == "closed")
        await closed(a, b)

    go(main())


def test_a_bug_in_a_callback_is_reported_and_stops_nothing():
    async def main():
        seen = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context["exception"]))
        (a, _), (b, ear_b) = make(), make()

        def raises(*_):
            raise ValueError("a bug")

        a.on_state = a.on_candidate = a.on_datagrams = raises
        a.gather()
        b.gather()
        negotiate(a, b)
        a.start(True)
        b.start(False)
        await until(lambda: a.state == b.state == "connected")
        b.send([b"\x80 x"])
        a.send([b"\x80 y"])
        await until(lambda: ear_b.data and len(seen) >= 3 + len(a.local_candidates))
        assert {type(error) for error in seen} == {ValueError}
        await closed(a, b)

    go(main())


def test_after_close_nothing_is_left():
    async def main():
        fds = len(os.listdir("/proc/self/fd"))
        a, _, b, _ = await connected_pair()
        gone = [weakref.ref(a), weakref.ref(b), weakref.ref(a._agent)]
        await closed(a, b)
        a.close()
        del a, b, _
        await asyncio.sleep(0.01)
        gc.collect()
        assert [ref() for ref in gone] == [None] * 3
        assert len(os.listdir("/proc/self/fd")) == fds

    go(main(), debug=False)
