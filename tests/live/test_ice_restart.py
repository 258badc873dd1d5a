"""ICE restarts under load, on real sockets: DTLS, SRTP and SCTP go on as if nothing had happened."""

import asyncio
import gc
import os

import pytest

from pystack import Configuration, PeerConnection, UdpMux
from pystack.aio import FullIceOptions, FullTransport
from pystack.aio.addresses import local_addresses
from pystack.errors import TransportLost
from pystack.peer import SessionDescription
from pystack.rtp import RtpPacket
from pystack.testing.peers import negotiate

HOST = local_addresses(ipv6=False)[0]
MESSAGES = 400
SIZE = 4000
RESTARTS = 3


def go(main):
    with asyncio.Runner(debug=False) as runner:
        return runner.run(main)


async def until(condition, seconds=10.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - sockets ring no bell
            await asyncio.sleep(0.002)


def pattern(number):
    return number.to_bytes(4, "big") * (SIZE // 4)


def only_host(address):
    return address == HOST


def traffic(connection):
    """What a restart must not touch: the keys, the association, and where SRTP's counters stand."""
    stats = connection.get_stats()
    (sctp,) = (each for each in stats.values() if each["type"] == "sctp-transport")
    (transport,) = (each for each in stats.values() if each["type"] == "transport")
    return (
        transport["dtlsState"],
        transport["dtlsRole"],
        transport["localCertificateId"],
        transport["remoteCertificateId"],
        transport["srtpCipher"],
        sctp["state"],
        connection._session.secured,
    )


@pytest.mark.parametrize("offerer", ["client", "server"])
@pytest.mark.parametrize("server_is", ["full", "lite"])
def test_acceptance_7_ice_restarts_during_a_transfer_and_no_reliable_byte_is_lost_or_reordered(server_is, offerer):
    """Wishes, acceptance test 7: in both offer directions, with transfers in both directions and media beside them."""

    async def main():
        mux = await UdpMux.open(HOST)
        client = PeerConnection(Configuration(address_filter=only_host))
        server = PeerConnection(
            Configuration(mux=mux) if server_is == "lite" else Configuration(address_filter=only_host)
        )
        asking, other = (client, server) if offerer == "client" else (server, client)
        there = client.create_data_channel("there")
        sender = client.add_track("audio", track_id="voice")
        await negotiate(client, server)
        back = await server.next_data_channel(timeout=10)
        track = await server.next_track(timeout=10)
        await there.wait_open(timeout=10)
        before = (traffic(client), traffic(server))
        came = {there: 0, back: 0}
        spoken = heard = 0
        paused = asyncio.Event()

        async def pour(channel):
            for number in range(MESSAGES):
                await channel.write(pattern(number), timeout=20)
                if number >= MESSAGES // 2:
                    await paused.wait()  # the other half goes after the last restart began

        async def drink(channel):
            for number in range(MESSAGES):
                assert await channel.read(timeout=20) == pattern(number), f"message {number} is another"
                came[channel] += 1

        async def speak():
            nonlocal spoken
            while True:
                payload_type = sender.codecs[0].payload_type
                packet = RtpPacket(
                    payload_type=payload_type,
                    sequence_number=spoken & 0xFFFF,
                    timestamp=spoken * 960,
                    payload=b"sound %d" % spoken,
                )
                assert sender.write(packet)
                spoken += 1
                await asyncio.sleep(0.005)

        async def listen():
            nonlocal heard
            async for packet in track.receiver:
                assert packet.payload.startswith(b"sound ")
                heard += 1

        media = [asyncio.ensure_future(speak()), asyncio.ensure_future(listen())]
        ends = set()
        async with asyncio.TaskGroup() as tasks:
            for channel in (there, back):
                tasks.create_task(pour(channel))
                tasks.create_task(drink(channel))
            for number in range(RESTARTS):
                await until(lambda number=number: min(came.values()) >= (number + 1) * MESSAGES // 10)
                ufrags = (client._ice.local_parameters.ufrag, server._ice.local_parameters.ufrag)
                pair = client._ice.selected_pair
                at = heard
                asking.restart_ice()
                await negotiate(asking, other)
                assert ufrags[0] != client._ice.local_parameters.ufrag
                assert ufrags[1] != server._ice.local_parameters.ufrag
                await until(lambda pair=pair: client._ice.selected_pair != pair)  # a new agent, so a new socket
                await until(lambda: server._ice.selected_pair.remote == client._ice.selected_pair.local)
                ends.add(client._ice.selected_pair.local)
                await until(lambda at=at: heard > at + 10)
            paused.set()
        assert came == {there: MESSAGES, back: MESSAGES}
        assert len(ends) == RESTARTS
        assert (traffic(client), traffic(server)) == before
        assert client.connection_state == server.connection_state == "connected"
        for each in media:
            each.cancel()
        await asyncio.gather(*media, return_exceptions=True)
        await until(lambda: _received(server)["packetsReceived"] == spoken)
        assert _received(server)["packetsLost"] == 0  # loopback loses nothing, and neither did we
        await client.close()
        await server.close()
        assert len(mux) == 0
        mux.close()

    go(main())


def _received(connection):
    return next(each for each in connection.get_stats().values() if each["type"] == "inbound-rtp")


@pytest.mark.parametrize("server_is", ["full", "lite"])
def test_a_restart_that_is_rolled_back_leaves_the_path_and_no_socket(server_is):
    async def main():
        mux = await UdpMux.open(HOST)
        client = PeerConnection(Configuration(address_filter=only_host))
        server = PeerConnection(
            Configuration(mux=mux) if server_is == "lite" else Configuration(address_filter=only_host)
        )
        channel = client.create_data_channel("x")
        await negotiate(client, server)
        theirs = await server.next_data_channel(timeout=10)
        await until(lambda: client.connection_state == server.connection_state == "connected")
        gc.collect()
        descriptors = len(os.listdir("/proc/self/fd"))
        ufrags = (client._ice.local_parameters, server._ice.local_parameters)
        pair = client._ice.selected_pair
        for one, two in ((client, server), (server, client)):
            await one.set_local_description(await one.create_offer(ice_restart=True))
            await one.wait_gathered(timeout=5)
            await two.set_remote_description(one.local_description)
            await two.set_remote_description(SessionDescription("rollback"))
            await one.set_local_description(SessionDescription("rollback"))
            assert (client._ice.local_parameters, server._ice.local_parameters) == ufrags
        await until(lambda: len(os.listdir("/proc/self/fd")) == descriptors)
        await channel.write("still here", timeout=5)
        assert await theirs.read(timeout=5) == "still here"
        assert client._ice.selected_pair == pair
        await negotiate(client, server)  # both still want their restart, and one serves both
        await until(lambda: client._ice.selected_pair != pair)
        await channel.write("and here", timeout=5)
        assert await theirs.read(timeout=5) == "and here"
        await client.close()
        await server.close()
        mux.close()
        assert len(asyncio.all_tasks()) == 1

    go(main())


def test_a_restart_can_be_undone_until_it_is_kept_or_used():
    async def main():
        transport = FullTransport(FullIceOptions(ipv6=False))
        assert not transport.undo_restart()
        first = transport.local_parameters
        transport.restart()
        transport.restart()
        assert transport.undo_restart()
        assert not transport.undo_restart()
        assert transport.local_parameters == first
        transport.restart()
        transport.keep_restart()
        assert not transport.undo_restart()
        assert transport.local_parameters != first
        transport.close()
        assert not transport.undo_restart()
        async with await UdpMux.open(HOST) as mux:
            lite = mux.transport()
            first = lite.local_parameters
            assert not lite.undo_restart()
            lite.restart()
            lite.restart()
            assert len(mux._sessions) == 2
            assert lite.undo_restart()
            assert lite.local_parameters == first
            assert len(mux._sessions) == 1
            lite.restart()
            lite.keep_restart()
            assert not lite.undo_restart()
            # Kept, but not in use yet: a second restart gives that generation up, so there is none to go back to.
            lite.restart()
            assert not lite.undo_restart()
            lite.close()
            assert not lite.undo_restart()
            assert len(mux) == 0
        await transport.wait_closed()

    go(main())


def test_an_attempt_keeps_its_deadline_while_a_restart_is_offered():
    async def main():
        transport = FullTransport(FullIceOptions(ipv6=False, connect_timeout=0.3))
        states = []
        transport.on_state = states.append
        transport.gather()
        transport.start(True)  # nobody answers
        transport.restart()
        transport.gather()
        await until(lambda: states == ["checking", "failed"], 2)
        assert isinstance(transport.reason, TransportLost)
        transport.close()
        await transport.wait_closed()
        assert len(asyncio.all_tasks()) == 1

    go(main())


@pytest.mark.parametrize("server_is", ["full", "lite"])
def test_statistics_of_a_restarted_transport_go_on_and_those_of_the_pair_begin_anew(server_is):
    """webrtc-stats: what the transport counts is the sum over its pairs; each number against the other side's."""

    async def main():
        mux = await UdpMux.open(HOST)
        client = PeerConnection(Configuration(address_filter=only_host))
        server = PeerConnection(
            Configuration(mux=mux) if server_is == "lite" else Configuration(address_filter=only_host)
        )
        channel = client.create_data_channel("x")
        await negotiate(client, server)
        theirs = await server.next_data_channel(timeout=10)

        async def exchange():
            for number in range(20):
                await channel.write(pattern(number), timeout=5)
                assert await theirs.read(timeout=5) == pattern(number)
            await until(lambda: client._session.association.outstanding == 0)
            await asyncio.sleep(0.25)  # the last acknowledgement is delayed

        def pair_of(report):
            return report[report["T"]["selectedCandidatePairId"]]

        def numbers():
            ends = [each.get_stats() for each in (client, server)]
            for one, two in (ends, ends[::-1]):
                assert one["T"]["packetsSent"] == two["T"]["packetsReceived"]
                assert one["T"]["bytesSent"] == two["T"]["bytesReceived"]
            return ends

        await exchange()
        before = numbers()
        for report in before:
            for name in ("packetsSent", "packetsReceived", "bytesSent", "bytesReceived"):
                assert pair_of(report)[name] == report["T"][name] > 0
        pair = client._ice.selected_pair
        await negotiate(client, server)  # nothing restarts, nothing begins anew
        client.restart_ice()
        await negotiate(client, server)
        await until(lambda: client._ice.selected_pair.local != pair.local)
        await until(lambda: server._ice.selected_pair.remote == client._ice.selected_pair.local)
        begun = numbers()
        await exchange()
        after = numbers()
        for old, middle, new in zip(before, begun, after, strict=True):
            for name in ("packetsSent", "packetsReceived", "bytesSent", "bytesReceived"):
                assert new["T"][name] > middle["T"][name] >= old["T"][name]
                assert pair_of(new)[name] < new["T"][name]
                assert pair_of(new)[name] - pair_of(middle)[name] == new["T"][name] - middle["T"][name]
            # Another pair has another id, so that nobody subtracts what does not belong together.
            assert pair_of(new)["id"] == pair_of(middle)["id"] != pair_of(old)["id"]
            assert new["T"]["selectedCandidatePairChanges"] == old["T"]["selectedCandidatePairChanges"] + 1
        asked, answered = map(pair_of, after)
        assert asked["requestsSent"] >= 1
        assert asked["responsesReceived"] >= 1
        assert asked["currentRoundTripTime"] < 1
        assert asked["totalRoundTripTime"] >= asked["currentRoundTripTime"]
        assert answered["responsesSent"] == answered["requestsReceived"] >= asked["responsesReceived"]
        assert asked["requestsReceived"] == (0 if server_is == "lite" else asked["responsesSent"])
        await client.close()
        await server.close()
        mux.close()

    go(main())


def test_a_role_conflict_is_settled_once_and_not_again_at_each_restart():
    async def main():
        client = PeerConnection(Configuration(address_filter=only_host))
        server = PeerConnection(Configuration(address_filter=only_host))
        client.create_data_channel("data")
        start = server._ice.start
        server._ice.start = lambda controlling: start(True)  # a conflict: the client offers
        server._ice._agent._tie_breaker = (1 << 64) - 1  # that it wins

        def roles():
            return [each.get_stats()["T"]["iceRole"] for each in (client, server)]

        await negotiate(client, server)
        for each in (client, server):
            await each.wait_connected(timeout=10)
        server._ice.start = start
        settled = roles()
        assert settled == ["controlled", "controlling"]
        for asking, other in ((client, server), (server, client)):
            before = asking._ice._active
            asking.restart_ice()
            await negotiate(asking, other)
            assert [each._ice._agent.ice_controlling for each in (client, server)] == [
                role == "controlling" for role in settled
            ], "no conflict to begin with"
            await until(lambda asking=asking, before=before: asking._ice._active is not before)
            assert roles() == settled
        await client.close()
        await server.close()

    go(main())
