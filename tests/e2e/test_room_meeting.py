"""Two browsers meet, a third joins later: all see, hear and read each other, by the browsers' own statistics."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.e2e.e2e_harness.browsers import Driver
from tests.e2e.e2e_harness.camera import write_camera
from tests.e2e.e2e_harness.room import everybody_perceives, join, own_address, serving, until

pytestmark = [pytest.mark.component("chromium"), pytest.mark.timeout(400)]


def test_two_chromium_pages_meet_and_chat(run):
    async def body():
        async with serving() as server, Driver() as driver:
            browsers = await asyncio.gather(driver.launch("chromium"), driver.launch("chromium"))
            people = await asyncio.gather(
                *(join(browser, server, name) for browser, name in zip(browsers, ("Ada", "Grace"), strict=True))
            )
            ada, grace = people
            await until(lambda: everybody_perceives(people, 100), 60, "not everybody sees and hears everybody")
            for person in people:
                print(person.name, await person.heard_and_seen())
            await ada.say("good morning")
            await until(lambda: _read(grace, "good morning"), what="Grace reads nothing")
            await grace.say("äöü €")
            await until(lambda: _read(ada, "äöü €"), what="Ada reads nothing")
            assert driver.page_errors == []

    run(body(), 200)


async def _read(person, line) -> bool:
    return any(message == line for _, message in (await person.look())["chat"])


@pytest.mark.component("firefox")
def test_firefox_joins_later_and_all_see_and_hear_each_other_within_ten_seconds(run_again):
    async def body():
        async with serving(media_addresses=(own_address(),)) as server, Driver() as driver:
            browsers = await asyncio.gather(
                driver.launch("chromium"), driver.launch("chromium"), driver.launch("firefox")
            )
            people = list(
                await asyncio.gather(
                    *(join(browser, server, name) for browser, name in zip(browsers, ("Ada", "Grace"), strict=False))
                )
            )
            await until(lambda: everybody_perceives(people, 20), 60, "the first two do not see each other")
            asked_before = [await _pictures_asked(person) for person in people]
            began = time.monotonic()
            people.append(await join(browsers[2], server, "Frida"))
            connected = time.monotonic()
            await until(lambda: everybody_perceives(people, 0), 40, "not all perceive each other", pause=0.05)
            took = time.monotonic() - began
            print(f"Firefox: page to connected {connected - began:.2f} s, all perceive each other after {took:.2f} s")
            assert took < 10
            delays = _subscription_delays(server, await people[2].sid())
            for name, (asked, first) in delays.items():
                print(f"{name}: key frame asked {asked} ms after the subscription, first packet after {first} ms")
            assert len(delays) == 2  # Ada's and Grace's pictures
            assert all(asked < 100 for asked, _ in delays.values())
            asked_after = [await _pictures_asked(person) for person in people[:2]]
            assert all(after > before for before, after in zip(asked_before, asked_after, strict=True))
            await until(lambda: everybody_perceives(people, 100), 60, "frames stopped")
            assert driver.page_errors == []

    run_again(body)


def _subscription_delays(server, subscriber: str) -> dict[str, tuple[float, float]]:
    """For each picture that ``subscriber`` gets: when a key frame was asked for, and when the first packet went."""
    [room] = server.runtime.stats()["rooms"]
    delays = {}
    for sid, track in room["tracks"].items():
        down = track["subscribers"].get(subscriber)
        if track["kind"] == "video" and down is not None:
            delays[sid] = (down["key_frame_requested_after_ms"], down["first_packet_after_ms"])
    return delays


async def _pictures_asked(person) -> int:
    """How many key-frame requests the publishing browser has counted."""
    return sum(track.get("pliCount", 0) for track in (await person.look())["sent"] if track["kind"] == "video")


def test_a_720p_publisher_passes_a_megabit_within_ten_seconds(run_again, tmp_path):
    """The browser's bandwidth estimate grows by our feedback; its camera shows something that is worth the bits."""

    async def body():
        camera = write_camera(tmp_path / "camera.y4m", 1280, 720)
        async with serving() as server, Driver() as driver:
            browsers = await asyncio.gather(driver.launch("chromium", args=(camera,)), driver.launch("chromium"))
            publisher = await join(browsers[0], server, "Ada")
            began = time.monotonic()
            viewer = await join(browsers[1], server, "Grace")
            assert await publisher.page.evaluate("() => sfu.session.local.video.getSettings().height") == 720
            best, before = 0.0, None
            while best < 1e6 and time.monotonic() - began < 10:
                await asyncio.sleep(1.0)
                for video in (track for track in (await publisher.look())["sent"] if track["kind"] == "video"):
                    if before is not None:
                        passed = video["timestamp"] - before["timestamp"]
                        best = max(best, (video["bytesSent"] - before["bytesSent"]) * 8000 / max(1, passed))
                        goal = video.get("targetBitrate", 0) / 1e6
                        print(f"{time.monotonic() - began:.1f} s: {best / 1e6:.2f} Mbit/s sent, goal {goal:.2f}")
                    before = video
            assert best > 1e6
            assert (await viewer.heard_and_seen())[await publisher.identity()]["frames"] > 20
            assert driver.page_errors == []

    run_again(body)
