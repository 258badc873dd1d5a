"""Two peer connections on a simulated network and virtual time: connecting, talking, ending."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable

import attrs
import pytest

from pystack.errors import (
    LOCAL,
    Closed,
    HandshakeFailed,
    LocalProtocolError,
    MessageTooLarge,
    PeerClosed,
    TransportLost,
    WouldBlock,
)
from pystack.peer import (
    Configuration,
    DataChannel,
    DataChannelAdded,
    NegotiationNeeded,
    PeerConnection,
    PeerConnectionClosed,
    PeerEvent,
    SessionDescription,
    TrackAdded,
    TrackRemoved,
)
from pystack.rtp import RtpPacket
from pystack.testing.link import LinkOptions
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair


async def next_channel(connection: PeerConnection) -> DataChannel:
    async for event in connection.events():
        if isinstance(event, DataChannelAdded):
            return event.channel
    raise AssertionError("the connection ended")


async def open_pair(one: PeerConnection, other: PeerConnection, label: str = "chat") -> tuple[DataChannel, DataChannel]:
    channel = one.create_data_channel(label)
    added: asyncio.Future[DataChannel] = asyncio.get_running_loop().create_future()

    def hear(event: PeerEvent) -> None:
        if isinstance(event, DataChannelAdded) and not added.done():
            added.set_result(event.channel)

    other.listen(hear)
    await negotiate(one, other)
    await channel.wait_open(timeout=10)
    return channel, await asyncio.wait_for(added, 10)


@pytest.mark.parametrize("loss", [0.0, 0.1])
def test_two_peers_exchange_messages_both_ways(loss: float) -> None:
    async def main() -> None:
        network = MemoryNetwork(LinkOptions(delay=0.02, loss=loss), seed=1)
        async with peer_pair(network) as (one, other):
            left, right = await open_pair(one, other)
            assert (right.label, right.ready_state) == ("chat", "open")
            assert one.connection_state == other.connection_state == "connected"
            for message in ("text", b"bytes", "", b"", "ü" * 1000, bytes(100_000)):
                await left.write(message)
                assert await right.read(timeout=60) == message
                await right.write(message)
                assert await left.read(timeout=60) == message

    run(main())


def test_messages_that_come_before_anybody_reads_are_kept() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.01))) as (one, other):
            channel = one.create_data_channel("early")
            await negotiate(one, other)
            await channel.wait_open(timeout=10)
            for n in range(10):
                await channel.write(str(n))
            await asyncio.sleep(5)
            late = await next_channel(other)
            assert [await late.read(timeout=1) for _ in range(10)] == [str(n) for n in range(10)]
            await channel.write("tapped")
            await asyncio.sleep(1)
            seen: list[bytes | str] = []
            late.on_message = seen.append
            assert seen == ["tapped"]

    run(main())


def test_iterating_a_channel_ends_when_the_peer_closes_it() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            left, right = await open_pair(one, other)

            async def collect() -> list[bytes | str]:
                return [message async for message in right]

            task = asyncio.create_task(collect())
            async with left:
                for n in range(3):
                    await left.write(str(n))
            assert await task == ["0", "1", "2"]
            assert left.ready_state == "closed"
            await asyncio.sleep(1)
            assert right.ready_state == "closed"
            with pytest.raises(Closed):
                await left.write("late")

    run(main())


def test_the_last_message_before_close_is_delivered() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.05, loss=0.05), seed=3)) as (one, other):
            left, right = await open_pair(one, other)
            await left.write(bytes(200_000))
            await left.write("last")
            await asyncio.gather(one.close(timeout=60), _expect(right, [bytes(200_000), "last"]))

    async def _expect(channel: DataChannel, messages: list[bytes | str]) -> None:
        for message in messages:
            assert await channel.read(timeout=60) == message

    run(main())


def test_close_tells_the_peer_and_leaves_nothing() -> None:
    async def main() -> tuple[list[weakref.ref[object]], list[PeerEvent]]:
        network = MemoryNetwork(LinkOptions(delay=0.01))
        heard: list[PeerEvent] = []
        async with peer_pair(network) as (one, other):
            left, right = await open_pair(one, other)
            other.listen(heard.append)
            reader = asyncio.create_task(right.read())
            await one.close()
            with pytest.raises(Closed) as caught:
                await reader
            assert isinstance(caught.value.reason, PeerClosed)
            await asyncio.wait_for(other.wait_closed(), 10)
            assert isinstance(other.reason, PeerClosed)
            refs: list[weakref.ref[object]] = [weakref.ref(thing) for thing in (one, other, left, right)]
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return refs, [event for event in heard if isinstance(event, PeerConnectionClosed)]

    refs, ends = run(main())
    assert len(ends) == 1
    gc.collect()
    assert [ref() for ref in refs] == [None] * 4


def test_close_is_bounded_when_the_peer_is_silent() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        network = MemoryNetwork()
        async with peer_pair(network) as (one, other):
            left, _ = await open_pair(one, other)
            network.black_hole()
            await left.write("into the void")
            start = loop.time()
            await asyncio.gather(one.close(timeout=3), one.close())
            assert loop.time() - start <= 4.001
            assert left.reason == LOCAL
            with pytest.raises(Closed):
                await one.wait_connected()

    run(main())


def test_a_bug_in_a_core_ends_the_connection_instead_of_hanging_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> list[weakref.ref[object]]:
        loop = asyncio.get_running_loop()
        reported: list[dict[str, object]] = []
        loop.set_exception_handler(lambda _, context: reported.append(context))
        network = MemoryNetwork(LinkOptions(delay=0.01))
        async with peer_pair(network) as (one, other):
            left, right = await open_pair(one, other)
            waiting = [asyncio.create_task(each) for each in (left.read(), one.wait_closed())]
            await asyncio.sleep(0)

            def broken(data: bytes, now: float) -> None:
                raise KeyError("a bug of ours")

            monkeypatch.setattr(one._session.channels, "receive", broken)
            await right.write("the message that nobody was ready for")
            start = loop.time()
            done = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 1)
            assert loop.time() - start < 0.1
            assert isinstance(done[0], Closed)
            assert isinstance(one.reason, TransportLost)
            assert "a bug of ours" not in str(one.reason), "the peer hears the reason"
            assert "a bug of ours" in str(one.reason.__cause__)
            assert [type(context["exception"]) for context in reported] == [KeyError]
            await asyncio.wait_for(other.wait_closed(), 30)
            refs: list[weakref.ref[object]] = [weakref.ref(thing) for thing in (one, left)]
            reported.clear()
        monkeypatch.undo()
        return refs

    refs = run(main())
    gc.collect()
    assert [ref() for ref in refs] == [None, None]


def test_abort_releases_every_kind_of_waiter_in_one_turn() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        async with peer_pair(network) as (one, other):
            left, _ = await open_pair(one, other)
            network.black_hole()
            opener = one.create_data_channel("never")
            try:
                while True:
                    left.write_nowait(bytes(60_000))
            except WouldBlock:
                pass
            waiting = [
                asyncio.create_task(left.write(b"x")),
                asyncio.create_task(left.writable()),
                asyncio.create_task(left.read()),
                asyncio.create_task(opener.wait_open()),
                asyncio.create_task(one.wait_closed()),
            ]
            await asyncio.sleep(0.01)
            assert not any(task.done() for task in waiting)
            one.abort()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert all(task.done() for task in waiting)
            assert all(isinstance(task.exception(), Closed) for task in waiting[:4])
            with pytest.raises(Closed):
                one.create_data_channel("late")
            with pytest.raises(Closed):
                await one.create_offer()

    run(main())


def test_cancelling_close_aborts() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        async with peer_pair(network) as (one, other):
            left, _ = await open_pair(one, other)
            network.black_hole()
            await left.write("unsent")
            closing = asyncio.create_task(one.close(timeout=100))
            await asyncio.sleep(1)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            assert one.connection_state == "closed"

    run(main())


def test_close_from_inside_a_callback() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            left, right = await open_pair(one, other)
            right.on_message = lambda message: other.abort()
            await left.write("die")
            await asyncio.wait_for(other.wait_closed(), 5)
            await asyncio.wait_for(one.wait_closed(), 5)

    run(main())


def test_a_wrong_fingerprint_fails_the_handshake_and_says_so() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            one.create_data_channel("x")
            await one.set_local_description()
            offer = one.local_description
            assert offer is not None
            wrong = offer.sdp.replace("a=fingerprint:sha-256 ", "a=fingerprint:sha-256 00:")
            lines = [
                line[:-3] if line.startswith("a=fingerprint:sha-256 00:") else line for line in wrong.split("\r\n")
            ]
            await other.set_remote_description(SessionDescription("offer", "\r\n".join(lines)))
            await other.set_local_description()
            answer = other.local_description
            assert answer is not None
            await one.set_remote_description(answer)
            with pytest.raises(Closed) as caught:
                await other.wait_connected(timeout=30)
            assert isinstance(caught.value.reason, HandshakeFailed)
            await asyncio.wait_for(one.wait_closed(), 30)
            assert "bad_certificate" in str(one.reason)

    run(main())


def test_misuse_is_told_at_the_call() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            with pytest.raises(LocalProtocolError, match="answer"):
                await one.create_answer()
            with pytest.raises(ValueError, match="kind"):
                one.add_transceiver("smell")  # type: ignore[arg-type]
            left, _ = await open_pair(one, other)
            with pytest.raises(MessageTooLarge) as caught:
                await left.write(bytes(300_000))
            assert (caught.value.limit, caught.value.size) == (262144, 300_000)
            await left.write("still works")

    run(main())


def test_an_exception_in_a_callback_goes_to_the_loop_and_the_connection_lives() -> None:
    reported: list[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
        async with peer_pair(MemoryNetwork()) as (one, other):
            left, right = await open_pair(one, other)

            def broken(message: bytes | str) -> None:
                raise ZeroDivisionError

            right.on_message = broken
            await left.write("1")
            await asyncio.sleep(1)
            right.on_message = None
            await left.write("2")
            assert await right.read(timeout=5) == "2"

    run(main())
    assert [type(error) for error in reported] == [ZeroDivisionError]


def test_media_flows_both_ways_and_key_frames_are_asked_for() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.01))) as (one, other):
            audio = one.add_transceiver("audio", track_id="mic", stream_ids=["s"])
            video = one.add_transceiver("video", track_id="cam", stream_ids=["s"])
            tracks: list[TrackAdded] = []
            other.listen(lambda event: tracks.append(event) if isinstance(event, TrackAdded) else None)
            await negotiate(one, other)
            assert [track.transceiver.kind for track in tracks] == ["audio", "video"]
            assert [track.transceiver.receiver.track_id for track in tracks] == ["mic", "cam"]
            await asyncio.gather(one.wait_connected(timeout=10), other.wait_connected(timeout=10))
            requests: list[bool] = []
            video.sender.on_key_frame_request = lambda: requests.append(True)
            vp8 = video.sender.require_codec("vp8")
            for n in range(20):
                packet = RtpPacket(
                    payload_type=vp8.payload_type, sequence_number=n, timestamp=3000 * n, payload=bytes([n]) * 1000
                )
                assert video.sender.write(packet)
            opus = audio.sender.require_codec("opus")
            assert audio.sender.write(RtpPacket(payload_type=opus.payload_type, sequence_number=1, payload=b"hi"))
            receiver = tracks[1].transceiver.receiver
            got = [(await receiver.read(timeout=5))[0] for _ in range(20)]
            assert [packet.payload for packet in got] == [bytes([n]) * 1000 for n in range(20)]
            heard, _ = await tracks[0].transceiver.receiver.read(timeout=5)
            assert heard.payload == b"hi"
            receiver.request_key_frame()
            await asyncio.sleep(1)
            assert requests == [True]

    run(main())


def test_tracks_are_added_and_removed_by_renegotiation() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork()) as (one, other):
            await open_pair(one, other)
            heard: list[str] = []
            needed: list[NegotiationNeeded] = []
            other.listen(lambda event: heard.append(type(event).__name__))
            one.listen(lambda event: needed.append(event) if isinstance(event, NegotiationNeeded) else None)
            heard.clear()
            await asyncio.sleep(0.1)
            needed.clear()
            ssrcs = set()
            for n in range(3):
                sender = one.add_track("video", track_id=f"t{n}", stream_ids=["s"])
                ssrcs |= {sender.ssrc, sender.rtx_ssrc}
                await asyncio.sleep(0)
                assert len(needed) == 1
                needed.clear()
                await negotiate(one, other)
                assert sender.sending
                assert TrackAdded.__name__ in heard
                heard.clear()
                one.remove_track(sender)
                await asyncio.sleep(0)
                await negotiate(one, other)
                assert not sender.sending
                assert TrackRemoved.__name__ in heard
                heard.clear()
                needed.clear()
            assert len(one.transceivers) == len(other.transceivers) == 3
            assert len(ssrcs) == 6, "a browser plays another track only under another SSRC"

    run(main())


@pytest.mark.parametrize("way", [lambda pc: pc.abort(), lambda pc: pc.create_data_channel("x")])
def test_an_unconnected_connection_closes_at_once(way: Callable[[PeerConnection], object]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        connection = PeerConnection(attrs.evolve(Configuration(), mux=MemoryNetwork()))
        way(connection)
        start = loop.time()
        await connection.close()
        assert loop.time() == start

    run(main())


def test_stats_count_what_passed() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.01))) as (one, other):
            video = one.add_transceiver("video", track_id="cam", stream_ids=["s"])
            left, right = await open_pair(one, other)
            for _ in range(3):
                await left.write(b"12345")
                assert await right.read(timeout=5) == b"12345"
            codec = video.sender.require_codec("VP8")
            for n in range(7):
                packet = RtpPacket(payload_type=codec.payload_type, sequence_number=n, payload=bytes(100))
                assert video.sender.write(packet)
            await asyncio.sleep(3)
            sent = {stats["type"]: stats for stats in one.get_stats().values()}
            received = {stats["type"]: stats for stats in other.get_stats().values()}
            assert (sent["data-channel"]["messagesSent"], sent["data-channel"]["bytesSent"]) == (3, 15)
            assert (received["data-channel"]["messagesReceived"], received["data-channel"]["bytesReceived"]) == (3, 15)
            assert (sent["outbound-rtp"]["packetsSent"], sent["outbound-rtp"]["bytesSent"]) == (7, 700)
            assert (received["inbound-rtp"]["packetsReceived"], received["inbound-rtp"]["packetsLost"]) == (7, 0)
            assert received["inbound-rtp"]["mid"] == video.mid
            assert sent["transport"]["dtlsState"] == received["transport"]["dtlsState"] == "connected"
            assert {sent["transport"]["dtlsRole"], received["transport"]["dtlsRole"]} == {"client", "server"}
            assert sent["sctp-transport"]["smoothedRoundTripTime"] == pytest.approx(0.02, abs=0.25)
            assert sent["sctp-transport"]["bufferedAmount"] == 0
            assert sent["transport"]["dropped"] == {}

    run(main())
