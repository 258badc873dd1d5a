"""LiveKit's unmodified SDK for JavaScript in a room of ours, in Chromium and in Firefox: all that a meeting does."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))  # for e2e_harness

from sfu.server.auth import make_token
from sfu.server.config import DEV_KEY, DEV_SECRET
from tests.e2e.e2e_harness.browsers import Driver, Page, missing_parts
from tests.e2e.e2e_harness.room import own_address, serving, until

pytestmark = [
    pytest.mark.component("node-peers"),
    pytest.mark.component("chromium"),
    pytest.mark.component("firefox"),
    pytest.mark.timeout(240),
]

HERE = Path(__file__).parent
SDK = HERE / "node" / "node_modules" / "livekit-client" / "dist" / "livekit-client.umd.js"
PAGE = HERE / "browser" / "sdk_page.js"


@pytest.fixture(scope="module", autouse=True)
def _driver_parts():
    missing = missing_parts("chromium")
    if missing is not None:
        pytest.fail(missing)


class Person:
    """Somebody's page; see ``browser/sdk_page.js`` for what can be asked of it."""

    def __init__(self, name: str, page: Page) -> None:
        self.name = name
        self._page = page

    async def do(self, what: str, argument: Any = None) -> Any:
        return await self._page.evaluate(f"async (argument) => await person.{what}(argument)", argument)

    async def look(self, what: str) -> Any:
        return await self._page.evaluate(f"() => person.{what}")

    async def perceives(self, other: Person, *, width: int = 1, beyond: int = 20) -> bool:
        """Whether this one hears the other, and has decoded so many frames, the last of that width."""
        seen = (await self.do("perceived")).get(other.name, {"energy": 0, "frames": 0, "width": 0})
        enough = seen["frames"] > beyond and seen["energy"] > 1e-6
        return enough and (seen["width"] == width if width > 1 else seen["width"] > 1)


@contextlib.asynccontextmanager
async def meeting(*kinds: str, **options: Any) -> AsyncIterator[list[Person]]:
    """A server of ours, and a page of each kind of browser in one room; ``dual chromium`` has two peer connections.

    ``options`` are those of the SDK's ``Room``.
    """
    script = f"{SDK.read_text()}\n{PAGE.read_text()}"
    async with serving(media_addresses=(own_address(),)) as server, Driver() as driver:
        people = []
        for number, kind in enumerate(kinds):
            dual, _, kind = kind.rpartition(" ")
            browser = await driver.launch(kind)
            page = await browser.open(server.url)
            await page.evaluate("(script) => { (0, eval)(script); }", script)
            chosen = {"singlePeerConnection": not dual} | options
            await page.evaluate("(options) => { window.person = person(options); }", chosen)
            people.append(Person(f"{dual}{kind}{number}", page))
        for person in people:
            token = make_token(DEV_KEY, DEV_SECRET, identity=person.name, room="test", name=person.name)
            await person.do("join", {"url": server.url.replace("http", "ws", 1), "token": token})
        yield people
        assert driver.page_errors == []


def run(body: Any) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(200):
            await body()

    asyncio.run(bounded())


async def all_perceive_each_other(people: list[Person]) -> None:
    for one in people:
        for other in people:
            if one is not other:
                await until(lambda: one.perceives(other), 40, f"{one.name} does not see and hear {other.name}")  # noqa: B023


@pytest.mark.parametrize(
    "kinds",
    [("chromium", "firefox"), ("firefox", "chromium"), ("dual chromium", "dual firefox"), ("firefox", "dual chromium")],
    ids="-".join,
)
def test_two_pages_with_the_sdk_see_hear_and_tell_each_other(kinds):
    async def body():
        async with meeting(*kinds) as people:
            await all_perceive_each_other(people)
            ada, grace = people
            await ada.do("say", {"text": "kept", "topic": "talk", "reliable": True})
            await ada.do("say", {"text": "lossy", "topic": "talk", "reliable": False})
            told = [[ada.name, "talk", "kept"], [ada.name, "talk", "lossy"]]
            await until(lambda: _includes(grace, "heard", told), 20, "no data packets")
            await ada.do("write", 100_000)
            await until(lambda: _includes(grace, "written", [[ada.name, 100_000]]), 20, "no text stream")
            assert await ada.do("ask", {"who": grace.name, "length": 5000}) == "5000"

    run(body)


