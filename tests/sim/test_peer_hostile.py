"""Hostile, slow and vanished peers and careless applications: what they cost is bounded, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import attrs
import pytest

from pystack.base import SeededRandomness
from pystack.dtls import Certificate
from pystack.errors import (
    LOCAL,
    Closed,
    MessageTooLarge,
    PeerAborted,
    PeerClosed,
    RemoteError,
    RemoteProtocolError,
    TransportLost,
    WouldBlock,
)
from pystack.peer import (
    Configuration,
    ConnectionStateChanged,
    DataChannel,
    DataChannelAdded,
    PeerConnection,
    PeerConnectionClosed,
    SessionDescription,
)
from pystack.peer import channels as channels_module
from pystack.peer import datachannel as datachannel_module
from pystack.rtp import RtpPacket
from pystack.sctp import AssociationOptions
from pystack.session import SessionOptions
from pystack.testing.link import LinkOptions
from pystack.testing.loop import run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

CERTIFICATE = Certificate.generate(1.7e9)
QUICK = Configuration(certificate=CERTIFICATE)


async def open_pair(one: PeerConnection, other: PeerConnection) -> tuple[DataChannel, DataChannel]:
    channel = one.create_data_channel("chat")
    added: asyncio.Future[DataChannel] = asyncio.get_running_loop().create_future()

    def hear(event: object) -> None:
        if isinstance(event, DataChannelAdded) and not added.done():
            added.set_result(event.channel)

    stop = other.listen(hear)
    await negotiate(one, other)
    await channel.wait_open(timeout=30)
    there = await asyncio.wait_for(added, 30)
    stop()
    return channel, there


def fill(channel: DataChannel, size: int = 60_000) -> None:
    try:
        while True:
            channel.write_nowait(bytes(size))
    except WouldBlock:
        return


async def stuff(*channels: DataChannel) -> None:
    """Fill them until nothing more departs."""
    for _ in range(4):
        for channel in channels:
            fill(channel)
        await asyncio.sleep(0.01)


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


# ---- every way to end releases everybody


def _peer_abort(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    other.abort()


def _abort(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    one.abort()


def _association_dies(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    other._session.channels.abort(other._driver.now(), PeerAborted("tired"))
    other._driver.soon()


def _path_goes(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    """As a mux does that was closed: the transport is closed under its user, who is told so."""
    notify = one._ice.on_state
    one._ice.close()
    notify("failed")


def _dtls_fails(one: PeerConnection, other: PeerConnection, network: MemoryNetwork) -> None:
    engine = other._session._engine
    assert engine is not None
    engine.abort(other._driver.now(), RemoteProtocolError("a fatal alert"))
    other._session._absorb_dtls(other._driver.now())
    other._driver.pump()


WAYS: list[tuple[Callable[..., None], type]] = [
    (_abort, str),
    (_peer_abort, RemoteError),
    (_path_goes, TransportLost),
    (_dtls_fails, PeerAborted),
]


@pytest.mark.parametrize(("way", "reason"), WAYS, ids=lambda value: getattr(value, "__name__", None))
def test_ac7_each_way_to_end_releases_every_waiter_at_once(way: Callable[..., None], reason: type) -> None:
    """AC7.1, AC7.2, AC7.3, AC7.8: and afterwards no task, no timer, no owner."""

    async def main() -> list[weakref.ref[Any]]:
        network = MemoryNetwork()
        async with peer_pair(network, QUICK) as (one, other):
            left, right = await open_pair(one, other)
            audio = one.add_transceiver("audio")
            other_channel = one.create_data_channel("second")
            await negotiate(one, other)
            await other_channel.wait_open(timeout=5)
            one._ice.link.black_hole()  # type: ignore[attr-defined]
            await stuff(left, other_channel)
            unnegotiated = one.create_data_channel("late")
            waiting = {
                name: asyncio.create_task(coroutine, name=name)
                for name, coroutine in {
                    "write": left.write(bytes(60_000)),
                    "write second": other_channel.write(bytes(60_000)),
                    "writable": left.writable(),
                    "read": left.read(),
                    "read second": left.read(),
                    "open": unnegotiated.wait_open(),
                    "packet": audio.receiver.read(),
                    "operation": one._operations.run("hangs", asyncio.Event().wait),
                    "turn": one.create_offer(),
                    "closed": one.wait_closed(),
                }.items()
            }
            events = [asyncio.create_task(_last(one)) for _ in range(2)]
            del unnegotiated
            await turns()
            assert not any(task.done() for task in waiting.values())
            way(one, other, network)
            await asyncio.wait_for(one.wait_closed(), 0.5)
            await turns()
            late = [name for name, task in waiting.items() if not task.done()]
            assert late == []
            for name, task in waiting.items():
                if name != "closed":
                    error = task.exception()
                    assert isinstance(error, Closed), (name, error)
                    assert isinstance(error.reason, reason), (name, error)
            for told in await asyncio.gather(*events):
                assert isinstance(told, PeerConnectionClosed)
            assert left.ready_state == "closed"
            owners = [weakref.ref(thing) for thing in (one, left, audio, one._session, one._driver, one._ice)]
        del waiting, events, left, right, other_channel, audio, task, error
        await asyncio.sleep(10)  # what the network still carries arrives nowhere
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert not [handle for handle in asyncio.get_running_loop()._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]
        return owners

    owners = run(main())
    gc.collect()
    assert [owner() for owner in owners] == [None] * len(owners)


async def _last(connection: PeerConnection) -> object:
    return [event async for event in connection.events()][-1]


def test_the_end_of_the_association_releases_the_channels_and_leaves_the_connection() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        async with peer_pair(network, QUICK) as (one, other):
            left, _ = await open_pair(one, other)
            fill(left)
            tasks = [asyncio.create_task(c) for c in (left.write(b"x"), left.read(), left.writable())]
            await turns()
            _association_dies(one, other, network)
            await asyncio.sleep(0.1)
            assert all(isinstance(task.exception(), Closed) for task in tasks)
            assert left.ready_state == "closed"
            assert one.connection_state == "connected"
            with pytest.raises((Closed, Exception)):
                one.create_data_channel("more")

    run(main())


@pytest.mark.parametrize("who", ["us", "them"])
def test_a_channel_that_closes_releases_its_waiters_although_the_peer_vanishes(who: str) -> None:
    async def main() -> None:
        network = MemoryNetwork(LinkOptions(delay=0.01))
        async with peer_pair(network, QUICK) as (one, other):
            left, right = await open_pair(one, other)
            tasks = [asyncio.create_task(left.read()) for _ in range(2)]
            await turns()
            if who == "us":
                network.black_hole()
                left.begin_close()
            else:
                right.begin_close()
                await asyncio.sleep(0.02)  # the reset is on its way to us, and nothing comes back
                network.black_hole()
            await turns()
            assert left.ready_state == "closing"
            for task in tasks:
                error = task.exception()
                assert isinstance(error, Closed)
                assert error.reason == LOCAL if who == "us" else isinstance(error.reason, PeerClosed)
            for wait in (left.read(), left.write(b""), left.writable(), left.wait_open()):
                with pytest.raises(Closed):
                    await wait
            with pytest.raises(Closed):
                left.write_nowait(b"")
            assert (left.id, left.counters().messages_sent, one.get_stats() != {}) == (left.id, 0, True)

    run(main())


def test_a_channel_closed_before_anything_happened_can_still_be_asked() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, _):
            channel = one.create_data_channel("x")
            channel.begin_close()
            assert channel.id is None
            assert channel.counters().bytes_sent == 0
            one.get_stats()
            assert channel.buffered_amount == 0
            await channel.close()
            assert channel.ready_state == "closed"
            assert channel.reason == LOCAL
            one.abort()
            one.get_stats()
            assert one.local_description is None

    run(main())


# ---- cancellation at every await point


def _steps(case: str) -> Callable[[PeerConnection, PeerConnection, DataChannel], Coroutine[Any, Any, Any]]:
    async def enter(one: PeerConnection, other: PeerConnection, left: DataChannel) -> None:
        async with one.create_data_channel("entered"):
            await asyncio.sleep(0.01)

    async def iterate(one: PeerConnection, other: PeerConnection, left: DataChannel) -> None:
        async for _ in left:
            pass

    async def turn(one: PeerConnection, other: PeerConnection, left: DataChannel) -> None:
        holder = asyncio.create_task(one._operations.run("holds the turn", lambda: asyncio.sleep(0.01)))
        try:
            await asyncio.sleep(0)
            await negotiate(one, other)
        finally:
            await asyncio.shield(holder)

    async def events(one: PeerConnection, other: PeerConnection, left: DataChannel) -> None:
        async for _ in one.events():
            pass

    return {
        "negotiate": lambda one, other, left: negotiate(one, other),
        "turn": turn,
        "write": lambda one, other, left: left.write(bytes(60_000)),
        "read": lambda one, other, left: left.read(),
        "writable": lambda one, other, left: left.writable(),
        "iterate": iterate,
        "enter": enter,
        "events": events,
        "close channel": lambda one, other, left: left.close(),
        "wait_connected": lambda one, other, left: one.wait_connected(),
        "wait_closed": lambda one, other, left: one.wait_closed(),
        "close": lambda one, other, left: one.close(timeout=5),
    }[case]


@pytest.mark.parametrize(
    "case",
    ["negotiate", "turn", "write", "read", "writable", "iterate", "enter", "events", "close channel", "wait_connected",
     "wait_closed", "close"],
)  # fmt: skip
@pytest.mark.parametrize("quiet", [True, False], ids=["quiet", "busy"])
def test_cancelled_after_any_step_everything_goes_on(case: str, quiet: bool) -> None:
    """Run it, cancel after the n-th turn of the loop, for every n: nothing is stuck, lost or left behind."""
    step = _steps(case)

    async def attempt(after: int) -> bool:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            left, right = await open_pair(one, other)
            if case in {"write", "writable"}:
                fill(left)
                fill(left)
            if not quiet:
                loop = asyncio.get_running_loop()
                loop.call_later(0.001, right._send, b"a message")
            if case == "wait_connected":
                one._state = "disconnected"
            task = asyncio.create_task(step(one, other, left))
            for _ in range(after):
                await asyncio.sleep(0 if after % 2 else 0.0005)
                if task.done():
                    break
            finished = task.done()
            task.cancel()
            result = (await asyncio.gather(task, return_exceptions=True))[0]
            assert result is None or isinstance(result, (asyncio.CancelledError, str, bytes)), result
            await turns()
            if case == "close":
                assert one.reason is not None or not isinstance(result, asyncio.CancelledError) or after == 0
                return finished
            if case == "wait_connected":
                one._state = "connected"
            assert one._operations.idle
            assert len(left._writers) == 0
            for connection in (one, other):  # a negotiation that was cut in two is taken back
                if connection.signaling_state == "have-local-offer":
                    await connection.set_local_description(SessionDescription("rollback"))
                elif connection.signaling_state == "have-remote-offer":
                    await connection.set_remote_description(SessionDescription("rollback"))
            if one.pending_local_description is None and other.signaling_state == "stable":
                second = one.create_data_channel("second")
                await second.write("still works", timeout=5)
            if left.ready_state == "open":
                right.on_message = lambda message: None
                await asyncio.sleep(2)
                await left.write("alive", timeout=5)
            return finished

    async def main() -> None:
        for after in [*range(14), 20, 41, 80, 121]:
            if await attempt(after) and after % 2 == 0:
                break
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main(), limit=100_000)


# ---- re-entrancy


@pytest.mark.parametrize("place", ["on_message", "listen", "on_packet", "on_close", "on_low", "on_key_frame"])
@pytest.mark.parametrize("act", ["abort", "close", "write", "create", "channel", "transceiver", "raise"])
def test_anything_may_be_called_from_inside_any_callback(place: str, act: str) -> None:
    reported: list[BaseException] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context["exception"]))
        tasks: list[asyncio.Task[Any]] = []
        calls: list[str] = []
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            left, right = await open_pair(one, other)
            video = one.add_transceiver("video", track_id="t")
            await negotiate(one, other)

            def callback(*_: object) -> None:
                calls.append(place)
                if len(calls) > 1:
                    return
                match act:
                    case "abort":
                        other.abort()
                    case "close":
                        tasks.append(loop.create_task(other.close()))
                        tasks.append(loop.create_task(other.close()))
                    case "write":
                        if right.ready_state == "open":
                            right.write_nowait("from inside")
                    case "create":
                        other.create_data_channel("from inside")
                    case "channel":
                        right.begin_close()
                    case "transceiver":
                        other.add_transceiver("audio").stop()
                        tasks.append(loop.create_task(other.set_local_description()))
                    case "raise":
                        raise ZeroDivisionError

            receiver = other.transceivers[0].receiver
            sender = other.transceivers[0].sender
            match place:
                case "on_message":
                    right.on_message = callback
                case "listen":
                    other.create_data_channel("changes something")
                    other.listen(callback)  # at once, for what was kept since the last listener left
                    tasks.append(loop.create_task(negotiate(other, one)))
                case "on_packet":
                    receiver.on_packet = callback
                case "on_close":
                    right.on_close = callback
                    left.begin_close()
                case "on_low":
                    right.buffered_amount_low_threshold = 10
                    right.on_buffered_amount_low = callback
                    right.write_nowait(bytes(100))
                case "on_key_frame":
                    sender.on_key_frame_request = callback
                    other._hub.emit(ConnectionStateChanged("connected"))
                    sender.handle_key_frame_request()
            if left.ready_state == "open":
                for n in range(3):
                    await left.write(str(n))
            codec = video.sender.require_codec("VP8")
            for n in range(3):
                video.sender.write(RtpPacket(payload_type=codec.payload_type, sequence_number=n, payload=b"p"))
            await asyncio.sleep(3)
            assert calls
            if act in {"abort", "close"}:
                assert other.reason == LOCAL
                if place in {"on_message", "on_packet"} and act == "abort":
                    assert len(calls) == 1, "nothing is heard after abort() returned"
            else:
                assert other.connection_state == "connected"
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(result is None or isinstance(result, Closed) for result in results), results
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())
    assert [type(error) for error in reported] == ([ZeroDivisionError] if act == "raise" else [])


# ---- memory that a peer can ask for


def test_empty_messages_that_nobody_reads_end_the_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datachannel_module, "_MAX_EMPTY", 100)

    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            left, right = await open_pair(one, other)
            for _ in range(90):
                await left.write("")
            await asyncio.sleep(1)
            assert [await right.read(timeout=1) for _ in range(90)] == [""] * 90

            async def flood() -> None:
                for _ in range(500):
                    await left.write(b"")
                    await asyncio.sleep(0.001)

            with pytest.raises(Closed):
                await flood()
            await asyncio.sleep(1)
            assert isinstance(right.reason, RemoteProtocolError)
            assert [await right.read() for _ in range(101)] == [b""] * 101
            with pytest.raises(Closed) as caught:
                await right.read()
            assert isinstance(caught.value.reason, RemoteProtocolError)
            assert other.connection_state == "connected"

    run(main())


def test_closing_a_channel_that_nobody_reads_lets_the_others_go_on_at_once() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            await open_pair(one, other)
            kept: list[DataChannel] = []
            other.listen(lambda event: kept.append(event.channel) if isinstance(event, DataChannelAdded) else None)
            big, small = (one.create_data_channel(label) for label in ("big", "small"))
            await small.wait_open(timeout=5)
            filling = asyncio.create_task(_fill(big))
            await asyncio.sleep(2)
            await small.write(b"behind it")
            theirs = {channel.label: channel for channel in kept}
            with pytest.raises(TimeoutError):
                await theirs["small"].read(timeout=1)  # the window is full
            began = asyncio.get_running_loop().time()
            theirs["big"].begin_close()
            assert await theirs["small"].read(timeout=30) == b"behind it"
            assert asyncio.get_running_loop().time() - began < 1
            assert await theirs["big"].read() == bytes(60_000)  # what had come can be read
            await filling

    run(main())


async def _fill(channel: DataChannel) -> None:
    with suppress(Closed):
        while True:
            await channel.write(bytes(60_000))


def test_channels_that_this_side_closes_unread_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """While they close nothing is charged for what they hold, as after it."""
    monkeypatch.setattr(channels_module, "_LEFT_OVER_BYTES", 200_000)

    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            await open_pair(one, other)
            kept: list[DataChannel] = []
            other.listen(lambda event: kept.append(event.channel) if isinstance(event, DataChannelAdded) else None)
            for _ in range(8):
                await one.create_data_channel("filled").write(bytes(50_000))
            await asyncio.sleep(1)
            for channel in kept:
                channel.begin_close()
            assert [channel.unread for channel in kept] == [0] * 4 + [50_000] * 4
            await asyncio.sleep(1)
            assert all(channel.ready_state == "closed" for channel in kept)
            assert [channel.unread for channel in kept] == [0] * 4 + [50_000] * 4
            assert await kept[-1].read() == bytes(50_000)

    run(main())


def test_channels_filled_and_closed_that_nobody_reads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels_module, "_LEFT_OVER_BYTES", 200_000)
    monkeypatch.setattr(channels_module, "_LEFT_OVER", 12)

    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            await open_pair(one, other)
            kept: list[DataChannel] = []
            other.listen(lambda event: kept.append(event.channel) if isinstance(event, DataChannelAdded) else None)
            for size in [50_000] * 8 + [10] * 20:
                async with one.create_data_channel("filled") as channel:
                    await channel.write(bytes(size))
            await asyncio.sleep(1)
            assert len(kept) == 28
            assert all(channel.ready_state == "closed" for channel in kept)
            unread = [channel.unread for channel in kept if channel.unread]
            assert sum(unread) <= 200_000
            assert unread == [10] * 12
            assert await kept[-1].read() == bytes(10)
            with pytest.raises(Closed):
                await kept[-1].read()
            with pytest.raises(Closed):
                await kept[0].read()

    run(main())


def test_packets_that_nobody_reads_are_dropped_oldest_first() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), attrs.evolve(QUICK, inbox_packets=10)) as (one, other):
            audio = one.add_transceiver("audio", track_id="t")
            await negotiate(one, other)
            await one.wait_connected(timeout=5)
            codec = audio.sender.require_codec("opus")
            for n in range(50):
                audio.sender.write(RtpPacket(payload_type=codec.payload_type, sequence_number=n, payload=bytes([n])))
                await asyncio.sleep(0.02)
            receiver = other.transceivers[0].receiver
            assert receiver.dropped == 40
            assert [(await receiver.read(timeout=1))[0].payload[0] for _ in range(10)] == list(range(40, 50))
            assert audio.sender.write(RtpPacket(payload_type=codec.payload_type, sequence_number=50, payload=b"z"))
            await asyncio.sleep(1)
            other.abort()
            assert (await receiver.read())[0].payload == b"z"
            with pytest.raises(Closed):
                await receiver.read()

    run(main())


def test_a_flood_of_key_frame_requests_reaches_the_application_seldom() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            video = one.add_transceiver("video", track_id="t")
            await negotiate(one, other)
            await one.wait_connected(timeout=5)
            codec = video.sender.require_codec("VP8")
            asked: list[float] = []
            video.sender.on_key_frame_request = lambda: asked.append(asyncio.get_running_loop().time())
            for n in range(200):
                video.sender.write(RtpPacket(payload_type=codec.payload_type, sequence_number=n, payload=b"p"))
                other.transceivers[0].receiver.request_key_frame()
                await asyncio.sleep(0.005)
            assert 1 <= len(asked) <= 12

    run(main())


# ---- a path that does not carry


def test_ac9_a_path_that_is_never_writable_ends_every_wait() -> None:
    """AC9.4, and a path that takes nothing for minutes and then does."""

    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            left, right = await open_pair(one, other)
            video = one.add_transceiver("video", track_id="t")
            await negotiate(one, other)
            await asyncio.sleep(1)
            codec = video.sender.require_codec("VP8")
            send, one._ice.send = one._ice.send, lambda batch: 0  # type: ignore[method-assign]
            writer = asyncio.create_task(_write_all(left, 40))
            for n in range(5000):
                video.sender.write(RtpPacket(payload_type=codec.payload_type, sequence_number=n, payload=bytes(100)))
                if n % 100 == 0:
                    await asyncio.sleep(1)
            await asyncio.sleep(100)
            assert not writer.done()
            with pytest.raises(TimeoutError):
                await left.write(b"late", timeout=1)
            one._ice.send = send  # type: ignore[method-assign]
            one._ice.on_writable()
            got = [await right.read(timeout=300) for _ in range(40)]
            assert [message[0] for message in got] == list(range(40))
            await writer
            dropped = one.get_stats()["T"]["dropped"]
            assert dropped["media: full"] + dropped["media: late"] >= 4900

    async def never() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            left, _ = await open_pair(one, other)
            one._ice.send = lambda batch: 0  # type: ignore[method-assign]
            writer = asyncio.create_task(_write_all(left, 100))
            start = asyncio.get_running_loop().time()
            await left.close(timeout=3)
            assert asyncio.get_running_loop().time() - start <= 3
            with pytest.raises(Closed):
                await writer
            await one.close(timeout=1)
            assert asyncio.get_running_loop().time() - start <= 6

    async def _write_all(channel: DataChannel, count: int) -> None:
        for n in range(count):
            await channel.write(bytes([n]) * 60_000)

    run(main())
    run(never())


@pytest.mark.parametrize("seed", range(3))
def test_loss_of_30_percent_costs_time_and_nothing_else(seed: int) -> None:
    async def main() -> None:
        network = MemoryNetwork(LinkOptions(delay=0.03, loss=0.3, jitter=0.01), seed=seed)
        async with peer_pair(network, QUICK, seed=seed) as (one, other):
            left, right = await open_pair(one, other)
            sent = [str(n) * (n * 37) for n in range(60)]

            async def write() -> None:
                for message in sent:
                    await left.write(message)
                await left.close(timeout=600)

            task = asyncio.create_task(write())
            assert [message async for message in right] == sent
            await task
            await one.close(timeout=60)

    run(main(), limit=36_000)


# ---- writers


def test_writers_of_mixed_sizes_keep_their_order_and_nobody_overtakes() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(LinkOptions(delay=0.02)), QUICK) as (one, other):
            left, right = await open_pair(one, other)
            fill(left, 50_000)
            filled = left.counters().messages_sent
            random = SeededRandomness("sizes")
            sizes = [1 + random.integer(16) for _ in range(40)]
            tasks = [asyncio.create_task(left.write(n.to_bytes(1, "big") * size)) for n, size in enumerate(sizes)]
            await turns()
            with pytest.raises(WouldBlock):
                left.write_nowait(b"!")
            got = [await right.read(timeout=60) for _ in range(filled + 40)]
            assert [(message[0], len(message)) for message in got[filled:]] == list(enumerate(sizes))
            await asyncio.gather(*tasks)
            left.write_nowait(b"now")

    run(main())


def test_ac9_a_deadline_is_of_one_channel_and_can_be_set_in_any_state() -> None:
    """AC9.1, AC9.2, AC9.3."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        network = MemoryNetwork()
        async with peer_pair(network, QUICK) as (one, other):
            early = one.create_data_channel("early")
            early.set_write_deadline(loop.time() + 1)
            with pytest.raises(TimeoutError):
                await early.write(b"before the connection")
            early.set_write_deadline(None)
            waiting = asyncio.create_task(early.write(b"taken once it opens"))
            left, _ = await open_pair(one, other)
            await waiting
            network.black_hole()
            await stuff(left, early)
            slow, bounded = (asyncio.create_task(channel.write(bytes(60_000))) for channel in (early, left))
            await asyncio.sleep(1)
            left.set_write_deadline(loop.time())
            await turns()
            assert isinstance(bounded.exception(), TimeoutError)
            with pytest.raises(TimeoutError):
                await left.write(b"")
            with pytest.raises(TimeoutError):
                await left.writable()
            assert not slow.done()
            left.begin_close()
            left.set_write_deadline(loop.time() + 1)
            slow.cancel()

    run(main())


