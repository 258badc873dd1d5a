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


BENCHMARK = Benchmark(
    name="sctp",
    title="SCTP pair in memory, CPU per byte: how much less than aiortc",
    packages=("crc32c", "aiortc"),
    cases=[
        _case("64B", 64, 256 * 1024, 10.0),
        _case("1KiB", 1024, 8 << 20, 2.5),
        _case("16KiB", 16 * 1024, 16 << 20, 2.5),
        _case("256KiB", 256 * 1024, 16 << 20, 2.5),
        _case("16KiB-loss1", 16 * 1024, 8 << 20, 2.5, loss=0.01),
    ],
)
