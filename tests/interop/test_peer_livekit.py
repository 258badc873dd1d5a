"""The unmodified LiveKit SDK for Python in a room of ours with two browsers: audio and data packets both ways."""

from __future__ import annotations

import array
import asyncio
import math
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))  # for e2e_harness

from sfu.server.auth import make_token
from sfu.server.config import DEV_KEY, DEV_SECRET
from tests.e2e.e2e_harness.browsers import Driver, missing_parts
from tests.e2e.e2e_harness.room import join, own_address, serving, until

pytestmark = [
    pytest.mark.component("livekit"),
    pytest.mark.component("chromium"),
    pytest.mark.component("firefox"),
    pytest.mark.timeout(240),
]

RATE = 48_000
FRAME = 480
LOUD = 1000  # of 32767: well above silence


@pytest.fixture(scope="module", autouse=True)
def _driver_parts():
    missing = missing_parts("chromium")
    if missing is not None:
        pytest.fail(missing)


def test_the_livekit_sdk_meets_two_browsers():
    async def bounded():
        async with asyncio.timeout(200):
            await _meet()

    asyncio.run(bounded())


async def _meet() -> None:
    from livekit import rtc

    # Its native part gathers no loopback addresses, so media is on an address of this machine that is not.
    async with serving(media_addresses=(own_address(),)) as server, Driver() as driver:
        browsers = await asyncio.gather(driver.launch("chromium"), driver.launch("firefox"))
        people = await asyncio.gather(
            *(join(browser, server, name) for browser, name in zip(browsers, ("Ada", "Frida"), strict=True))
        )
        identities = {await person.identity(): person for person in people}
        room = rtc.Room()
        loudest = dict.fromkeys(identities, 0)
        heard: list[tuple[str, str]] = []
        listening: list[asyncio.Task[None]] = []

        async def listen(track, identity: str) -> None:
            async for event in rtc.AudioStream(track):
                loudest[identity] = max(loudest[identity], *map(abs, array.array("h", bytes(event.frame.data))))

        @room.on("track_subscribed")
        def subscribed(track, publication, participant):
            if track.kind == rtc.TrackKind.KIND_AUDIO:
                listening.append(asyncio.create_task(listen(track, participant.identity)))

        speaking: list[list[str]] = []

        @room.on("active_speakers_changed")
        def speakers(now):
            speaking.append([each.identity for each in now])

        quality: dict[str, int] = {}

        @room.on("connection_quality_changed")
        def connections(participant, level):
            quality[participant.identity] = level

        async def read(reader, identity: str) -> None:
            heard.append((identity, await reader.read_all()))

        def hear(reader, identity: str) -> None:
            listening.append(asyncio.create_task(read(reader, identity)))

        room.register_text_stream_handler("lk.chat", hear)

        token = make_token(DEV_KEY, DEV_SECRET, identity="robot", room="test", name="Robot")
        await room.connect(server.url.replace("http", "ws", 1), token)
        source = rtc.AudioSource(RATE, 1)
        track = rtc.LocalAudioTrack.create_audio_track("tone", source)
        await room.local_participant.publish_track(
            track, rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        )
        playing = asyncio.create_task(_play(rtc, source))
        try:
            for person in people:
                await until(lambda: _hears(person, "robot"), 40, f"{person.name} hears nothing of the SDK")  # noqa: B023
            await until(lambda: _true(min(loudest.values()) > LOUD), 40, f"the SDK hears too little: {loudest}")
            print("the loudest samples that the SDK heard:", loudest)
            await until(lambda: _true(any("robot" in each for each in speaking)), 20, "it is not told that it speaks")
            await room.local_participant.send_text("from the robot", topic="lk.chat")
            for person in people:
                await until(lambda: _read(person, "from the robot"), 20, "no data packet from the SDK")  # noqa: B023
                await person.say(f"from {person.name}")
            wanted = {(identity, f"from {person.name}") for identity, person in identities.items()}
            await until(lambda: _true(wanted <= set(heard)), 20, f"the SDK got only {heard}")
            everybody = {"robot", *identities}
            await until(lambda: _true(everybody <= quality.keys()), 20, f"no connection quality: {quality}")
            assert set(quality.values()) == {rtc.ConnectionQuality.QUALITY_EXCELLENT}
        finally:
            playing.cancel()
            await asyncio.gather(playing, return_exceptions=True)
            await room.disconnect()
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
        for person in people:
            await until(lambda: _alone(person), 25, "the SDK is still there")  # noqa: B023
        assert driver.page_errors == []


async def _play(rtc, source) -> None:
    """A tone of 440 Hz for as long as it is wanted."""
    phase = 0
    while True:
        samples = array.array(
            "h", (round(12_000 * math.sin(2 * math.pi * 440 * (phase + n) / RATE)) for n in range(FRAME))
        )
        phase = (phase + FRAME) % RATE
        await source.capture_frame(rtc.AudioFrame(samples.tobytes(), RATE, 1, FRAME))


async def _hears(person, identity: str) -> bool:
    return (await person.heard_and_seen()).get(identity, {}).get("energy", 0.0) > 0.001


async def _true(value: object) -> object:
    return value


async def _read(person, line: str) -> bool:
    return ["robot", line] in (await person.look())["chat"]


async def _alone(person) -> bool:
    return "robot" not in (await person.look())["others"]
