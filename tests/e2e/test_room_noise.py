"""Noise on a browser's own path: random, mutated, and authentic but mutated inside. The call does not notice."""

from __future__ import annotations

import asyncio
import gc
import resource
import time
from collections import Counter

import pytest
from e2e_harness.browsers import Driver
from e2e_harness.noise import NoiseMaker
from e2e_harness.relay import Relay
from e2e_harness.room import everybody_perceives, join, serving, until
from e2e_harness.shadow import KeyLog, Shadow

from pystack.peer import PeerConnection
from pystack.testing.laws import footprint

pytestmark = [pytest.mark.component("chromium")]

# Drops that a browser causes by itself: bandwidth probes of padding and of old packets.
OF_THE_BROWSER = {"rtp: padding", "rtp: rtx-early", "srtp: replay", "rtp: duplicate"}
PER_SECOND = 1500


@pytest.mark.timeout(400)
def test_thirty_thousand_datagrams_of_noise(run):
    run(_noise(30_000), 350)


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_a_million_datagrams_of_noise(run):
    run(_noise(1_000_000), 2300)


async def _noise(total: int) -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    with KeyLog().installed() as keys:
        async with serving() as server, Relay.open(server.media[0][1]) as relay, Driver() as driver:
            noisy, quiet = await asyncio.gather(driver.launch("chromium"), driver.launch("chromium"))
            grace = await join(quiet, server, "Grace")
            ada = await join(noisy, server, "Ada", detour=relay.port)
            people = [ada, grace]
            await until(lambda: everybody_perceives(people, 40), 60, "the call does not run")
            await ada.say("before")
            leg = relay.busiest
            session = keys.session_of(leg.seen["dtls"][-1])
            peer = next(
                each for each in gc.get_objects() if isinstance(each, PeerConnection) and each._session is session
            )
            shadow = Shadow(session, keys.keys_of(session))
            leg.rewrite = shadow.rewrite
            await ada.say("so that there is something to look into")
            await until(lambda: _true(shadow.ready), 40, "the browser sends not everything")

            seconds = total / PER_SECOND
            window = min(seconds, 30.0)
            calm = await _frame_rates(people, window)
            transport_id = session.rtp._inbound.demux.transport_id
            maker = NoiseMaker(leg, shadow, transport_id, seed=1)
            before = _counted(server, peer, session)
            carried, size = _carried(leg), footprint(session)
            memory = _resident()
            expected: Counter[str] = Counter()
            noise = asyncio.create_task(_make_noise(leg, maker, total, expected))
            loud = await _frame_rates(people, window)
            await noise
            await _settle(server, peer, session)
            after = _counted(server, peer, session)

            print(f"frames per second, calm {calm}, with noise {loud}")
            for kind, count in sorted(leg.injected.items()):
                print(f"  {kind}: {count} sent, {expected[kind]} drops due")
            drops = Counter(after["drops"]) - Counter(before["drops"])
            for why, count in sorted(drops.items()):
                print(f"  {why}: {count}")
            assert leg.injected.total() == total
            # Every datagram came: the browser's own, which the relay counted, and ours.
            own = _carried(leg) - carried
            stun = sum(count for kind, count in leg.injected.items() if "stun" in kind)
            assert after["datagrams"] - before["datagrams"] == own + total - stun
            # And everything that had to be dropped was, and was counted.
            counted = sum(count for why, count in drops.items() if why not in OF_THE_BROWSER)
            assert counted == expected.total(), (counted, expected.total())
            for name, rate in calm.items():
                assert loud[name] >= 0.9 * rate, (name, rate, loud[name])
            grown = footprint(session) - size
            print(f"the session holds {grown} bytes more, the process {_resident() - memory} KiB")
            assert grown < 1_000_000
            assert _resident() - memory < 64 * 1024
            assert complaints == []
            await ada.say("after")
            await until(lambda: _read(grace, "after"), 20, "the chat is broken")
            assert (await ada.look())["state"] == "connected"
            assert driver.page_errors == []


async def _make_noise(leg, maker: NoiseMaker, total: int, expected: Counter[str]) -> None:
    """Send all kinds in turn, paced."""
    kinds = list(maker.kinds.items())
    began = time.monotonic()
    for number in range(total):
        name, make = kinds[number % len(kinds)]
        data, drops = make()
        leg.inject(name, data)
        expected[name] += drops
        ahead = number / PER_SECOND - (time.monotonic() - began)
        if ahead > 0.005 or number % 20 == 0:
            await asyncio.sleep(max(0.0, ahead))


async def _frame_rates(people, seconds: float) -> dict[str, float]:
    """Frames decoded per second of what each person sees of the other."""
    first = [await _frames(person) for person in people]
    began = time.monotonic()
    await asyncio.sleep(seconds)
    last = [await _frames(person) for person in people]
    passed = time.monotonic() - began
    return {
        person.name: round((after - before) / passed, 2)
        for person, before, after in zip(people, first, last, strict=True)
    }


async def _frames(person) -> float:
    return sum(entry["frames"] for entry in (await person.heard_and_seen()).values())


def _counted(server, peer, session) -> dict:
    """What the server has counted: datagrams of the session, and drops of all layers."""
    mux = server.runtime._mux.counters()
    path = peer._ice.counters()
    drops = {f"mux: {why}": mux.get(why, 0) for why in ("no_session", "unknown_session", "not_stun")}
    ice = {why: count for why, count in path.items() if why.startswith("ice_")}
    return {"datagrams": path["datagrams_in"], "drops": {**drops, **ice, **session.dropped()}}


def _carried(leg) -> int:
    """Datagrams of the browser's own that the session must have seen; STUN is not for it."""
    return leg.carried.total() - leg.carried["stun"]


async def _settle(server, peer, session) -> None:
    """Wait until what is in flight has been counted."""
    await asyncio.sleep(0.5)


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024


async def _true(value: object) -> object:
    return value


async def _read(person, line) -> bool:
    return any(message == line for _, message in (await person.look())["chat"])
