"""Local misuse: a clear error at the call, and nothing changed by it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from math import inf, nan
from pathlib import Path
from typing import Any

import attrs
import pytest

from pystack.aio import UdpMux
from pystack.dtls import Certificate
from pystack.errors import Closed, InvalidArgument, LocalProtocolError, WouldBlock
from pystack.peer import Configuration, IceCandidate, IceServer, PeerConnection, SessionDescription, connect
from pystack.rtp import RtpPacket
from pystack.sdp.jsep import CodecCapability
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair


async def listener(_event: object) -> None: ...


class Awaits:
    async def __call__(self, _event: object) -> None: ...


CERTIFICATE = Certificate.generate(1.7e9)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda peer: peer.create_data_channel(5), "a label and a protocol are texts, not 5"),
        (lambda peer: peer.create_data_channel("a", protocol=b"b"), "a label and a protocol are texts"),
        (
            lambda peer: peer.create_data_channel("a", max_retransmits=1.5),
            "max_retransmits is a whole number from 0 to 65535, not 1.5",
        ),
        (
            lambda peer: peer.create_data_channel("a", max_retransmits=-1),
            "max_retransmits is a whole number from 0 to 65535, not -1",
        ),
        (lambda peer: peer.create_data_channel("a", max_retransmits="1"), "max_retransmits is a whole number"),
        (lambda peer: peer.create_data_channel("a", max_retransmits=True), "max_retransmits is a whole number"),
        (lambda peer: peer.create_data_channel("a", max_retransmits=65536), "from 0 to 65535, not 65536"),
        (
            lambda peer: peer.create_data_channel("a", max_packet_life_time="1"),
            "max_packet_life_time is a whole number",
        ),
        (
            lambda peer: peer.create_data_channel("a", max_packet_life_time=1.5),
            "max_packet_life_time is a whole number",
        ),
        (lambda peer: peer.create_data_channel("a", max_packet_life_time=-1), "max_packet_life_time is a whole number"),
        (lambda peer: peer.create_data_channel("a", max_packet_life_time=70000), "from 0 to 65535, not 70000"),
        (lambda peer: peer.create_data_channel("a", ordered="no"), "ordered is True or False, not 'no'"),
        (lambda peer: peer.create_data_channel("a", negotiated=1, id=1), "negotiated is True or False, not 1"),
        (lambda peer: peer.create_data_channel("a", negotiated=True, id=1.5), "id is a whole number .* not 1.5"),
        (lambda peer: peer.create_data_channel("a", negotiated=True, id="3"), "id is a whole number .* not '3'"),
        (lambda peer: peer.create_data_channel("a", negotiated=True, id=True), "id is a whole number .* not True"),
        (lambda peer: peer.create_data_channel("a", negotiated=True, id=65535), "from 0 to 65534, not 65535"),
        (lambda peer: peer.add_transceiver("video", send_encodings=[1]), "send_encodings has the rids .* not 1"),
        (lambda peer: peer.add_transceiver("video", send_encodings=[{"rid": "q"}]), "themselves as texts, such as"),
        (lambda peer: peer.add_transceiver("video", receive_encodings=5), "receive_encodings is a list of rids"),
        (lambda peer: peer.add_transceiver("video", stream_ids=[3]), "stream_ids: a name is a text, not 3"),
        (lambda peer: peer.add_transceiver("video", stream_ids="abc"), r"stream_ids is a list .* not 'abc'"),
        (lambda peer: peer.add_track("video", stream_ids="abc"), r"stream_ids is a list of texts"),
        (lambda peer: peer.add_track("video", track_id=3), "track_id: a name is a text, not 3"),
        (lambda peer: peer.listen(None), "callback is something to call, not None"),
        (lambda peer: peer.listen(listener), r"cannot be an async def: iterate over events\(\)"),
        (lambda peer: peer.listen(partial(listener)), "cannot be an async def"),
        (lambda peer: peer.listen(Awaits()), "cannot be an async def"),
        (lambda peer: setattr(peer.rtcp, "on_packet", listener), "on_packet is called and not awaited"),
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
        ({"certificate": "x"}, "certificate is a Certificate or None, not 'x'"),
        ({"mux": 3}, "mux is a UdpMux, which .* not 3, which has no method transport"),
        ({"mux": MemoryNetwork}, "mux is a UdpMux"),
        ({"session": None}, "session is a SessionOptions, not None"),
        ({"randomness": None}, "randomness is a Randomness, not None"),
        ({"trace": 3}, "trace is a Trace or None, not 3"),
        ({"debug": 3}, "debug is a folder, a DebugOptions or None, not 3"),
        ({"address_filter": "10.0.0.1"}, "address_filter is something to call"),
        ({"address_filter": listener}, "address_filter is called and not awaited"),
        ({"loopback": "x"}, "loopback is True or False, not 'x'"),
        ({"audio_codecs": ["opus"]}, "audio_codecs has 'opus', which is no CodecCapability"),
        ({"video_codecs": "VP8"}, "video_codecs is a tuple of CodecCapability, not 'VP8'"),
        ({"audio_extensions": [4]}, "audio_extensions has 4, which is no ExtensionCapability"),
        ({"video_extensions": None}, "video_extensions is a tuple"),
        ({"inbox_packets": -1}, "inbox_packets is a whole number that is not negative, not -1"),
        ({"inbox_rtcp": 1.5}, "inbox_rtcp is a whole number"),
        ({"close_timeout": -1}, "close_timeout is a number of seconds that is not negative, not -1"),
        ({"close_timeout": None}, "close_timeout is a number of seconds"),
        ({"close_timeout": "x"}, "close_timeout is a number of seconds"),
        ({"operation_timeout": nan}, "operation_timeout is a number of seconds, or None, not nan"),
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


@pytest.mark.parametrize("number", [-1, 64, 72, 95, 128, "96", 96.5])
def test_a_payload_type_that_would_be_taken_for_rtcp_is_not_configured(number: Any) -> None:
    right = CodecCapability(name="VP8", clock_rate=90000, payload_type=63, rtx=True, rtx_payload_type=96)
    assert Configuration(video_codecs=(right,)).video_codecs == (right,)
    for field in ("payload_type", "rtx_payload_type"):
        with pytest.raises(InvalidArgument, match=f"video_codecs: {field}"):
            Configuration(video_codecs=[attrs.evolve(right, **{field: number})])  # type: ignore[arg-type]


def test_a_configuration_may_name_what_is_only_shaped_like_it() -> None:
    Configuration(debug=Path("folder"), mux=MemoryNetwork(), close_timeout=0, inbox_rtcp=0, operation_timeout=inf)  # type: ignore[arg-type]


def test_the_configuration_of_a_browser_is_refused_with_ours() -> None:
    async def main() -> None:
        wrong: Any
        for wrong in ({"iceServers": []}, {}, "stun:example.org", False):
            with pytest.raises(InvalidArgument, match=r"not \w+; write Configuration\(ice_servers=\[IceServer\."):
                PeerConnection(wrong)

    run(main())


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("turn:user@a.org", "has 'user@a.org' where a host .* given as username="),
        ("stun:h/path", "has 'h/path' where a host name"),
        ("stun:h?transport=udp", "has a query, which only turn"),
        ("stun:h?", "has a query"),
        ("stun:h ", "has 'h ' where a host name"),
        ("stun: h", "has ' h' where"),
        ("stun:h#part", "where a host name"),
        ("stun::3478", "has '' where a host name"),
        ("stun:[1.2.3.4]", "no IPv6 address in its brackets"),
        ("turn:a.org?", "transport must be udp or tcp"),
        (None, "url is one text, such as 'stun:example.org', not None"),
        (["stun:a"], "make one server of each"),
    ],
)
def test_a_url_that_is_none_of_a_server_is_refused(url: Any, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        IceServer.from_url(url, "user", "password")


def test_the_scheme_of_a_server_ignores_case() -> None:
    assert IceServer.from_url("STUN:Example.org") == IceServer(host="Example.org", port=3478)
    relay = IceServer.from_url("TURNS:[::1]:443?transport=TCP", "user", "password")
    assert (relay.host, relay.port, relay.kind, relay.tls, relay.transport) == ("::1", 443, "turn", True, "tcp")
    wrong: Any = 5
    with pytest.raises(InvalidArgument, match="a username and a credential that are texts"):
        IceServer.from_url("turn:a", wrong, "password")


def test_a_negotiated_channel_that_was_refused_leaves_its_identifier_free() -> None:
    async def main() -> None:
        async with PeerConnection(Configuration(certificate=CERTIFICATE, mux=MemoryNetwork())) as peer:
            with pytest.raises(InvalidArgument, match="max_retransmits"):
                peer.create_data_channel("a", negotiated=True, id=3, max_retransmits=65536)
            channel = peer.create_data_channel("a", negotiated=True, id=3, max_retransmits=65535)
            assert (channel.id, channel.max_retransmits) == (3, 65535)
            assert peer.create_data_channel("b", max_packet_life_time=65535).max_packet_life_time == 65535
            wrong: Any
            for wrong in ("x", -1, 1.5, None, True):
                with pytest.raises(InvalidArgument, match="buffered_amount_low_threshold is a whole number"):
                    channel.buffered_amount_low_threshold = wrong
            assert channel.buffered_amount_low_threshold == 0

    run(main())


def test_a_callback_that_would_never_be_awaited_is_refused_at_the_assignment() -> None:
    async def main() -> None:
        async with PeerConnection(Configuration(certificate=CERTIFICATE, mux=MemoryNetwork())) as peer:
            channel = peer.create_data_channel("a")
            transceiver = peer.add_transceiver("video")
            sender, receiver = transceiver.sender, transceiver.receiver
            for thing, names in (
                (channel, ("on_message", "on_close", "on_buffered_amount_low")),
                (receiver, ("on_packet",)),
                (sender, ("on_key_frame_request", "on_layer_key_frame_request")),
                (sender.rtcp, ("on_packet",)),
            ):
                for name in names:
                    for wrong, says in ((listener, "cannot be an async def: "), (3, "is something to call, not 3")):
                        with pytest.raises(InvalidArgument, match=f"{name} .*{says}"):
                            setattr(thing, name, wrong)
                    assert getattr(thing, name) is None
                    setattr(thing, name, print)
                    assert getattr(thing, name) is print
                    setattr(thing, name, None)
            for wrong in (None, listener):
                with pytest.raises(InvalidArgument, match="callback"):
                    receiver.listen(wrong)  # type: ignore[arg-type]

    run(main())


@pytest.mark.parametrize("wrong", ["1", nan, [1], True])
def test_a_time_out_that_is_no_number_is_refused_before_anything_is_waited_for(wrong: Any) -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), Configuration(certificate=CERTIFICATE)) as (one, other):
            channel = one.create_data_channel("data")
            await negotiate(one, other)
            await channel.wait_open(timeout=5)
            there = await other.next_data_channel(timeout=5)
            await channel.write("kept")
            await asyncio.sleep(1)
            receiver = one.add_transceiver("video").receiver
            for call in (
                lambda: channel.write("x", timeout=wrong),
                lambda: channel.writable(timeout=wrong),
                lambda: channel.wait_open(timeout=wrong),
                lambda: channel.close(timeout=wrong),
                lambda: there.read(timeout=wrong),
                lambda: receiver.read(timeout=wrong),
                lambda: one.rtcp.read(timeout=wrong),
                lambda: one.wait_connected(timeout=wrong),
                lambda: one.wait_gathered(timeout=wrong),
                lambda: one.next_data_channel(timeout=wrong),
                lambda: one.next_track(timeout=wrong),
                lambda: one.close(timeout=wrong),
                lambda: connect(one, other, timeout=wrong),
            ):
                with pytest.raises(InvalidArgument, match="timeout is a number of seconds, or None, not "):
                    await call()
            with pytest.raises(InvalidArgument, match="at is a number of seconds"):
                channel.set_write_deadline(wrong)
            await channel.write("next")
            assert [await there.read(timeout=5), await there.read(timeout=5)] == ["kept", "next"]

    run(main())


def test_a_time_out_names_what_was_awaited_where_it_stands_and_what_to_do() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        async with peer_pair(network, Configuration(certificate=CERTIFICATE)) as (one, other):
            channel = one.create_data_channel("data")
            with pytest.raises(
                TimeoutError,
                match=r'data channel "data" did not open within 0\.3 s; the connection is new: .*set_local_description',
            ):
                await channel.wait_open(timeout=0.3)
            with pytest.raises(
                TimeoutError, match=r"not gathered within 0\.3 s; gathering is new: call set_local_desc"
            ):
                await one.wait_gathered(timeout=0.3)
            with pytest.raises(TimeoutError, match=r'data channel "data": the write deadline has passed; .* is new'):
                await channel.write("x", timeout=0.3)
            await negotiate(one, other)
            await channel.wait_open(timeout=5)
            network.black_hole()
            await asyncio.sleep(12)
            assert one.connection_state == "disconnected"
            with suppress(WouldBlock):
                for _ in range(1000):
                    channel.write_nowait(bytes(60000))
            with pytest.raises(TimeoutError, match="has passed; the connection is disconnected: the path is gone"):
                await channel.write(bytes(60000), timeout=0.1)
            channel.set_write_deadline(asyncio.get_running_loop().time())
            with pytest.raises(TimeoutError, match=r'channel "data": .* has passed; the connection is disconnected'):
                await channel.write("late")

    run(main())


def test_connect_is_between_two_that_live_and_says_how_long_it_was_given() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        one, other = (PeerConnection(Configuration(certificate=CERTIFICATE, mux=network)) for _ in range(2))
        one.create_data_channel("data")
        wrong: Any = None
        for pair, says in (
            ((one, one), "the same connection"),
            ((one, wrong), "answerer is a PeerConnection, not NoneType"),
            ((wrong, one), "offerer is a PeerConnection, not NoneType"),
        ):
            with pytest.raises(InvalidArgument, match=says):
                await connect(*pair)
        other.abort()
        for pair in ((one, other), (other, one)):
            with pytest.raises(Closed, match="peer connection closed locally"):
                await connect(*pair)
        assert one.signaling_state == "stable"
        assert one.local_description is None
        third = PeerConnection(Configuration(certificate=CERTIFICATE, mux=network))
        with pytest.raises(TimeoutError, match=r"not connected within 0 s; \w"):
            await connect(one, third, timeout=0)
        one.abort()
        third.abort()

    run(main())


def test_what_is_no_list_of_codecs_and_no_name_of_one_is_refused() -> None:
    async def main() -> None:
        async with PeerConnection(Configuration(certificate=CERTIFICATE, mux=MemoryNetwork())) as peer:
            transceiver = peer.add_transceiver("video")
            wrong: Any
            for wrong in (None, "VP8", 5):
                with pytest.raises(InvalidArgument, match="codecs is a list of those of transceiver"):
                    transceiver.set_codec_preferences(wrong)
            for wrong in (None, 3, b"VP8"):
                with pytest.raises(InvalidArgument, match="name is that of a codec, such as 'VP8', not"):
                    transceiver.sender.require_codec(wrong)
            for wrong in (None, "text", 3):
                with pytest.raises(InvalidArgument, match="data is the bytes of an RTP packet, not"):
                    transceiver.sender.write_raw(wrong)
                with pytest.raises(InvalidArgument, match="packet is RTCP, such as a Pli"):
                    transceiver.sender.rtcp.write(wrong)
            assert not transceiver.sender.write_raw(bytearray(RtpPacket(payload=b"x").serialize()))  # type: ignore[arg-type]

    run(main())


@pytest.mark.parametrize("wrong", [None, {"type": "offer", "sdp": ""}, 3])
def test_json_is_read_from_a_text(wrong: Any) -> None:
    for kind in (SessionDescription, IceCandidate):
        with pytest.raises(
            InvalidArgument, match=f"JSON text of .*, not {type(wrong).__name__}; .* make {kind.__name__}"
        ):
            kind.from_json(wrong)


def test_a_lone_surrogate_arrives_as_the_replacement_character() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), Configuration(certificate=CERTIFICATE)) as (one, other):
            channel = one.create_data_channel("data")
            await negotiate(one, other)
            there = await other.next_data_channel(timeout=5)
            for sent, arrives in (
                ("\ud800", "\ufffd"),
                ("a\udc00b\ud800", "a\ufffdb\ufffd"),
                ("\ud83d\ude00é", "\U0001f600é"),  # a pair is one character, as in a browser
                ("\ude00\ud83d?", "\ufffd\ufffd?"),
                ("plain €", "plain €"),
            ):
                await channel.write(sent)
                assert await there.read(timeout=5) == arrives

    run(main())


def test_a_rollback_that_is_not_legal_says_whose_it_was() -> None:
    async def main() -> None:
        async with PeerConnection(Configuration(certificate=CERTIFICATE, mux=MemoryNetwork())) as peer:
            with pytest.raises(
                LocalProtocolError, match="a rollback as local description is not legal in state stable"
            ):
                await peer.set_local_description(SessionDescription("rollback"))
            with pytest.raises(
                LocalProtocolError, match="a rollback as remote description is not legal in state stable"
            ):
                await peer.set_remote_description(SessionDescription("rollback"))

    run(main())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"port": "80"}, "port must be 0 to 65535, not '80'"),
        ({"port": 70000}, "port must be 0 to 65535, not 70000"),
        ({"tcp_port": 1.5}, "tcp_port must be 0 to 65535, not 1.5"),
        ({"advertise": "192.0.2.1"}, r"advertise is a list of addresses, such as \['192.0.2.1'\]"),
        ({"advertise": [5]}, "advertise must be an IPv4 or IPv6 address, not 5"),
        ({"host": 5}, "host is an address or a list of them, not 5"),
        ({"host": [5]}, "not 5"),
    ],
)
def test_a_port_that_cannot_be_opened_is_refused_before_a_socket_is_made(options: dict[str, Any], says: str) -> None:
    async def main() -> None:
        with pytest.raises(InvalidArgument, match=says):
            await UdpMux.open(**options)

    run(main())


def test_a_time_out_on_a_connection_that_stands_says_that_the_other_side_does_not_read() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), Configuration(certificate=CERTIFICATE)) as (one, other):
            channel = one.create_data_channel("data")
            await negotiate(one, other)
            await channel.wait_open(timeout=5)
            await other.wait_connected(timeout=5)
            with suppress(WouldBlock):
                for _ in range(1000):
                    channel.write_nowait(bytes(60000))
            for _ in range(400):  # until the window of who does not read is full as well
                with suppress(TimeoutError):
                    await channel.write(bytes(60000), timeout=0.1)
            with pytest.raises(TimeoutError, match="has passed; the connection is connected: the other side does not"):
                await channel.write(bytes(60000), timeout=0.1)

    run(main())
