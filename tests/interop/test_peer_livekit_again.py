"""LiveKit's unmodified SDK for Python loses tracks and gets them back: whoever switched them off, it sees and hears."""

from __future__ import annotations

import array
import asyncio
import contextlib
import math
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))  # for e2e_harness

from sfu.rooms import Grants
from tests.e2e.e2e_harness.room import own_address, serving, until
from tests.interop.livekit_rooms import enter

pytestmark = [pytest.mark.component("livekit"), pytest.mark.timeout(120)]

RATE, FRAME = 48_000, 480
LOUD = 1000  # of 32767: well above silence
WIDTH, HEIGHT = 160, 120


@attrs.define
class Perceived:
    """What came out of one track since it was subscribed."""

    frames: int = 0
    loudest: int = 0


@attrs.define
class Meeting:
    """``ada`` publishes, ``grace`` has ``now`` of it: by kind, the latest that she was told of."""

    server: Any
    ada: Any
    grace: Any
    now: dict[str, Perceived] = attrs.field(factory=dict)

    @property
    def publications(self) -> list[Any]:
        return list(self.grace.remote_participants["ada"].track_publications.values())

    def administer(self, command: Callable[[Any, float], Any]) -> None:
        self.server.runtime.hosts["test"].administer(command)


def by_herself(meeting: Meeting, wanted: bool) -> None:
    for publication in meeting.publications:
        publication.set_subscribed(wanted)


def by_the_publisher(meeting: Meeting, wanted: bool) -> None:
    meeting.ada.local_participant.set_track_subscription_permissions(allow_all_participants=wanted)


def by_the_owner(meeting: Meeting, wanted: bool) -> None:
    tracks = [publication.sid for publication in meeting.publications]
    meeting.administer(lambda admin, now: admin.subscribe("grace", tracks, wanted, now))


def by_permission(meeting: Meeting, wanted: bool) -> None:
    meeting.administer(lambda admin, now: admin.update("grace", now, grants=Grants(can_subscribe=wanted)))


@pytest.mark.parametrize("dual", [False, True], ids=["single", "dual"])
def test_tracks_that_were_switched_off_are_seen_and_heard_again(dual):
    async def bounded():
        async with asyncio.timeout(100), meeting_of_two(dual) as meeting:
            for switch in (by_herself, by_herself, by_herself, by_the_publisher, by_the_owner, by_permission):
                name = switch.__name__
                await until(lambda: perceives(meeting), 20, f"nothing before {name}")
                switch(meeting, False)
                await until(lambda: nothing_flows(meeting), 20, f"it goes on after {name}")
                meeting.now.clear()
                switch(meeting, True)
                await until(lambda: perceives(meeting), 20, f"nothing after {name}: {meeting.now}")

    asyncio.run(bounded())


async def perceives(meeting: Meeting) -> bool:
    video, audio = meeting.now.get("video"), meeting.now.get("audio")
    return video is not None and audio is not None and video.frames > 10 and audio.loudest > LOUD


async def nothing_flows(meeting: Meeting) -> bool:
    tracks = meeting.server.runtime.stats()["rooms"][0]["tracks"].values()
    return not any(track["subscribers"] for track in tracks)


@contextlib.asynccontextmanager
async def meeting_of_two(dual: bool) -> AsyncIterator[Meeting]:
    from livekit import rtc

    async with serving(media_addresses=(own_address(),)) as server:
        meeting = Meeting(server, await enter(server, "ada"), await enter(server, "grace", dual=dual))
        tasks: list[asyncio.Task[None]] = []

        async def watch(track: Any, into: Perceived) -> None:
            async for _ in rtc.VideoStream.from_track(track=track):
                into.frames += 1

        async def listen(track: Any, into: Perceived) -> None:
            async for event in rtc.AudioStream.from_track(track=track, sample_rate=RATE, num_channels=1):
                into.loudest = max(into.loudest, *map(abs, array.array("h", bytes(event.frame.data))))

        def subscribed(track: Any, *_: Any) -> None:
            sound = track.kind == rtc.TrackKind.KIND_AUDIO
            into = meeting.now["audio" if sound else "video"] = Perceived()
            tasks.append(asyncio.create_task((listen if sound else watch)(track, into)))

        meeting.grace.on("track_subscribed", subscribed)
        microphone, camera = rtc.AudioSource(RATE, 1), rtc.VideoSource(WIDTH, HEIGHT)
        tasks += [asyncio.create_task(_play(rtc, microphone)), asyncio.create_task(_film(rtc, camera))]
        publish = meeting.ada.local_participant.publish_track
        await publish(rtc.LocalAudioTrack.create_audio_track("tone", microphone))
        await publish(rtc.LocalVideoTrack.create_video_track("grey", camera), rtc.TrackPublishOptions(simulcast=False))
        try:
            yield meeting
        finally:
            await meeting.ada.disconnect()
            await meeting.grace.disconnect()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _play(rtc: Any, source: Any) -> None:
    at = 0
    while True:
        wave = (int(12_000 * math.sin(2 * math.pi * 440 * (at + n) / RATE)) for n in range(FRAME))
        at += FRAME
        await source.capture_frame(rtc.AudioFrame(array.array("h", wave).tobytes(), RATE, 1, FRAME))


async def _film(rtc: Any, source: Any) -> None:
    shade = 0
    while True:
        shade = (shade + 8) % 256
        data = bytes([shade]) * (WIDTH * HEIGHT) + bytes([128]) * (WIDTH * HEIGHT // 2)
        source.capture_frame(rtc.VideoFrame(WIDTH, HEIGHT, rtc.VideoBufferType.I420, data))
        await asyncio.sleep(1 / 15)
