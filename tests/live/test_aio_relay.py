"""Through a relay: allocation, data both ways, malformed servers, and a farewell that never takes long."""

import asyncio
import hashlib
import os
import struct

import pytest

from pystack.aio import FullIceOptions, FullTransport, IceServer
from pystack.aio.addresses import local_addresses
from pystack.aio.udp import bind_udp, open_udp
from pystack.ice.stun import Attribute, StunClass, build, encode_error_code, encode_xor_address, is_stun, parse

HOST = local_addresses(ipv6=False)[0]
ALLOCATE, REFRESH, CHANNEL_BIND = 3, 4, 9
CHANNEL_NUMBER, LIFETIME, XOR_PEER, XOR_RELAYED = 0x0C, 0x0D, 0x12, 0x16
KEY = hashlib.md5(b"user:realm:secret").digest()


class TurnServer:
    """As much of RFC 8656 over UDP as one client needs: long-term credentials, channels, refresh."""

    def __init__(self, loop):
        self.loop = loop
        self.control = open_udp(loop, bind_udp(HOST, 0))
        self.control.on_runs = lambda runs, now: [self.receive(data, who) for who, run in runs for data in run]
        self.relays = {}  # by client
        self.channels = {}  # by client: number -> peer
        self.methods = []
        self.deaf = False

    @property
    def server(self):
        host, port = self.control.address
        return IceServer.from_url(f"turn:{host}:{port}", "user", "secret")

    def receive(self, data, client):
        if self.deaf:
            return
        if not is_stun(data):
            number, length = struct.unpack_from("!HH", data)
            peer = self.channels[client][number]
            self.relays[client].send([data[4 : 4 + length]], peer)
            return
        message = parse(data)
        if not message.integrity_present:
            attributes = [
                (Attribute.ERROR_CODE, encode_error_code(401, "Unauthorized")),
                (0x14, b"realm"),
                (0x15, b"n"),
            ]
            self.control.send([build(message.method, StunClass.ERROR, message.transaction_id, attributes)], client)
            return
        assert message.authentic(KEY)
        self.methods.append(message.method)
        self.control.send(
            [
                build(
                    message.method,
                    StunClass.SUCCESS,
                    message.transaction_id,
                    getattr(self, f"handle_{message.method}")(message, client),
                    key=KEY,
                )
            ],
            client,
        )

    def handle_3(self, message, client):
        relay = open_udp(self.loop, bind_udp(HOST, 0))
        relay.on_runs = lambda runs, now: [self.back(data, who, client) for who, run in runs for data in run]
        self.relays[client] = relay
        self.channels[client] = {}
        return [
            (XOR_RELAYED, encode_xor_address(*relay.address, message.transaction_id)),
            (Attribute.XOR_MAPPED_ADDRESS, encode_xor_address(*client, message.transaction_id)),
            (LIFETIME, struct.pack("!I", 600)),
        ]

    def handle_4(self, message, client):
        if message.get(LIFETIME) == bytes(4):
            self.relays.pop(client).close()
        return [(LIFETIME, message.get(LIFETIME))]

    def handle_9(self, message, client):
        raw = message.get(XOR_PEER)
        pad = b"\x21\x12\xa4\x42"
        host = ".".join(str(a ^ b) for a, b in zip(raw[4:8], pad, strict=True))
        port = struct.unpack_from("!H", raw, 2)[0] ^ 0x2112
        self.channels[client][struct.unpack_from("!H", message.get(CHANNEL_NUMBER))[0]] = (host, port)
        return []

    def back(self, data, peer, client):
        for number, known in self.channels[client].items():
            if known == peer:
                self.control.send([struct.pack("!HH", number, len(data)) + data], client)

    def close(self):
        self.control.close()
        for relay in self.relays.values():
            relay.close()


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - sockets ring no bell
            await asyncio.sleep(0.002)


async def through_a_relay():
    server = TurnServer(asyncio.get_running_loop())
    a = FullTransport(FullIceOptions(policy="relay", servers=(server.server,)))
    b = FullTransport(FullIceOptions(ipv6=False))
    data = {a: [], b: []}
    for transport in (a, b):
        transport.on_datagrams = lambda batch, now, transport=transport: data[transport].extend(batch)
        transport.gather()
    await until(lambda: a.gathering_state == "complete")
    a.set_remote_parameters(b.local_parameters)
    b.set_remote_parameters(a.local_parameters)
    for candidate in a.local_candidates:
        b.add_remote_candidate(candidate)
    for candidate in b.local_candidates:
        a.add_remote_candidate(candidate)
    a.start(True)
    b.start(False)
    await until(lambda: a.state == b.state == "connected")
    return server, a, b, data


