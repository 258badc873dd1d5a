"""Forwarding: one publisher's video to many subscribers, the server's CPU alone, against the floor of Python.

``*-equal`` sends bursts of sixteen packets of 1,100 bytes, ``*-real`` frames of many sizes as an encoder makes them.
Ours are rooms as clients join them: real sessions, numbers and extensions rewritten, histories kept. The floor is a
loop that does nothing else (``forward_floor``). Clients are in this process and are not counted.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.forward_floor import KEY, SSRC, protect
from benchmarks.rounds import Benchmark, Case
from benchmarks.traffic import bursts

_LIMIT = 240.0
_PACKETS = 8_000
"""Sent, at least, in one sample; fewer where many receive each."""
_FORWARDED = 200_000
_PATIENCE = 0.2
"""Seconds after which a burst counts as arrived, whatever is missing."""
_KEY_FRAME, _FRAME = b"\x10\x00", b"\x10\x01"  # how VP8 payloads begin


class _Process:
    """A child that says how much CPU it has used."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    async def ask(self, line: str = "") -> str:
        """Write a line, and read one."""
        assert self._child.stdin is not None
        self._child.stdin.write(f"{line}\n".encode())
        return await self.hear()

    async def hear(self) -> str:
        """Read a line."""
        assert self._child.stdout is not None
        return (await self._child.stdout.readline()).decode().strip()


@asynccontextmanager
async def _started(module: str) -> Any:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield _Process(child)
    finally:
        assert child.stdin is not None
        child.stdin.close()
        try:
            await asyncio.wait_for(child.wait(), 10)
        except TimeoutError:
            child.kill()


async def _pump(
    process: _Process, kind: str, receivers: int, send: Callable[[int, int, bool], None], received: Callable[[], int]
) -> float:
    """Send bursts, each when the one before has arrived; return CPU microseconds per forwarded packet."""
    sizes = bursts(kind)
    cost, forwarded, number = 0.0, 0, 0
    amount = min(_PACKETS * receivers, _FORWARDED)
    for wanted in (amount // 6, amount):  # the first is to warm up
        before, since = float(await process.ask()), received()
        while received() - since < wanted:
            number += 1
            burst = next(sizes)
            goal = received() + len(burst) * receivers
            for index, size in enumerate(burst):
                send(number, size, index == len(burst) - 1)
            await _arrive(received, goal)
        cost, forwarded = float(await process.ask()) - before, received() - since
    return cost / forwarded * 1e6


async def _arrive(received: Callable[[], int], goal: int) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + _PATIENCE
    while received() < goal and loop.time() < until:  # noqa: ASYNC110 - what is waited for comes from another process
        await asyncio.sleep(0.0005)


def _ours(kind: str, subscribers: int) -> Callable[[], float]:
    async def run() -> float:
        from benchmarks.forward_room import Client  # noqa: PLC0415
        from pystack import RtpPacket  # noqa: PLC0415

        async with _started("benchmarks.forward_room") as process, aiohttp.ClientSession(await process.hear()) as http:
            publisher = Client(http, "publisher")
            await publisher.join()
            sender = await publisher.publish()
            viewers = [Client(http, f"viewer{number}") for number in range(subscribers)]
            for viewer in viewers:
                await viewer.join()
            payload_type = sender.require_codec("VP8").payload_type
            numbers = iter(range(1 << 40))

            def send(frame: int, size: int, last: bool) -> None:
                number = next(numbers)
                start = _KEY_FRAME if number % 1000 == 0 or number < 200 else _FRAME
                packet = RtpPacket(
                    payload_type=payload_type,
                    marker=last,
                    sequence_number=number & 0xFFFF,
                    timestamp=frame * 3000 & 0xFFFFFFFF,
                    payload=start + bytes(size - 2),
                )
                sender.write(packet, payload_type=payload_type)

            def received() -> int:
                return sum(viewer.received for viewer in viewers)

            for _ in range(100):  # until all have begun
                send(0, 100, True)
                await asyncio.sleep(0.02)
                if all(viewer.received for viewer in viewers):
                    break
            value = await _pump(process, kind, subscribers, send, received)
            for client in (publisher, *viewers):
                await client.close()
            return value

    return lambda: asyncio.run(asyncio.wait_for(run(), _LIMIT))


class _Viewers:
    """Sockets in the place of viewers; they count and look at nothing."""

    def __init__(self, count: int) -> None:
        self.received = 0
        self._sockets = [self._open() for _ in range(count)]
        self.ports = [each.getsockname()[1] for each in self._sockets]
        self._buffer = bytearray(2048)
        for each in self._sockets:
            asyncio.get_running_loop().add_reader(each.fileno(), self._read, each)

    @staticmethod
    def _open() -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        return made

    def _read(self, sock: socket.socket) -> None:
        try:
            while sock.recv_into(self._buffer):
                self.received += 1
        except BlockingIOError:
            return

    def close(self) -> None:
        for each in self._sockets:
            asyncio.get_running_loop().remove_reader(each.fileno())
            each.close()


def _floor(kind: str, subscribers: int) -> Callable[[], float]:
    async def run() -> float:
        viewers, publisher = _Viewers(subscribers), _Viewers._open()
        numbers: Iterator[int] = iter(range(60_000))  # below a roll-over
        cipher = AESGCM(KEY)
        async with _started("benchmarks.forward_floor") as process:
            address = ("127.0.0.1", int(await process.ask(json.dumps({"ports": viewers.ports}))))

            def send(frame: int, size: int, last: bool) -> None:
                second = 96 | last << 7
                publisher.sendto(protect(cipher, SSRC, next(numbers), second, frame * 3000, bytes(size)), address)

            value = await _pump(process, kind, subscribers, send, lambda: viewers.received)
        viewers.close()
        publisher.close()
        return value

    return lambda: asyncio.run(asyncio.wait_for(run(), _LIMIT))


def _case(name: str, kind: str, subscribers: int, target: float | None) -> Case:
    return Case(
        name=name,
        unit="CPU-us",
        ours=_ours(kind, subscribers),
        peer=_floor(kind, subscribers),
        peer_name="the floor of Python, cryptography",
        peer_package="cryptography",
        target=target,
    )


BENCHMARK = Benchmark(
    name="forward",
    title="Forwarding video, the server's CPU per forwarded packet: how near to the floor of Python",
    cases=[
        _case("1-to-10-real", "real", 10, 0.5),
        _case("1-to-10-equal", "equal", 10, 0.5),
        _case("1-to-50-real", "real", 50, 0.5),
        _case("1-to-50-equal", "equal", 50, 0.5),
        *(_case(f"curve-{count}", "real", count, None) for count in (1, 3, 30, 100, 200, 500)),
    ],
    rounds=3,
)
