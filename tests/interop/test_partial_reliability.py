"""Partial reliability that is needed: what is lost on the way is given up by either side, and nothing waits for it."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from tests.interop import aiortc_peer
from tests.interop.chunk_counter import ChunkCounter
from tests.interop.node import node_peer
from tests.interop.other_peer import PATIENCE

COUNT = 150
FORWARD_TSN, I_FORWARD_TSN = 192, 194
OURS: dict[str, dict[str, Any]] = {
    "ordered, once": {"max_retransmits": 0},
    "unordered, once": {"ordered": False, "max_retransmits": 0},
    "unordered, 5 ms": {"ordered": False, "max_packet_life_time": 5},
}
NAMES = {"ordered": "ordered", "max_retransmits": "maxRetransmits", "max_packet_life_time": "maxPacketLifeTime"}
KIND = pytest.mark.parametrize("kind", list(OURS))
WHO = pytest.mark.parametrize("who", ["we offer", "they offer"])


@WHO
@KIND
def test_with_a_browser(browser, who, kind):
    name = browser.browser.kind
    counter = ChunkCounter()
    # Firefox goes on with what has come of age while it was on its way, and loses little of it.
    they_give_up = (name, kind) != ("firefox", "unordered, 5 ms")
    browser.meet(who, lossy(kind, counter, they_give_up=they_give_up), **through(counter))
    wanted, other = (I_FORWARD_TSN, FORWARD_TSN) if name == "firefox" else (FORWARD_TSN, I_FORWARD_TSN)
    assert counter.chunks["out", wanted]
    assert counter.chunks["in", wanted] or not they_give_up
    assert not counter.chunks["out", other]
    assert not counter.chunks["in", other]


@WHO
@KIND
@pytest.mark.component("node-peers")
def test_with_werift(who, kind):
    counter = ChunkCounter()
    # werift takes 0 retransmissions for no limit, and asks about an age only when a timer runs out: it loses little.
    node_peer.meet("werift", who, lossy(kind, counter, they_give_up=False, they_keep=False), **through(counter))
    assert counter.chunks["out", FORWARD_TSN]


@WHO
@KIND
@pytest.mark.component("aiortc")
def test_with_aiortc(who, kind):
    counter = ChunkCounter()
    aiortc_peer.meet(who, lossy(kind, counter, they_keep=False), **through(counter))
    assert counter.chunks["out", FORWARD_TSN]
    assert counter.chunks["in", FORWARD_TSN]


def through(counter: ChunkCounter) -> dict[str, Any]:
    """A relay between the two, and a count of the chunks."""
    return {"seed": 5, "trace": counter}


def lossy(kind: str, counter: ChunkCounter, *, they_give_up: bool = True, they_keep: bool = True) -> Any:
    """Pour on a channel of each side while a fifth of all datagrams is lost, then see what came.

    ``they_give_up``: the other side gives its messages up as it was told. ``they_keep``: it delivers what it
    acknowledged.
    """

    async def body(ours, other, first):
        mine = ours.peer
        channel = mine.create_data_channel("ours", **OURS[kind])
        await other.ask("open", label="theirs", **{NAMES[name]: value for name, value in OURS[kind].items()})
        theirs = await ours.next_channel()
        await channel.wait_open(timeout=PATIENCE)
        for label in ("ours", "theirs"):
            await other.wait("open", label=label)

        ours.relay.loss, ours.relay.jitter = 0.2, 0.02
        for number in range(COUNT):
            await channel.write(str(number), timeout=PATIENCE)
            await other.ask("text", label="theirs", text=str(number))
            await asyncio.sleep(0.002)  # so that they are many packets
        await asyncio.sleep(0.2)
        async with asyncio.timeout(PATIENCE):
            # werift and aiortc forget what came behind two holes, and wait for it until a later hole is given up: as
            # long as there is loss there is a later one.
            while not other.all("message", label="ours", body="end"):
                await channel.write("end")
                await asyncio.sleep(0.05)
        ours.relay.loss = ours.relay.jitter = 0.0
        await other.ask("text", label="theirs", text="end")
        there = [each["body"] for each in other.all("message", label="ours")]
        here = []
        while not here or here[-1] != "end":
            here.append(await theirs.read(timeout=PATIENCE))
        abandoned = mine._session.association.counters.messages_abandoned
        print(f"{kind}: {len(there)} there, {len(here)} here, {abandoned} abandoned,", dict(counter.chunks))
        arrived = [each for each in there if each != "end"]
        for came in (arrived, here[:-1]):
            numbers = [int(each) for each in came]
            assert len(set(numbers)) == len(numbers), "each once"
            assert len(numbers) > COUNT / 2, "most were not lost"
            if kind.startswith("ordered"):
                assert all(a < b for a, b in itertools.pairwise(numbers))
        assert len(arrived) < COUNT, "we gave up what was lost"
        assert abandoned >= COUNT - len(arrived) or not they_keep
        if they_give_up:
            assert len(here) <= COUNT, "they gave up what was lost"

    return body
