"""UDP sockets on loopback: what goes in comes out, in runs or one by one, and no error of the network is raised."""

import asyncio
import errno
import random
import socket
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pystack.aio.udp import ProtocolSocket, UdpOptions, UdpSocket, bind_udp, open_udp


class Flaky(socket.socket):
    """A real socket that refuses some sends: ``script`` gives an errno, or 0 to let one pass; empty lets all pass."""

    def refuse(self, *script):
        self.script = list(script)
        return self

    def _next(self):
        script = getattr(self, "script", None)
        if script and (code := script.pop(0)):
            if code == errno.EAGAIN:
                raise BlockingIOError(code, "full")
            raise OSError(code, "refused")

    def sendto(self, *arguments):
        self._next()
        return super().sendto(*arguments)

    def sendmsg(self, *arguments):
        self._next()
        return super().sendmsg(*arguments)


def flaky(*script, host="127.0.0.1"):
    sock = Flaky(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((host, 0))
    return sock.refuse(*script)


class NoReaders(asyncio.SelectorEventLoop):
    """A loop that cannot watch sockets, as Windows' Proactor."""

    def add_reader(self, *_):
        raise NotImplementedError


def collect(endpoint):
    got = []
    endpoint.on_runs = lambda runs, now: [got.extend((data, address) for data in run) for address, run in runs]
    return got


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - sockets ring no bell
            await asyncio.sleep(0.002)


def go(main, loop_factory=asyncio.SelectorEventLoop):
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(main)


def ends(loop, left=UdpOptions(), right=UdpOptions(), host="127.0.0.1"):  # noqa: B008
    return tuple(open_udp(loop, bind_udp(host, 0, options), options) for options in (left, right))


def sockname(endpoint):
    host, port = endpoint.address
    return (host, port, 0, 0) if ":" in host else (host, port)


def batches():
    equal = st.builds(lambda size, count: [size] * count, st.integers(1, 1400), st.integers(1, 140))
    mixed = st.lists(st.integers(1, 1400), max_size=40)
    runs = st.lists(equal | mixed, max_size=3).map(lambda parts: [size for part in parts for size in part][:150])
    return st.builds(
        lambda sizes, seed: [random.Random(seed + at).randbytes(size) for at, size in enumerate(sizes)],
        runs,
        st.integers(0, 999),
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@given(batch=batches(), segmentation=st.booleans(), coalescing=st.booleans())
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_batch_arrives_as_it_was_sent_in_runs_or_one_by_one(host, batch, segmentation, coalescing):
    async def main():
        loop = asyncio.get_running_loop()
        a, b = ends(loop, UdpOptions(segmentation=segmentation), UdpOptions(coalescing=coalescing), host)
        got = collect(b)
        for _ in range(3):  # the first batch may switch coalescing on; the others meet it
            del got[:]
            assert a.send(batch, sockname(b)) == len(batch)
            await until(lambda: len(got) == len(batch))
            assert [data for data, _ in got] == batch
            assert {address[:2] for _, address in got} <= {a.address}
        assert a.counters["datagrams_out"] == b.counters["datagrams_in"] == 3 * len(batch)
        assert a.counters["bytes_out"] == b.counters["bytes_in"] == 3 * sum(map(len, batch))
        a.close()
        b.close()

    go(main())


@pytest.mark.skipif(sys.platform != "linux", reason="UDP_SEGMENT is Linux")
def test_runs_of_equal_size_go_out_together_with_a_shorter_one_last():
    async def main():
        a, b = ends(asyncio.get_running_loop())
        got = collect(b)
        batch = [bytes(1000)] * 70 + [bytes(10)] + [bytes(1200)] * 3 + [bytes(1201)]
        assert a.send(batch, sockname(b)) == len(batch)
        await until(lambda: len(got) == len(batch))
        assert [len(data) for data, _ in got] == [len(data) for data in batch]
        assert a.counters["runs_out"] == 3  # 64, then 6 and the short one, then 3; the last goes alone
        a.close()
        b.close()

    go(main())


@pytest.mark.parametrize("code", [errno.EINVAL, errno.EIO])
def test_a_destination_that_cannot_take_runs_is_served_one_by_one(code):
    async def main():
        loop = asyncio.get_running_loop()
        a = UdpSocket(loop, flaky(code), UdpOptions())
        b = open_udp(loop, bind_udp("127.0.0.1", 0))
        got = collect(b)
        assert a.send([b"x" * 100] * 5, b.address) == 5
        assert a.send([b"y" * 100] * 5, b.address) == 5
        await until(lambda: len(got) == 10)
        assert a.counters["segmentation_refused"] == 1
        assert a.counters["runs_out"] == 0
        a.close()
        b.close()

    go(main())


@pytest.mark.parametrize("code", [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EPERM, errno.EMSGSIZE, errno.ENOBUFS])
def test_a_refusal_by_the_network_is_counted_and_the_next_goes_out(code):
    async def main():
        loop = asyncio.get_running_loop()
        a = UdpSocket(loop, flaky(0, code, 0), UdpOptions(segmentation=False))
        b = open_udp(loop, bind_udp("127.0.0.1", 0))
        got = collect(b)
        assert a.send([b"1", b"2", b"3"], b.address) == 3
        await until(lambda: len(got) == 2)
        assert [data for data, _ in got] == [b"1", b"3"]
        assert a.counters[f"send_{errno.errorcode[code]}"] == 1
        a.close()
        b.close()

    go(main())


def test_the_echo_of_an_earlier_refusal_costs_no_datagram():
    async def main():
        loop = asyncio.get_running_loop()
        a = UdpSocket(loop, flaky(errno.ECONNREFUSED, 0, errno.ECONNREFUSED, errno.ECONNREFUSED), UdpOptions())
        b = open_udp(loop, bind_udp("127.0.0.1", 0))
        got = collect(b)
        assert a.send([b"1"], b.address) == 1
        assert a.send([b"lost"], b.address) == 1
        assert a.send([b"2"], b.address) == 1
        await until(lambda: len(got) == 2)
        assert [data for data, _ in got] == [b"1", b"2"]
        assert a.counters["send_ECONNREFUSED"] == 2
        a.close()
        b.close()

    go(main())


def test_nobody_at_the_other_end_is_no_error():
    async def main():
        a, b = ends(asyncio.get_running_loop())
        b.close()
        for _ in range(20):
            assert a.send([b"x"], b.address) == 1
            await asyncio.sleep(0)
        a.close()

    go(main())


@pytest.mark.parametrize("script", [(errno.EAGAIN,), (0, errno.EAGAIN), (errno.ECONNREFUSED, errno.EAGAIN)])
@pytest.mark.parametrize("segmentation", [True, False])
def test_a_full_buffer_takes_less_and_calls_back_once(script, segmentation):
    async def main():
        loop = asyncio.get_running_loop()
        a = UdpSocket(loop, flaky(*script), UdpOptions(segmentation=segmentation))
        b = open_udp(loop, bind_udp("127.0.0.1", 0))
        got = collect(b)
        calls = []
        batch = [bytes([at]) * (10 + at) for at in range(6)]
        a.on_writable = lambda: calls.append(a.blocked)
        taken = a.send(batch, b.address)
        assert taken < len(batch)
        assert a.blocked
        assert a.send(batch, b.address) == 0
        await until(lambda: calls)
        assert a.send(batch[taken:], b.address) == len(batch) - taken
        await until(lambda: len(got) == len(batch))
        await asyncio.sleep(0.02)
        assert [data for data, _ in got] == batch
        assert calls == [False]
        a.close()
        b.close()

    go(main())


def test_a_flooded_socket_leaves_turns_to_others():
    async def main():
        loop = asyncio.get_running_loop()
        a, b = ends(loop, right=UdpOptions(coalescing=False))
        sizes = []
        b.on_runs = lambda runs, now: sizes.append(sum(len(run) for _, run in runs))
        a.send([b"x" * 50] * 1000, b.address)
        await until(lambda: sum(sizes) >= 1000)
        assert max(sizes) <= 128
        a.close()
        b.close()

    go(main())


def test_closing_from_inside_the_reader_and_twice():
    async def main():
        a, b = ends(asyncio.get_running_loop())
        seen = []

        def on_runs(runs, now):
            seen.append(runs)
            b.close()
            b.close()

        b.on_runs = on_runs
        a.send([b"x", b"yy"], b.address)
        await until(lambda: seen)
        a.send([b"x"], b.address)
        await asyncio.sleep(0.05)
        assert len(seen) == 1
        assert b.send([b"x"], a.address) == 0
        a.close()

    go(main())


def test_empty_datagrams_are_counted_and_not_handed_on():
    async def main():
        a, b = ends(asyncio.get_running_loop())
        got = collect(b)
        assert a.send([b"", b"x", b""], b.address) == 3
        await until(lambda: b.counters["empty_in"] == 2)
        assert [data for data, _ in got] == [b"x"]
        a.close()
        b.close()

    go(main())


def test_a_loop_that_cannot_watch_sockets_still_carries():
    async def main():
        loop = asyncio.get_running_loop()
        a, b = ends(loop)
        assert isinstance(a, ProtocolSocket)
        got = collect(b)
        called = []
        a.on_writable = lambda: called.append(1)
        assert a.send([b"early"], b.address) == 0  # not open yet
        await until(lambda: called)
        assert a.send([b"1", b"22"], b.address) == 2
        await until(lambda: len(got) == 2)
        assert [data for data, _ in got] == [b"1", b"22"]
        assert got[0][1] == a.address
        a.pause_writing()
        assert a.send([b"3"], b.address) == 0
        a.resume_writing()
        assert len(called) == 2
        a.error_received(ConnectionRefusedError(errno.ECONNREFUSED, "no"))
        a.datagram_received(b"", ("127.0.0.1", 1))
        assert a.counters["send_ECONNREFUSED"] == a.counters["empty_in"] == 1
        a.close()
        a.close()
        b.close()
        assert a.send([b"x"], b.address) == 0
        early, _ = ends(loop)
        early.close()
        _.close()
        await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) == 1

    go(main(), NoReaders)


def test_a_taken_port_names_the_next_step():
    first = bind_udp("127.0.0.1", 0)
    port = first.getsockname()[1]
    with pytest.raises(OSError, match=f"UDP port {port} on 127.0.0.1 is in use.*ss -ulpn") as caught:
        bind_udp("127.0.0.1", port)
    assert caught.value.errno == errno.EADDRINUSE
    first.close()


def test_an_address_that_is_not_ours_names_the_next_step():
    with pytest.raises(OSError, match="does not have the address"):
        bind_udp("203.0.113.77", 0)
