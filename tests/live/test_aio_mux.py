"""Many sessions on one UDP port: who is let in, who pays for noise, who waits, and what is left afterwards."""

import asyncio
import errno
import gc
import os
import random
import socket
import weakref

import pytest

from pystack.aio import FullIceOptions, FullTransport, UdpMux
from pystack.aio.addresses import local_addresses
from pystack.aio.udp import UdpOptions, bind_udp
from pystack.base import SeededRandomness
from pystack.errors import Closed, InvalidArgument, LocalProtocolError, TransportLost
from pystack.ice import LiteOptions
from pystack.ice.stun import StunClass, binding_request, parse
from pystack.testing.strategies import mutate

HOST = local_addresses(ipv6=False)[0]


def go(main, debug=False):
    with asyncio.Runner(debug=debug) as runner:
        return runner.run(main)


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - sockets ring no bell
            await asyncio.sleep(0.002)


class Ear:
    """Listens to a transport."""

    def __init__(self, transport):
        self.transport = transport
        self.data = []
        self.batches = []
        self.states = []
        self.candidates = []
        self.writable = 0
        transport.on_datagrams = self._datagrams
        transport.on_state = self.states.append
        transport.on_candidate = self.candidates.append
        transport.on_writable = self._writable

    def _datagrams(self, batch, now):
        self.data += batch
        self.batches.append(len(batch))

    def _writable(self):
        self.writable += 1


class Caller:
    """A peer of one session: a plain socket that knows how to ask."""

    def __init__(self, mux, transport, family=socket.AF_INET):
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        host = next(host for host, _ in mux.addresses if (":" in host) == (family == socket.AF_INET6))
        self.sock.bind((host, 0))
        self.to = (host, mux.port)
        self.parameters = transport.local_parameters

    def request(self, nominate=True, priority=1000, pwd=None):
        return binding_request(
            os.urandom(12),
            f"{self.parameters.ufrag}:peer",
            (pwd or self.parameters.pwd).encode(),
            priority=priority,
            tie_breaker=1,
            use_candidate=nominate,
        )

    def send(self, data):
        self.sock.sendto(data, self.to)

    async def recv(self, seconds=5.0):
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):
            return await loop.sock_recv(self.sock, 65536)

    async def connect(self):
        self.send(self.request())
        answer = parse(await self.recv())
        assert answer.message_class is StunClass.SUCCESS
        assert answer.mapped_address == self.sock.getsockname()[:2]
        return self

    def close(self):
        self.sock.close()


def opened(mux):
    transport = mux.transport()
    ear = Ear(transport)
    transport.gather()
    transport.start(False)
    return transport, ear


def test_two_hundred_sessions_share_a_port_and_nobody_gets_anothers_datagrams():
    async def main():
        async with await UdpMux.open(HOST) as mux:
            sessions = []
            for number in range(200):
                transport, ear = opened(mux)
                sessions.append((number, transport, ear, await Caller(mux, transport).connect()))
            assert len(mux) == 200
            for number, _, _, caller in sessions:
                for part in range(3):
                    caller.send(b"\x80%d/%d" % (number, part))
            for number, transport, _, _ in sessions:
                assert transport.send([b"\x90to %d" % number]) == 1
            for number, transport, ear, caller in sessions:
                await until(lambda ear=ear: len(ear.data) == 3)
                assert ear.data == [b"\x80%d/%d" % (number, part) for part in range(3)]
                assert await caller.recv() == b"\x90to %d" % number
                assert ear.states == ["checking", "connected"]
                assert transport.selected_pair.remote == caller.sock.getsockname()
                assert transport.selected_pair.local == mux.addresses[0]
            for _, transport, _, caller in sessions:
                transport.close()
                caller.close()
            assert len(mux) == 0
            assert mux._ports[0].routes == {}

    go(main())


