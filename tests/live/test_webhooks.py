"""Webhooks over HTTP, verified by LiveKit's own receiver: in order, again after failures, in nobody's way."""

import asyncio
import contextlib

import aiohttp
import pytest
from aiohttp import web

from tests.live.sfu_client import KEYS, Client, run, serving, until

SECRET = "a secret of 32 characters and more"
SIGNED = {"keys": KEYS | {"hooks": SECRET}, "webhook_key": "hooks"}


class Listener:
    """A web address that verifies what it is told; it refuses while ``refuse`` counts down."""

    def __init__(self):
        self.events = []
        self.refuse = 0
        self.refused = 0
        self.silent = False
        self.url = ""

    @contextlib.asynccontextmanager
    async def open(self):
        from livekit import api

        self.receiver = api.WebhookReceiver(api.TokenVerifier("hooks", SECRET))
        app = web.Application()
        app.router.add_post("/hook", self.hear)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def hear(self, request):
        if self.silent:
            await asyncio.sleep(60)
        if self.refuse:
            self.refuse -= 1
            self.refused += 1
            return web.Response(status=503)
        assert request.headers["Content-Type"] == "application/webhook+json"
        self.events.append(self.receiver.receive(await request.text(), request.headers["Authorization"]))
        return web.Response()

    @property
    def names(self):
        return [each.event for each in self.events]


@pytest.mark.component("livekit")
def test_what_happens_in_a_room_is_told_in_order_and_counts_are_right():
    async def main():
        async with Listener().open() as listener:
            async with serving(**SIGNED, webhook_urls=(listener.url,)) as (_, http):
                ada = await Client(http, "ada").join()
                await until(lambda: "participant_joined" in listener.names)
                grace = await Client(http, "grace").join()
                await ada.publish("audio", "voice")
                await until(lambda: "track_published" in listener.names)
                await grace.close()
                await until(lambda: "participant_left" in listener.names)
                await ada.close()
            events = listener.events
            assert [(each.event, each.participant.identity, each.room.num_participants) for each in events] == [
                ("room_started", "", 0),
                ("participant_joined", "ada", 1),
                ("participant_joined", "grace", 2),
                ("track_published", "ada", 2),
                ("participant_left", "grace", 1),
                ("track_unpublished", "ada", 0),
                ("participant_left", "ada", 0),
                ("room_finished", "", 0),
            ]
            sid = events[0].room.sid
            assert [each.id for each in events] == [f"EV_{sid}_{number}" for number in range(1, 9)]
            assert events[3].track.sid == events[5].track.sid == ada.published["voice"]

    run(main())


@pytest.mark.component("livekit")
def test_an_address_that_fails_is_told_again_and_another_does_not_wait_for_it():
    async def main():
        async with Listener().open() as failing, Listener().open() as working:
            failing.refuse = 2
            async with serving(**SIGNED, webhook_urls=(failing.url, working.url)) as (server, http):
                ada = await Client(http, "ada").join()
                await until(lambda: working.names == ["room_started", "participant_joined"])
                await until(lambda: failing.names == ["room_started", "participant_joined"])
                assert failing.refused == 2
                told = server.runtime.stats()["webhooks"]
                assert told[failing.url] == {"delivered": 2, "waiting": 0, "failed_attempts": 2, "dropped": 0}
                await ada.close()

    run(main())


@pytest.mark.component("livekit")
def test_what_happens_while_the_last_connection_is_being_closed_is_told(monkeypatch):
    closing = []
    close = aiohttp.ClientSession.close

    async def close_late(session):
        if closing:
            closing.pop()()
        await close(session)

    monkeypatch.setattr(aiohttp.ClientSession, "close", close_late)

    async def main():
        async with Listener().open() as listener, serving(**SIGNED, webhook_urls=(listener.url,)) as (server, _):
            closing.append(lambda: server.runtime.open_room("second"))
            server.runtime.open_room("first")
            await until(lambda: [each.room.name for each in listener.events] == ["first", "second"])

    run(main())


@pytest.mark.component("livekit")
def test_an_address_that_never_answers_is_in_nobodys_way_and_the_end_is_bounded():
    async def main():
        async with Listener().open() as listener:
            listener.silent = True
            loop = asyncio.get_running_loop()
            async with serving(**SIGNED, webhook_urls=(listener.url, "http://127.0.0.1:9/nobody")) as (server, http):
                ada = await asyncio.wait_for(Client(http, "ada").join(), 5)
                await ada.close()
                assert server.runtime.stats()["webhooks"][listener.url]["waiting"] >= 2
                since = loop.time()
            assert loop.time() - since < 6
            assert [task for task in asyncio.all_tasks() if task.get_name().startswith("webhook")] == []

    run(main())
