"""A viewer on a thin path, between two of LiveKit's unmodified SDKs for Python: it sees less until there is room."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))  # for e2e_harness

from pystack.testing.link import LinkOptions
from tests.e2e.e2e_harness.room import LOOPBACK, own_address, serving, until
from tests.interop.livekit_rooms import enter, watching
from tests.interop.thin_network import ThinNetwork

pytestmark = [pytest.mark.component("livekit"), pytest.mark.timeout(180)]

WIDTH, HEIGHT, FPS = 960, 540, 15
BITRATE = 1_500_000
BLOCK = 12


def test_a_viewer_on_a_thin_path_gets_a_smaller_picture_until_there_is_room():
    async def bounded():
        async with asyncio.timeout(150):
            await _watch()

    asyncio.run(bounded())


async def _watch() -> None:
    from livekit import rtc

    settings = {"media_addresses": (LOOPBACK,), "advertised_addresses": (own_address(),), "media_tcp": False}
    async with serving(**settings) as server:
        [(_, port)] = server.media
        async with ThinNetwork.open((own_address(), port), (LOOPBACK, port)) as network:
            ada, grace = [await enter(server, name) for name in ("ada", "grace")]
            subscribed = asyncio.get_running_loop().create_future()
            grace.on("track_subscribed", lambda track, *_: subscribed.set_result(track))
            source = rtc.VideoSource(WIDTH, HEIGHT)
            filming = asyncio.create_task(_film(rtc, source))
            await ada.local_participant.publish_track(
                rtc.LocalVideoTrack.create_video_track("blocks", source),
                rtc.TrackPublishOptions(
                    source=rtc.TrackSource.SOURCE_CAMERA,
                    simulcast=True,
                    video_codec=rtc.VideoCodec.Value("VP8"),
                    video_encoding=rtc.VideoEncoding(max_bitrate=BITRATE, max_framerate=FPS),
                ),
            )

            def path() -> dict[str, object]:
                people = server.runtime.stats()["rooms"][0]["participants"]
                return next(each["path"] for each in people if each["identity"] == "grace")

            async with watching(ada, grace, filming, asyncio.wait_for(subscribed, 20)) as widths:

                async def shows(wanted, seconds: float) -> None:
                    def last() -> bool:
                        return len(widths) >= 5 and all(wanted(width) for width in widths[-5:])

                    await until(lambda: _true(last()), seconds, f"shown: {widths[-5:]}; {path()}")

                await shows(lambda width: width == WIDTH, 30)
                assert path() == {"congestion": "none", "takes_bps": None}
                network.options = LinkOptions(rate_bps=BITRATE / 3, queue=60_000)
                await shows(lambda width: width < WIDTH, 30)
                assert path()["takes_bps"] < BITRATE / 2
                network.options = LinkOptions()
                await shows(lambda width: width == WIDTH, 60)


async def _film(rtc, source) -> None:
    """Blocks at random, so that the encoder needs all that it may have."""
    chance = random.Random(1)
    frames = []
    for _ in range(8):
        rows = [
            b"".join(bytes((chance.randrange(256),)) * BLOCK for _ in range(WIDTH // BLOCK))
            for _ in range(HEIGHT // BLOCK)
        ]
        luma = b"".join(row * BLOCK for row in rows)
        frames.append(
            rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.I420, luma + bytes((128,)) * (WIDTH * HEIGHT // 2))
        )
    for step in range(1 << 30):
        source.capture_frame(frames[step % len(frames)])
        await asyncio.sleep(1 / FPS)


async def _true(value: object) -> object:
    return value