@pytest.mark.skipif(len(local_addresses()) == len(local_addresses(ipv6=False)), reason="no IPv6 address")
def test_ipv6_works_and_a_session_may_move_between_families():
    async def main():
        async with await UdpMux.open("0.0.0.0") as mux:
            assert {":" in host for host, _ in mux.addresses} == {True, False}
            assert len({port for _, port in mux.addresses}) == 1
            transport, ear = opened(mux)
            old = await Caller(mux, transport).connect()
            new = await Caller(mux, transport, socket.AF_INET6).connect()
            assert transport.send([b"\x80 hello"]) == 1
            assert await new.recv() == b"\x80 hello"
            assert transport.selected_pair.remote == new.sock.getsockname()[:2]
            old.send(b"\x80 from the old path")
            await until(lambda: ear.data)
            old.close()
            new.close()

    go(main())


def test_an_address_is_nobodys_before_it_is_authenticated():
    async def main():
        async with await UdpMux.open(HOST) as mux:
            transport, ear = opened(mux)
            caller = Caller(mux, transport)
            caller.send(b"\x80 too early")
            caller.send(caller.request(pwd="x" * 24))
            assert parse(await caller.recv()).error[0] == 401
            caller.send(b"\x80 still too early")
            await until(lambda: mux.counters()["unknown_source"] == 2)
            assert ear.data == []
            assert transport.counters()["ice_integrity"] == 1
            # A right one and data right behind it, in one drain.
            caller.send(caller.request())
            caller.send(b"\x80 now")
            await until(lambda: ear.data == [b"\x80 now"])
            caller.close()

    go(main())


def test_strangers_get_silence():
    async def main():
        async with await UdpMux.open(HOST) as mux:
            transport, _ = opened(mux)
            caller = Caller(mux, transport)
            transport.close()
            caller.send(caller.request())
            caller.send(parse_less_request())
            await until(lambda: mux.counters()["unknown_session"] == 1)
            await until(lambda: mux.counters()["no_session"] == 1)
            with pytest.raises(TimeoutError):
                await caller.recv(0.1)
            caller.close()

    go(main())


def parse_less_request():
    return b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)


def test_noise_costs_its_sender_and_nobody_else():
    async def main():
        rng = random.Random(5)
        async with await UdpMux.open(HOST) as mux:
            transport, _ = opened(mux)
            caller = await Caller(mux, transport).connect()
            other, other_ear = opened(mux)
            other_caller = await Caller(mux, other).connect()
            stranger = Caller(mux, transport)
            before = mux.counters()["datagrams_in"]
            sent = 0
            for turn in range(40):
                for _ in range(50):
                    data = rng.randbytes(rng.randrange(1, 1400))
                    if rng.random() < 0.6:
                        data = mutate(caller.request(), rng) or b"\0"
                    (stranger if rng.random() < 0.5 else caller).send(data)
                    sent += 1
                other_caller.send(b"\x80 %d" % turn)
                sent += 1
                await asyncio.sleep(0)
            await until(lambda: mux.counters()["datagrams_in"] - before == sent)
            await until(lambda: len(other_ear.data) == 40)
            assert other_ear.states == ["checking", "connected"]
            assert len(mux._ports[0].routes) == 2 + (stranger.sock.getsockname() in mux._ports[0].routes)
            assert len(transport._agent.paths) <= 8
            for one in (caller, stranger, other_caller):
                one.close()

    go(main())


def test_addresses_per_session_are_capped():
    async def main():
        async with await UdpMux.open(HOST, options=LiteOptions(max_paths=4)) as mux:
            transport, _ = opened(mux)
            callers = [await Caller(mux, transport).connect() for _ in range(10)]
            assert len(mux._ports[0].routes) == 4
            callers[0].send(b"\x80 forgotten")
            await until(lambda: mux.counters()["unknown_source"] == 1)
            for caller in callers:
                caller.close()

    go(main())


