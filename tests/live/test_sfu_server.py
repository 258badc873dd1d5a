"""The server on real sockets with real peers of ours: joining, refusing, forwarding, relaying, and leaving no trace."""

import asyncio
import base64
import contextlib
import gc
import gzip
import itertools
import re
import time
import weakref

import aiohttp
import jwt
import pytest
import yarl
from livekit.protocol import models, rtc
from structlog.testing import capture_logs

import pystack
from pystack import Closed, PeerConnection, RtpPacket, SessionDescription
from pystack.errors import LocalProtocolError
from sfu.data import FramePacket, redirect
from sfu.server import Config, ConfigError, Server
from sfu.server.auth import sign
from sfu.server.media_session import MediaSession
from sfu.server.member import Member
from tests.live.sfu_client import KEYS, Client, run, serving, token, until

# ---------------------------------------------------------------------- HTTP


def test_the_http_surface():
    async def main():
        async with serving() as (_, http):
            async with http.get("/") as page:
                assert page.status == 200
                assert "Join a room" in await page.text()
                assert "default-src 'self'" in page.headers["Content-Security-Policy"]
            for name in ("app.js", "session.js", "packets.js", "style.css", "debug", "rooms.js"):
                async with http.get(f"/{name}") as file:
                    assert file.status == 200, name
            async with http.get("/healthz") as health:
                assert await health.json() == {"status": "ok", "version": "1.2.3"}
            for path in ("/rtc", "/rtc/v1"):
                async with http.get(path, params={"access_token": token("ada")}) as plain:
                    assert plain.status == 404
                    assert "requested room does not exist" not in await plain.text()
                async with http.get(f"{path}/validate", params={"access_token": token("ada")}) as good:
                    assert (good.status, good.headers["Access-Control-Allow-Origin"]) == (200, "*")
            async with http.get("/dev/token", params={"room": "demo", "name": "Zoë X"}) as made:
                body = await made.json()
                assert body["identity"].startswith("zo-x-")
            async with http.get("/dev/token", params={"room": "demo"}) as bad:
                assert bad.status == 400
            async with http.get("/debug/rooms") as debug:
                assert (await debug.json())["rooms"] == []

    run(main())


def test_without_dev_there_are_no_free_tokens_and_no_insight():
    async def main():
        async with serving(dev=False, media_addresses=("127.0.0.1",)) as (_, http):
            for path in ("/dev/token?room=a&name=b", "/debug/rooms", "/debug", "/rooms.js"):
                async with http.get(path) as reply:
                    assert reply.status == 404

    run(main())


def expired():
    claims = {"iss": "devkey", "sub": "ada", "exp": time.time() - 60, "video": {"room": "demo", "roomJoin": True}}
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        return jwt.encode(claims, "secret", algorithm="HS256")


def test_refusals_say_why_before_the_upgrade():
    async def main():
        async with serving(max_participants=1, max_rooms=1) as (_, http):
            cases = [
                ({}, 401, "no access token"),
                ({"access_token": "nonsense"}, 401, "not a JWT"),
                ({"access_token": expired()}, 401, "has expired"),
                ({"access_token": token("ada"), "room": "else"}, 401, "for room 'demo'"),
                ({"access_token": token("ada"), "join_request": "!!"}, 400, "base64"),
                ({"access_token": token("ada"), "join_request": bomb()}, 400, "decompressed"),
            ]
            ada = await Client(http, "ada").join()
            cases += [
                ({"access_token": token("grace")}, 403, "max_participants"),
                ({"access_token": token("grace", "other")}, 403, "max_rooms"),
            ]
            for query, status, words in cases:
                with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                    await http.ws_connect("/rtc/v1", params=query)
                assert caught.value.status == status
                async with http.get("/rtc/v1/validate", params=query) as why:
                    assert why.status == status
                    assert words in await why.text()
            await ada.close()

    run(main())


def bomb():
    data = gzip.compress(bytes(4 << 20))
    wrapped = rtc.WrappedJoinRequest(compression=rtc.WrappedJoinRequest.GZIP, join_request=data)
    return base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()