def test_a_message_above_the_limit_that_becomes_known_fails_alone() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        one = PeerConnection(attrs.evolve(QUICK, mux=network))
        small = SessionOptions(association=AssociationOptions(max_message_size=1000))
        other = PeerConnection(attrs.evolve(QUICK, mux=network, session=small))
        channel = one.create_data_channel("x")
        tasks = [asyncio.create_task(channel.write(bytes(size))) for size in (10, 100_000, 20)]
        await asyncio.sleep(1)
        assert not any(task.done() for task in tasks)
        await negotiate(one, other)
        results = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)
        assert [type(result) for result in results] == [type(None), MessageTooLarge, type(None)]
        assert results[1].limit == 1000  # type: ignore[union-attr]
        await one.close()
        await other.close()

    run(main())


def test_a_limit_of_0_is_no_limit() -> None:
    async def main() -> None:
        network = MemoryNetwork()
        one = PeerConnection(attrs.evolve(QUICK, mux=network))
        other = PeerConnection(attrs.evolve(QUICK, mux=network))
        channel = one.create_data_channel("x")
        await one.set_local_description()
        assert one.local_description is not None
        await other.set_remote_description(one.local_description)
        await other.set_local_description()
        answer = other.local_description
        assert answer is not None
        text = answer.sdp.replace("a=max-message-size:262144", "a=max-message-size:0")
        assert text != answer.sdp
        await one.set_remote_description(SessionDescription("answer", text))
        await channel.wait_open(timeout=10)
        assert channel.max_message_size == 0
        await channel.write(bytes(200_000), timeout=10)
        await one.close()
        await other.close()

    run(main())


