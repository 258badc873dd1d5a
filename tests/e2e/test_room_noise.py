"""Noise on a browser's own path: random, mutated, and authentic but mutated inside. The call does not notice."""

from __future__ import annotations

import asyncio
import gc
import resource
import time
from collections import Counter

import pytest

from pystack.peer import PeerConnection
from pystack.testing.laws import footprint
from tests.e2e.e2e_harness.browsers import Driver
from tests.e2e.e2e_harness.noise import NoiseMaker
from tests.e2e.e2e_harness.relay import Relay
from tests.e2e.e2e_harness.room import everybody_perceives, join, serving, until
from tests.e2e.e2e_harness.shadow import KeyLog, Shadow

pytestmark = [pytest.mark.component("chromium")]

# Drops that are the browser's own (bandwidth probes of padding and of old packets, an answer to a heartbeat that came
# too late), and those on the way out.
NOT_OF_NOISE = {
    "rtp: padding",
    "rtp: rtx-early",
    "rtp: duplicate",
    "srtp: replay",
    "sctp: heartbeat-ack-unasked",
    "media: late",
    "media: full",
    # Not datagrams: what a report that was taken claims and cannot be (a mutated packet is still RTCP).
    "rtp: feedback-unsent",
    "rtp: nack-excess",
    "rtp: report-early",
    "rtp: report-old",
    "rtp: report-runaway",
}


@pytest.mark.timeout(400)
def test_thirty_thousand_datagrams_of_noise(run):
    run(_noise(30_000, per_second=1500), 350)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_million_datagrams_of_noise(run):
    run(_noise(1_000_000, per_second=3000), 3500)


async def _noise(total: int, per_second: int) -> None:
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

            transport_id = session.rtp._inbound.demux.transport_id
            maker = NoiseMaker(leg, shadow, transport_id, seed=1)
            missing = await _missing(peer, leg)
            before, size, memory = _drops(server, peer, session), footprint(session), _resident()
            expected: Counter[str] = Counter()
            frames: dict[str, Counter[str]] = {"calm": Counter(), "noise": Counter()}
            # Calm and noise take turns, so that what else the machine has to do troubles both alike.
            rounds = max(4, total // 60_000)
            for _ in range(rounds):
                share = total // rounds
                frames["noise"] += await _frames_during(people, _make_noise(leg, maker, share, per_second, expected))
                frames["calm"] += await _frames_during(people, asyncio.sleep(share / per_second))
            await asyncio.sleep(0.5)
            drops = Counter(_drops(server, peer, session)) - Counter(before)

            rates = {
                name: {who: round(count / counts["seconds"], 2) for who, count in counts.items() if who != "seconds"}
                for name, counts in frames.items()
            }
            print("frames per second:", rates)
            for kind, count in sorted(leg.injected.items()):
                print(f"  {kind}: {count} sent, {expected[kind]} drops due")
            for why, count in sorted(drops.items()):
                print(f"  {why}: {count}")
            assert peer.reason is None, f"the connection ended: {peer.reason}"
            assert leg.injected.total() == total // rounds * rounds
            # Every datagram came, the browser's own and ours, and everything that had to be dropped was counted.
            assert await _missing(peer, leg) == missing
            counted = sum(count for why, count in drops.items() if why not in NOT_OF_NOISE)
            assert counted == expected.total(), (counted, expected.total())
            for who, rate in rates["calm"].items():
                assert rates["noise"][who] >= 0.9 * rate, rates
            grown = footprint(session) - size
            print(f"the session holds {grown} bytes more, the process {_resident() - memory} KiB")
            assert grown < 1_000_000
            assert _resident() - memory < 64 * 1024
            assert complaints == []
            await ada.say("after")
            await until(lambda: _read(grace, "after"), 20, "the chat is broken")
            assert (await ada.look())["state"] == "connected"
            assert driver.page_errors == []


async def _make_noise(leg, maker: NoiseMaker, total: int, per_second: int, expected: Counter[str]) -> None:
    """Send all kinds in turn, paced; a turn that comes late is not made up for by a burst."""
    kinds = list(maker.kinds.items())
    for number in range(total):
        name, make = kinds[number % len(kinds)]
        data, drops = make()
        leg.inject(name, data)
        expected[name] += drops
        if number % 12 == 0:
            await asyncio.sleep(12 / per_second)


async def _frames_during(people, what) -> Counter[str]:
    """Frames that each person decoded of the other meanwhile, and how many seconds it took."""
    first = [await _frames(person) for person in people]
    began = time.monotonic()
    await what
    last = [await _frames(person) for person in people]
    seen = Counter({person.name: after - before for person, before, after in zip(people, first, last, strict=True)})
    seen["seconds"] = time.monotonic() - began
    return seen


async def _frames(person) -> float:
    return sum(entry["frames"] for entry in (await person.heard_and_seen()).values())


def _drops(server, peer, session) -> dict[str, int]:
    """What the server has dropped and counted, in all layers."""
    mux = server.runtime._mux.counters()
    return {
        **{f"mux: {why}": mux.get(why, 0) for why in ("no_session", "unknown_session", "not_stun")},
        **{why: count for why, count in peer._ice.counters().items() if why.startswith("ice_")},
        **session.dropped(),
    }


async def _missing(peer, leg) -> int:
    """How many more datagrams for the session went up than came; what is in flight is not counted as missing."""
    least = None
    for _ in range(60):
        sent = leg.carried + leg.injected
        up = sum(count for kind, count in sent.items() if "stun" not in kind)
        now = up - peer._ice.counters()["datagrams_in"]
        least = now if least is None else min(least, now)
        await asyncio.sleep(0.01)
    return least


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() // 1024


async def _true(value: object) -> object:
    return value


async def _read(person, line) -> bool:
    return any(message == line for _, message in (await person.look())["chat"])