def test_a_token_in_the_header_and_an_offer_in_the_url():
    async def main():
        async with serving() as (_, http):
            peer = PeerConnection()
            peer.create_data_channel("_reliable")
            await peer.set_local_description(await peer.create_offer())
            request = rtc.JoinRequest(
                client_info=models.ClientInfo(sdk=models.ClientInfo.SDK.PYTHON, client_protocol=2),
                connection_settings=rtc.ConnectionSettings(auto_subscribe=True),
                publisher_offer=rtc.SessionDescription(type="offer", sdp=peer.local_description.sdp, id=7),
            )
            wrapped = rtc.WrappedJoinRequest(
                compression=rtc.WrappedJoinRequest.GZIP, join_request=gzip.compress(request.SerializeToString())
            )
            query = {"join_request": base64.urlsafe_b64encode(wrapped.SerializeToString()).decode()}
            ws = await http.ws_connect("/rtc/v1", params=query, headers={"Authorization": f"Bearer {token('ada')}"})
            join, answer = [rtc.SignalResponse.FromString((await ws.receive()).data) for _ in range(2)]
            assert join.join.server_info.debug_info == "sfu 1.2.3"
            assert join.join.server_info.version >= "1.8.0", "older servers get no remote procedure calls"
            assert join.join.participant.client_protocol == 2
            assert answer.answer.id == 7
            await peer.set_remote_description(SessionDescription("answer", answer.answer.sdp))
            await peer.wait_connected(timeout=10)
            await ws.close()
            await peer.close()

    run(main())


def test_pages_of_other_origins_may_ask_and_a_slash_too_many_hurts_nobody():
    async def main():
        async with serving() as (server, _), aiohttp.ClientSession() as http:
            at = str(server.url).rstrip("/")

            def ask(method, path, **more):
                return http.request(method, yarl.URL(at + path, encoded=True), **more)

            calls = ("/twirp/livekit.RoomService/ListRooms", "/rtc/validate", "/rtc/v1/validate")
            for path in (*calls, *(f"/{call}" for call in calls)):
                wish = {"Origin": "http://a.example", "Access-Control-Request-Headers": "authorization"}
                async with ask("OPTIONS", path, headers=wish) as answer:
                    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*"), path
                    assert "authorization" in answer.headers["Access-Control-Allow-Headers"].lower()
            lists = {"Authorization": f"Bearer {token('ada', grants={'roomList': True})}"}
            for path in (calls[0], "/" + calls[0]):
                async with ask("POST", path, json={}, headers=lists) as answer:
                    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
            async with ask("POST", "/twirp/livekit.Egress/ListEgress") as answer:
                assert (answer.status, (await answer.json())["code"]) == (404, "bad_route")
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
            for path, dual in (("//rtc", True), ("//rtc/v1", False)):
                query = {"access_token": token(path)}
                async with http.ws_connect(yarl.URL(at + path, encoded=True).with_query(query)) as ws:
                    joined = rtc.SignalResponse.FromString((await ws.receive()).data).join
                    assert joined.subscriber_primary is dual

    run(main())


def test_a_token_describes_its_bearer_and_the_room_that_it_makes():
    async def main():
        async with serving() as (_, http):
            sockets = []

            async def join(identity, *, grants=None, **claims):
                video = {"room": "demo", "roomJoin": True} | (grants or {})
                query = {"access_token": sign("devkey", "secret", 3600, {"sub": identity, "video": video, **claims})}
                attributes = base64.urlsafe_b64encode(b'{"b": "2"}').decode()
                ws = await http.ws_connect("/rtc", params=query | {"attributes": attributes})
                sockets.append(ws)  # so that it stays
                return rtc.SignalResponse.FromString((await ws.receive()).data).join

            config = {"emptyTimeout": 77, "departureTimeout": 33, "maxParticipants": 9, "metadata": "m"}
            made = (await join("ada", roomConfig=config, kind="agent", kindDetails=["cloudAgent"])).room
            assert (made.empty_timeout, made.departure_timeout, made.max_participants) == (77, 33, 9)
            assert made.metadata == "m"
            joined = await join(
                "grace",
                roomConfig={"metadata": "too late"},
                grants={"canUpdateOwnMetadata": True},
                attributes={"a": "1"},
            )
            assert joined.room.metadata == "m"
            assert list(joined.other_participants[0].kind_details) == [models.ParticipantInfo.KindDetail.CLOUD_AGENT]
            assert dict(joined.participant.attributes) == {"a": "1", "b": "2"}
            assert joined.subscriber_primary
            assert not (await join("mute", grants={"canSubscribe": False})).subscriber_primary

    run(main())