def test_an_iteration_ends_with_an_error_when_the_channel_did_not_end_well() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            left, right = await open_pair(one, other)
            await left.write("kept")
            await asyncio.sleep(1)
            one._terminate(TransportLost("unplugged"))
            await asyncio.sleep(1)
            iterator = aiter(right)
            assert await anext(iterator) == "kept"
            with pytest.raises(Closed):
                await anext(iterator)

    run(main())


def test_entering_a_channel_that_does_not_open_leaves_none_behind() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, _):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1), one.create_data_channel("never"):
                    raise AssertionError
            await turns()
            assert one.data_channels == ()

    run(main())


# ---- closing


def test_ac1_close_twice_and_against_a_peer_that_never_acknowledges() -> None:
    """AC1.1, AC1.3, AC1.6, AC1.7."""

    async def main() -> weakref.ref[Any]:
        network = MemoryNetwork()
        async with peer_pair(network, QUICK) as (one, other):
            left, _ = await open_pair(one, other)
            network.black_hole()
            fill(left)
            closes: list[object] = []
            left.on_close = closes.append
            hanging = asyncio.create_task(one._operations.run("set remote description", asyncio.Event().wait))
            await turns()
            loop = asyncio.get_running_loop()
            start = loop.time()
            first, second = asyncio.create_task(one.close(timeout=2)), asyncio.create_task(one.close(timeout=2))
            await turns(5)
            assert isinstance(hanging.exception(), Closed), "a blocked step returns at once"
            with pytest.raises(Closed):
                await one.create_offer()
            await asyncio.gather(first, second)
            assert loop.time() - start <= 2.001
            await one.close()
            one.abort()
            await left.close()
            assert closes == [LOCAL]
            await asyncio.sleep(600)
            assert not [handle for handle in loop._scheduled if not handle.cancelled() and "Driver" in repr(handle)]  # type: ignore[attr-defined]
            return weakref.ref(one)

    gone = run(main(), limit=10_000)
    gc.collect()
    assert gone() is None