def test_an_address_that_comes_back_with_another_session_is_that_sessions():
    async def main():
        async with await UdpMux.open(HOST) as mux:
            first, first_ear = opened(mux)
            caller = await Caller(mux, first).connect()
            second, second_ear = opened(mux)
            caller.parameters = second.local_parameters
            await caller.connect()
            caller.send(b"\x80 whose")
            await until(lambda: second_ear.data)
            first.close()
            caller.send(b"\x80 still whose")
            await until(lambda: len(second_ear.data) == 2)
            assert first_ear.data == []
            caller.close()

    go(main())


def test_silence_disconnects_and_fails_and_a_restart_mends_it():
    async def main():
        options = LiteOptions(disconnected_after=0.1, failed_after=0.05)
        async with await UdpMux.open(HOST, options=options) as mux:
            transport, ear = opened(mux)
            caller = await Caller(mux, transport).connect()
            await until(lambda: ear.states[-1] == "failed")
            assert ear.states == ["checking", "connected", "disconnected", "failed"]
            assert isinstance(transport.reason, TransportLost)
            old = transport.local_parameters
            transport.restart()
            assert transport.reason is None
            assert transport.local_parameters.ufrag != old.ufrag
            assert transport.state == "checking"
            transport.gather()
            caller.parameters = transport.local_parameters
            await caller.connect()
            assert ear.states[-1] == "connected"
            assert len(mux) == 1
            assert old.ufrag.encode() not in mux._sessions
            caller.close()

    go(main())


def test_a_send_before_there_is_a_path_is_answered_when_there_is():
    async def main():
        async with await UdpMux.open(HOST) as mux:
            transport, ear = opened(mux)
            assert not transport.writable
            assert transport.send([b"\x16 flight"]) == 0
            caller = await Caller(mux, transport).connect()
            await until(lambda: ear.writable == 1)
            assert transport.writable
            assert transport.send([b"\x16 flight"]) == 1
            assert await caller.recv() == b"\x16 flight"
            await asyncio.sleep(0.02)
            assert ear.writable == 1
            caller.close()

    go(main())


class Full(socket.socket):
    """A real socket whose buffer has room for ``room`` datagrams until it is given more."""

    room = 0

    def sendto(self, data, address):
        if self.room <= 0:
            raise BlockingIOError(errno.EAGAIN, "full")
        self.room -= 1
        return super().sendto(data, address)


def test_a_backlog_of_one_session_does_not_hold_up_the_others():
    async def main():
        sock = Full(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((HOST, 0))
        sock.room = 10
        mux = UdpMux([sock], udp=UdpOptions(segmentation=False))
        greedy, _ = opened(mux)
        modest, _ = opened(mux)
        callers = [await Caller(mux, transport).connect() for transport in (greedy, modest)]
        order = []

        def pump(transport, name, backlog):
            def more():
                while backlog:
                    taken = transport.send(backlog[:100])
                    order.extend([name] * taken)
                    del backlog[:taken]
                    if taken < min(100, len(backlog) + taken):
                        return

            transport.on_writable = more
            more()

        sock.room = 5
        pump(greedy, "greedy", [b"\x80g"] * 1000)
        pump(modest, "modest", [b"\x80m"] * 100)
        assert order == ["greedy"] * 5
        assert not greedy.writable
        assert not modest.writable
        sock.room = 2000
        await until(lambda: len(order) == 1100)
        first = order.index("modest")
        last = len(order) - 1 - order[::-1].index("modest")
        assert first <= 5 + 64
        assert last <= 5 + 100 + 3 * 64
        assert greedy.writable
        assert modest.writable
        mux.close()
        for caller in callers:
            caller.close()

    go(main())


def test_who_comes_while_others_wait_gets_in_line():
    async def main():
        sock = Full(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((HOST, 0))
        sock.room = 100
        mux = UdpMux([sock], udp=UdpOptions(segmentation=False))
        sessions = [opened(mux)[0] for _ in range(3)]
        callers = [await Caller(mux, transport).connect() for transport in sessions]
        order = []

        def offer(number):
            order.extend([number] * sessions[number].send([b"\x80"]))

        sock.room = 0
        sessions[0].on_writable = lambda: (offer(2), offer(0))  # another one tries in somebody's turn
        sessions[1].on_writable = lambda: offer(1)
        sessions[2].on_writable = lambda: offer(2)
        offer(0)
        offer(1)
        sock.room = 100
        await until(lambda: len(order) == 3)
        assert order == [0, 1, 2]
        mux.close()
        for caller in callers:
            caller.close()

    go(main())


def test_a_bug_in_one_sessions_callback_costs_the_others_nothing():
    async def main():
        seen = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context["exception"]))
        async with await UdpMux.open(HOST) as mux:
            bad, _ = opened(mux)
            good, ear = opened(mux)

            def raises(*_):
                raise ValueError("a bug")

            bad.on_datagrams = bad.on_state = raises
            callers = [await Caller(mux, transport).connect() for transport in (bad, good)]
            for caller in callers:
                caller.send(b"\x80 data")
            await until(lambda: ear.data and len(seen) == 2)
            assert ear.states == ["checking", "connected"]
            for caller in callers:
                caller.close()

    go(main())


