"""Simulcast with rids from our own senders: what is offered, what is agreed, and what arrives (RFC 8853, RFC 8852)."""

from __future__ import annotations

import asyncio
import re
from random import Random
from typing import Any

import pytest

from pystack.dtls import Certificate
from pystack.errors import InvalidArgument
from pystack.peer import Configuration, Direction, PeerConnection, RtpReceiver, RtpSender, SessionDescription
from pystack.rtp import RtpPacket
from pystack.testing.link import LinkOptions
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

CONFIGURATION = Configuration(certificate=Certificate.generate(1.7e9))
LAYERS = ["q", "h", "f"]


def packet(sender: RtpSender, number: int, payload: bytes) -> RtpPacket:
    return RtpPacket(payload_type=sender.codecs[0].payload_type, sequence_number=number, payload=payload)


async def arrivals(receiver: RtpReceiver, count: int) -> dict[str, list[bytes]]:
    came: dict[str, list[bytes]] = {}
    for _ in range(count):
        arrived, rid = await receiver.read(timeout=10)
        came.setdefault(rid, []).append(arrived.payload)
    return came


@pytest.mark.parametrize("direction", ["sendrecv", "sendonly"])
def test_each_layer_arrives_under_its_rid_and_its_own_ssrc(direction: Direction) -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.02)), CONFIGURATION) as (one, other):
            sender = one.add_transceiver("video", direction=direction, track_id="t", send_encodings=LAYERS).sender
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            assert one.local_description is not None
            text = one.local_description.sdp
            assert re.findall(r"a=rid:(\S+) send", text) == LAYERS
            assert "a=simulcast:send q;h;f" in text
            assert "a=ssrc:" not in text, "layers go by their rid"
            assert sender.rids == ("q", "h", "f")
            track = await other.next_track(timeout=5)
            assert track.receiver.rids == ("q", "h", "f")
            for number in range(10):
                for rid in LAYERS:
                    assert sender.write(packet(sender, number, f"{rid}{number}".encode()), rid=rid)
            came = await arrivals(track.receiver, 30)
            assert came == {rid: [f"{rid}{number}".encode() for number in range(10)] for rid in LAYERS}
            outbound = [each for each in one.get_stats().values() if each["type"] == "outbound-rtp"]
            assert sorted(each["packetsSent"] for each in outbound) == [10, 10, 10]
            assert len({each["ssrc"] for each in outbound}) == 3
            assert {each["rid"] for each in outbound} == set(LAYERS)

    run(main())


def test_losses_of_each_layer_are_repaired_in_its_own_stream() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.02)), CONFIGURATION) as (one, other):
            sender = one.add_transceiver("video", track_id="t", send_encodings=LAYERS).sender
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            track = await other.next_track(timeout=5)
            link: Any = one._ice
            sent, chance = 0, Random(3)

            def lose(number: int, data: bytes) -> bool:
                nonlocal sent
                if not 128 <= data[0] < 192 or 192 <= data[1] <= 223:
                    return False
                sent += 1
                return 10 < sent <= 80 and chance.random() < 0.2

            link.link.lose = lose
            for number in range(30):
                for rid in LAYERS:
                    assert sender.write(packet(sender, number, f"{rid}{number}".encode()), rid=rid)
                await asyncio.sleep(0.02)
            came = await arrivals(track.receiver, 90)
            assert {rid: sorted(came[rid]) for rid in LAYERS} == {
                rid: sorted(f"{rid}{number}".encode() for number in range(30)) for rid in LAYERS
            }
            outbound = [each for each in one.get_stats().values() if each["type"] == "outbound-rtp"]
            assert all(each["retransmittedPacketsSent"] for each in outbound), [
                (each["rid"], each["retransmittedPacketsSent"], each["nackCount"]) for each in outbound
            ]

    run(main())


