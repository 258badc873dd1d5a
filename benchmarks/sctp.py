"""SCTP: an association pair in memory, no DTLS and no sockets, against aiortc's."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from benchmarks.clock import cpu_seconds
from benchmarks.rounds import Benchmark, Case

MTU = 1188
"""Bytes of an SCTP packet on both sides: what aiortc fills of its 1189."""
_QUEUED = 256 * 1024  # bytes that wait in the sender at most
_PPID = 53
_LOSS_SEED = 7


def _ours(size: int, total: int, loss: float) -> Callable[[], float]:
    def run() -> float:
        from pystack.base import SeededRandomness  # noqa: PLC0415
        from pystack.sctp import Association, AssociationOptions  # noqa: PLC0415
        from pystack.sctp.events import MessageReceived  # noqa: PLC0415

        options = AssociationOptions(mtu=MTU)
        sender, receiver = (Association(options, SeededRandomness(seed)) for seed in (1, 2))
        lost = random.Random(_LOSS_SEED).random
        message = bytes(size)
        clock = time.monotonic
        sender.connect(clock())

        def exchange() -> bool:
            now = clock()
            moved = False
            for source, target in ((sender, receiver), (receiver, sender)):
                packets = source.flush(now)
                for packet in packets:
                    if not loss or lost() >= loss:
                        target.receive(packet, now)
                moved = moved or bool(packets)
            return moved

        for _ in range(8):
            exchange()
        sent = received = 0
        warm = total // 8
        start = cpu_seconds()
        began = 0
        while received < total + began:
            now = clock()
            while sent - received < _QUEUED * 2 and sender.send(1, message, now, ppid=_PPID):
                sent += size
            moved = exchange()
            for event in receiver.take_events():
                if isinstance(event, MessageReceived):
                    received += len(event.data)
                    receiver.consume(event.stream, len(event.data), now)
            sender.take_events()
            if not began and received >= warm:
                began, start = received, cpu_seconds()
            if not moved:
                _advance(sender, receiver, clock)
        return (cpu_seconds() - start) / (received - began) * 1e9

    return run


def _advance(sender: Any, receiver: Any, clock: Callable[[], float]) -> None:
    """Nothing moves until a timer fires: wait for it without burning CPU that would be counted."""
    wait = min(sender.deadline, receiver.deadline) - clock()
    if wait > 0:
        time.sleep(min(wait, 0.05))
    now = clock()
    sender.tick(now)
    receiver.tick(now)


class _Wire:
    """What aiortc's SCTP needs of a DTLS transport; packets wait in one queue, so that nothing nests."""

    def __init__(self, role: str, wires: deque[tuple[_Wire, bytes]], wake: asyncio.Event, loss: float) -> None:
        self.state = "connected"
        self._role = role
        self._wires = wires
        self._wake = wake
        self._loss = loss
        self._lost = random.Random(_LOSS_SEED).random
        self.other: _Wire | None = None
        self.receiver: Any = None

    def _register_data_receiver(self, receiver: Any) -> None:
        self.receiver = receiver

    def _unregister_data_receiver(self, receiver: Any) -> None:
        self.receiver = None

    async def _send_data(self, data: bytes) -> None:
        assert self.other is not None
        if not self._loss or self._lost() >= self._loss:
            self._wires.append((self.other, data))
            self._wake.set()


