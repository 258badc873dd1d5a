"""Connections come and go, in thousands and cancelled wherever they wait, over real sockets: nothing of them is left.

Counted after a collection: objects of the product and of what it is built on, tasks, timers, file descriptors, and the
resident size, whose slope over the second half is what a leak would show.
"""

from __future__ import annotations

import asyncio
import gc
import os
import types
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import fmean, linear_regression
from typing import Any

import pytest

from pystack import AssociationOptions, Configuration, PeerConnection, RtpPacket, SessionOptions, UdpMux, connect

SESSION = SessionOptions(association=AssociationOptions(sack_every=1))  # a close need not wait for a delayed SACK
HERE = Configuration(loopback=True, address_filter=lambda address: address == "127.0.0.1", session=SESSION)
OURS = ("pystack", "aioice", "asyncio", "attr", "cryptography", "_asyncio")


def census() -> Counter[str]:
    """What there is now: objects by their class, and everything else that could be left over."""
    gc.collect()
    counts = Counter(
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in map(type, gc.get_objects())
        if str(kind.__module__).partition(".")[0] in OURS
    )
    loop = asyncio.get_running_loop()
    counts["tasks"] = len(asyncio.all_tasks())
    counts["timers"] = sum(not handle.cancelled() for handle in loop._scheduled)  # type: ignore[attr-defined]
    counts["file descriptors"] = len(os.listdir("/proc/self/fd"))
    counts["all objects"] = len(gc.get_objects())
    return counts


def difference(before: Counter[str], after: Counter[str]) -> dict[str, int]:
    """What is there more or less; of the ordinary objects of the interpreter, a handful of caches may come and go."""
    changed = {name: after[name] - before[name] for name in before | after if after[name] != before[name]}
    if abs(changed.get("all objects", 0)) <= 20:
        changed.pop("all objects", None)
    return changed