def test_a_key_frame_is_asked_for_layer_by_layer() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.02)), CONFIGURATION) as (one, other):
            sender = one.add_transceiver("video", track_id="t", send_encodings=LAYERS).sender
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            track = await other.next_track(timeout=5)
            for rid in LAYERS:
                sender.write(packet(sender, 1, b"x"), rid=rid)
            await arrivals(track.receiver, 3)
            asked: list[str] = []
            sender.on_layer_key_frame_request = asked.append
            for rid in ("f", "q"):
                track.receiver.request_key_frame(rid)
                await asyncio.sleep(2)
            assert asked == ["f", "q"]

    run(main())


def test_a_peer_that_takes_no_layers_gets_the_first_alone() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), CONFIGURATION) as (one, other):
            sender = one.add_transceiver("video", track_id="t", send_encodings=LAYERS).sender
            await one.set_local_description()
            await one.wait_gathered(timeout=5)
            assert one.local_description is not None
            plain = re.sub(r"a=(rid|simulcast):.*\r\n", "", one.local_description.sdp)
            await other.set_remote_description(SessionDescription("offer", plain))
            await other.set_local_description()
            assert other.local_description is not None
            await one.set_remote_description(other.local_description)
            await one.wait_connected(timeout=10)
            track = await other.next_track(timeout=5)
            assert sender.rids == ()
            assert sender.write(packet(sender, 1, b"default"))
            assert sender.write(packet(sender, 2, b"first"), rid="q")
            assert not sender.write(packet(sender, 3, b"second"), rid="h")
            assert sender.dropped == 1
            assert await arrivals(track.receiver, 2) == {"": [b"default", b"first"]}

    run(main())


def test_a_peer_may_take_some_of_the_layers_and_renegotiation_keeps_their_ssrcs() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), CONFIGURATION) as (one, other):
            sender = one.add_transceiver("video", track_id="t", send_encodings=LAYERS).sender
            await one.set_local_description()
            await one.wait_gathered(timeout=5)
            assert one.local_description is not None
            fewer = one.local_description.sdp.replace("a=rid:h send\r\n", "").replace("send q;h;f", "send q;f")
            await other.set_remote_description(SessionDescription("offer", fewer))
            await other.set_local_description()
            assert other.local_description is not None
            await one.set_remote_description(other.local_description)
            await one.wait_connected(timeout=10)
            assert sender.rids == ("q", "f")
            assert not sender.write(packet(sender, 1, b"h"), rid="h")
            track = await other.next_track(timeout=5)
            before = sender.all_ssrcs
            for _ in range(2):
                assert sender.write(packet(sender, 1 + _, b"f"), rid="f")
                await negotiate(other, one)
                await negotiate(one, other)
                assert sender.all_ssrcs == before
                assert sender.rids[0] == "q"
            assert (await arrivals(track.receiver, 2))["f"] == [b"f", b"f"]

    run(main())


def test_layers_end_with_their_transceiver() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), CONFIGURATION) as (one, other):
            transceiver = one.add_transceiver("video", track_id="t", send_encodings=LAYERS)
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            assert len(one._session.rtp._outbound.senders) == 3
            transceiver.direction = "recvonly"
            await negotiate(one, other)
            assert transceiver.sender.rids == ()
            assert not one._session.rtp._outbound.senders
            transceiver.direction = "sendrecv"
            await negotiate(one, other)
            assert len(one._session.rtp._outbound.senders) == 3
            transceiver.stop()
            assert not one._session.rtp._outbound.senders

    run(main())


async def asked_for(one: PeerConnection, other: PeerConnection) -> tuple[RtpSender, RtpReceiver]:
    """``one`` offers to take layers of the track of ``other``; return the halves of it."""
    sender = other.add_track("video", track_id="t")
    receiver = one.add_transceiver("video", direction="recvonly", receive_encodings=LAYERS).receiver
    await negotiate(one, other)
    await other.wait_connected(timeout=10)
    return sender, receiver


