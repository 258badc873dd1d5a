"""The example that needs a server runs as it stands, and the page's few protobuf fields are LiveKit's."""

import asyncio
import importlib.util
import itertools
import json
import subprocess
from pathlib import Path

import pytest
from livekit.protocol import models

from sfu.server import Config, Server, make_token

ROOT = Path(__file__).parents[2]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_bot_answers_in_the_chat():
    bot = load("chat_bot")

    async def main():
        server = Server(Config(host="127.0.0.1", port=0, media_port=0, keys={"devkey": "secret"}, dev=True), "1")
        await server.start()
        try:
            url = server.url.replace("http", "ws")
            running = asyncio.create_task(bot.run(url, "demo", "Bot", "devkey", "secret"))
            token = make_token("devkey", "secret", identity="ada", room="demo", name="Ada")
            async with bot.Room.join(url, token) as stay, asyncio.timeout(20):
                lines = stay.lines()
                while not stay.people:  # noqa: ASYNC110 - the bot joins in its own time
                    await asyncio.sleep(0.01)
                await stay.say("roll")
                answers = []
                while not any("🎲" in text for text in answers):
                    who, text = await anext(lines)
                    assert who.startswith("bot-")
                    answers.append(text)
                await stay.say("who is here?")
                while "There are 2 of us in this room." not in answers:
                    answers.append((await anext(lines))[1])
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        finally:
            await server.close()

    asyncio.run(asyncio.wait_for(main(), 60))


def test_the_minimal_example_is_minimal():
    source = (ROOT / "examples" / "minimal_sfu.py").read_text()
    assert len(source.splitlines()) < 80
    assert hasattr(load("minimal_sfu"), "Room")


@pytest.mark.component("node")
def test_the_pages_chat_lines_are_livekits():
    chat = models.DataPacket(
        participant_identity="grace",
        chat_message=models.ChatMessage(id="9", timestamp=1700000000123, message="é" * 300),
    )
    other = models.DataPacket(user=models.UserPacket(topic="else", payload=b"x"), sequence=70_000)
    own = models.DataPacket(
        participant_identity="ada",
        sequence=300,
        user=models.UserPacket(
            topic="lk-chat-topic",
            payload=json.dumps({"id": "1", "message": "hi", "timestamp": 5}).encode(),
            start_time=7,
        ),
    )
    twice = models.DataPacket(
        participant_identity="ada",
        user=models.UserPacket(
            topic="lk-chat-topic", payload=json.dumps({"id": "2", "message": "hi", "ignoreLegacy": True}).encode()
        ),
    )
    streams = [list(load("chat_bot").stream_packets(text)) for text in ("á" * 20_000, "", "not of the chat")]
    for each in itertools.chain(*streams):
        each.participant_identity = "ada"
    streams[2][0].stream_header.topic = "else"
    packets = [each.SerializeToString().hex() for each in (chat, other, own, twice, *itertools.chain(*streams))]
    script = f"""
      import {{ ChatReader, encodeChat }} from {json.dumps((ROOT / "sfu/server/web/packets.js").as_uri())};
      const line = {{ id: "7", timestamp: 1700000000123, message: "hello \\u{{1f44b}}".repeat(2000) }};
      const reader = new ChatReader();
      const decoded = {json.dumps(packets)}.map((hex) => reader.read(Uint8Array.from(Buffer.from(hex, "hex"))));
      const encoded = encodeChat(line, 300).map((packet) => Buffer.from(packet).toString("hex"));
      console.log(JSON.stringify({{ encoded, line, decoded, open: reader.streams.size }}));
    """
    done = subprocess.run(
        ["node", "--input-type=module", "-e", script], capture_output=True, text=True, timeout=30, check=True
    )
    result = json.loads(done.stdout)
    sent = [models.DataPacket.FromString(bytes.fromhex(each)) for each in result["encoded"]]
    assert [each.sequence for each in sent] == [300, 301, 302, 303]
    header, *chunks, trailer = sent
    whole = b"".join(each.stream_chunk.content for each in chunks)
    assert whole.decode() == result["line"]["message"]
    assert [each.stream_chunk.content.decode() for each in chunks]  # no character is cut in two
    assert [each.stream_chunk.chunk_index for each in chunks] == [0, 1]
    told = header.stream_header
    assert (told.topic, told.timestamp, told.total_length) == ("lk.chat", 1700000000123, len(whole))
    assert told.WhichOneof("content_header") == "text_header"
    assert {told.stream_id, trailer.stream_trailer.stream_id, *(each.stream_chunk.stream_id for each in chunks)} == {
        "7"
    }
    assert result["open"] == 0
    lines = [line for line in result["decoded"][4:] if line is not None]
    assert [line["message"] for line in lines] == ["á" * 20_000, ""]
    assert result["decoded"][:4] == [
        {"id": "9", "timestamp": 1700000000123, "message": "é" * 300, "identity": "grace"},
        None,
        {"id": "1", "message": "hi", "timestamp": 5, "identity": "ada"},
        None,
    ]
