"""LiveKit's RoomService: its own Python client for backends, against rooms with real peers."""

import asyncio
import contextlib
import io
import json

import aiohttp
import jwt
import pytest
from livekit.protocol import models, rtc

from tests.live.sfu_client import KEYS, Client, run, serving, until

SECRET = "a secret of 32 characters and more"
KEYS_HERE = {"keys": KEYS | {"backend": SECRET}}
pytestmark = pytest.mark.component("livekit")


@contextlib.asynccontextmanager
async def backend(server):
    from livekit import api

    client = api.LiveKitAPI(server.url, "backend", SECRET)
    try:
        yield client.room
    finally:
        await client.aclose()


async def refused(call, code):
    from livekit import api

    with pytest.raises(api.TwirpError) as error:
        await call
    assert error.value.code == code, error.value
    return error.value.message


def updates(client, what):
    return [getattr(each, what) for each in client.seen if each.WhichOneof("message") == what]


def test_rooms_are_made_listed_described_and_deleted():
    async def main():
        from livekit import api

        async with serving(**KEYS_HERE) as (server, http), backend(server) as rooms:
            made = await rooms.create_room(
                api.CreateRoomRequest(
                    name="demo", metadata="first", empty_timeout=77, departure_timeout=9, max_participants=2
                )
            )
            assert (made.name, made.metadata, made.empty_timeout, made.max_participants) == ("demo", "first", 77, 2)
            again = await rooms.create_room(api.CreateRoomRequest(name="demo"))
            assert (again.sid, again.metadata, again.empty_timeout, again.departure_timeout) == (
                made.sid,
                "first",
                77,
                9,
            )
            await rooms.create_room(api.CreateRoomRequest(name="other"))
            listed = await rooms.list_rooms(api.ListRoomsRequest())
            assert sorted(each.name for each in listed.rooms) == ["demo", "other"]
            listed = await rooms.list_rooms(api.ListRoomsRequest(names=["other", "none"]))
            assert [each.name for each in listed.rooms] == ["other"]
            await refused(rooms.create_room(api.CreateRoomRequest()), "invalid_argument")
            too_long = api.CreateRoomRequest(name="x" * 257)
            assert "256 characters" in await refused(rooms.create_room(too_long), "invalid_argument")

            ada, grace = await Client(http, "ada").join(), await Client(http, "grace").join()
            async with http.get("/rtc/v1/validate", params=Client(http, "joan").query) as answer:
                assert (answer.status, await answer.text()) == (
                    403,
                    "room 'demo' is full: it takes 2 participants (max_participants)\n",
                )
            told = await rooms.update_room_metadata(api.UpdateRoomMetadataRequest(room="demo", metadata="second"))
            assert (told.metadata, told.num_participants) == ("second", 2)
            await until(lambda: [each.room.metadata for each in updates(ada, "room_update")][-1:] == ["second"])
            too_long = api.UpdateRoomMetadataRequest(room="demo", metadata="x" * 70_000)
            assert "above 65536 bytes" in await refused(rooms.update_room_metadata(too_long), "invalid_argument")

            await rooms.delete_room(api.DeleteRoomRequest(room="demo"))
            for client in (ada, grace):
                leave = await asyncio.wait_for(client.left, 5)
                assert (leave.reason, leave.action) == (
                    models.DisconnectReason.ROOM_DELETED,
                    rtc.LeaveRequest.DISCONNECT,
                )
                await client.close()
            assert "no room 'demo'" in await refused(rooms.delete_room(api.DeleteRoomRequest(room="demo")), "not_found")

    run(main())


def test_a_server_that_is_going_lets_nobody_in_and_says_that_it_is_unavailable():
    async def main():
        from livekit import api

        async with serving(**KEYS_HERE) as (server, http), backend(server) as rooms:
            await server.runtime.close()
            said = await refused(rooms.create_room(api.CreateRoomRequest(name="demo")), "unavailable")
            assert "shutting down" in said
            async with http.get("/rtc/v1/validate", params=Client(http, "ada").query) as answer:
                assert (answer.status, await answer.text()) == (503, f"{said}\n")

    run(main())