def test_closing_a_session_from_inside_each_callback():
    async def main():
        async with await UdpMux.open(HOST) as mux:
            for name in ("on_state", "on_datagrams", "on_candidate", "on_writable"):
                transport, _ = opened(mux)
                setattr(transport, name, lambda *_, transport=transport: transport.close())
                transport._gathered = False
                transport.gather()
                transport.send([b"\x80 early"])
                caller = Caller(mux, transport)
                caller.send(caller.request())
                caller.send(b"\x80 data")
                await until(lambda transport=transport: transport.state == "closed")
                assert transport.send([b"\x80 x"]) == 0
                transport.start(False)
                transport.gather()
                transport.set_remote_parameters(transport.local_parameters)
                transport.add_remote_candidate("candidate:1 1 udp 1 10.0.0.1 1 typ host")
                with pytest.raises(Closed):
                    transport.restart()
                await transport.wait_closed()
                caller.close()
            assert len(mux) == 0

    go(main())


def test_closing_the_mux_ends_its_sessions_and_leaves_nothing():
    async def main():
        before = len(os.listdir("/proc/self/fd"))
        mux = await UdpMux.open("0.0.0.0")
        transport, ear = opened(mux)
        caller = await Caller(mux, transport).connect()
        caller.close()
        mux.close()
        mux.close()
        assert mux.closed
        assert ear.states[-1] == "failed"
        assert isinstance(transport.reason, TransportLost)
        with pytest.raises(Closed):
            mux.transport()
        assert len(asyncio.all_tasks()) == 1
        assert len(os.listdir("/proc/self/fd")) == before
        gone = [weakref.ref(mux), weakref.ref(transport)]
        del mux, transport, ear, caller
        await asyncio.sleep(0.01)
        gc.collect()
        assert [ref() for ref in gone] == [None, None]

    go(main())


def test_a_closed_session_is_not_kept_by_the_mux_or_the_loop():
    async def main():
        async with await UdpMux.open(HOST) as mux:
            transport, ear = opened(mux)
            caller = await Caller(mux, transport).connect()
            caller.send(b"\x80x")
            await until(lambda: ear.data)
            transport.close()
            gone = weakref.ref(transport)
            transport = ear = None
            caller.close()
            await asyncio.sleep(0.01)
            gc.collect()
            assert gone() is None

    go(main())


def test_remote_parameters_are_checked_and_change_only_with_a_restart():
    async def main():
        async with await UdpMux.open(HOST, randomness=SeededRandomness(1)) as mux:
            a, b = mux.transport(), mux.transport()
            assert a.local_parameters.lite
            assert a.remote_parameters is None
            a.set_remote_parameters(b.local_parameters)
            a.set_remote_parameters(b.local_parameters)
            assert a.remote_parameters == b.local_parameters
            with pytest.raises(LocalProtocolError, match="restart"):
                a.set_remote_parameters(a.local_parameters)
            a.restart()
            a.set_remote_parameters(a.local_parameters)
            a.add_remote_candidate("nonsense")
            a.add_remote_candidate(None)
            a.add_remote_candidate("candidate:1 1 tcp 1 x.local 9 typ host")
            assert a.counters()["candidate_malformed"] == 1

    go(main())