def test_layers_that_we_ask_for_are_sent_by_who_answers() -> None:
    """The offer says ``a=simulcast:recv``, and the answerer's sender takes its rids (W3C 4.4.1.5, RFC 8853)."""

    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.02)), CONFIGURATION) as (one, other):
            sender, receiver = await asked_for(one, other)
            assert one.local_description is not None
            assert other.local_description is not None
            assert re.findall(r"a=rid:(\S+) recv", one.local_description.sdp) == LAYERS
            assert "a=simulcast:recv q;h;f" in one.local_description.sdp
            assert "a=simulcast:send q;h;f" in other.local_description.sdp
            assert receiver.encodings == receiver.rids == sender.encodings == sender.rids == ("q", "h", "f")
            for number in range(10):
                for rid in LAYERS:
                    assert sender.write(packet(sender, number, f"{rid}{number}".encode()), rid=rid)
            assert await arrivals(receiver, 30) == {rid: [f"{rid}{n}".encode() for n in range(10)] for rid in LAYERS}
            await negotiate(other, one)  # the layers stay, whoever offers next
            assert sender.write(packet(sender, 11, b"later"), rid="f")
            assert await arrivals(receiver, 1) == {"f": [b"later"]}

    run(main())


def test_one_who_knows_of_no_layers_sends_the_first_that_was_asked_for() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), CONFIGURATION) as (one, other):
            sender, receiver = await asked_for(one, other)
            assert sender.write(packet(sender, 1, b"plain"))
            assert await arrivals(receiver, 1) == {"q": [b"plain"]}

    run(main())


def test_layers_of_an_offer_that_is_rolled_back_are_forgotten() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), CONFIGURATION) as (one, other):
            sender = other.add_track("video", track_id="t")
            one.add_transceiver("video", direction="recvonly", receive_encodings=LAYERS)
            await one.set_local_description()
            assert one.local_description is not None
            await other.set_remote_description(one.local_description)
            assert sender.encodings == ("q", "h", "f")
            await other.set_remote_description(SessionDescription("rollback", ""))
            assert sender.encodings == ()
            assert sender.ids == (other.transceivers[0].key,)

    run(main())


def test_a_later_offer_and_an_answer_change_no_layers() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), CONFIGURATION) as (one, other):
            sender = other.add_track("video", track_id="t")
            one.add_transceiver("video", direction="recvonly", receive_encodings=["a", "b"])
            await one.set_local_description()
            assert one.local_description is not None
            await other.set_remote_description(one.local_description)
            renamed = one.local_description.sdp.replace("a=rid:a", "a=rid:x").replace("recv a;", "recv x;")
            await other.set_remote_description(SessionDescription("rollback", ""))
            await other.set_remote_description(SessionDescription("offer", renamed))
            assert sender.encodings == ("x", "b")
            await other.set_local_description()
            await other.set_remote_description(one.local_description)
            assert sender.encodings == ("x", "b")
            assert sender.rids == ("x", "b")
            await other.set_local_description()
            assert sender.rids == ("b",), "the layer that was asked for no more ends"
            assert other.local_description is not None
            plain = one.add_transceiver("audio").sender
            answer = other.local_description.sdp
            assert plain.encodings == ()
            await one.set_remote_description(SessionDescription("answer", answer))
            assert plain.encodings == ()

    run(main())


@pytest.mark.parametrize("rids", [["a", "a"], ["a b"], [""], ["ä"], ["x" * 256], [f"r{n}" for n in range(17)], "qhf"])
def test_rids_that_cannot_be_said_are_refused_at_the_call(rids: Any) -> None:
    async def main() -> None:
        connection = PeerConnection(Configuration(certificate=CONFIGURATION.certificate, mux=MemoryNetwork()))
        with pytest.raises(InvalidArgument):
            connection.add_transceiver("video", send_encodings=rids)
        with pytest.raises(InvalidArgument):
            connection.add_transceiver("video", receive_encodings=rids)
        with pytest.raises(InvalidArgument, match="both sent and received"):
            connection.add_transceiver("video", send_encodings=["a", "b"], receive_encodings=["b"])
        with pytest.raises(InvalidArgument, match="extension"):
            connection.add_transceiver("audio", send_encodings=["a"])
        with pytest.raises(InvalidArgument, match="extension"):
            connection.add_transceiver("audio", receive_encodings=["a"])
        assert connection.transceivers == ()
        await connection.close()

    run(main())