def test_participants_are_listed_muted_changed_and_removed():
    async def main():
        from livekit import api

        async with serving(**KEYS_HERE) as (server, http), backend(server) as rooms:
            ada, grace = await Client(http, "ada").join(), await Client(http, "grace").join()
            await ada.publish("audio", "voice", source=models.TrackSource.MICROPHONE)
            sid = ada.published["voice"]
            await until(lambda: grace.receiver(sid) is not None)

            found = await rooms.list_participants(api.ListParticipantsRequest(room="demo"))
            assert [each.identity for each in found.participants] == ["ada", "grace"]
            one = await rooms.get_participant(api.RoomParticipantIdentity(room="demo", identity="ada"))
            assert (one.sid, one.tracks[0].sid, one.permission.can_publish) == (ada.sid, sid, True)
            missing = api.RoomParticipantIdentity(room="demo", identity="joan")
            assert "nobody called 'joan'" in await refused(rooms.get_participant(missing), "not_found")

            muted = api.MuteRoomTrackRequest(room="demo", identity="ada", track_sid=sid, muted=True)
            assert (await rooms.mute_published_track(muted)).track.muted
            await until(lambda: [(each.sid, each.muted) for each in updates(ada, "mute")] == [(sid, True)])
            await until(lambda: grace.people["ada"].tracks[0].muted)
            assert (await rooms.mute_published_track(muted)).track.muted, "twice is once"
            muted.muted = False
            assert "by its publisher" in await refused(rooms.mute_published_track(muted), "failed_precondition")
            muted.track_sid = "TR_none"
            await refused(rooms.mute_published_track(muted), "not_found")

            change = api.UpdateParticipantRequest(
                room="demo", identity="ada", name="Ada L.", metadata="m", attributes={"hand": "up"}
            )
            changed = await rooms.update_participant(change)
            assert (changed.name, changed.metadata, changed.attributes["hand"]) == ("Ada L.", "m", "up")
            await until(lambda: grace.people["ada"].name == "Ada L.")
            change = api.UpdateParticipantRequest(room="demo", identity="ada", attributes={"hand": ""})
            changed = await rooms.update_participant(change)
            assert (changed.name, dict(changed.attributes)) == ("Ada L.", {})

            await rooms.remove_participant(api.RoomParticipantIdentity(room="demo", identity="ada"))
            leave = await asyncio.wait_for(ada.left, 5)
            assert (leave.reason, leave.action) == (
                models.DisconnectReason.PARTICIPANT_REMOVED,
                rtc.LeaveRequest.DISCONNECT,
            )
            await until(lambda: "ada" not in grace.people)
            for client in (ada, grace):
                await client.close()

    run(main())


def test_permissions_and_subscriptions_are_changed_and_take_effect():
    async def main():
        from livekit import api

        async with serving(**KEYS_HERE) as (server, http), backend(server) as rooms:
            ada, grace = await Client(http, "ada").join(), await Client(http, "grace").join()
            await ada.publish("audio", "voice", source=models.TrackSource.MICROPHONE)
            await ada.publish("video", "camera", source=models.TrackSource.CAMERA)
            voice, camera = ada.published["voice"], ada.published["camera"]
            await until(lambda: grace.receiver(voice) is not None and grace.receiver(camera) is not None)

            wish = api.UpdateSubscriptionsRequest(room="demo", identity="grace", track_sids=[camera], subscribe=False)
            await rooms.update_subscriptions(wish)
            await until(lambda: grace.receiver(camera) is None)
            assert grace.receiver(voice) is not None
            wish.subscribe = True
            await rooms.update_subscriptions(wish)
            await until(lambda: grace.receiver(camera) is not None)

            permission = models.ParticipantPermission(
                can_subscribe=True,
                can_publish=True,
                can_publish_data=False,
                can_publish_sources=[models.TrackSource.MICROPHONE],
            )
            change = api.UpdateParticipantRequest(room="demo", identity="ada", permission=permission)
            assert [each.sid for each in (await rooms.update_participant(change)).tracks] == [voice]
            await until(lambda: [each.track_sid for each in updates(ada, "track_unpublished")] == [camera])
            await until(lambda: [each.sid for each in grace.people["ada"].tracks] == [voice])
            await until(lambda: camera not in grace.tracks.values())
            await ada.offer()
            assert [each.sid for each in grace.people["ada"].tracks] == [voice], "its section is not taken again"

            mute = models.ParticipantPermission(can_subscribe=False, can_publish=True, can_publish_data=True)
            change = api.UpdateParticipantRequest(room="demo", identity="grace", permission=mute)
            await rooms.update_participant(change)
            await until(lambda: grace.receiver(voice) is None)
            for client in (ada, grace):
                await client.close()

    run(main())