def resident() -> float:
    """The resident size in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def talk(one: PeerConnection, other: PeerConnection) -> None:
    """A whole short life: a channel, a track, a message and a packet."""
    chat = one.create_data_channel("chat")
    voice = one.add_track("audio")
    await connect(one, other)
    await chat.write("hello")
    assert await (await other.next_data_channel(timeout=10)).read(timeout=10) == "hello"
    opus = voice.require_codec("opus").payload_type
    assert voice.write(RtpPacket(payload_type=opus, sequence_number=1, payload=b"x"))
    track = await other.next_track(timeout=10)
    assert (await track.receiver.read(timeout=10))[0].payload == b"x"


async def live() -> None:
    """Two full agents connect, talk and close."""
    async with PeerConnection(HERE) as one, PeerConnection(HERE) as other:
        await talk(one, other)


@pytest.mark.parametrize("shared", [False, True])
def test_the_bytes_that_one_side_counts_are_those_of_the_other(shared: bool) -> None:
    async def main() -> None:
        async with await UdpMux.open("127.0.0.1", 0) as mux:
            theirs = Configuration(mux=mux, session=SESSION) if shared else HERE
            async with PeerConnection(HERE) as one, PeerConnection(theirs) as other:
                await talk(one, other)
                for _ in range(100):
                    ours, others = one.get_stats()["T"], other.get_stats()["T"]
                    assert ours["type"] == others["type"] == "transport"
                    counted = [
                        (here["packetsSent"], here["bytesSent"], there["packetsReceived"], there["bytesReceived"])
                        for here, there in ((ours, others), (others, ours))
                    ]
                    if all(each[0] == each[2] > 10 for each in counted):
                        break
                    await asyncio.sleep(0.01)  # something is under way
                assert all(each[:2] == each[2:] for each in counted)

    asyncio.run(main())


@asynccontextmanager
async def server() -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """A shared port, and what connects to it, talks and closes."""
    async with await UdpMux.open("127.0.0.1", 0) as mux:

        async def visit() -> None:
            async with PeerConnection(Configuration(mux=mux, session=SESSION)) as there, PeerConnection(HERE) as here:
                await talk(here, there)

        yield visit


async def churn(cycle: Callable[[], Awaitable[None]], cycles: int) -> tuple[dict[str, int], float, float]:
    """Repeat; return what was left, the slope of the resident size over the second half as a share, and that size."""
    for _ in range(max(10, cycles // 20)):  # what is made once and kept
        await cycle()
    before = census()
    sizes = []
    for number in range(cycles):
        await cycle()
        if number >= cycles // 2 and number % 5 == 4:
            gc.collect()
            sizes.append(resident())
    left = difference(before, census())
    slope, _ = linear_regression(range(len(sizes)), sizes)
    return left, slope * len(sizes) / fmean(sizes), fmean(sizes)


def check(left: dict[str, int], slope: float, size: float, cycles: int) -> None:
    print(f"{cycles} cycles: left {left or 'nothing'}, {size:.1f} MiB with a slope of {100 * slope:+.3f} %")
    assert left == {}
    assert slope < 0.01


@pytest.mark.parametrize("cycles", [200, pytest.param(2000, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_connecting_and_closing_leaves_nothing(cycles: int) -> None:
    """Issue 4, Done-when 6."""
    check(*asyncio.run(churn(live, cycles)), cycles)


@pytest.mark.parametrize("cycles", [100, pytest.param(1000, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_wish_4_connect_close_cycles_leave_objects_and_sockets_flat(cycles: int) -> None:
    """Wish 4, in the shape of a server: everybody on one port."""

    async def main() -> tuple[dict[str, int], float, float]:
        async with server() as visit:
            return await churn(visit, cycles)

    check(*asyncio.run(main()), cycles)


@types.coroutine
def cancelled_at(point: int, work: Coroutine[Any, Any, None]) -> Generator[Any, Any, int]:
    """Run ``work`` and cancel its task where it waits for the ``point``-th time; return how often it waited."""
    waited = 0
    step: Callable[[Any], Any] = work.send
    argument: Any = None
    while True:
        try:
            future = step(argument)
        except StopIteration:
            return waited
        waited += 1
        if waited == point:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        try:
            argument, step = (yield future), work.send
        except BaseException as error:
            argument, step = error, work.throw


async def abrupt() -> None:
    """The same without a context manager around the connecting: whoever is cancelled aborts."""
    one, other = PeerConnection(HERE), PeerConnection(HERE)
    try:
        await talk(one, other)
    finally:
        one.abort()
        other.abort()


@pytest.mark.parametrize("shape", ["graceful", "abrupt", "server"])
def test_a_connect_cancelled_at_each_await_point_leaves_nothing(shape: str) -> None:
    """Issue 4, Done-when 6: at each of the points at which connecting, talking and closing wait."""

    async def sweep(work: Callable[[], Coroutine[Any, Any, None]]) -> tuple[int, int]:
        for _ in range(5):
            await work()
        points = max([await cancelled_at(0, work()) for _ in range(3)])
        await asyncio.sleep(0.05)
        before = census()
        cancelled = 0
        for point in range(1, points + 1):
            try:
                await asyncio.create_task(_as_task(point, work))
            except asyncio.CancelledError:
                cancelled += 1
            await asyncio.sleep(0)
            left = difference(before, census())
            if left:  # farewells of closed sockets take a turn or two of the loop, and may not take longer
                await asyncio.sleep(0.05)
                left = difference(before, census())
            assert left == {}, f"cancelled at await point {point} of {points}"
        return points, cancelled

    async def main() -> tuple[int, int]:
        if shape != "server":
            return await sweep(live if shape == "graceful" else abrupt)
        async with server() as visit:
            return await sweep(visit)  # type: ignore[arg-type]

    points, cancelled = asyncio.run(main())
    print(f"{shape}: {points} await points, {cancelled} cancellations")
    assert points >= 6
    assert cancelled >= points - 3  # the number of waits differs a little between runs


async def _as_task(point: int, work: Callable[[], Coroutine[Any, Any, None]]) -> int:
    return await cancelled_at(point, work())


def test_a_leak_would_be_noticed() -> None:
    kept: list[PeerConnection] = []

    async def leaking() -> None:
        connection = PeerConnection(HERE)
        connection.abort()
        kept.append(connection)

    async def main() -> dict[str, int]:
        return (await churn(leaking, 20))[0]

    left = asyncio.run(main())
    assert left["pystack.peer.connection.PeerConnection"] == 20
