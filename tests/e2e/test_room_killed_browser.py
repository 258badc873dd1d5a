"""A browser is killed: the others see it leave, and the server keeps nothing of it."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.e2e.e2e_harness.browsers import Driver
from tests.e2e.e2e_harness.census import take_census
from tests.e2e.e2e_harness.room import everybody_perceives, join, serving, until

pytestmark = [pytest.mark.component("chromium"), pytest.mark.timeout(300)]

GONE = 25.0
"""Seconds within which the others see a killed browser leave."""


def test_a_killed_browser_is_seen_to_leave_and_nothing_of_it_is_kept(run):
    async def body():
        # How much is known of the path to those who stay depends on how busy this machine is; not the point here.
        async with serving(congestion_control=False) as server, Driver() as driver:
            # One page comes and goes first, so that what is made once for all is there at the first count.
            first, second, doomed = await asyncio.gather(*(driver.launch("chromium") for _ in range(3)))
            ada = await join(first, server, "Ada")
            rehearsal = await join(second, server, "Grace")
            await until(lambda: everybody_perceives([ada, rehearsal], 5), 60)
            await rehearsal.page.close()
            await until(lambda: _others(ada, 0), GONE, "the page that closed is still there")
            await until(_settled(server, 1), GONE, "the server still has the page that closed")
            await until(_measured(server), GONE, "nobody looks at how well the tracks arrive")
            before = take_census()

            victim = await join(doomed, server, "Eve")
            eve = await victim.identity()
            await until(lambda: everybody_perceives([ada, victim], 20), 60, "the call does not run")
            await ada.say("are you there?")
            during = take_census()
            assert during.more_than(before), "a census that sees nothing proves nothing"
            killed = time.monotonic()
            await doomed.kill()
            await until(lambda: _others(ada, 0), GONE, "Ada still sees Eve", pause=0.05)
            seen = time.monotonic() - killed
            print(f"Ada saw {eve} leave {seen:.2f} s after SIGKILL")
            assert seen < GONE
            await until(_settled(server, 1), GONE, "the server still has the killed one")
            print(f"the server was rid of it after {time.monotonic() - killed:.2f} s")

            async def left():
                more = take_census().more_than(before)
                if more:
                    print(more)
                return not more

            # Its media path times out by itself; nothing may wait for longer than that.
            await until(left, GONE, "something is kept of the killed browser", pause=1.0)
            print(f"nothing is left of it after {time.monotonic() - killed:.2f} s")
            assert (await ada.look())["state"] == "connected"
            assert driver.page_errors == []

    run(body(), 250)


async def _others(person, count: int) -> bool:
    return len((await person.look())["others"]) == count


def _settled(server, sessions: int):
    async def settled():
        media = server.runtime.stats()["media"]
        return media["sessions"] == sessions

    return settled


def _measured(server):
    """Whether all tracks were looked at: what is kept for that is there from then on."""

    async def measured():
        [room] = server.runtime.stats()["rooms"]
        return all(track["quality"] is not None for track in room["tracks"].values())

    return measured
