"""The example's bot chats with LiveKit's unmodified SDK for Python, by text streams on the topic of its components."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))  # for e2e_harness

from sfu.server.config import DEV_KEY, DEV_SECRET
from tests.e2e.e2e_harness.room import own_address, serving
from tests.interop.livekit_rooms import enter

pytestmark = [pytest.mark.component("livekit"), pytest.mark.timeout(120)]
BOT = Path(__file__).resolve().parents[2] / "examples" / "chat_bot.py"


def test_the_bot_answers_what_the_sdk_writes():
    async def bounded():
        async with asyncio.timeout(90):
            await _chat()

    asyncio.run(bounded())


async def _chat() -> None:
    spec = importlib.util.spec_from_file_location("chat_bot", BOT)
    assert spec is not None
    assert spec.loader is not None
    bot = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bot)
    async with serving(media_addresses=(own_address(),)) as server:
        room = await enter(server, "ada")
        heard: asyncio.Queue[str] = asyncio.Queue()
        reading: set[asyncio.Task[None]] = set()

        async def read(reader) -> None:
            heard.put_nowait(await reader.read_all())

        def hear(reader, identity: str) -> None:
            reading.add(asyncio.create_task(read(reader)))

        room.register_text_stream_handler("lk.chat", hear)
        running = asyncio.create_task(bot.run(server.url.replace("http", "ws", 1), "test", "Bot", DEV_KEY, DEV_SECRET))
        try:
            assert "Hello, I am a bot" in await heard.get()
            await room.local_participant.send_text("who is here?", topic="lk.chat")
            assert await heard.get() == "There are 2 of us in this room."
            long = "é" * 20_000
            await room.local_participant.send_text(long, topic="lk.chat")
            assert await heard.get() == f"You wrote 20000 characters: {long}"
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await room.disconnect()
