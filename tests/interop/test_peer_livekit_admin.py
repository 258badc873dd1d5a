"""What a backend does to a room, as LiveKit's unmodified SDK for Python sees it from inside."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))  # for e2e_harness

from tests.e2e.e2e_harness.room import own_address, serving
from tests.interop.livekit_rooms import enter

pytestmark = [pytest.mark.component("livekit"), pytest.mark.timeout(120)]

KEY, SECRET = "backend", "a secret of 32 characters and more"


class Seen:
    """The events of a room by name, each waited for."""

    def __init__(self, room: Any) -> None:
        self._queues: dict[str, asyncio.Queue[tuple[Any, ...]]] = {}
        for name in (
            "track_subscribed",
            "track_muted",
            "participant_name_changed",
            "participant_metadata_changed",
            "participant_attributes_changed",
            "room_metadata_changed",
            "data_received",
            "track_unpublished",
            "local_track_unpublished",
            "participant_disconnected",
            "disconnected",
        ):
            queue = self._queues[name] = asyncio.Queue()
            room.on(name, lambda *told, queue=queue: queue.put_nowait(told))

    async def next(self, name: str) -> tuple[Any, ...]:
        try:
            return await asyncio.wait_for(self._queues[name].get(), 15)
        except TimeoutError:
            raise AssertionError(f"{name} was not told") from None


def test_a_backend_mutes_changes_and_removes_and_the_sdk_follows():
    async def bounded():
        async with asyncio.timeout(100):
            await _administer()

    asyncio.run(bounded())


async def _administer() -> None:
    from livekit import api, rtc

    async with serving(keys={KEY: SECRET}, media_addresses=(own_address(),)) as server:
        ada, grace = [await enter(server, name, key=KEY, secret=SECRET) for name in ("ada", "grace")]
        at_ada, at_grace = Seen(ada), Seen(grace)
        source = rtc.AudioSource(48000, 1)
        track = rtc.LocalAudioTrack.create_audio_track("voice", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        publication = await ada.local_participant.publish_track(track, options)
        await at_grace.next("track_subscribed")
        async with api.LiveKitAPI(server.url, KEY, SECRET) as backend:
            rooms = backend.room
            [listed] = (await rooms.list_rooms(api.ListRoomsRequest())).rooms
            assert (listed.name, listed.num_participants) == ("test", 2)

            mute = api.MuteRoomTrackRequest(room="test", identity="ada", track_sid=publication.sid, muted=True)
            await rooms.mute_published_track(mute)
            participant, muted = await at_grace.next("track_muted")
            assert (participant.identity, muted.sid) == ("ada", publication.sid)
            participant, muted = await at_ada.next("track_muted")
            assert (participant.identity, muted.sid) == ("ada", publication.sid)

            change = api.UpdateParticipantRequest(
                room="test", identity="ada", name="Ada L.", metadata="m", attributes={"hand": "up"}
            )
            await rooms.update_participant(change)
            for seen in (at_ada, at_grace):
                await seen.next("participant_name_changed")
                await seen.next("participant_metadata_changed")
                changed, participant = await seen.next("participant_attributes_changed")
                assert (changed, participant.name) == ({"hand": "up"}, "Ada L.")

            await rooms.update_room_metadata(api.UpdateRoomMetadataRequest(room="test", metadata="busy"))
            assert (await at_grace.next("room_metadata_changed"))[-1] == "busy"

            await rooms.send_data(
                api.SendDataRequest(room="test", data=b"hello", topic="news", destination_identities=["grace"])
            )
            (packet,) = await at_grace.next("data_received")
            assert (packet.data, packet.topic, packet.participant) == (b"hello", "news", None)

            permission = api.ParticipantPermission(can_subscribe=True, can_publish=False, can_publish_data=True)
            await rooms.update_participant(
                api.UpdateParticipantRequest(room="test", identity="ada", permission=permission)
            )
            unpublished, participant = await at_grace.next("track_unpublished")
            assert (unpublished.sid, participant.identity) == (publication.sid, "ada")

            await rooms.remove_participant(api.RoomParticipantIdentity(room="test", identity="ada"))
            (reason,) = await at_ada.next("disconnected")
            assert reason == rtc.DisconnectReason.PARTICIPANT_REMOVED
            (gone,) = await at_grace.next("participant_disconnected")
            assert gone.identity == "ada"

            await rooms.delete_room(api.DeleteRoomRequest(room="test"))
            (reason,) = await at_grace.next("disconnected")
            assert reason == rtc.DisconnectReason.ROOM_DELETED
        await ada.disconnect()
        await grace.disconnect()
