"""Through a relay alone: Debian's coturn between two of our connections, by UDP and by TCP, and when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pystack import Closed, Configuration, IceServer, PeerConnection, connect
from pystack.aio.addresses import local_addresses

pytestmark = pytest.mark.component("coturn")
HOST = local_addresses(ipv6=False)[0]


def of_type(connection: PeerConnection, kind: str) -> Any:
    (found,) = (entry for entry in connection.get_stats().values() if entry["type"] == kind)
    return found


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


@contextlib.asynccontextmanager
async def coturn(folder: Path) -> AsyncIterator[tuple[int, asyncio.subprocess.Process]]:
    """A relay with one user, ready to answer."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "turnserver",
        "-n",
        "--listening-ip", HOST, "--relay-ip", HOST, "--listening-port", str(port),
        "--lt-cred-mech", "--realm", "test", "--user", "user:secret",
        "--no-tls", "--no-dtls", "--no-cli", "--allow-loopback-peers", "--log-file", "stdout",
        "--pidfile", str(folder / "pid"), "--userdb", str(folder / "db"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(20):
            while True:
                assert process.returncode is None, "coturn does not start"
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(HOST, port)
                    writer.close()
                    break
                await asyncio.sleep(0.05)
        yield port, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def relayed(port: int, transport: str = "udp") -> Configuration:
    server = IceServer.from_url(f"turn:{HOST}:{port}?transport={transport}", "user", "secret")
    return Configuration(ice_servers=(server,), ice_transport_policy="relay")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_two_that_use_relays_alone_talk_and_their_statistics_say_relay(tmp_path, transport):
    async def main():
        async with (
            coturn(tmp_path) as (port, _),
            PeerConnection(relayed(port, transport)) as one,
            PeerConnection(relayed(port, transport)) as two,
        ):
            channel = one.create_data_channel("through the relay")
            await connect(one, two, timeout=20)
            there = await two.next_data_channel(timeout=10)
            data = bytes(range(256)) * 200
            for _ in range(20):
                await channel.write(data, timeout=10)
            for _ in range(20):
                assert await there.read(timeout=10) == data
            for connection in (one, two):
                assert of_type(connection, "local-candidate")["candidateType"] == "relay"
                candidates = [line for line in connection.local_description.sdp.splitlines() if "candidate:" in line]
                assert candidates
                assert all(" typ relay" in line for line in candidates)
            assert of_type(one, "candidate-pair")["bytesSent"] > 20 * len(data)
            assert of_type(two, "candidate-pair")["bytesReceived"] > 20 * len(data)

    asyncio.run(main())


def test_a_relay_that_dies_in_mid_session_is_noticed_and_the_end_is_bounded(tmp_path):
    async def main():
        async with (
            coturn(tmp_path) as (port, process),
            PeerConnection(relayed(port)) as one,
            PeerConnection(relayed(port)) as two,
        ):
            channel = one.create_data_channel("cut")
            await connect(one, two, timeout=20)
            there = await two.next_data_channel(timeout=10)
            process.kill()
            began = time.monotonic()
            writing = asyncio.create_task(write_for_ever(channel))
            reading = asyncio.create_task(there.read())
            while {one.connection_state, two.connection_state} != {"failed"}:
                await asyncio.sleep(0.05)
                assert time.monotonic() - began < 20, "consent: 10 s of silence and 5 s more"
            began = time.monotonic()
            await asyncio.gather(one.close(), two.close())
            assert time.monotonic() - began < 3.5  # two for the peer, one for the relay
            ends = await asyncio.gather(writing, reading, return_exceptions=True)
            assert [type(end) for end in ends] == [Closed, Closed]

    asyncio.run(main())


async def write_for_ever(channel):
    while True:
        await channel.write(bytes(1000))
        await asyncio.sleep(0.001)
