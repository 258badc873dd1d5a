"""Data channels between our connection and a page's: both browsers, both offer directions, every way to close."""

from __future__ import annotations

import asyncio

import pytest

from tests.interop.chunk_counter import ChunkCounter
from tests.interop.other_peer import PATIENCE, close_and_open_again, talk_on_every_kind, they_end, we_end

DATA, I_DATA = 0, 64
WHO = pytest.mark.parametrize("who", ["we offer", "they offer"])


@WHO
def test_messages_of_all_kinds_and_sizes_both_ways(browser, who):
    counter = ChunkCounter()
    browser.meet(who, talk_on_every_kind, trace=counter)
    wanted, other = (I_DATA, DATA) if browser.browser.kind == "firefox" else (DATA, I_DATA)
    print(f"{browser.browser.version}:", dict(counter.chunks))
    assert counter.chunks["in", wanted] > 100
    assert counter.chunks["out", wanted] > 100
    assert not counter.chunks["in", other]
    assert not counter.chunks["out", other]


@WHO
def test_channels_close_from_either_side_and_open_again(browser, who):
    browser.meet(who, close_and_open_again)


@WHO
@pytest.mark.parametrize("end", [they_end, we_end])
def test_the_connection_ends_from_either_side(browser, who, end):
    browser.meet(who, end)


@WHO
def test_negotiated_channels_and_empty_messages(browser, who):
    async def body(ours, other, first):
        channel = ours.peer.create_data_channel("agreed", negotiated=True, id=100)
        await other.ask("open", label="agreed", negotiated=True, id=100)
        await channel.wait_open(timeout=PATIENCE)
        await other.wait("open", label="agreed", id=100)
        await channel.write("")
        assert (await other.wait("message", label="agreed"))["body"] == ""
        await channel.write(b"")
        heard = await other.wait("message", label="agreed", count=2)
        assert (heard["size"], heard["text"]) == (0, False)
        await other.ask("text", label="agreed", text="")
        assert await channel.read(timeout=PATIENCE) == ""
        await other.ask("bytes", label="agreed", size=0, seed=0)
        assert await channel.read(timeout=PATIENCE) == b""
        assert not other.all("channel", label="agreed")

    browser.meet(who, body)


def test_a_stream_of_messages_waits_for_a_slow_reader_and_all_come(browser):
    async def body(ours, other, first):
        pouring = asyncio.create_task(other.ask("pour", label="first", count=400, size=16384))
        for number in range(400):
            message = await first.read(timeout=PATIENCE)
            assert len(message) == 16384
            assert message[0] == number * 7 & 255
            if number % 100 == 0:
                await asyncio.sleep(0.05)
        await pouring

    browser.meet("they offer", body)
