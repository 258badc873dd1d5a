"""STUN and TURN servers that never answer delay neither the answer nor the connection nor the end."""

import asyncio
import socket
import time

from pystack import Configuration, IceServer, PeerConnection, SessionDescription
from pystack.aio.addresses import local_addresses

HOST = local_addresses(ipv6=False)[0]


def silent():
    """Sockets that take everything and say nothing: a dead STUN server, a dead TURN server, one over TCP."""
    udp = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for sock in udp:
        sock.bind((HOST, 0))
    tcp = socket.socket()
    tcp.bind((HOST, 0))
    tcp.listen(8)
    stun, turn, over_tcp = (sock.getsockname()[1] for sock in (*udp, tcp))
    servers = (
        IceServer.from_url(f"stun:{HOST}:{stun}"),
        IceServer.from_url(f"turn:{HOST}:{turn}", "user", "secret"),
        IceServer.from_url(f"turn:{HOST}:{over_tcp}?transport=tcp", "user", "secret"),
        IceServer.from_url("stun:stun.invalid:3478"),
    )
    return (*udp, tcp), servers


def test_wish_6_dead_servers_delay_neither_the_answer_nor_the_connection_nor_the_end():
    async def main():
        sockets, servers = silent()
        spent = []
        for _ in range(5):
            async with PeerConnection() as caller, PeerConnection(Configuration(ice_servers=servers)) as callee:
                channel = caller.create_data_channel("first")
                await caller.set_local_description()
                await caller.wait_gathered(timeout=5)
                began = time.monotonic()
                await callee.set_remote_description(caller.local_description)
                await callee.set_local_description()
                answer = callee.local_description.sdp
                spent.append(time.monotonic() - began)
                assert " typ host" in answer
                assert callee.ice_gathering_state == "gathering"  # the servers are still being asked
                await caller.set_remote_description(SessionDescription("answer", answer))
                await channel.wait_open(timeout=5)
                assert callee.ice_gathering_state == "gathering"
                began = time.monotonic()
                await callee.close()
                assert time.monotonic() - began < 3.5  # two for the peer, one for relays
        print("answers were out after", [f"{1000 * each:.1f} ms" for each in spent])
        assert min(spent) < 0.05
        for sock in sockets:
            sock.close()

    asyncio.run(main())


def test_gathering_from_dead_servers_ends_by_itself_and_is_no_failure():
    async def main():
        sockets, servers = silent()
        async with PeerConnection(Configuration(ice_servers=servers)) as connection:
            connection.create_data_channel("first")
            await connection.set_local_description()
            await connection.wait_gathered(timeout=7)  # five seconds by FullIceOptions.gather_timeout
            assert " typ host" in connection.local_description.sdp
            assert " typ relay" not in connection.local_description.sdp
        for sock in sockets:
            sock.close()

    asyncio.run(main())
