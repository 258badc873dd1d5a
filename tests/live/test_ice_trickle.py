"""Connections whose candidates trickle, hide behind ``.local`` names, or are IPv6, on real sockets."""

import asyncio
import re
import socket

import pytest

from pystack import Configuration, PeerConnection, UdpMux
from pystack.aio.addresses import local_addresses
from pystack.peer import IceCandidate, IceCandidateFound, SessionDescription

HOST = local_addresses(ipv6=False)[0]


def of_type(connection, kind):
    (found,) = (entry for entry in connection.get_stats().values() if entry["type"] == kind)
    return found


def has_ipv6_loopback():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def only(*addresses):
    return lambda address: address in addresses


def trickle(source, target, change=lambda text: text):
    """Carry what ``source`` finds to ``target``, each as soon as it is found; return what was carried."""
    carried = []
    tasks = set()

    def heard(event):
        if isinstance(event, IceCandidateFound):
            found = event.candidate
            if found is not None:
                found = IceCandidate(
                    change(found.candidate), found.sdp_mid, found.sdp_m_line_index, found.username_fragment
                )
            carried.append(found)
            task = asyncio.ensure_future(target.add_ice_candidate(found))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    source.listen(heard)
    return carried


def bare(description):
    """A description as it is before anything was gathered."""
    lines = [line for line in description.sdp.split("\r\n") if not re.match("a=(candidate|end-of-candidates)", line)]
    return SessionDescription(description.type, "\r\n".join(lines))


async def exchange(offerer, answerer):
    await offerer.set_local_description()
    await answerer.set_remote_description(bare(offerer.local_description))
    await answerer.set_local_description()
    await offerer.set_remote_description(bare(answerer.local_description))


async def talk(one, other, channel):
    await one.wait_connected(timeout=10)
    await other.wait_connected(timeout=10)
    await channel.write("hello", timeout=5)
    assert await (await other.next_data_channel(timeout=5)).read(timeout=5) == "hello"


@pytest.mark.parametrize("server_is", ["full", "lite"])
def test_candidates_trickle_both_ways_and_end(server_is):
    async def main():
        async with await UdpMux.open(HOST) as mux:
            full = Configuration(address_filter=only(HOST))
            async with (
                PeerConnection(full) as client,
                PeerConnection(Configuration(mux=mux) if server_is == "lite" else full) as server,
            ):
                channel = client.create_data_channel("x")
                there, back = trickle(client, server), trickle(server, client)
                await exchange(client, server)
                await talk(client, server, channel)
                await client.wait_gathered(timeout=5)
                await server.wait_gathered(timeout=5)
                for carried, connection in ((there, client), (back, server)):
                    assert carried[-1] is None
                    assert all(each.username_fragment and each.sdp_mid == "0" for each in carried[:-1])
                    assert len(carried) == 2
                    assert connection.local_description.sdp.count("a=end-of-candidates") == 1
                    assert connection.local_description.sdp.count("a=candidate:") == 1

    asyncio.run(main())


def test_names_that_end_in_local_are_taken_quietly_and_the_other_sides_checks_are_enough():
    async def main():
        full = Configuration(address_filter=only(HOST))
        async with PeerConnection(full) as hiding, PeerConnection(full) as plain:
            channel = hiding.create_data_channel("x")
            carried = trickle(
                hiding, plain, lambda text: text.replace(HOST, "0ee2bd4a-9d6c-4d5a-a5c9-2cf3b2b2f0a1.local")
            )
            trickle(plain, hiding)
            await exchange(hiding, plain)
            await talk(hiding, plain, channel)
            assert ".local" in carried[0].candidate
            assert plain._ice.counters()["candidate_mdns"] == 1
            assert of_type(plain, "remote-candidate")["candidateType"] == "prflx"

    asyncio.run(main())


@pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no IPv6")
@pytest.mark.parametrize("server_is", ["full", "lite"])
def test_ipv6_alone_is_enough(server_is):
    async def main():
        async with await UdpMux.open("::1") as mux:
            full = Configuration(address_filter=only("::1"), loopback=True, port_range=(20_000, 60_000))
            async with (
                PeerConnection(full) as client,
                PeerConnection(Configuration(mux=mux) if server_is == "lite" else full) as server,
            ):
                channel = client.create_data_channel("x")
                trickle(client, server)
                trickle(server, client)
                await exchange(client, server)
                await talk(client, server, channel)
                for connection in (client, server):
                    assert of_type(connection, "local-candidate")["address"] == "::1"
                    assert of_type(connection, "remote-candidate")["address"] == "::1"
                assert 20_000 <= of_type(client, "local-candidate")["port"] <= 60_000

    asyncio.run(main())