def test_the_json_form_in_text_frames():
    async def main():
        async with serving() as (_, http):
            ws = await http.ws_connect("/rtc/v1", params={"access_token": token("ada"), "encoding": "json"})
            join = (await ws.receive_json())["join"]
            assert join["participant"]["identity"] == "ada"
            await ws.send_json({"pingReq": {"timestamp": "5"}})
            while "pongResp" not in (message := await ws.receive_json()):
                assert "roomUpdate" in message
            assert message["pongResp"]["lastPingTimestamp"] == "5"
            await ws.send_str("{ this is not JSON")
            await ws.send_bytes(rtc.SignalRequest(ping_req=rtc.Ping(timestamp=6)).SerializeToString())
            pong = rtc.SignalResponse.FromString((await ws.receive()).data)
            assert pong.pong_resp.last_ping_timestamp == 6, "the answer has the form of the request"
            async with http.get("/debug/rooms") as debug:
                assert (await debug.json())["rooms"][0]["drops"] == {"undecodable frame": 1}
            await ws.close()

    run(main())


def test_a_resume_is_refused_with_the_advice_to_join_anew():
    async def main():
        async with serving() as (_, http):
            query = {"access_token": token("ada"), "reconnect": "1", "sid": "PA_gone"}
            ws = await http.ws_connect("/rtc/v1", params=query)
            leave = rtc.SignalResponse.FromString((await ws.receive()).data).leave
            assert leave.reason == models.DisconnectReason.STATE_MISMATCH
            assert leave.action == rtc.LeaveRequest.RECONNECT
            assert (await ws.receive()).type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}

    run(main())


def ufrag(peer):
    return re.search("a=ice-ufrag:(.*)", peer.remote_description.sdp)[1]


@pytest.mark.parametrize("dual", [False, True], ids=["single", "dual"])
@pytest.mark.parametrize("loss", ["aborted", "closed", "unnoticed"])
def test_a_client_whose_signalling_is_lost_goes_on_where_it_was(loss, dual):
    async def main():
        async with serving() as (server, http):
            ada, grace, joan = [await Client(http, name, dual=dual).join() for name in ("ada", "grace", "joan")]
            sender = await ada.publish("audio", "voice")
            track = ada.published["voice"]
            await until(lambda: grace.receiver(track) is not None)
            heard = []
            grace.receiver(track).on_packet = lambda packet, rid: heard.append(packet.sequence_number)
            pt = sender.require_codec("opus").payload_type
            numbers = itertools.count(1)

            async def heard_more(count):
                wanted = len(heard) + count
                while len(heard) < wanted:
                    number = next(numbers)
                    sender.write(opus(number), payload_type=pt)
                    await asyncio.sleep(0.002)
                    assert number < 5000

            packet = models.DataPacket(sequence=7, user=models.UserPacket(payload=b"x"))
            await ada.reliable.write(packet.SerializeToString())
            await heard_more(20)
            room = server.runtime._rooms["demo"].room
            ada.seen.clear()
            if loss == "aborted":
                ada.ws._response.connection.transport.abort()
            elif loss == "closed":
                await ada.ws.close()
            if loss != "unnoticed":
                await until(lambda: room.participant(ada.sid).missed is not None)
                await joan.close()
                await until(lambda: len(room.roster) == 2)
            await heard_more(20)
            sid, before = ada.sid, ufrag(ada.taking)
            assert await ada.resume(), "refused"
            assert ada.seen[0].reconnect.last_message_seq == 7
            assert ada.seen[0].reconnect.server_info.version
            told = {each.identity: each.state for each in ada.seen[1].update.participants}
            gone = (
                models.ParticipantInfo.State.DISCONNECTED
                if loss != "unnoticed"
                else models.ParticipantInfo.State.ACTIVE
            )
            active = models.ParticipantInfo.State.ACTIVE
            assert told == {"grace": active, "joan": gone, "ada": active}
            await ada.offer(ice_restart=True)
            await ada.peer.wait_connected(timeout=10)
            await until(lambda: ufrag(ada.taking) != before)
            await ada.taking.wait_connected(timeout=10)
            await grace.reliable.write(packet.SerializeToString())
            heard_of_grace = models.DataPacket.FromString(await ada.hear("_reliable", 5))
            assert heard_of_grace.participant_identity == "grace"
            await heard_more(20)
            second = await ada.publish("audio", "another")
            await until(lambda: grace.receiver(ada.published["another"]) is not None)
            assert second is not None
            assert (room.participant(sid).identity, grace.people["ada"].sid) == ("ada", sid)
            gaps = [(a, b) for a, b in itertools.pairwise(heard) if (b - a) & 0xFFFF != 1]
            assert not gaps, f"the others noticed something: {gaps}, {server.runtime.stats()}"
            for client in (ada, grace, joan):
                await client.close()
            await until(lambda: len(room.roster) == 0)

    run(main())


