"""What a stranger can hold of the process's sockets, and what happens when there are none left."""

import asyncio
import contextlib
import logging
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time

import aiohttp
import pytest
from livekit.protocol import rtc

from pystack.aio import Listener
from pystack.aio import accepting as accepting_module
from sfu.server import room_service, serve
from sfu.server.listening import listen
from tests.live.sfu_client import Client, run, serving, token, until

TWIRP = b"POST /twirp/livekit.RoomService/ListRooms HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


async def closed(reader, within):
    """What came until the other side closed."""
    return await asyncio.wait_for(reader.read(), within)


def test_who_asked_once_and_then_says_nothing_is_shown_out(monkeypatch):
    monkeypatch.setattr(serve, "_KEEP_ALIVE", 0.5)

    async def main():
        async with serving() as (server, http):
            ada = await Client(http, "ada").join()
            port = int(server.url.rpartition(":")[2])
            for more in (b"", b"GET /hea"):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + more)
                assert (await closed(reader, 5)).startswith(b"HTTP/1.1 200")
                writer.close()
            assert not ada.left.done()
            assert ada.ws.close_code is None
            await ada.close()

    run(main())


def test_idle_connections_are_kept_for_seconds_not_for_an_hour():
    assert 10 <= serve._KEEP_ALIVE <= 60


def test_a_call_without_a_token_is_refused_before_its_body_came():
    async def main():
        async with serving() as (server, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
            writer.write(TWIRP + b"Content-Length: 100\r\n\r\n{")
            answer = await asyncio.wait_for(reader.readuntil(b"}"), 5)
            assert b" 401 " in answer
            assert b"Authorization: Bearer" in answer
            assert b"?access_token" not in answer
            writer.close()

    run(main())


def test_a_body_that_never_ends_is_refused_in_time(monkeypatch):
    monkeypatch.setattr(room_service, "BODY_TIMEOUT", 0.3)

    async def main():
        async with serving() as (server, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
            bearer = token("x", grants={"roomList": True}).encode()
            writer.write(TWIRP + b"Authorization: Bearer " + bearer + b"\r\nContent-Length: 100\r\n\r\n{")
            answer = await asyncio.wait_for(reader.readuntil(b"}"), 5)
            assert b" 408 " in answer
            writer.close()

    run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_USER_TIMEOUT")
def test_who_asks_and_never_reads_is_ended_by_the_kernel(monkeypatch):
    monkeypatch.setattr("sfu.server.listening._SLOW_READER", 1000)

    async def main():
        async with serving() as (server, _):
            deaf = socket.socket()
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(deaf, ("127.0.0.1", int(server.url.rpartition(":")[2])))

            async def ask():
                while True:
                    await loop.sock_sendall(deaf, b"GET /app.js HTTP/1.1\r\nHost: x\r\n\r\n" * 100)

            with contextlib.suppress(TimeoutError, OSError):
                await asyncio.wait_for(ask(), 1)
            await until(lambda: not server._runner.server.connections, 20)
            deaf.close()

    run(main())


@contextlib.contextmanager
def few_descriptors(more):
    """Only so many descriptors more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_when_descriptors_run_out_there_is_one_line_and_newcomers_wait(monkeypatch, caplog):
    monkeypatch.setattr(accepting_module, "_RETRY", 0.2)

    async def main():
        loop = asyncio.get_running_loop()
        taken = []

        class Taken(asyncio.Protocol):
            def connection_made(self, transport):
                taken.append(transport)

        (where, listener), *_ = (await listen("127.0.0.1", 0, Taken)).items()
        accepts = 0
        accept = loop.sock_accept

        async def counted(sock):
            nonlocal accepts
            accepts += 1
            return await accept(sock)

        monkeypatch.setattr(loop, "sock_accept", counted)
        clients = [socket.socket() for _ in range(40)]
        stack.callback(lambda: [each.close() for each in clients])
        for each in clients:
            each.setblocking(False)
        with few_descriptors(24):
            for each in clients:
                await loop.sock_connect(each, where)  # the kernel takes them into the backlog
            await asyncio.sleep(1.5)
            assert accepts < 24 + 20  # those that fit, and one try every 0.2 s
            assert len(taken) < 24
            os.close(os.open(os.devnull, os.O_RDONLY))  # somebody else still can
            lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
            assert len(lines) == 1, lines
            assert "\n" not in lines[0]
            assert "limit of open files" in lines[0]
            assert "ulimit -n" in lines[0]
        await until(lambda: len(taken) > 24, 5)  # there is room again, and those who waited are taken
        for each in taken:
            each.abort()
        listener.close()
        assert not listener.is_serving
        await asyncio.sleep(0)

    with caplog.at_level(logging.INFO), contextlib.ExitStack() as stack:
        run(main())


def test_a_listener_that_is_closed_lets_go_of_its_port():
    async def main():
        (where, listener), *_ = (await listen("127.0.0.1", 0, asyncio.Protocol)).items()
        await asyncio.sleep(0)
        listener.close()
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*where)
        assert isinstance(listener, Listener)

    run(main())


def test_a_name_that_stands_for_both_families_is_listened_on_at_all_its_addresses():
    async def main():
        async with serving(host="localhost") as (server, http):
            async with http.get("/healthz") as answer:
                assert answer.status == 200
            assert server.url.startswith(("http://127.0.0.1:", "http://[::1]:"))

    run(main())


COMMAND = f"{sys.executable} -m sfu serve --dev --port 0"


def shell(script, **more):
    return subprocess.Popen(
        ["bash", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    )


def test_a_room_goes_on_while_descriptors_are_used_up():
    """All in one process of 64 descriptors: idle connections take them all, and who is there still gets answers."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        media = sock.getsockname()[1]
    with shell(f"ulimit -n 64; exec {COMMAND} --media-port {media}") as process:
        try:
            lines = [process.stdout.readline() for _ in range(9)]
            port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", "".join(lines)).group(1))

            async def main():
                async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
                    ada, bea = await Client(http, "ada").join(), await Client(http, "bea").join()
                    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(60)]
                    held += [await asyncio.open_connection("127.0.0.1", media) for _ in range(60)]
                    began = time.monotonic()
                    while time.monotonic() - began < 3:
                        seen = len(ada.seen)
                        await ada.send(ping_req=rtc.Ping(timestamp=1))
                        await until(lambda seen=seen: len(ada.seen) > seen, 2)
                        await asyncio.sleep(0.1)
                    for _, writer in held:
                        writer.close()
                    await asyncio.sleep(1.5)
                    grace = await Client(http, "grace").join()
                    assert {"ada", "bea"} <= set(grace.people)
                    for each in (ada, bea, grace):
                        await each.close()

            run(main())
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=15) == 0
            told = process.stderr.read().splitlines()
            assert 1 <= sum("limit of open files is used up (64)" in line for line in told) <= 2, told
            assert not any("Traceback" in line for line in told), told
        finally:
            process.kill()
