"""Both sides change what they want at the same time: our ``Negotiator`` and a page that follows the W3C's example."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from pystack import Negotiator
from tests.e2e.e2e_harness.room import own_address
from tests.interop.browser.echo import until
from tests.interop.browser.page_peer import PagePeer
from tests.interop.other_peer import PATIENCE, Ours

ROUNDS = 3
LATENCY = 0.1  # so long that offers made at the same time cross


class Crossing:
    """Carries messages between the page and us, in order, each a while after it was said."""

    def __init__(self, page: PagePeer) -> None:
        self._page = page
        self._ours: asyncio.Queue[str] = asyncio.Queue()

    async def send(self, message: str, /) -> None:
        self._ours.put_nowait(message)

    async def carry(self) -> None:
        while True:
            message = await self._ours.get()
            await asyncio.sleep(LATENCY)
            await self._page.ask("signal", message=message)

    async def __aiter__(self) -> AsyncIterator[str]:
        heard = 0
        while True:
            heard += 1
            said = await self._page.wait("signal", count=heard, patience=None)
            await asyncio.sleep(LATENCY)
            yield said["message"]


@pytest.mark.parametrize("polite", [True, False], ids=["we are polite", "the page is polite"])
def test_offers_that_cross_end_in_agreement(browser, polite):
    # Firefox does not roll its own offer back for one that restarts ICE: it refuses it as an answer that may not.
    restarts = polite or browser.browser.kind != "firefox"

    async def body(other: PagePeer) -> None:
        async with Ours.open(own_address()) as ours, asyncio.TaskGroup() as tasks:
            crossing = Crossing(other)
            running = [
                tasks.create_task(each)
                for each in (crossing.carry(), Negotiator(ours.peer, crossing, polite=polite).run())
            ]
            await other.ask("perfect", polite=not polite)
            channel = ours.peer.create_data_channel("first")
            await other.ask("send", kind="audio")
            await channel.wait_open(timeout=PATIENCE)
            came: Counter[str] = Counter()
            for number in range(ROUNDS):
                if number % 3 == 2 and restarts:
                    ours.peer.restart_ice()
                ours.peer.add_transceiver("audio", direction="sendonly", track_id=f"ours{number}")
                await other.ask("send", kind="video", codec="VP8")

                async def agreed(number: int = number) -> bool:
                    for each in ours.peer.transceivers:
                        if each.receiver.on_packet is None:
                            each.receiver.on_packet = lambda packet, rid, mid=each.mid: came.update([mid])
                    current = [each.current_direction for each in ours.peer.transceivers]
                    return (
                        ours.peer.signaling_state == await other.ask("state") == "stable"
                        and Counter(current) == Counter(sendonly=number + 1, recvonly=number + 2)
                        and len(came) == number + 2
                    )

                await until(agreed, f"round {number}: {ours.peer.transceivers}")
            print(f"{len(other.all('collision'))} of the offers crossed; {came}")
            assert len(other.all("collision")) >= ROUNDS // 2
            await channel.write("still here")
            assert (await other.wait("message", label="first"))["body"] == "still here"
            for each in running:
                each.cancel()

    browser.run(body)
