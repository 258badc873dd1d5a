"""Layers inside one stream (SVC) between two of LiveKit's unmodified SDKs for Python, with one and two connections."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))  # for e2e_harness

from tests.e2e.e2e_harness.room import own_address, serving, until
from tests.interop.livekit_rooms import enter, watching

pytestmark = [pytest.mark.component("livekit"), pytest.mark.timeout(120)]

WIDTH, HEIGHT, FPS = 1280, 720, 15


@pytest.mark.parametrize(
    ("codec", "mode", "dual"), [("VP9", "", True), ("AV1", "L3T3_KEY", False)], ids=["VP9-dual", "AV1-single"]
)
def test_the_sdk_chooses_a_layer_inside_one_stream(codec, mode, dual):
    async def bounded():
        async with asyncio.timeout(90):
            await _choose(codec, mode, dual)

    asyncio.run(bounded())


async def _choose(codec: str, mode: str, dual: bool) -> None:
    from livekit import rtc

    async with serving(media_addresses=(own_address(),)) as server:
        ada, grace = [await enter(server, name, dual=dual) for name in ("ada", "grace")]
        subscribed = asyncio.get_running_loop().create_future()
        grace.on("track_subscribed", lambda track, publication, _: subscribed.set_result((track, publication)))
        source = rtc.VideoSource(WIDTH, HEIGHT)
        track = rtc.LocalVideoTrack.create_video_track("bars", source)
        filming = asyncio.create_task(_film(rtc, source))
        await ada.local_participant.publish_track(
            track,
            rtc.TrackPublishOptions(
                source=rtc.TrackSource.SOURCE_CAMERA,
                simulcast=True,
                video_codec=rtc.VideoCodec.Value(codec),
                video_encoding=rtc.VideoEncoding(max_bitrate=3_000_000, max_framerate=FPS),
                **({"scalability_mode": mode} if mode else {}),
            ),
        )
        received, publication = await asyncio.wait_for(subscribed, 20)
        room = server.runtime.stats()["rooms"][0]
        assert ["publishes_on" in each["transport"] for each in room["participants"]] == [dual, dual]
        track = asyncio.get_running_loop().create_future()
        track.set_result(received)
        async with watching(ada, grace, filming, track) as widths:
            for quality, width in ((2, WIDTH), (1, WIDTH // 2), (0, WIDTH // 4), (2, WIDTH)):
                publication.set_video_quality(quality)
                await until(
                    lambda: _true(widths[-5:] == [width] * 5),  # noqa: B023
                    20,
                    f"quality {quality}: {widths[-5:]} instead of {width}",
                )
            [sent] = server.runtime.stats()["rooms"][0]["tracks"].values()
            [down] = sent["subscribers"].values()
            assert (down["spatial_layer"], down["drops"]) == (2, {})


async def _film(rtc, source) -> None:
    """Bars that move, so that the encoder has something to do."""
    frames = []
    for step in range(FPS):
        luma = bytes(((x + step * WIDTH // 8 // FPS) // (WIDTH // 8) % 8) * 28 + 32 for x in range(WIDTH))
        chroma = bytes(128 for _ in range(WIDTH // 2))
        data = luma * HEIGHT + chroma * HEIGHT
        frames.append(rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.I420, data))
    step = 0
    while True:
        source.capture_frame(frames[step % FPS])
        step += 1
        await asyncio.sleep(1 / FPS)


async def _true(value: object) -> object:
    return value
