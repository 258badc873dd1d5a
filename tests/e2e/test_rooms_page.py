"""The page that shows what every room is doing, looked at while people meet."""

from __future__ import annotations

import pytest

from tests.e2e.e2e_harness.browsers import Driver
from tests.e2e.e2e_harness.room import everybody_perceives, join, serving, until

pytestmark = [pytest.mark.component("chromium"), pytest.mark.timeout(200)]

# What stands on the page: rooms, people, and of each track its row in words.
_LOOK = """() => ({
  state: document.getElementById("state").textContent,
  none: !document.getElementById("none").hidden,
  rooms: [...document.querySelectorAll("[data-room]")].map((room) => ({
    name: room.dataset.room,
    people: [...room.querySelectorAll(".people b")].map((each) => each.textContent).sort(),
    tracks: [...room.querySelectorAll("[data-track]")].map((row) => row.innerText.replace(/\\s+/g, " ")),
    qualities: [...room.querySelectorAll("[data-level]")].map((each) => each.dataset.level),
  })),
})"""


def test_the_page_shows_who_is_there_what_flows_and_how_well(run, tmp_path):
    async def body():
        async with serving() as server, Driver() as driver:
            browser, other = await driver.launch("chromium"), await driver.launch("chromium")
            board = await (await driver.launch("chromium")).open(f"{server.url}/debug")
            await until(
                lambda: _shows(board, lambda seen: seen["none"] and seen["state"] == "live"), 20, "no empty board"
            )
            people = [await join(browser, server, "Ada"), await join(other, server, "<b>Grace</b>")]
            await until(lambda: everybody_perceives(people, 20), 60, "they do not see each other")
            await until(lambda: _shows(board, _alive), 30, "the room does not show up as it is")
            await board.screenshot(str(tmp_path / "rooms.png"))
            seen = await board.evaluate(_LOOK)
            print(seen)
            for person in people:
                await person.page.close()
            await until(lambda: _shows(board, lambda seen: not seen["rooms"][0]["people"]), 30, "they do not leave")
            await server.close()
            gone = "the server does not answer"
            await until(lambda: _shows(board, lambda seen: seen["state"] == gone), 20, "its end does not show")
            assert driver.page_errors == []

    run(body(), 150)


def _alive(seen) -> bool:
    [room] = seen["rooms"]
    voices = [row for row in room["tracks"] if "microphone" in row]
    pictures = [row for row in room["tracks"] if "camera" in row]
    return (
        room["name"] == "test"
        and room["people"] == ["<b>Grace</b>", "Ada"]
        and len(voices) == len(pictures) == 2
        and all("kbit/s" in row or "Mbit/s" in row for row in pictures)
        and set(room["qualities"]) == {"excellent"}
    )


async def _shows(page, wanted) -> bool:
    seen = await page.evaluate(_LOOK)
    return bool(seen["rooms"] or seen["none"]) and bool(wanted(seen))