def test_ac25_11_packets_of_data_tracks_that_mean_nothing_are_counted_and_hurt_nobody():
    async def main():
        async with serving() as (server, http):
            ada, grace = await Client(http, "ada").join(), await Client(http, "grace").join()
            channels = []
            for client in (ada, grace):
                channels.append(client.peer.create_data_channel("_data_track", ordered=False, max_retransmits=0))
                await channels[-1].wait_open(timeout=10)
            heard = []
            channels[1].on_message = heard.append
            host = server.runtime._rooms["demo"]
            await ada.send(publish_data_track_request=rtc.PublishDataTrackRequest(pub_handle=5, name="n"))
            await until(lambda: host.room.data_route(ada.sid, 5) is not None)
            [track] = host.room.participant(ada.sid).data_tracks
            updates = [rtc.UpdateDataSubscription.Update(track_sid=track.sid, subscribe=True)]
            await grace.send(update_data_subscription=rtc.UpdateDataSubscription(updates=updates))
            await until(lambda: host.room.data_route(ada.sid, 5))
            packet = FramePacket(handle=5, sequence_number=1, frame_number=1, timestamp=9, payload=b"x")
            stray = redirect(packet.serialize(), 6)
            for data in (b"", b"\xff" * 40, stray, "text", packet.serialize()):
                await channels[0].write(data)
            await until(lambda: heard)
            assert [FramePacket.parse(data) for data in heard] == [FramePacket.parse(redirect(packet.serialize(), 1))]
            async with http.get("/debug/rooms") as debug:
                told = (await debug.json())["rooms"][0]["data_tracks"]
            assert told == {"packets": 1, "drops": {"undecodable": 3, "unknown handle": 1}}
            for client in (ada, grace):
                await client.close()

    run(main())


def test_a_client_that_remembers_what_the_server_does_not_joins_anew():
    async def main():
        async with serving() as (_, http):
            ada = await Client(http, "ada").join()
            await ada.ws.close()
            assert await ada.resume()
            lost = rtc.TrackPublishedResponse(cid="c", track=models.TrackInfo(sid="TR_unknown"))
            await ada.send(sync_state=rtc.SyncState(publish_tracks=[lost]))
            leave = await asyncio.wait_for(ada.left, 10)
            assert (leave.reason, leave.action) == (models.DisconnectReason.STATE_MISMATCH, rtc.LeaveRequest.RECONNECT)
            assert not await ada.resume(), "it has left"
            await ada.close()

    run(main())


def test_nobody_resumes_somebody_else():
    async def main():
        async with serving() as (_, http):
            ada, mallory = await Client(http, "ada").join(), await Client(http, "mallory").join()
            mallory.sid, own = ada.sid, mallory.sid
            assert not await mallory.resume()
            mallory.sid = own
            assert await mallory.resume()
            assert not ada.left.done()
            for client in (ada, mallory):
                await client.close()

    run(main())


def test_an_offer_that_was_lost_with_the_signalling_is_made_again():
    async def main():
        async with serving() as (_, http):
            ada, grace = [await Client(http, name, dual=True).join() for name in ("ada", "grace")]
            before, ada.answers = ufrag(ada.taking), False
            sender = await grace.publish("audio", "voice")
            await until(lambda: len([each for each in ada.seen if each.HasField("offer")]) == 2)
            ada.ws._response.connection.transport.abort()
            ada.answers = True
            assert await ada.resume()
            track = grace.published["voice"]
            await until(lambda: ada.receiver(track) is not None)
            assert ufrag(ada.taking) != before
            heard = []
            ada.receiver(track).on_packet = lambda packet, rid: heard.append(packet)
            for number in range(200):
                sender.write(opus(number), payload_type=sender.require_codec("opus").payload_type)
                await asyncio.sleep(0.005)
            assert len(heard) > 100
            for client in (ada, grace):
                await client.close()

    run(main())


def test_who_comes_back_with_another_number_of_connections_joins_anew():
    async def main():
        async with serving() as (_, http):
            ada = await Client(http, "ada", dual=True).join()
            ada.path = "/rtc/v1"
            assert not await ada.resume()
            assert ada.seen[-1].leave.action == rtc.LeaveRequest.RECONNECT
            ada.path = "/rtc"
            assert await ada.resume(), "nothing was lost by that"
            await ada.close()

    run(main())


