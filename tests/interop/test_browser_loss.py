"""A page's video through a lossy relay, there and back: with NACK and RTX it runs on, without them it does not.

The page's own statistics are the judge: frames decoded of what it sent, and what we sent back.
"""

from __future__ import annotations

import asyncio
import time

import attrs
import pytest

from pystack.peer.media import VIDEO_CODECS
from tests.interop.browser.echo import Echo, inbound, until
from tests.interop.browser.page_peer import stage
from tests.interop.other_peer import negotiate

WINDOW = 20.0
TOLD = ("nackCount", "pliCount", "retransmittedPacketsReceived", "packetsLost", "freezeCount")
VP8 = [each for each in VIDEO_CODECS if each.name == "VP8"]
REPAIRED = tuple(VP8)
BARE = tuple(attrs.evolve(each, rtx=False, rtcp_fb=tuple(one for one in each.rtcp_fb if one != "nack")) for each in VP8)


async def _frames(other) -> int:
    return sum(each.get("framesDecoded", 0) for each in await inbound(other, "video"))


async def _rate(other, seconds: float) -> float:
    before, began = await _frames(other), time.monotonic()
    await asyncio.sleep(seconds)
    return (await _frames(other) - before) / (time.monotonic() - began)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("chromium", marks=pytest.mark.component("chromium")),
        pytest.param("firefox", marks=[pytest.mark.component("firefox"), pytest.mark.long]),
    ],
)
@pytest.mark.timeout(200)
def test_video_survives_five_percent_loss_and_forty_milliseconds_of_jitter(kind):
    rates: dict[str, float] = {}

    def call(codecs, windows):
        async def body(ours, other, first):
            relay = ours.relay
            await other.ask("send", kind="video", codec="VP8")
            echoes: list[Echo] = []
            await negotiate(ours, other, "they offer", lambda: echoes.append(Echo(ours.peer.transceivers[-1])))

            async def moving() -> bool:
                return await _frames(other) > 40

            await until(moving, f"no call; {echoes[0].packets} came, {relay.passed}")
            for name, loss, jitter in windows:
                relay.loss, relay.jitter = loss, jitter
                await asyncio.sleep(2)
                rates[name] = await _rate(other, WINDOW)
            (stats,) = await inbound(other, "video")
            told = {name: stats.get(name) for name in TOLD}
            print({**rates}, "lost:", dict(relay.lost), "passed:", dict(relay.passed), "the page says:", told)

        browser.meet("they offer", body, seed=7, timeout=120, video_codecs=codecs)

    with stage(kind) as browser:
        call(REPAIRED, [("lossless", 0.0, 0.0), ("repaired", 0.05, 0.040)])
        call(BARE, [("bare", 0.05, 0.040)])
    print("frames per second:", {name: round(rate, 1) for name, rate in rates.items()})
    assert rates["lossless"] > 10
    assert rates["repaired"] >= 0.8 * rates["lossless"]
    assert rates["bare"] < rates["repaired"]
