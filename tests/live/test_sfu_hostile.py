"""Hostile and careless clients at the server's doors: what they do costs them, and the others notice nothing."""

import asyncio
import base64
import contextlib
import gzip
import logging
import time

import aiohttp
import jwt
import pytest
from livekit.protocol import models, rtc

from pystack import Closed
from sfu.server.data_lines import MAX_STRAYS
from sfu.server.doorkeeper import Doorkeeper
from sfu.server.serve import without_trace
from tests.live.sfu_client import Client, run, serving, token, until


def signed(**changes):
    claims = {"iss": "devkey", "sub": "mallory", "exp": int(time.time() + 60), "nbf": 0}
    claims |= {"video": {"room": "demo", "roomJoin": True}} | changes
    with pytest.warns(jwt.InsecureKeyLengthWarning):
        return jwt.encode(claims, "secret", algorithm="HS256")


def test_halves_of_characters_in_a_token_are_refused_and_the_room_goes_on():
    async def main():
        async with serving() as (_, http):
            ada = await Client(http, "ada").join()
            for changes in (
                {"sub": "\ud800"},
                {"name": "\ud800"},
                {"metadata": "\ud800"},
                {"attributes": {"a": "\udfff"}},
            ):
                with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                    await http.ws_connect("/rtc/v1", params={"access_token": signed(**changes)})
                assert caught.value.status == 401
            grace = await Client(http, "grace").join()  # nobody who cannot be told of stands in her way
            assert set(grace.people) == {"ada"}
            await grace.close()
            await ada.close()

    run(main())


@pytest.mark.parametrize(
    "request_",
    [
        rtc.JoinRequest(metadata="x" * 2_000_000),
        rtc.JoinRequest(participant_attributes={"k": "v" * 1_900_000}),
        rtc.JoinRequest(client_info=models.ClientInfo(capabilities=[1] * 1_900_000)),
    ],
    ids=["metadata", "attributes", "capabilities"],
)
def test_what_a_client_brings_along_is_bounded_like_what_it_changes_later(request_):
    async def main():
        async with serving() as (_, http):
            ada = await Client(http, "ada").join()
            wrapped = rtc.WrappedJoinRequest(
                compression=rtc.WrappedJoinRequest.GZIP, join_request=gzip.compress(request_.SerializeToString())
            )
            query = {
                "access_token": token("mallory", grants={"canUpdateOwnMetadata": True}),
                "join_request": base64.urlsafe_b64encode(wrapped.SerializeToString()).decode(),
            }
            with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                await http.ws_connect("/rtc/v1", params=query)
            assert caught.value.status == 403
            assert "mallory" not in ada.people
            await ada.close()

    run(main())


def test_a_connection_that_never_asks_is_shown_out_and_others_stay():
    async def main():
        async with serving() as (server, http):
            server._doorkeeper.close()
            server._doorkeeper._patience = 0.4
            server._doorkeeper.watch(server._runner.server)
            ada = await Client(http, "ada").join()
            host, port = "127.0.0.1", int(server.url.rpartition(":")[2])
            slow = [await asyncio.open_connection(host, port) for _ in range(20)]
            for number, (_, writer) in enumerate(slow):
                writer.write(b"GET /rtc/v1 HTTP/1.1\r\nHost: x\r\n"[: number * 2])
            for reader, writer in slow:
                assert await asyncio.wait_for(reader.read(), 5) == b""
                writer.close()
            assert server._doorkeeper.shown_out == 20
            await asyncio.sleep(1)
            assert not ada.left.done()
            assert ada.ws.close_code is None
            await ada.close()
            await until(lambda: len(server._doorkeeper._spoke) + len(server._doorkeeper._silent_since) <= 1)

    run(main())


def test_a_closed_doorkeeper_keeps_nobody_in_mind():
    keeper = Doorkeeper()
    keeper._spoke.add(object())
    keeper.close()
    assert not keeper._spoke


def test_a_flood_of_signalling_is_read_slowly_and_the_others_go_on():
    async def main():
        async with serving(resume_timeout=1) as (_, http):
            ada, grace = await Client(http, "ada").join(), await Client(http, "grace").join()
            mallory = await Client(http, "mallory").join()
            await mallory.publish("audio", "c")
            sid = mallory.published["c"]
            told = len(grace.seen)
            began = time.monotonic()
            for number in range(3000):
                await mallory.send(mute=rtc.MuteTrackRequest(sid=sid, muted=bool(number % 2)))
            await ada.send(ping_req=rtc.Ping(timestamp=1))
            await until(lambda: any(each.HasField("pong_resp") for each in ada.seen), 3)
            passed = time.monotonic() - began
            assert len(grace.seen) - told <= 220 + 60 * passed
            assert not ada.left.done()
            mallory.ws._response.connection.transport.abort()
            await until(lambda: "mallory" not in grace.people, 5)
            mallory.reader.cancel()
            with contextlib.suppress(Closed):
                await mallory.peer.close()
            await ada.close()
            await grace.close()

    run(main())


def test_people_whose_names_have_no_latin_letters_do_not_replace_each_other():
    async def main():
        async with serving() as (_, http):
            identities = set()
            for name in ("Жанна", "李明", "李明"):
                async with http.get("/dev/token", params={"room": "demo", "name": name}) as made:
                    identities.add((await made.json())["identity"])
            assert len(identities) == 3

    run(main())


def test_channels_that_nobody_asked_for_do_not_pile_up():
    async def main():
        async with serving() as (server, http):
            mallory = await Client(http, "mallory").join()
            media = server.runtime._rooms["demo"]._members[mallory.sid].inbound
            channels = [mallory.peer.create_data_channel(f"x{number}") for number in range(100)]
            await until(lambda: media.data.stray_channels == 100)
            await until(lambda: sum(each.ready_state == "open" for each in channels) <= MAX_STRAYS)
            packet = models.DataPacket(user=models.UserPacket(payload=b"x"))
            await channels[0].write(packet.SerializeToString())
            await until(lambda: media.stats()["strays"] == {"channels": 100, "messages": 1})
            assert mallory.reliable.ready_state == "open"
            await mallory.close()

    run(main())


def test_a_request_that_is_not_http_is_one_line_in_the_log(caplog):
    async def main():
        async with serving() as (server, _):
            reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
            writer.write(b"GET /?" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"400" in await asyncio.wait_for(reader.read(), 5)
            writer.close()

    logger = logging.getLogger("aiohttp.server")
    logger.addFilter(without_trace)
    try:
        with caplog.at_level(logging.INFO):
            run(main())
    finally:
        logger.removeFilter(without_trace)
    said = [record for record in caplog.records if record.name == "aiohttp.server"]
    assert [record.exc_info for record in said] == [None]
    assert said[0].getMessage().startswith("bad request: ")
    assert len(said[0].getMessage()) < 300