# ---------------------------------------------------------------------- rooms


def opus(number):
    return RtpPacket(payload_type=111, sequence_number=number, timestamp=number * 960, payload=b"opus %d" % number)


def test_ac37_1_a_servers_log_names_room_participant_track_and_layer_of_a_stream():
    async def main():
        async with serving() as (_, http):
            with capture_logs() as records:
                ada = await Client(http, "ada").join()
                sender = await ada.publish("audio", "voice")
                pt = sender.require_codec("opus").payload_type
                for number in (1, 2, 400):
                    sender.write(opus(number), payload_type=pt)
                await until(lambda: any(each["event"] == "stream gap" for each in records))
                await ada.close()
            (record,) = [each for each in records if each["event"] == "stream gap"]
            context = {key: record[key] for key in ("room", "participant", "track", "layer")}
            assert context == {"room": "demo", "participant": ada.sid, "track": ada.published["voice"], "layer": ""}

    run(main())


def test_a_subscriber_without_the_codec_of_a_track_is_told():
    async def main():
        async with serving() as (_, http):
            ada, grace = await Client(http, "ada").join(), Client(http, "grace")
            section = grace.peer.add_transceiver("video", direction="recvonly")
            section.set_codec_preferences([codec for codec in section.codecs if codec.name.lower() == "vp8"])
            await grace.join()
            asked = [rtc.SimulcastCodec(codec="vp9", cid="face")]
            await ada.publish("video", "face", simulcast_codecs=asked)
            await until(lambda: any(each.HasField("subscription_response") for each in grace.seen))
            (told,) = [each.subscription_response for each in grace.seen if each.HasField("subscription_response")]
            assert told.track_sid == ada.published["face"]
            assert told.err == models.SubscriptionError.SE_CODEC_UNSUPPORTED
            await ada.close()
            await grace.close()

    run(main())


@pytest.mark.parametrize("dual", [("ada",), ("grace",), ("ada", "grace"), ()], ids="-".join)
def test_two_peers_hear_each_other_and_exchange_data(dual):
    async def main():
        async with serving() as (_, http):
            ada, grace = [await Client(http, name, dual=name in dual).join() for name in ("ada", "grace")]
            sender = await ada.publish("audio", "voice", source=77)
            async with http.get("/debug/rooms") as debug:
                [told] = (await debug.json())["rooms"][0]["tracks"].values()
                assert (told["publisher"], told["source"], told["codec"]) == ("ada", "", "audio/opus")
            sid = ada.published["voice"]
            await until(lambda: grace.receiver(sid) is not None)
            heard = []
            grace.receiver(sid).on_packet = lambda packet, rid: heard.append(packet)
            pt = sender.require_codec("opus").payload_type
            number = 65500  # over the wrap
            while len(heard) < 100:
                sender.write(opus(number & 0xFFFF), payload_type=pt)
                number += 1
                await asyncio.sleep(0.002)
                assert number < 67000
            numbers = [packet.sequence_number for packet in heard]
            assert all((b - a) & 0xFFFF == 1 for a, b in itertools.pairwise(numbers))
            assert heard[-1].payload.startswith(b"opus ")

            for channel in ("reliable", "lossy"):
                packet = models.DataPacket(user=models.UserPacket(payload=b"hi", topic="t"), sequence=1)
                await getattr(ada, channel).write(packet.SerializeToString())
                got = models.DataPacket.FromString(await grace.hear(f"_{channel}", 5))
                assert (got.participant_sid, got.participant_identity) == (ada.sid, "ada")
                assert (got.user.payload, got.sequence) == (b"hi", 1)
            packet = models.DataPacket(user=models.UserPacket(payload=b"me"), destination_identities=["nobody"])
            await ada.reliable.write(packet.SerializeToString())
            with pytest.raises(TimeoutError):
                await grace.hear("_reliable", 0.3)

            await ada.send(mute=rtc.MuteTrackRequest(sid=sid, muted=True))
            await until(lambda: grace.people["ada"].tracks[0].muted)
            count = len(heard)
            for _ in range(20):
                sender.write(opus(number & 0xFFFF), payload_type=pt)
                number += 1
            await asyncio.sleep(0.2)
            assert len(heard) == count, "muted is silent"

            await ada.close()
            await until(lambda: "ada" not in grace.people)
            await until(lambda: sid not in grace.tracks.values())
            await grace.close()

    run(main())