def _peer(size: int, total: int, loss: float) -> Callable[[], float]:
    async def run() -> float:
        from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport  # noqa: PLC0415

        queue: deque[tuple[_Wire, bytes]] = deque()
        wake = asyncio.Event()
        client, server = _Wire("client", queue, wake, loss), _Wire("server", queue, wake, loss)
        client.other, server.other = server, client
        sender, receiver = RTCSctpTransport(client), RTCSctpTransport(server)
        received = 0

        async def count(stream_id: int, pp_id: int, data: bytes) -> None:
            nonlocal received
            received += len(data)

        receiver._receive = count

        async def pump() -> None:
            while True:
                if not queue:
                    wake.clear()
                    await wake.wait()
                target, data = queue.popleft()
                await target.receiver._handle_data(data)

        pumping = asyncio.create_task(pump())
        capabilities = RTCSctpCapabilities(maxMessageSize=1 << 20)
        await receiver.start(capabilities, sender.port)
        await sender.start(capabilities, receiver.port)
        while sender._association_state != RTCSctpTransport.State.ESTABLISHED:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.001)
        message = bytes(size)
        most = max(1, _QUEUED // size)
        sent = 0
        warm = total // 8
        start = cpu_seconds()
        began = 0
        while received < total + began:
            while sent * size - received < _QUEUED * 2 and len(sender._outbound_queue) < most * (size // 1160 + 1):
                await sender._send(1, _PPID, message)
                sent += 1
            if not began and received >= warm:
                began, start = received, cpu_seconds()
            await asyncio.sleep(0)
        value = (cpu_seconds() - start) / (received - began) * 1e9
        pumping.cancel()
        return value

    return lambda: asyncio.run(run())


def _case(name: str, size: int, total: int, target: float, loss: float = 0.0) -> Case:
    return Case(
        name=name,
        unit="CPU-s/GB",
        ours=_ours(size, total, loss),
        peer=_peer(size, total, loss),
        peer_name="aiortc",
        peer_package="aiortc",
        target=target,
    )


def _pair(**given: Any) -> tuple[Any, Any, float]:
    """Two associations of ours that stand, with all the room that a curve needs, and their simulated clock."""
    from pystack.base import SeededRandomness  # noqa: PLC0415
    from pystack.sctp import Association, AssociationOptions  # noqa: PLC0415

    room = 64 << 20
    options = AssociationOptions(
        mtu=MTU,
        receive_window=room,
        send_buffer=room,
        stream_send_buffer=room,
        max_congestion_window=room,
        initial_window=20_000,
        max_burst=20_000,
        **given,
    )
    a, b = (Association(options, SeededRandomness(seed)) for seed in (1, 2))
    now = 1000.0
    a.connect(now)
    for _ in range(8):
        for source, target in ((a, b), (b, a)):
            for packet in source.flush(now):
                target.receive(packet, now)
    return a, b, now


def _answer(a: Any, b: Any, now: float) -> None:
    from pystack.sctp.events import MessageReceived  # noqa: PLC0415

    for packet in b.flush(now):
        a.receive(packet, now)
    for event in b.take_events():
        if isinstance(event, MessageReceived):
            b.consume(event.stream, len(event.data), now)
    a.take_events()


def _flight(count: int, packets: int = 20_000) -> Callable[[], float]:
    """CPU of both ends per packet while so many are under way: a line of that length between them."""

    def run() -> float:
        a, b, now = _pair()
        message = bytes(MTU - 12 - 20)
        line: deque[bytes] = deque()
        start = 0.0
        for number in range(packets + count):
            if number == count:
                start = cpu_seconds()
            now += 1e-6
            a.send(1, message, now, ppid=_PPID)
            line.extend(a.flush(now))
            if number >= count:
                b.receive(line.popleft(), now)
                _answer(a, b, now)
        return (cpu_seconds() - start) / packets * 1e6

    return run


def _gaps(count: int, packets: int = 20_000) -> Callable[[], float]:
    """The same while so many holes stand open and everything is acknowledged at once, as it must be then."""

    def run() -> float:
        # With RACK the holes would be sent again each round trip: work of another kind, and this is about their count.
        a, b, now = _pair(sack_every=1, rack=False, tail_loss_probe=False)
        message = bytes(MTU - 12 - 20)
        for number in range(2 * count + 8):
            a.send(1, message, now, ppid=_PPID, ordered=False)
            packet = a.flush(now)[-1]
            if number % 2 or number >= 2 * count:
                b.receive(packet, now)
        for _ in range(3):
            _answer(a, b, now)
            a.flush(now)  # what is sent again is lost again
        start = cpu_seconds()
        for _ in range(packets):
            now += 1e-6
            a.send(1, message, now, ppid=_PPID, ordered=False)
            b.receive(a.flush(now)[-1], now)
            _answer(a, b, now)
        return (cpu_seconds() - start) / packets * 1e6

    return run


def _curve(name: str, ours: Callable[[], float], base_name: str, base: Callable[[], float]) -> Case:
    """A point of a curve against its beginning: it may cost half as much again."""
    return Case(
        name=name,
        unit="CPU-us/packet",
        ours=ours,
        peer=base,
        peer_name=base_name,
        peer_package="crc32c",
        target=1 / 1.5,
    )


BENCHMARK = Benchmark(
    name="sctp",
    title="SCTP pair in memory, CPU per byte: how much less than aiortc",
    packages=("crc32c", "aiortc"),
    cases=[
        _case("64B", 64, 1 << 20, 10.0),  # long enough for the windows to be as large as what is queued
        _case("1KiB", 1024, 8 << 20, 2.5),
        _case("16KiB", 16 * 1024, 16 << 20, 2.5),
        _case("256KiB", 256 * 1024, 16 << 20, 2.5),
        _case("16KiB-loss1", 16 * 1024, 8 << 20, 2.5, loss=0.01),
        *(_curve(f"flight-{count}", _flight(count), "flight-10", _flight(10)) for count in (100, 1000, 10_000)),
        *(_curve(f"gaps-{count}", _gaps(count), "gaps-0", _gaps(0)) for count in (1, 10, 100, 260)),
    ],
)
