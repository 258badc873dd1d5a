"""Nothing that comes early is lost because nobody listened yet: each kind of thing, taken late and in each way."""

from __future__ import annotations

import asyncio

import pytest

from pystack.errors import LOCAL, Closed
from pystack.peer import (
    Configuration,
    ConnectionStateChanged,
    DataChannelAdded,
    IceCandidateFound,
    NegotiationNeeded,
    PeerConnection,
    PeerConnectionClosed,
    PeerEvent,
    SignalingStateChanged,
    TrackAdded,
)
from pystack.rtp import RtpPacket, SenderReport
from pystack.testing.link import LinkOptions
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

LINK = LinkOptions(delay=0.01)


def opus(number: int) -> RtpPacket:
    return RtpPacket(payload_type=111, sequence_number=number, timestamp=960 * number, payload=b"opus")


async def busy(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    """Everything happens, and nobody on ``other`` looks."""
    chat = one.create_data_channel("chat")
    sender = one.add_track("audio", track_id="voice")
    await negotiate(one, other)
    await one.wait_connected(timeout=10)
    await chat.wait_open(timeout=10)
    await chat.write("early")
    await asyncio.sleep(0.5)
    for number in range(100, 150):
        assert sender.write(opus(number))
        await asyncio.sleep(0.02)
    await asyncio.sleep(2)


def test_every_kind_of_early_thing_is_there_for_who_asks_late() -> None:
    async def main() -> None:
        network = MemoryNetwork(LINK, seed=4)
        async with peer_pair(network) as (one, other):
            await busy(one, other, network)

            channel = await other.next_data_channel(timeout=0)
            assert channel.label == "chat"
            assert await channel.read(timeout=0) == "early"

            transceiver = await other.next_track(timeout=0)
            assert transceiver.receiver.track_id == "voice"
            first, rid = await transceiver.receiver.read(timeout=0)
            assert (first.sequence_number, rid) == (100, "")
            numbers: list[int] = []
            transceiver.receiver.on_packet = lambda packet, _: numbers.append(packet.sequence_number)
            assert numbers == list(range(101, 150))

            report = await transceiver.receiver.rtcp.read(timeout=0)
            assert isinstance(report, SenderReport)
            assert report.packet_count <= 50

            events: list[PeerEvent] = []
            other.listen(events.append)
            states = [event.state for event in events if isinstance(event, ConnectionStateChanged)]
            assert states == ["connecting", "connected"]
            kinds = [type(event) for event in events]
            assert kinds.count(DataChannelAdded) == kinds.count(TrackAdded) == 1
            assert IceCandidateFound(None) in events
            assert any(isinstance(event, IceCandidateFound) and event.candidate is not None for event in events)

    run(main())


def test_an_iterator_that_is_left_early_gives_back_what_it_had_not_given() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LINK)) as (one, other):
            one.create_data_channel("first")
            await negotiate(one, other)
            await asyncio.sleep(5)
            async for event in other.events():
                assert event == SignalingStateChanged("have-remote-offer")
                break  # with everything else that has happened still to come
            async for event in other.events():
                if isinstance(event, DataChannelAdded):
                    assert event.channel.label == "first"
                    break
            second = one.create_data_channel("second")
            await second.wait_open(timeout=10)
            one.add_track("audio")
            await negotiate(one, other)
            found = []
            async with asyncio.timeout(10):
                async for event in other.events():
                    found.append(type(event))
                    if isinstance(event, TrackAdded):
                        break
            assert DataChannelAdded in found

    run(main())


def test_events_between_two_listeners_wait_for_the_second() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LINK)) as (one, _):
            first: list[PeerEvent] = []
            second: list[PeerEvent] = []
            stop = one.listen(first.append)
            stop()
            one.create_data_channel("chat")
            await asyncio.sleep(1)
            one.listen(second.append)
            assert first == []
            assert second == [NegotiationNeeded()]

    run(main())


def test_two_iterators_hear_the_same_and_one_may_leave() -> None:
    async def main() -> None:
        connection = PeerConnection(Configuration(mux=MemoryNetwork(LINK)))

        async def collect(limit: int) -> list[PeerEvent]:
            found: list[PeerEvent] = []
            async for event in connection.events():
                found.append(event)
                if len(found) == limit:
                    break
            return found

        tasks = [asyncio.create_task(collect(limit)) for limit in (1, 99)]
        await asyncio.sleep(0)
        connection.create_data_channel("chat")
        await asyncio.sleep(1)
        connection.abort()
        short, whole = await asyncio.gather(*tasks)
        assert short == [NegotiationNeeded()]
        assert whole[0] == NegotiationNeeded()
        assert whole[-1] == PeerConnectionClosed(LOCAL)

    run(main())


def test_a_cancelled_step_takes_no_event() -> None:
    async def main() -> None:
        connection = PeerConnection(Configuration(mux=MemoryNetwork(LINK)))
        events = connection.events()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await anext(events)
        connection.create_data_channel("chat")
        await asyncio.sleep(1)
        assert await anext(events) == NegotiationNeeded()
        await events.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        connection.abort()
        assert [event async for event in connection.events()][-1] == PeerConnectionClosed(LOCAL)
        assert [event async for event in connection.events()] == []

    run(main())


def test_who_waits_for_a_channel_or_a_track_hears_the_end_and_gets_what_came_before() -> None:
    async def main() -> None:
        network = MemoryNetwork(LINK)
        async with peer_pair(network) as (one, other):
            waiting = [asyncio.create_task(take()) for take in (one.next_data_channel, one.next_track)]
            with pytest.raises(TimeoutError):
                await one.next_data_channel(timeout=1)
            await busy(one, other, network)
            other.abort()
            assert (await other.next_data_channel()).ready_state == "closed"
            assert (await other.next_track()).receiver.track_id == "voice"
            for late in (other.next_data_channel, other.next_track):
                with pytest.raises(Closed):
                    await late()
            one.abort()
            for result in await asyncio.gather(*waiting, return_exceptions=True):
                assert isinstance(result, Closed)

    run(main())


def test_channels_that_came_and_went_unasked_are_bounded() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LINK)) as (one, other):
            one.create_data_channel("stays")
            await negotiate(one, other)
            for number in range(150):
                async with one.create_data_channel(str(number)):
                    pass
            await asyncio.sleep(5)
            labels: list[str] = []

            async def take_all() -> None:
                while True:
                    labels.append((await other.next_data_channel(timeout=0)).label)

            with pytest.raises(TimeoutError):
                await take_all()
            assert labels[0] == "stays"
            assert 32 <= len(labels) <= 33 + 64
            assert labels[-1] == "149"

    run(main())


def test_the_oldest_packets_make_room_and_are_counted() -> None:
    async def main() -> None:
        network = MemoryNetwork(LINK)
        async with peer_pair(network, Configuration(inbox_packets=10, inbox_rtcp=1)) as (one, other):
            await busy(one, other, network)
            receiver = (await other.next_track(timeout=0)).receiver
            assert receiver.dropped == 40
            assert (await receiver.read(timeout=0))[0].sequence_number == 140
            assert receiver.rtcp.dropped > 0
            other.abort()
            assert [packet.sequence_number async for packet in receiver] == list(range(141, 150))
            assert len([report async for report in receiver.rtcp]) == 1

    run(main())