@pytest.mark.parametrize("dual", [False, True])
def test_who_rejects_a_section_stays_and_hears_what_it_has_sections_for(dual):
    async def main():
        async with serving() as (_, http):
            ada, grace = await Client(http, "ada").join(), await Client(http, "grace", dual=dual).join()
            await ada.publish("audio", "voice")
            await until(lambda: grace.receiver(ada.published["voice"]) is not None)
            grace.taking.transceivers[0].stop()
            if not dual:
                await grace.offer()
            for name in ("music", "birds"):
                sender = await ada.publish("audio", name)
                sid = ada.published[name]
                await until(lambda sid=sid: grace.receiver(sid) is not None)
            heard = []
            grace.receiver(sid).on_packet = lambda packet, rid: heard.append(packet)
            for number in itertools.count():
                sender.write(opus(number), payload_type=sender.require_codec("opus").payload_type)
                await asyncio.sleep(0.005)
                if len(heard) >= 10:
                    break
            assert not grace.left.done()
            for each in (ada, grace):
                await each.close()

    run(main())


def test_video_begins_with_a_key_frame_that_was_asked_for_within_100_ms():
    async def main():
        async with serving() as (_, http):
            ada = await Client(http, "ada").join()
            sender = await ada.publish("video", "face", width=1280, height=720)
            asked = []
            sender.on_key_frame_request = lambda: asked.append(time.monotonic())
            stop = asyncio.Event()

            async def film():
                pt, number, served = sender.require_codec("VP8").payload_type, 0, 0
                while not stop.is_set():
                    key = len(asked) > served
                    served = len(asked)
                    payload = (b"\x10\x00" if key else b"\x10\x01") + bytes(800)
                    stamp = number * 3000
                    sender.write(RtpPacket(payload_type=pt, sequence_number=number, timestamp=stamp, payload=payload))
                    number = (number + 1) & 0xFFFF
                    await asyncio.sleep(0.01)

            filming = asyncio.ensure_future(film())
            await asyncio.sleep(0.2)
            assert not asked, "nobody watches"
            joined = time.monotonic()
            grace = await Client(http, "grace").join()
            sid = ada.published["face"]
            await until(lambda: grace.receiver(sid) is not None)
            seen = []
            grace.receiver(sid).on_packet = lambda packet, rid: seen.append(packet)
            await until(lambda: len(seen) > 30)
            assert seen[0].payload[:2] == b"\x10\x00", "the first that is forwarded begins a key frame"
            async with http.get("/debug/rooms") as debug:
                track = (await debug.json())["rooms"][0]["tracks"][sid]
            subscriber = track["subscribers"][grace.sid]
            print(f"key frame requested {subscriber['key_frame_requested_after_ms']} ms after the subscription,")
            print(
                f"first packet {subscriber['first_packet_after_ms']} ms, from join to request {asked[0] - joined:.3f} s"
            )
            assert subscriber["key_frame_requested_after_ms"] < 100
            assert track["bitrate_bps"] >= 0
            stop.set()
            await filming
            await ada.close()
            await grace.close()

    run(main())


def test_a_second_join_with_the_same_identity_replaces_the_first():
    async def main():
        async with serving() as (_, http):
            watcher = await Client(http, "watcher").join()
            first = await Client(http, "ada").join()
            second = await Client(http, "ada").join()
            leave = await asyncio.wait_for(first.left, 5)
            assert leave.reason == models.DisconnectReason.DUPLICATE_IDENTITY
            await until(lambda: watcher.people["ada"].sid == second.sid)
            await asyncio.sleep(0.3)
            assert not second.left.done(), "the old socket's end is not the new one's"
            for client in (watcher, first, second):
                await client.close()

    run(main())


def test_bad_frames_hurt_only_their_sender():
    async def main():
        async with serving() as (_, http):
            ada, mallory = await Client(http, "ada").join(), await Client(http, "mallory").join()
            await mallory.ws.send_bytes(b"\xff" * 100)
            await mallory.ws.send_bytes(rtc.SignalRequest(ping=1).SerializeToString()[:-1])
            await mallory.ws.send_str("[" * 50_000)
            await mallory.send(ping_req=rtc.Ping(timestamp=3))
            await until(lambda: any(each.HasField("pong_resp") for each in mallory.seen))
            await mallory.ws.send_bytes(bytes((2 << 20) + 1))
            await until(lambda: "mallory" not in ada.people)
            assert not ada.left.done()
            await ada.reliable.write(models.DataPacket().SerializeToString())
            for client in (ada, mallory):
                await client.close()

    run(main())


