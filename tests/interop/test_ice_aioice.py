"""Our transports against an unmodified aioice, as aiortc uses it: over loopback, in both roles."""

import asyncio
from pathlib import Path as FilePath

import aioice
import pytest
from aioice import stun as peer_stun

from pystack.aio import FullIceOptions, FullTransport, IceParameters, UdpMux
from pystack.ice import ConsentOptions
from pystack.ice.stun import BINDING, Attribute, StunClass, binding_request, build, encode_xor_address, parse

RECORDED = (FilePath(__file__).parents[1] / "vectors" / "stun" / "browsers.hex").read_text().split()


def go(main):
    asyncio.run(main)


async def until(condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - sockets ring no bell
            await asyncio.sleep(0.002)


async def connect_to_peer(ours, *, peer_controls, trickle_ours=True):
    peer = aioice.Connection(ice_controlling=peer_controls)
    await peer.gather_candidates()
    states, data = [], []
    ours.on_state = states.append
    ours.on_datagrams = lambda batch, now: data.extend(batch)
    ours.gather()
    ours.set_remote_parameters(IceParameters(peer.local_username, peer.local_password))
    for candidate in peer.local_candidates:
        ours.add_remote_candidate("candidate:" + candidate.to_sdp())
    ours.add_remote_candidate("")
    peer.remote_username = ours.local_parameters.ufrag
    peer.remote_password = ours.local_parameters.pwd
    peer.remote_is_lite = ours.local_parameters.lite
    for line in ours.local_candidates:
        await peer.add_remote_candidate(aioice.Candidate.from_sdp(line.removeprefix("candidate:")))
    await peer.add_remote_candidate(None)
    ours.start(not peer_controls)
    async with asyncio.timeout(10):
        await peer.connect()
    await until(lambda: ours.state == "connected")
    assert ours.send([b"\x80 from us"]) == 1
    assert await peer.recv() == b"\x80 from us"
    await peer.send(b"\x80 from the peer")
    await until(lambda: data == [b"\x80 from the peer"])
    return peer, states


@pytest.mark.parametrize("peer_controls", [True, False])
def test_full_ice_connects_to_an_unmodified_agent(peer_controls):
    async def main():
        patience = ConsentOptions(interval=0.05, disconnected_after=0.3, failed_after=0.1)
        ours = FullTransport(FullIceOptions(consent=patience))
        peer, states = await connect_to_peer(ours, peer_controls=peer_controls)
        await asyncio.sleep(0.6)
        assert ours.state == "connected"  # it answers our consent requests
        await peer.close()
        await until(lambda: ours.state == "failed")
        assert states == ["checking", "connected", "disconnected", "failed"]
        ours.close()
        await ours.wait_closed()

    go(main())


def test_the_port_connects_to_an_unmodified_agent():
    async def main():
        async with await UdpMux.open() as mux:
            ours = mux.transport()
            peer, states = await connect_to_peer(ours, peer_controls=True)
            assert states == ["checking", "connected"]
            await peer.close()
            ours.close()

    go(main())


def test_messages_of_ours_are_read_by_the_peer():
    request = binding_request(bytes(12), "them:us", b"key", priority=77, tie_breaker=9, use_candidate=True)
    message = peer_stun.parse_message(request)
    assert message.check_message_integrity(b"key")
    assert message.attributes["USERNAME"] == "them:us"
    assert message.attributes["PRIORITY"] == 77
    assert message.attributes["ICE-CONTROLLING"] == 9
    assert "USE-CANDIDATE" in message.attributes
    for host in ("192.0.2.1", "2001:db8::7"):
        mapped = encode_xor_address(host, 4711, bytes(12))
        answer = build(BINDING, StunClass.SUCCESS, bytes(12), [(Attribute.XOR_MAPPED_ADDRESS, mapped)], key=b"key")
        assert peer_stun.parse_message(answer).attributes["XOR-MAPPED-ADDRESS"] == (host, 4711)


def test_messages_of_the_peer_are_read_by_us():
    message = peer_stun.Message(peer_stun.Method.BINDING, peer_stun.Class.ERROR)
    message.attributes["ERROR-CODE"] = (487, "Role Conflict")
    message.add_message_integrity(b"key")
    ours = parse(bytes(message))
    assert ours.message_class is StunClass.ERROR
    assert ours.error == (487, "Role Conflict")
    assert ours.authentic(b"key")


@pytest.mark.parametrize("text", RECORDED)
def test_what_browsers_send_both_read_alike(text):
    data = bytes.fromhex(text)
    ours = parse(data)
    theirs = peer_stun.parse_message(data)
    assert ours.transaction_id == theirs.transaction_id
    assert ours.username == theirs.attributes.get("USERNAME")
    assert ours.mapped_address == theirs.attributes.get("XOR-MAPPED-ADDRESS")