async def _error(wait: Coroutine[Any, Any, Any]) -> BaseException | None:
    try:
        await wait
    except (Closed, TimeoutError) as error:
        return error
    return None


def test_holding_a_closed_channel_does_not_hold_the_connection() -> None:
    async def main() -> tuple[weakref.ref[Any], list[object]]:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            left, right = await open_pair(one, other)
            video = one.add_transceiver("video", track_id="t")
            await negotiate(one, other)
            errors = [await _error(left.read(timeout=1)), await _error(left.wait_open(timeout=0))]
            await one.close()
            errors += [await _error(left.read()), await _error(left.write(b"")), await _error(video.receiver.read())]
            gone = weakref.ref(one)
        return gone, [left, right, video, video.sender, video.receiver, errors]

    gone, held = run(main())
    gc.collect()
    assert held
    assert gone() is None


def test_after_abort_a_connection_can_still_be_asked_everything() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            left, _ = await open_pair(one, other)
            one.abort()
            assert one.signaling_state == one.connection_state == one.ice_connection_state == "closed"
            assert one.local_description is not None
            assert one.pending_remote_description is None
            assert one.get_stats()["T"]["dtlsState"] == "closed"
            assert one.data_channels == ()
            assert (left.ready_state, left.buffered_amount, left.id is None) == ("closed", 0, False)
            left.buffered_amount_low_threshold = 5
            left.set_write_deadline(1)
            for use in (one.restart_ice, lambda: one.add_transceiver("audio"), lambda: one.add_track("audio")):
                with pytest.raises(Closed):
                    use()
            for wait in (
                one.wait_gathered(),
                one.wait_connected(),
                one.create_offer(),
                one.add_ice_candidate(""),
            ):
                with pytest.raises(Closed):
                    await wait
            await one.wait_closed()
            assert [type(event).__name__ async for event in one.events()][-1:] in ([], ["PeerConnectionClosed"])

    run(main())


def test_a_client_hello_before_the_answer_is_kept() -> None:
    """The path is there and the peer's handshake begins before our side knows the answer."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            channel = one.create_data_channel("x")
            await one.set_local_description()
            offer = one.local_description
            assert offer is not None
            await other.set_remote_description(offer)
            await other.set_local_description()
            answer = other.local_description
            assert answer is not None
            held = bytes.fromhex("16fefd") + bytes(10)
            for _ in range(100):
                one._driver.receive([b"\x80\x60" + bytes(20), held], loop.time())
            assert len(one._session._held) == 32
            await one.set_remote_description(answer)
            await channel.wait_open(timeout=30)
            assert one._session._held == []

    run(main())
