"""Data channels: ICE, DTLS and SCTP over UDP on 127.0.0.1, CRC on, against aiortc's peer connection.

``*-1proc`` has both ends in one process and one event loop. ``*-2proc`` has one process each; the peer swings there by
a factor of ten for reasons of its own, so that ratio is printed and promises nothing.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable

from benchmarks.clock import cpu_seconds
from benchmarks.ends import AiortcEnd, End, OurEnd
from benchmarks.rounds import Benchmark, Case

_LIMIT = 240.0


def _one_process(make: Callable[[], End], size: int, total: int) -> Callable[[], float]:
    async def run() -> float:
        sender, receiver = make(), make()
        await sender.accept(await receiver.answer(await sender.offer()))
        await sender.opened()
        message = bytes(size)
        await _move(sender, receiver, message, total // 8)
        before, start = receiver.received, cpu_seconds()
        await _move(sender, receiver, message, total)
        value = (cpu_seconds() - start) / (receiver.received - before) * 1e9
        await sender.close()
        await receiver.close()
        return value

    return lambda: asyncio.run(asyncio.wait_for(run(), _LIMIT))


async def _move(sender: End, receiver: End, message: bytes, total: int) -> None:
    until = receiver.received + total // len(message) * len(message)
    for _ in range(total // len(message)):
        await sender.send(message)
    while receiver.received < until:  # noqa: ASYNC110 - the two stacks have no event in common
        await asyncio.sleep(0.001)


def _two_processes(kind: str, make: Callable[[], End], size: int, total: int) -> Callable[[], float]:
    async def run() -> float:
        other = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.datachannel",
            kind,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=1 << 20,
        )
        assert other.stdin is not None
        assert other.stdout is not None
        sender = make()
        other.stdin.write(json.dumps(await sender.offer()).encode() + b"\n")
        await sender.accept(json.loads(await other.stdout.readline()))
        await sender.opened()
        message = bytes(size)
        costs: list[float] = []
        start = 0.0
        for amount in (total // 8, total):
            start = cpu_seconds()
            other.stdin.write(json.dumps(amount // size * size).encode() + b"\n")
            for _ in range(amount // size):
                await sender.send(message)
            costs.append(json.loads(await other.stdout.readline()) + cpu_seconds() - start)
        await sender.close()
        other.stdin.close()
        await other.wait()
        return costs[-1] / (total // size * size) * 1e9

    return lambda: asyncio.run(asyncio.wait_for(run(), _LIMIT))


async def _receive(make: Callable[[], End]) -> None:
    """The other process: answer the offer on stdin, then count what each further line asks for."""
    loop = asyncio.get_running_loop()

    async def line() -> str:
        return await loop.run_in_executor(None, sys.stdin.readline)

    receiver = make()
    print(json.dumps(await receiver.answer(json.loads(await line()))), flush=True)
    until = 0
    while amount := await line():
        until += json.loads(amount)
        start = cpu_seconds()
        while receiver.received < until:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)
        print(cpu_seconds() - start, flush=True)
    await receiver.close()


def _case(name: str, size: int, total: int, target: float | None) -> Case:
    if name.endswith("2proc"):
        ours, peer = _two_processes("ours", OurEnd, size, total), _two_processes("peer", AiortcEnd, size, total)
    else:
        ours, peer = _one_process(OurEnd, size, total), _one_process(AiortcEnd, size, total)
    return Case(
        name=name, unit="CPU-s/GB", ours=ours, peer=peer, peer_name="aiortc", peer_package="aiortc", target=target
    )


BENCHMARK = Benchmark(
    name="datachannel",
    title="Data channel over loopback UDP, CPU per byte: how much less than aiortc",
    packages=("cryptography", "crc32c", "aioice", "aiortc"),
    cases=[
        _case("16KiB-1proc", 16 * 1024, 12 << 20, 3.0),
        _case("16KiB-2proc", 16 * 1024, 4 << 20, None),
        _case("1KiB-1proc", 1024, 8 << 20, 3.0),
    ],
)

if __name__ == "__main__":
    asyncio.run(_receive(OurEnd if sys.argv[1] == "ours" else AiortcEnd))