@pytest.mark.parametrize("publisher", ["chromium", "firefox"])
def test_the_sdk_chooses_the_layer_that_it_gets(publisher):
    async def body():
        async with meeting(publisher, "chromium") as people:
            await all_perceive_each_other(people)
            ada, grace = people
            await until(lambda: grace.perceives(ada, width=1280), 40, "the best layer does not come")
            for quality, width in (("LOW", 320), ("HIGH", 1280), ("MEDIUM", 640)):
                await grace.do("wish", {"of": ada.name, "quality": quality})
                await until(lambda: grace.perceives(ada, width=width), 20, f"no picture of quality {quality}")  # noqa: B023
            await until(lambda: _sends(ada, {"q", "h"}), 20, "the layer that nobody wants is still sent")
            await grace.do("wish", {"of": ada.name, "quality": "HIGH"})
            await until(lambda: _sends(ada, {"q", "h", "f"}), 20, "the best layer is not sent again")
            await until(lambda: grace.perceives(ada, width=1280), 20, "the best layer does not come back")
            await grace.do("wish", {"of": ada.name, "quality": "MEDIUM"})
            await grace.do("want", {"of": ada.name, "wanted": False})
            await until(lambda: _frames_stay(grace, ada), 20, "pictures go on")
            await grace.do("want", {"of": ada.name, "wanted": True})
            await until(lambda: grace.perceives(ada, width=640), 20, "the wish is forgotten, or nothing comes")

    run(body)


@pytest.mark.parametrize(("codec", "viewer"), [("h264", "chromium"), ("vp9", "firefox")])
def test_the_sdk_chooses_its_codec_and_a_viewer_the_layer(codec, viewer):
    async def body():
        async with meeting("dual chromium", viewer, publishDefaults={"videoCodec": codec}) as people:
            ada, grace = people
            await until(lambda: grace.perceives(ada, width=1280), 40, "the best layer does not come")
            assert (await grace.do("perceived"))[ada.name]["codec"] == f"video/{codec.upper()}"
            for quality, width in (("LOW", 320), ("HIGH", 1280)):
                await grace.do("wish", {"of": ada.name, "quality": quality})
                await until(lambda: grace.perceives(ada, width=width), 20, f"no picture of quality {quality}")  # noqa: B023

    run(body)


@pytest.mark.parametrize("kind", ["chromium", "dual chromium"])
def test_what_a_page_switched_off_is_shown_and_heard_again(kind):
    async def body():
        async with meeting("chromium", kind) as people:
            await all_perceive_each_other(people)
            ada, grace = people
            await until(lambda: _plays(grace, ada), 20, "nothing is shown or heard")

            async def by_herself(wanted: bool) -> None:
                await grace.do("wantAll", {"of": ada.name, "wanted": wanted})

            async def by_the_publisher(wanted: bool) -> None:
                await ada.do("allow", wanted)

            for switch in (by_herself, by_herself, by_herself, by_the_publisher):
                await switch(False)
                await until(lambda: _stands_still(grace, ada), 20, "it goes on")
                await switch(True)
                await until(lambda: _plays(grace, ada), 20, f"not shown or not heard again, {switch.__name__}")

    run(body)


@pytest.mark.parametrize("kind", ["chromium", "firefox", "dual chromium"])
def test_the_sdk_goes_on_after_its_signalling_was_lost(kind):
    async def body():
        async with meeting(kind, "chromium") as people:
            await all_perceive_each_other(people)
            ada, grace = people
            before = (await grace.do("perceived"))[ada.name]
            print("resumed after", await ada.do("lose", "signal-reconnect"), "ms")
            await until(lambda: grace.perceives(ada, beyond=before["frames"] + 40), 30, "the pictures do not go on")
            await until(lambda: ada.perceives(grace), 20, "nothing comes back")
            assert (await grace.do("perceived"))[ada.name]["sid"] == before["sid"], "the session ended"
            await ada.do("say", {"text": "still here", "topic": "talk", "reliable": True})
            await until(lambda: _includes(grace, "heard", [[ada.name, "talk", "still here"]]), 20, "no data packets")
            print("joined anew after", await ada.do("lose", "full-reconnect"), "ms")
            await until(lambda: grace.perceives(ada, beyond=40), 30, "no pictures of the new session")
            assert (await grace.do("perceived"))[ada.name]["sid"] != before["sid"]

    run(body)


async def _includes(person: Person, what: str, wanted: list[Any]) -> bool:
    there = await person.look(what)
    return all(each in there for each in wanted)


async def _sends(person: Person, rids: set[str]) -> bool:
    return set(await person.do("sending")) == rids


async def _plays(person: Person, other: Person) -> bool:
    played = (await person.do("played"))[other.name]
    return bool(played["time"] > 0.2 and played["sound"] > 0.01)


async def _stands_still(person: Person, other: Person) -> bool:
    return bool((await person.do("played"))[other.name] == {"time": 0, "sound": 0})


async def _frames_stay(person: Person, other: Person) -> bool:
    before = (await person.do("perceived"))[other.name]["frames"]
    await asyncio.sleep(0.5)
    return bool((await person.do("perceived"))[other.name]["frames"] == before)
