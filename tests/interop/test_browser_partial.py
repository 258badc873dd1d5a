"""Partial reliability that is needed: what is lost on the way is given up by either side, and nothing waits for it."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from pystack import SessionDescription
from tests.e2e.e2e_harness.room import own_address
from tests.interop.browser.lossy_relay import LossyRelay
from tests.interop.other_peer import PATIENCE, Ours

COUNT = 300
KINDS = {"ordered, once": {"maxRetransmits": 0}, "unordered, 5 ms": {"ordered": False, "maxPacketLifeTime": 5}}
OURS = {"ordered, once": {"max_retransmits": 0}, "unordered, 5 ms": {"ordered": False, "max_packet_life_time": 5}}


@pytest.mark.parametrize("kind", list(KINDS))
def test_what_is_lost_is_given_up_by_either_side_and_the_rest_arrives(browser, kind):
    async def body(other):
        async with LossyRelay.open(seed=5, address=own_address()) as relay:
            ours = Ours(own_address())
            async with ours.peer as mine:
                await other.ask("open", label="theirs", **KINDS[kind])
                offer = relay.conceal(await other.ask("offer"))
                await mine.set_remote_description(SessionDescription("offer", offer))
                await mine.set_local_description()
                await mine.wait_gathered(timeout=10)
                await other.ask("accept", sdp=relay.rewrite(mine.local_description.sdp))
                theirs = await ours.next_channel()
                channel = mine.create_data_channel("ours", **OURS[kind])
                await channel.wait_open(timeout=PATIENCE)
                await other.wait("open", label="ours")

                relay.loss, relay.jitter = 0.2, 0.02
                for number in range(COUNT):
                    await channel.write(str(number), timeout=PATIENCE)
                    await other.ask("text", label="theirs", text=str(number))
                await asyncio.sleep(0.2)
                relay.loss = relay.jitter = 0.0
                await channel.write("end")
                await other.ask("text", label="theirs", text="end")
                await other.wait("message", label="ours", body="end")
                there = [each["body"] for each in other.all("message", label="ours")]
                here = []
                while not here or here[-1] != "end":
                    here.append(await theirs.read(timeout=PATIENCE))
                abandoned = mine._session.association.counters.messages_abandoned
                print(f"{kind}: {len(there)} arrived there, {len(here)} here, {abandoned} abandoned, {relay.lost}")
                for came in (there, here):
                    numbers = [int(each) for each in came if each != "end"]
                    assert len(set(numbers)) == len(numbers), "each once"
                    assert COUNT / 2 < len(numbers) <= COUNT, "most were not lost"
                    if kind.startswith("ordered"):
                        assert all(a < b for a, b in itertools.pairwise(numbers))
                        assert len(numbers) < COUNT, "given up by whoever sent it"  # Firefox is late to notice an age
                assert abandoned >= COUNT - len(there) > 0

    browser.run(body)
