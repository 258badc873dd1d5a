"""Acceptance criteria of rows 1, 2, 3, 7 and 8 that no other test decides, by their numbers."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import Counter
from typing import Any

import attrs
import pytest

from pystack.datachannel import ChannelOptions
from pystack.dtls import Certificate
from pystack.errors import LOCAL, Closed, Reason
from pystack.peer import Configuration, DataChannelAdded, PeerConnection, PeerConnectionClosed, SessionDescription
from pystack.session import SessionOptions
from pystack.testing.loop import VirtualLoop, run
from pystack.testing.mempath import MemoryNetwork
from pystack.testing.peers import negotiate, peer_pair

QUICK = Configuration(certificate=Certificate.generate(1.7e9))
PARTS = ("_session", "_driver", "_ice", "_operations", "_signaling", "_channels", "_transceivers")
ENDS = {"_session": "abort", "_driver": "close", "_ice": "close", "_operations": "terminate"}


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def watch_ends(connection: PeerConnection, order: list[str], broken: str = "") -> None:
    """Note in which order the parts are ended; the one called ``broken`` raises in addition."""
    for name in PARTS:
        part, method = getattr(connection, name), ENDS.get(name, "end")
        end = getattr(part, method)

        def noted(*given: Any, name: str = name, end: Any = end) -> None:
            order.append(name)
            end(*given)
            if name == broken:
                raise OSError(f"{name} cannot end")

        setattr(part, method, noted)


def test_ac1_2_the_transport_is_closed_before_what_waits_is_drained() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            one.create_data_channel("x")
            await negotiate(one, other)
            await one.wait_connected(timeout=10)
            order: list[str] = []
            watch_ends(one, order)
            one.abort()
            assert order == list(PARTS)

    run(main())


@pytest.mark.parametrize("broken", PARTS)
def test_ac1_4_a_part_that_raises_is_told_once_and_the_others_are_ended_all_the_same(broken: str) -> None:
    async def main() -> weakref.ref[Any]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            channel = one.create_data_channel("x")
            await negotiate(one, other)
            await channel.wait_open(timeout=10)
            reading = asyncio.create_task(channel.read())
            await turns()
            order: list[str] = []
            watch_ends(one, order, broken)
            one.abort()
            assert order == list(PARTS)
            with pytest.raises(Closed):
                await reading
            await one.wait_closed()
            assert [str(context["exception"]) for context in loop.unhandled] == [f"{broken} cannot end"]
            loop.unhandled.clear()
            for name in PARTS:
                delattr(getattr(one, name), ENDS.get(name, "end"))
            return weakref.ref(one)

    gone = run(main())
    gc.collect()
    assert gone() is None


def test_ac1_5_and_ac1_8_nothing_of_a_negotiation_is_told_after_the_end_and_what_waited_its_turn_is_dropped() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            one.create_data_channel("x")
            await negotiate(one, other)
            heard: list[object] = []
            one.listen(heard.append)
            ran: list[str] = []

            async def step(name: str) -> None:
                ran.append(name)
                await asyncio.Event().wait()

            tasks = [asyncio.create_task(one._operations.run(name, lambda name=name: step(name))) for name in "abc"]
            await turns()
            one.abort()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(result, Closed) for result in results), results
            with pytest.raises(Closed):
                await one.set_local_description()
            await asyncio.sleep(60)
            assert ran == ["a"]
            assert heard[-1] == PeerConnectionClosed(LOCAL)
            assert sum(isinstance(each, PeerConnectionClosed) for each in heard) == 1

    run(main())


def test_ac2_3_a_channel_that_cannot_be_opened_stops_neither_the_next_ones_nor_those_of_the_peer() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            channels = [one.create_data_channel(name) for name in ("first", "second", "third")]
            # The peer has no room for a label of that length in its mind: it refuses the OPEN by a reset.
            refuse = other._session.channels._handle_open  # type: ignore[attr-defined]

            def picky(*given: Any) -> Any:
                if b"first" in given[1]:
                    return other._session.channels._refuse(given[0], "picky", *given[2:])  # type: ignore[attr-defined]
                return refuse(*given)

            other._session.channels._handle_open = picky  # type: ignore[attr-defined, method-assign]
            arrived: list[str] = []
            other.listen(lambda e: arrived.append(e.channel.label) if isinstance(e, DataChannelAdded) else None)
            closes: list[Reason] = []
            channels[0].on_close = closes.append
            await negotiate(one, other)
            for channel in channels[1:]:
                await channel.wait_open(timeout=5)
            theirs = other.create_data_channel("theirs")
            await theirs.wait_open(timeout=5)
            with pytest.raises(Closed):
                await channels[0].wait_open(timeout=20)
            assert arrived == ["second", "third"]
            assert channels[0].ready_state == "closed"
            assert len(closes) == 1
            await channels[2].write("works")

    run(main())


def test_ac2_6_a_channel_of_ours_is_not_announced_to_us_when_the_peer_opens_the_same_stream() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            channel = one.create_data_channel("agreed", negotiated=True, id=2)
            announced: list[object] = []
            one.listen(lambda e: announced.append(e) if isinstance(e, DataChannelAdded) else None)
            keep = other.create_data_channel("keep")
            await negotiate(one, other)
            await keep.wait_open(timeout=10)
            await channel.wait_open(timeout=10)
            # The peer announces, in band, a channel on a stream that is ours already.
            opening = bytes.fromhex("0300010000000000") + (5).to_bytes(2, "big") + bytes(2) + b"again"
            other._session._association.send(2, opening, other._driver.now(), ppid=50)
            other._driver.soon()
            await asyncio.sleep(1)
            assert [each.channel.label for each in announced if isinstance(each, DataChannelAdded)] == ["keep"]
            assert channel.ready_state == "open"

    run(main())


def test_ac3_3_an_open_that_fails_closes_the_channel_once_and_frees_its_stream() -> None:
    async def main() -> None:
        options = SessionOptions(channels=ChannelOptions(open_timeout=1.0))
        async with peer_pair(MemoryNetwork(), attrs.evolve(QUICK, session=options)) as (one, other):
            keep = one.create_data_channel("keep", negotiated=True, id=100)
            other.create_data_channel("keep", negotiated=True, id=100)
            await negotiate(one, other)
            await keep.wait_open(timeout=10)
            one._session.channels._handle_dcep = lambda *_: None  # type: ignore[attr-defined, method-assign]  # no ACK
            mute = one.create_data_channel("mute")
            closes: list[Reason] = []
            mute.on_close = closes.append
            stream = mute.id
            with pytest.raises(Closed):
                await mute.wait_open(timeout=5)
            assert mute.ready_state == "closed"
            await asyncio.sleep(5)
            assert len(closes) == 1
            del one._session.channels._handle_dcep  # type: ignore[attr-defined]
            again = one.create_data_channel("again")
            await again.wait_open(timeout=5)
            assert again.id == stream

    run(main())


def test_ac7_7_the_transport_is_closed_once_however_many_ways_lead_to_the_end() -> None:
    async def main() -> None:
        async with peer_pair(MemoryNetwork(), QUICK) as (one, other):
            channel = one.create_data_channel("x")
            await negotiate(one, other)
            await channel.wait_open(timeout=10)
            closed: Counter[str] = Counter()
            close = one._ice.close

            def count() -> None:
                closed["ice"] += 1
                close()

            one._ice.close = count  # type: ignore[method-assign]
            notify = one._ice.on_state
            closing = [asyncio.create_task(one.close(timeout=1)) for _ in range(3)]
            other.abort()
            await turns()
            notify("failed")
            one.abort()
            await asyncio.gather(*closing)
            assert closed == {"ice": 1}

    run(main())


def test_ac8_3_when_the_watchdog_bites_nothing_survives() -> None:
    async def main() -> tuple[weakref.ref[Any], int]:
        async with peer_pair(MemoryNetwork(), attrs.evolve(QUICK, operation_timeout=3.0)) as (one, other):
            channel = one.create_data_channel("x")
            await negotiate(one, other)
            await channel.wait_open(timeout=10)
            reading = asyncio.create_task(channel.read())
            hanging = asyncio.create_task(one._operations.run("set remote description", asyncio.Event().wait))
            with pytest.raises((TimeoutError, Closed)):
                await hanging
            with pytest.raises(Closed, match="set remote description"):
                await reading
            assert one.signaling_state == "closed"
            offer = SessionDescription("offer", "v=0\r\n")
            with pytest.raises(Closed):
                await one.set_remote_description(offer)
            return weakref.ref(one), len(asyncio.all_tasks())

    gone, tasks = run(main())
    gc.collect()
    assert gone() is None
    assert tasks == 1