@pytest.mark.parametrize("damage", ["no fingerprint", "not sdp", "wrong fingerprint"])
def test_a_bad_offer_is_explained_and_ends_its_sender_alone(damage):
    async def main():
        async with serving() as (_, http):
            ada, mallory = await Client(http, "ada").join(), Client(http, "mallory")
            mallory.ws = await http.ws_connect("/rtc/v1", params=mallory.query)
            await mallory.ws.receive()
            mallory.reader = asyncio.ensure_future(mallory.read())
            await mallory.peer.set_local_description(await mallory.peer.create_offer())
            sdp = mallory.peer.local_description.sdp
            lines = sdp.splitlines(keepends=True)
            if damage == "no fingerprint":
                sdp = "".join(line for line in lines if not line.startswith("a=fingerprint"))
            elif damage == "wrong fingerprint":
                sdp = "".join(
                    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32) + "\r\n"
                    if line.startswith("a=fingerprint")
                    else line
                    for line in lines
                )
            else:
                sdp = "what is this\r\n"
            await mallory.send(offer=rtc.SessionDescription(type="offer", sdp=sdp, id=1))
            leave = await asyncio.wait_for(mallory.left, 20)
            if damage != "wrong fingerprint":
                assert leave.reason == models.DisconnectReason.STATE_MISMATCH
                said = [each.request_response.message for each in mallory.seen if each.HasField("request_response")]
                assert said
                assert "offer" in said[0]
            else:
                assert leave.reason == models.DisconnectReason.CONNECTION_TIMEOUT
            assert not ada.left.done()
            await mallory.close()
            await ada.close()

    run(main())


@pytest.mark.parametrize("answer", ["what is this\r\n", "v=0\r\no=- 1 1 IN IP4 0\r\ns=-\r\nt=0 0\r\n", ""])
def test_a_bad_answer_is_explained_and_ends_its_sender_alone(answer):
    async def main():
        async with serving() as (_, http):
            ada, mallory = await Client(http, "ada").join(), Client(http, "mallory", dual=True)
            mallory.ws = await http.ws_connect(mallory.path, params=mallory.query)
            first = [rtc.SignalResponse.FromString((await mallory.ws.receive()).data) for _ in range(2)]
            assert [each.WhichOneof("message") for each in first] == ["join", "offer"]
            mallory.reader = asyncio.ensure_future(mallory.read())
            await mallory.send(answer=rtc.SessionDescription(type="answer", sdp=answer, id=first[1].offer.id))
            leave = await asyncio.wait_for(mallory.left, 10)
            assert leave.reason == models.DisconnectReason.STATE_MISMATCH
            [said] = [each.request_response.message for each in mallory.seen if each.HasField("request_response")]
            assert "answer" in said
            assert not ada.left.done()
            await mallory.close()
            await ada.close()

    run(main())


def test_a_slow_reader_stalls_nobody():
    async def main():
        async with serving() as (_, http):
            ada, slow, grace = [await Client(http, name).join() for name in ("ada", "slow", "grace")]
            # Nobody reads `slow`: its receive window closes, and what is for it waits, bounded.
            payload = models.DataPacket(user=models.UserPacket(payload=bytes(60_000))).SerializeToString()
            got = 0

            async def read():
                nonlocal got
                async for _ in grace.reliable:
                    got += 1

            reading = asyncio.ensure_future(read())
            for _ in range(150):
                await ada.reliable.write(payload, timeout=10)
            await until(lambda: got == 150, 30)
            async with http.get("/debug/rooms") as debug:
                people = (await debug.json())["rooms"][0]["participants"]
            waiting = {each["identity"]: each["transport"]["data"]["_reliable"] for each in people}
            assert waiting["slow"]["waiting"] + sum(waiting["slow"]["drops"].values()) > 0
            assert waiting["grace"]["drops"] == {}
            reading.cancel()
            for client in (ada, slow, grace):
                await client.close()

    run(main())