@pytest.mark.parametrize("kind", ["RELIABLE", "LOSSY"])
def test_data_is_sent_to_everybody_or_to_those_who_are_named(kind):
    async def main():
        from livekit import api

        async with serving(**KEYS_HERE) as (server, http), backend(server) as rooms:
            ada, grace = await Client(http, "ada").join(), await Client(http, "grace").join()
            label = f"_{kind.lower()}"
            number = models.DataPacket.Kind.Value(kind)
            await rooms.send_data(api.SendDataRequest(room="demo", data=b"all", kind=number, topic="t"))
            await rooms.send_data(
                api.SendDataRequest(room="demo", data=b"one", kind=number, destination_identities=["grace"])
            )
            for client, expected in ((ada, [b"all"]), (grace, [b"all", b"one"])):
                for payload in expected:
                    packet = models.DataPacket.FromString(await client.hear(label, 5))
                    assert (packet.user.payload, packet.participant_identity) == (payload, "")
            with pytest.raises(TimeoutError):
                await ada.hear(label, 0.2)
            for client in (ada, grace):
                await client.close()

    run(main())


def token(secret=SECRET, key="backend", **video):
    return jwt.encode({"iss": key, "exp": 4_000_000_000, "video": video}, secret, algorithm="HS256")


@pytest.mark.parametrize(
    ("method", "given", "body", "status", "code", "says"),
    [
        ("ListRooms", "", {}, 401, "unauthenticated", "no access token"),
        ("ListRooms", token("another secret of 32 characters ..."), {}, 401, "unauthenticated", "was not signed with"),
        ("ListRooms", token(roomCreate=True), {}, 403, "permission_denied", "needs the grant video.roomList = true"),
        ("ListRooms", token(roomList="yes"), {}, 403, "permission_denied", "needs the grant video.roomList = true"),
        ("CreateRoom", token(roomJoin=True, room="demo"), {"name": "x"}, 403, "permission_denied", "video.roomCreate"),
        ("ListParticipants", token(roomAdmin=True, room="a"), {"room": "b"}, 403, "permission_denied", "for room 'a'"),
        ("ListParticipants", token(roomAdmin=True, room="a"), {"room": "a"}, 404, "not_found", "no room 'a'"),
        ("MoveParticipant", token(roomAdmin=True), {}, 501, "unimplemented", "known are: CreateRoom"),
        ("Nonsense", token(roomAdmin=True), {}, 404, "bad_route", "known are: CreateRoom"),
        ("CreateRoom", token(roomCreate=True), {"name": 5}, 400, "malformed", "is not the CreateRoomRequest"),
        ("CreateRoom", token(roomCreate=True), "no json", 400, "malformed", "is not the CreateRoomRequest"),
    ],
)
def test_a_refusal_says_why(method, given, body, status, code, says):
    async def main():
        async with serving(**KEYS_HERE) as (_, http):
            data = body if isinstance(body, str) else json.dumps(body)
            headers = {"Authorization": f"Bearer {given}", "Content-Type": "application/json"}
            async with http.post(f"/twirp/livekit.RoomService/{method}", data=data, headers=headers) as answer:
                told = await answer.json()
                assert (answer.status, told["code"]) == (status, code)
                assert says in told["msg"]

    run(main())


def test_json_and_protobuf_are_spoken_and_nothing_else():
    async def main():
        async with serving(**KEYS_HERE) as (_, http):
            path, headers = (
                "/twirp/livekit.RoomService/CreateRoom",
                {"Authorization": f"Bearer {token(roomCreate=True)}"},
            )
            async with http.post(path, json={"name": "x", "emptyTimeout": 5}, headers=headers) as answer:
                told = await answer.json()
                assert (answer.content_type, told["name"], told["empty_timeout"]) == ("application/json", "x", 5)
            for kind, data in (("application/protobuf", b"\xff"), ("text/plain", b"x")):
                async with http.post(path, data=data, headers=headers | {"Content-Type": kind}) as answer:
                    assert (answer.status, (await answer.json())["code"]) == (400, "malformed")
            with contextlib.suppress(aiohttp.ClientError):
                async with http.post(path, data=io.BytesIO(bytes(3_000_000)), headers=headers) as answer:
                    assert answer.status == 413
            async with http.get(path) as answer:
                assert answer.status == 405

    run(main())
