"""Data tracks between two of LiveKit's unmodified SDKs for Python in a room of ours."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))  # for e2e_harness

from sfu.server.auth import make_token
from sfu.server.config import DEV_KEY, DEV_SECRET
from tests.e2e.e2e_harness.room import own_address, serving, until

pytestmark = [pytest.mark.component("livekit"), pytest.mark.timeout(120)]


def test_frames_of_data_tracks_reach_those_who_asked_for_them():
    async def bounded():
        async with asyncio.timeout(90):
            await _exchange()

    asyncio.run(bounded())


async def _exchange() -> None:
    from livekit import rtc
    from livekit.rtc.participant import PublishDataTrackError

    async with serving(media_addresses=(own_address(),)) as server:

        async def enter(identity: str):
            room = rtc.Room()
            found: dict[str, object] = {}
            gone: list[str] = []
            room.on("data_track_published", lambda track: found.update({track.info.name: track}))
            room.on("data_track_unpublished", gone.append)
            token = make_token(DEV_KEY, DEV_SECRET, identity=identity, room="test", name=identity)
            await room.connect(server.url.replace("http", "ws", 1), token)
            return room, found, gone

        ada, _, _ = await enter("ada")
        grace, found, gone = await enter("grace")
        joan, _, _ = await enter("joan")
        local = ada.local_participant
        pose, depth = await local.publish_data_track(name="pose"), await local.publish_data_track(name="depth")
        with pytest.raises(PublishDataTrackError):
            await local.publish_data_track(name="pose")
        await until(lambda: _true(found.keys() == {"pose", "depth"}), 20, "the tracks are not announced")
        late, found_late, _ = await enter("late")
        await until(lambda: _true(found_late.keys() == {"pose", "depth"}), 20, "who comes late is not told")

        streams = {name: track.subscribe() for name, track in found.items()}
        heard: dict[str, list[bytes]] = {name: [] for name in streams}

        async def read(name: str) -> None:
            async for frame in streams[name]:
                heard[name].append(frame.payload)

        readers = [asyncio.create_task(read(name)) for name in streams]
        small, large = b"a pose", bytes(range(256)) * 160  # 40,960 bytes take three packets

        async def push() -> bool:
            pose.try_push(rtc.DataTrackFrame(payload=small))
            depth.try_push(rtc.DataTrackFrame(payload=large))
            await asyncio.sleep(0.05)
            return len(heard["pose"]) > 20 and len(heard["depth"]) > 20

        await until(push, 30, "frames do not arrive", pause=0)
        assert set(heard["pose"]) == {small}
        assert set(heard["depth"]) == {large}
        [room] = server.runtime.stats()["rooms"]
        sent = {each["identity"]: each["transport"]["data_tracks"]["packets"] for each in room["participants"]}
        assert sent["grace"] > 80
        assert sent["joan"] == sent["ada"] == sent["late"] == 0, "nobody else asked"
        assert room["data_tracks"]["drops"] == {}
        await pose.unpublish()
        await until(lambda: _true(len(gone) == 1), 20, "its end is not told")
        await depth.unpublish()
        for person in (joan, late, grace, ada):
            await person.disconnect()
        await asyncio.gather(*readers)


async def _true(value: object) -> object:
    return value
