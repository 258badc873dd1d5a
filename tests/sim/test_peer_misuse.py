"""Local misuse: a clear error at the call, and nothing changed by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pystack.dtls import Certificate
from pystack.errors import InvalidArgument
from pystack.peer import Configuration, PeerConnection, SessionDescription
from pystack.rtp import RtpPacket
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

CERTIFICATE = Certificate.generate(1.7e9)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda peer: peer.create_data_channel(5), "a label and a protocol are texts, not 5"),
        (lambda peer: peer.create_data_channel("a", protocol=b"b"), "a label and a protocol are texts"),
        (lambda peer: peer.create_data_channel("a", max_retransmits=1.5), "a whole number of 32 bits, not 1.5"),
        (lambda peer: peer.create_data_channel("a", max_retransmits=-1), "a whole number of 32 bits, not -1"),
        (lambda peer: peer.add_transceiver("text"), "audio or video, not 'text'"),
        (lambda peer: peer.add_transceiver("video", direction="up"), "sendonly, recvonly or inactive, not 'up'"),
        (lambda peer: peer.add_track("text"), "audio or video, not 'text'"),
        (lambda peer: peer.remove_track(None), "another connection"),
    ],
)
def test_what_can_never_be_right_is_refused_at_the_call(call: Callable[[Any], object], says: str) -> None:
    async def main() -> None:
        async with PeerConnection(Configuration(certificate=CERTIFICATE, mux=MemoryNetwork())) as peer:
            with pytest.raises(InvalidArgument, match=says):
                call(peer)
            assert peer.transceivers == ()
            offer = await peer.create_offer()
            assert "m=" not in offer.sdp

    run(main())


@pytest.mark.parametrize("given", ["v=0", None, {"type": "offer", "sdp": ""}])
def test_what_is_no_description_is_refused_and_named(given: Any) -> None:
    async def main() -> None:
        async with PeerConnection(Configuration(certificate=CERTIFICATE, mux=MemoryNetwork())) as peer:
            with pytest.raises(InvalidArgument, match=f"not {type(given).__name__}; make one with"):
                await peer.set_remote_description(given)
            if given is not None:
                with pytest.raises(InvalidArgument, match="a description is a SessionDescription"):
                    await peer.set_local_description(given)
                if not isinstance(given, str):
                    with pytest.raises(InvalidArgument, match=r"IceCandidate\.from_json"):
                        await peer.add_ice_candidate(given)
            assert peer.signaling_state == "stable"

    run(main())


def test_a_description_that_cannot_be_is_not_made() -> None:
    wrong: Any
    for wrong in ("Offer", "", None, b"offer", ["offer"]):
        with pytest.raises(InvalidArgument, match="offer, answer, pranswer or rollback, not"):
            SessionDescription(wrong)
    wrong = b"v=0"
    with pytest.raises(InvalidArgument, match="a str, not bytes"):
        SessionDescription("offer", wrong)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ice_servers": ["stun:example.org"]}, r"IceServer.from_url\('turn:example.org'"),
        ({"ice_servers": "stun:example.org"}, "a tuple of IceServer, not str"),
        ({"ice_transport_policy": "none"}, "all or relay, not 'none'"),
        ({"port_range": (2, 1)}, "the lowest and the highest port"),
        ({"port_range": (1, 65536)}, "the lowest and the highest port"),
        ({"port_range": 5000}, "the lowest and the highest port"),
        ({"bundle_policy": "max-compat"}, "one transport"),
    ],
)
def test_a_configuration_that_cannot_be_is_not_made(options: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        Configuration(**options)


def test_a_message_is_bytes_or_text_and_what_may_change_is_copied() -> None:
    class Text(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "another"

    async def main() -> None:
        async with peer_pair(MemoryNetwork(), Configuration(certificate=CERTIFICATE)) as (one, other):
            channel = one.create_data_channel("data")
            await negotiate(one, other)
            there = await other.next_data_channel(timeout=5)
            wrong: Any
            for wrong in (5, None, ["x"], 1.5):
                with pytest.raises(InvalidArgument, match="a message is bytes or str, not"):
                    await channel.write(wrong)
                with pytest.raises(InvalidArgument, match="a message is bytes or str, not"):
                    channel.write_nowait(wrong)
            await channel.wait_open(timeout=5)
            changing: Any = bytearray(b"as it was")
            await channel.write(changing)
            changing[:2] = b"no"
            view: Any = memoryview(b"0123456789")[2:5]
            channel.write_nowait(view)
            await channel.write(Text("text"))
            assert [await there.read(timeout=5) for _ in range(3)] == [b"as it was", b"234", "text"]
            with pytest.raises(TimeoutError, match=r'data channel "data": nothing came within 0\.5 s'):
                await there.read(timeout=0.5)

    run(main())


def test_a_packet_that_cannot_be_sent_is_refused_and_the_stream_goes_on() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), Configuration(certificate=CERTIFICATE)) as (one, other):
            sender = one.add_track("video", track_id="t")
            await negotiate(one, other)
            await one.wait_connected(timeout=5)
            receiver = (await other.next_track(timeout=5)).receiver
            number = 0

            def packet(**changes: Any) -> Any:
                nonlocal number
                number += 1
                given = {"payload_type": sender.codecs[0].payload_type, "sequence_number": number, "payload": b"x"}
                return RtpPacket(**{**given, **changes})

            for wrong in (
                {"sequence_number": 70000},  # also as the first of all
                {"sequence_number": -1},
                {"sequence_number": 1.5},
                {"timestamp": 1 << 32},
                {"timestamp": -1},
                {"payload": None},
                {"payload": "text"},
            ):
                with pytest.raises(InvalidArgument):
                    sender.write(packet(**wrong))
                assert sender.write(packet())
                assert (await receiver.read(timeout=5))[0].payload == b"x"
            with pytest.raises(InvalidArgument, match="packet is an RtpPacket, not NoneType"):
                sender.write(None)  # type: ignore[arg-type]
            changing = bytearray(b"abc")
            assert sender.write(packet(payload=changing))
            changing[0] = 0
            assert (await receiver.read(timeout=5))[0].payload == b"abc"
            with pytest.raises(InvalidArgument, match="'VP8' is no codec"):
                one.transceivers[0].set_codec_preferences(["VP8"])  # type: ignore[list-item]

    run(main())