def test_candidates_name_the_addresses_or_those_that_are_advertised():
    async def main():
        async with await UdpMux.open(HOST) as mux:
            transport, ear = opened(mux)
            assert transport.gathering_state == "complete"
            assert ear.candidates == [*mux.candidates, None]
            assert transport.local_candidates == mux.candidates
            assert f" {HOST} {mux.port} typ host" in mux.candidates[0]
        async with await UdpMux.open(HOST, advertise=["203.0.113.5", "203.0.113.6"]) as mux:
            assert [line.split()[4:6] for line in mux.candidates] == [
                ["203.0.113.5", str(mux.port)],
                ["203.0.113.6", str(mux.port)],
            ]

    go(main())


def test_a_wildcard_stands_for_the_real_addresses():
    async def main():
        async with await UdpMux.open() as mux:
            assert [host for host, _ in mux.addresses] == local_addresses()
        async with await UdpMux.open("", ipv6=False, loopback=True) as mux:
            assert "127.0.0.1" in [host for host, _ in mux.addresses]
            assert not any(":" in host for host, _ in mux.addresses)
        async with await UdpMux.open(["127.0.0.1", "::1"]) as mux:
            assert [host for host, _ in mux.addresses] == ["127.0.0.1", "::1"]

    go(main())


def test_a_port_in_use_is_named_with_the_next_step_and_nothing_stays_bound():
    async def main():
        taken = bind_udp(HOST, 0)
        port = taken.getsockname()[1]
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(OSError, match="in use"):
            await UdpMux.open(["127.0.0.1", HOST], port)
        assert len(os.listdir("/proc/self/fd")) == before
        taken.close()

    go(main())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"host": "not an address"}, "host"),
        ({"host": HOST, "port": 70000}, "port"),
        ({"host": HOST, "advertise": ["here"]}, "advertise"),
        ({"host": []}, "no address"),
    ],
)
def test_wrong_arguments_name_the_field(arguments, words):
    async def main():
        with pytest.raises(InvalidArgument, match=words):
            await UdpMux.open(**arguments)

    go(main())


def test_a_full_agent_and_the_port_find_each_other_and_a_restart_keeps_the_data_flowing():
    async def main():
        async with await UdpMux.open() as mux:
            lite, lite_ear = opened(mux)
            full = FullTransport(FullIceOptions())
            full_ear = Ear(full)
            full.gather()
            negotiate(full, lite)
            full.start(True)
            lite.start(False)
            await until(lambda: full.state == lite.state == "connected")
            before = lite.selected_pair
            assert full.send([b"\x80 1"]) == lite.send([b"\x80 2"]) == 1
            await until(lambda: lite_ear.data and full_ear.data)
            full.restart()
            lite.restart()
            full.gather()
            lite.gather()
            assert full.send([b"\x80 between"]) == 1
            await until(lambda: len(lite_ear.data) == 2)
            negotiate(full, lite)
            full.start(True)
            lite.start(False)
            await until(lambda: lite.selected_pair != before)
            await until(lambda: full.selected_pair.local == lite.selected_pair.remote)
            assert full.send([b"\x80 3"]) == lite.send([b"\x80 4"]) == 1
            await until(lambda: len(lite_ear.data) == 3 and len(full_ear.data) == 2)
            assert lite_ear.states == full_ear.states == ["checking", "connected"]
            full.close()
            lite.close()
            await full.wait_closed()
            assert len(asyncio.all_tasks()) == 1

    go(main(), debug=True)


def negotiate(a, b):
    a.set_remote_parameters(b.local_parameters)
    b.set_remote_parameters(a.local_parameters)
    for candidate in a.local_candidates:
        b.add_remote_candidate(candidate)
    for candidate in b.local_candidates:
        a.add_remote_candidate(candidate)