def test_a_client_that_does_not_read_its_signalling_is_cut_off():
    async def main():
        async with serving() as (_, http):
            ada = await Client(http, "ada", canUpdateOwnMetadata=True).join()
            query = {"access_token": token("deaf")}
            deaf = await http.ws_connect("/rtc/v1", params=query)  # and never a receive()
            await until(lambda: "deaf" in ada.people)
            for number in range(400):
                await ada.send(update_metadata=rtc.UpdateParticipantMetadata(metadata=f"{number}" + "x" * 60_000))
                await asyncio.sleep(0)
            await until(lambda: "deaf" not in ada.people)
            assert not ada.left.done()
            await deaf.close()
            await ada.close()

    run(main())


@pytest.mark.parametrize("patience", [0, 0.3])
def test_an_aborted_socket_is_noticed_at_once_and_leaves_nothing(patience):
    async def main():
        async with serving(resume_timeout=patience) as (server, http):
            ada = await Client(http, "ada").join()
            await ada.publish("audio", "voice")
            await asyncio.sleep(0.1)
            gc.collect()
            tasks = len(asyncio.all_tasks())
            before = count_types()
            refs = []
            for number in range(5):
                guest = await Client(http, f"guest{number}", dual=number % 2 == 1).join()
                await guest.publish("audio", "c")
                await until(lambda: f"guest{number}" in ada.people)  # noqa: B023
                host = server.runtime._rooms["demo"]
                member = host._members[guest.sid]
                held = (member, member.inbound, member.outbound, host.room.participant(guest.sid))
                refs += map(weakref.ref, held)
                del held
                del member
                guest.ws._response.connection.transport.abort()  # as SIGKILL does
                began = time.monotonic()
                await until(lambda: f"guest{number}" not in ada.people)  # noqa: B023
                assert time.monotonic() - began < 2
                guest.reader.cancel()
                guest.peer.abort()
                guest.taking.abort()
            del guest
            await asyncio.sleep(1.5)
            gc.collect()
            assert [ref() for ref in refs if ref() is not None] == []
            after = count_types()
            assert after[Member] == before[Member] == 1
            assert after[MediaSession] == before[MediaSession] == 1
            assert len(asyncio.all_tasks()) == tasks
            assert len(server.runtime._mux) == 1
            await ada.close()

    run(main())


def count_types():
    wanted = {Member: 0, MediaSession: 0}
    for each in gc.get_objects():
        if type(each) in wanted:
            wanted[type(each)] += 1
    return wanted


def test_shutdown_tells_the_clients_and_is_bounded():
    async def main():
        async with serving() as (server, http):
            clients = [await Client(http, f"p{number}").join() for number in range(3)]
            began = time.monotonic()
            await server.close()
            assert time.monotonic() - began < 5
            for client in clients:
                leave = await asyncio.wait_for(client.left, 1)
                assert leave.reason == models.DisconnectReason.SERVER_SHUTDOWN
                client.reader.cancel()
                with contextlib.suppress(Closed):
                    await client.peer.close()

    run(main())


def test_ports_in_use_name_the_setting():
    async def main():
        async with serving() as (server, _):
            port = int(server.url.rpartition(":")[2])
            for setting, settings in (
                ("port", {"port": port, "media_port": 0}),
                ("media_port", {"port": 0, "media_port": server.media[0][1]}),
                ("media_addresses", {"port": 0, "media_port": 0, "media_addresses": ("198.51.100.1",)}),
                ("host", {"host": "198.51.100.1", "port": 0, "media_port": 0}),
            ):
                other = Server(Config(**{"host": "127.0.0.1", "keys": KEYS, "dev": True} | settings), "1")
                with pytest.raises(ConfigError, match=f"^{setting}: "):
                    await other.start()
                await other.close()

    run(main())


def test_a_server_is_started_once_and_leaves_nothing_open():
    """A second start() took the place of the first one's sockets, which nobody closed any more."""

    async def main():
        async with serving() as (server, http):
            media = server.media
            with pytest.raises(LocalProtocolError, match="make another"):
                await server.start()
            assert server.media == media
            assert (await http.get("/healthz")).status == 200
        with pytest.raises(LocalProtocolError):
            await server.start()
        with pytest.raises(OSError):
            await asyncio.open_connection(*server.url.removeprefix("http://").rsplit(":", 1))

    run(main())


def test_a_server_is_of_this_version_when_nothing_else_is_said():
    async def main():
        server = Server(Config(host="127.0.0.1", port=0, media_port=0, keys=KEYS))
        await server.start()
        try:
            async with aiohttp.ClientSession(server.url) as http:
                assert (await (await http.get("/healthz")).json())["version"] == pystack.__version__
        finally:
            await server.close()

    run(main())
