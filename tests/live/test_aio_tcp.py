"""ICE over TCP on the shared port: a hand-written active peer, good and bad, over loopback."""

import asyncio
import gc
import os
import socket
import struct
import sys

import pytest

from pystack import Configuration, PeerConnection, UdpMux
from pystack.aio import TcpOptions
from pystack.aio.tcp import bind_tcp
from pystack.errors import InvalidArgument
from pystack.ice import Deframer, LiteOptions, frame
from pystack.ice.stun import StunClass, binding_request, parse

HOST = "127.0.0.1"
OPTIONS = TcpOptions(claim_timeout=0.3, max_unclaimed=4, max_connections=8, buffer=32 * 1024)


def go(main):
    asyncio.run(main())


async def until(condition, what="", seconds=5.0):
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - sockets ring no bell
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"{what or 'not so'} after {seconds} s") from None


class Caller:
    """An active peer: a stream with the framing done by hand."""

    @classmethod
    async def dial(cls, mux, transport=None):
        self = cls()
        self.reader, self.writer = await asyncio.open_connection(HOST, mux.tcp_port)
        self.address = self.writer.get_extra_info("sockname")
        self.parameters = transport.local_parameters if transport is not None else None
        return self

    def request(self, pwd=None):
        return binding_request(
            os.urandom(12),
            f"{self.parameters.ufrag}:peer",
            (pwd or self.parameters.pwd).encode(),
            priority=1000,
            tie_breaker=1,
            use_candidate=True,
        )

    def send(self, *datagrams):
        self.writer.write(b"".join(struct.pack("!H", len(data)) + data for data in datagrams))

    async def recv(self, seconds=5.0):
        async with asyncio.timeout(seconds):
            (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            return await self.reader.readexactly(size)

    async def connect(self):
        self.send(self.request())
        answer = parse(await self.recv())
        assert answer.message_class is StunClass.SUCCESS
        assert answer.mapped_address == self.address
        return self

    async def ended(self, seconds=5.0):
        async with asyncio.timeout(seconds):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True

    def close(self):
        self.writer.close()


def opened(mux):
    transport = mux.transport()
    data = []
    transport.on_datagrams = lambda batch, now: data.extend(batch)
    transport.gather()
    transport.start(False)
    return transport, data


def sockets():
    return len(os.listdir("/proc/self/fd"))


def test_a_session_runs_over_a_connection_and_takes_it_along_when_it_leaves():
    async def main():
        async with await UdpMux.open(HOST, tcp_port=0) as mux:
            transport, data = opened(mux)
            assert [line.split()[2] for line in transport.local_candidates] == ["udp", "tcp"]
            assert transport.local_candidates[1].endswith(f"{HOST} {mux.tcp_port} typ host tcptype passive")
            caller = await (await Caller.dial(mux, transport)).connect()
            assert transport.selected_pair.protocol == "tcp"
            assert transport.selected_pair.remote == caller.address
            caller.send(b"\x80one", b"\x80two")
            await until(lambda: data == [b"\x80one", b"\x80two"])
            assert transport.send([b"\x90" + bytes(1199), b"\x91"]) == 2
            assert await caller.recv() == b"\x90" + bytes(1199)
            assert await caller.recv() == b"\x91"
            assert mux.counters()["tcp_connections"] == 1
            transport.close()
            assert await caller.ended()
            assert mux._ways[1].routes == {}
            assert not mux._ways[1]._connections
            caller.close()

    go(main)


def test_bytes_that_trickle_and_frames_that_are_empty_or_huge():
    async def main():
        async with await UdpMux.open(HOST, tcp_port=0) as mux:
            transport, data = opened(mux)
            caller = await Caller.dial(mux, transport)
            for byte in frame([caller.request()]) + b"\0\0" + frame([b"\x80whole"]):
                caller.writer.write(bytes([byte]))
                await caller.writer.drain()
            assert parse(await caller.recv()).message_class is StunClass.SUCCESS
            await until(lambda: data == [b"\x80whole"])
            caller.send(b"\x80" + bytes(65534))
            await until(lambda: len(data) == 2)
            assert len(data[1]) == 65535
            caller.close()

    go(main)


def test_strangers_are_bounded_in_number_and_time_and_disturb_nobody():
    async def main():
        async with await UdpMux.open(HOST, tcp_port=0, tcp=OPTIONS) as mux:
            transport, data = opened(mux)
            good = await (await Caller.dial(mux, transport)).connect()
            way = mux._ways[1]
            strangers = [await Caller.dial(mux, transport) for _ in range(6)]
            await until(lambda: way.counters["connections"] == 7)
            assert len(way._unclaimed) <= OPTIONS.max_unclaimed
            assert way.counters["unclaimed_displaced"] == 2
            strangers[-1].send(strangers[-1].request(pwd="x" * 24))  # knows the name and not the password
            strangers[-2].writer.write(b"\xff\xff" + bytes(1000))  # a frame that never ends
            strangers[-3].writer.write(b"GET / HTTP/1.1\r\n\r\n")
            good.send(b"\x80still")
            await until(lambda: data == [b"\x80still"])
            await until(lambda: len(way._connections) == 1, "strangers stay")
            assert way.counters["claim_timeout"] == OPTIONS.max_unclaimed
            for stranger in strangers:
                assert await stranger.ended() or stranger is strangers[-1]
                stranger.close()
            good.send(b"\x80and on")
            await until(lambda: len(data) == 2)
            good.close()

    go(main)


def test_no_more_connections_than_the_limit():
    async def main():
        options = TcpOptions(max_connections=3, max_unclaimed=100)
        async with await UdpMux.open(HOST, tcp_port=0, tcp=options) as mux:
            callers = [await Caller.dial(mux) for _ in range(5)]
            await until(lambda: mux.counters()["tcp_too_many_connections"] == 2)
            assert len(mux._ways[1]._connections) == 3
            for caller in callers:
                caller.close()

    go(main)


def test_a_slow_reader_is_pushed_back_and_told_when_there_is_room():
    async def main():
        async with await UdpMux.open(HOST, tcp_port=0, tcp=OPTIONS) as mux:
            transport, _ = opened(mux)
            told = []
            transport.on_writable = lambda: told.append(1)
            caller = await Caller.dial(mux, transport)
            caller.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await caller.connect()
            caller.reader._limit = 1000  # asyncio reads ahead otherwise
            packet = b"\x90" + bytes(1199)
            taken = 0
            while transport.writable:
                taken += transport.send([packet] * 16)
                await asyncio.sleep(0)
                assert taken < 20_000, "memory grows without bound"
            assert not told
            for _ in range(taken):
                assert await caller.recv() == packet
            await until(lambda: told == [1])
            assert transport.send([packet]) == 1
            assert await caller.recv() == packet
            caller.close()

    go(main)


def test_who_waits_for_room_on_a_connection_that_breaks_is_told_and_moves_on():
    async def main():
        async with await UdpMux.open(HOST, tcp_port=0, tcp=OPTIONS) as mux:
            transport, data = opened(mux)
            told = []
            transport.on_writable = lambda: told.append(1)
            caller = await (await Caller.dial(mux, transport)).connect()
            while transport.writable:
                transport.send([b"\x90" + bytes(1199)] * 16)
                await asyncio.sleep(0)
            sock = caller.writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            caller.writer.transport.abort()  # a reset, as of a process that was killed
            await until(lambda: told == [1])
            assert transport.send([b"\x90lost"]) == 1
            assert mux.counters()["tcp_send_not_connected"] >= 1
            again = await (await Caller.dial(mux, transport)).connect()
            again.send(b"\x80back")
            await until(lambda: data == [b"\x80back"])
            assert transport.send([b"\x90found"]) == 1
            assert await again.recv() == b"\x90found"
            again.close()

    go(main)


def test_a_peer_that_falls_silent_is_ended_by_its_session_and_nothing_is_left():
    async def main():
        patience = LiteOptions(disconnected_after=0.2, failed_after=0.1)
        gc.collect()
        before = sockets()
        async with await UdpMux.open(HOST, tcp_port=0, options=patience) as mux:
            connection = PeerConnection(Configuration(mux=mux))
            transport = connection._ice
            transport.gather()
            transport.start(False)
            caller = await (await Caller.dial(mux, transport)).connect()
            await until(lambda: transport.state == "failed")
            await connection.close()
            assert await caller.ended()
            caller.close()
            assert not mux._ways[1]._connections
        gc.collect()
        await asyncio.sleep(0.05)
        assert sockets() == before

    go(main)


def test_closing_the_mux_ends_connections_and_frees_the_port():
    async def main():
        mux = await UdpMux.open(HOST, tcp_port=0)
        transport, _ = opened(mux)
        caller = await (await Caller.dial(mux, transport)).connect()
        port = mux.tcp_port
        mux.close()
        assert transport.state == "closed"
        assert await caller.ended()
        caller.close()
        async with await UdpMux.open(HOST, tcp_port=port) as again:
            assert again.tcp_port == port

    go(main)


def test_a_port_in_use_and_a_port_that_is_none():
    async def main():
        async with await UdpMux.open(HOST, tcp_port=0) as mux:
            with pytest.raises(OSError, match=f"TCP port {mux.tcp_port} on {HOST} is in use"):
                await UdpMux.open(HOST, tcp_port=mux.tcp_port)
        with pytest.raises(InvalidArgument, match="tcp_port must be 0 to 65535"):
            await UdpMux.open(HOST, tcp_port=70000)

    go(main)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a second loopback address")
def test_a_port_that_is_free_on_one_address_only_is_not_the_one_chosen(monkeypatch):
    other = "127.0.0.2"
    held = []

    def bind_where_somebody_was_quicker(host, port):
        if host == other and not held:
            held.append(bind_tcp(other, port))
        return bind_tcp(host, port)

    async def main():
        async with await UdpMux.open([HOST, other], tcp_port=0) as mux:
            assert mux.tcp_port != held[0].getsockname()[1]
            for host in (HOST, other):
                with socket.create_connection((host, mux.tcp_port)):
                    pass
        held[0].close()

    monkeypatch.setattr("pystack.aio.mux.bind_tcp", bind_where_somebody_was_quicker)
    go(main)


def test_deframing_is_that_of_the_codec():
    assert Deframer().feed(struct.pack("!H", 3) + b"abc") == [b"abc"]


@pytest.mark.parametrize(
    "noise",
    [struct.pack("!H", 3) + b"\x80ab", struct.pack("!H", 30) + bytes(30), bytes(4000), b"\0\1\0" * 1000],
    ids=["data", "no check", "null packets", "tiny frames"],
)
def test_who_brings_anything_but_checks_is_shown_out_at_once(noise):
    async def main():
        async with await UdpMux.open(HOST, tcp_port=0) as mux:
            caller = await Caller.dial(mux)
            caller.writer.write(noise)
            await caller.ended()
            await until(lambda: not mux._ways[1]._connections)
            assert mux.counters()["tcp_unclaimed_noise"] == 1
            caller.close()

    go(main)


def test_checks_are_answered_although_data_waits_and_within_a_bound():
    async def main():
        async with await UdpMux.open(HOST, tcp_port=0, tcp=OPTIONS) as mux:
            transport, _ = opened(mux)
            caller = await Caller.dial(mux, transport)
            caller.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await caller.connect()
            caller.reader._limit = 1000  # asyncio reads ahead otherwise
            packet = b"\x90" + bytes(1199)
            taken = 0
            while transport.writable:
                taken += transport.send([packet] * 16)
                await asyncio.sleep(0)
            caller.send(caller.request())
            await until(lambda: transport._agent.checks == 2)
            assert mux.counters()["answers_dropped"] == 0
            for _ in range(500):
                caller.send(caller.request())
            await until(lambda: transport._agent.checks == 502)
            assert mux.counters()["answers_dropped"] > 0
            (connection,) = mux._ways[1]._connections.values()
            assert connection._answers <= 4096 + 200
            for _ in range(taken):
                assert await caller.recv() == packet
            assert parse(await caller.recv()).message_class is StunClass.SUCCESS
            caller.close()

    go(main)


def test_a_member_that_floods_takes_turns_with_others():
    async def main():
        async with await UdpMux.open(HOST, tcp_port=0) as mux:
            transport, _ = opened(mux)
            batches = []
            transport.on_datagrams = lambda batch, now: batches.append(len(batch))
            caller = await (await Caller.dial(mux, transport)).connect()
            caller.writer.write(b"\0\1\x80" * 50_000)
            await until(lambda: sum(batches) == 50_000)
            assert max(batches) <= 8192 // 3 + 1
            caller.close()

    go(main)