def test_a_relay_carries_both_ways_and_is_told_goodbye():
    async def main():
        server, a, b, data = await through_a_relay()
        (line,) = a.local_candidates
        assert " typ relay raddr 0.0.0.0 rport 9" in line
        assert a.selected_pair.local_type == "relay"
        assert b.selected_pair.remote == a.selected_pair.local
        assert a.send([b"\x80 1", b"\x80 2"]) == 2
        assert b.send([b"\x90 3"]) == 1
        await until(lambda: data == {a: [b"\x90 3"], b: [b"\x80 1", b"\x80 2"]})
        a.send([b"\x80 flood"] * 1000)
        assert a.counters()["relay_full"] >= 700
        a.close()
        b.close()
        await a.wait_closed()
        await b.wait_closed()
        assert server.methods[-1] == REFRESH
        assert server.relays == {}
        server.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_a_relay_that_died_holds_up_no_close():
    async def main():
        loop = asyncio.get_running_loop()
        fds = len(os.listdir("/proc/self/fd"))
        server, a, b, _ = await through_a_relay()
        server.deaf = True
        began = loop.time()
        a.close()
        b.close()
        await a.wait_closed()
        await b.wait_closed()
        assert 0.5 < loop.time() - began < 1.5
        server.close()
        await asyncio.sleep(0.01)
        assert len(os.listdir("/proc/self/fd")) == fds
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_a_malformed_relay_is_counted():
    async def main():
        server, a, b, data = await through_a_relay()
        (client,) = server.relays
        attribute = struct.pack("!HH", LIFETIME, 2) + bytes(4)  # two bytes where aioice unpacks four
        bad = struct.pack("!HHI12s", 0x0103, len(attribute), 0x2112A442, bytes(12)) + attribute
        server.control.send([bad, b"\0", b"\x40", os.urandom(30)], client)
        for payload in (b"", b"\x00" * 30, bad):
            (number,) = server.channels[client]
            server.control.send([struct.pack("!HH", number, len(payload)) + payload], client)
        await until(lambda: a.counters()["relay_malformed"] >= 1 and a.counters()["stun_malformed"] >= 1)
        b.send([b"\x80 fine"])
        await until(lambda: data[a] == [b"\x80 fine"])
        a.close()
        b.close()
        await a.wait_closed()
        await b.wait_closed()
        server.close()

    asyncio.run(main())


def test_a_wrong_password_gives_no_candidate():
    async def main():
        server = TurnServer(asyncio.get_running_loop())
        server.handle_3 = None
        good = server.server
        a = FullTransport(
            FullIceOptions(
                policy="relay",
                servers=(IceServer(host=good.host, port=good.port, kind="turn", username="user", credential="no"),),
                gather_timeout=0.3,
            )
        )
        heard = []
        a.on_candidate = heard.append
        errors = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))
        a.gather()
        await until(lambda: a.gathering_state == "complete")
        assert heard == [None]
        assert a.counters()["gather_turn_failed"] == 1
        assert {type(error) for error in errors} <= {AssertionError}  # the server's own
        a.close()
        await a.wait_closed()
        server.close()

    asyncio.run(main())


@pytest.mark.parametrize("when", ["gathering", "gathered"])
@pytest.mark.parametrize("then", ["keep", "undo"])
def test_a_restart_gives_the_relay_back_that_is_not_needed(when, then):
    async def main():
        server = TurnServer(asyncio.get_running_loop())
        a = FullTransport(FullIceOptions(policy="relay", servers=(server.server,)))
        a.gather()
        if when == "gathered":
            await until(lambda: a.gathering_state == "complete")
        a.restart()
        a.gather()
        if when == "gathered":
            await until(lambda: len(server.relays) == 2)
        if then == "keep":
            a.keep_restart()
        else:
            assert a.undo_restart()
        await until(lambda: a.gathering_state == "complete")
        await until(lambda: server.methods.count(REFRESH) == 1)
        assert len(server.relays) == 1
        a.close()
        await a.wait_closed()
        assert server.relays == {}
        server.close()
        await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
