"""The server in this process, and people in its rooms: what their pages see, by the browsers' own statistics."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from pystack.aio.addresses import local_addresses
from sfu.server.config import DEV_KEY, DEV_SECRET, Config
from sfu.server.serve import Server, set_up_logs
from tests.e2e.e2e_harness.browsers import Browser, Page
from tests.e2e.e2e_harness.relay import LOOPBACK

# Sends the page's media to another port of the server's address: the relay's.
_DETOUR = """(() => {
  const [from, to] = %s;
  const turn = (text) => text.replaceAll(` ${from} typ`, ` ${to} typ`);
  const set = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = function (description) {
    return set.call(this, {type: description.type, sdp: turn(description.sdp)});
  };
  const add = RTCPeerConnection.prototype.addIceCandidate;
  RTCPeerConnection.prototype.addIceCandidate = function (candidate) {
    if (candidate?.candidate) candidate = {...candidate, candidate: turn(candidate.candidate)};
    return add.call(this, candidate);
  };
})()"""


def own_address() -> str:
    """An address of this machine that is not loopback: the kernel delivers to it without a network all the same."""
    found = [address for address in local_addresses(ipv6=False) if not address.startswith("127.")]
    assert found, "Firefox sends nothing to a loopback address: give this machine another (a veth pair will do)"
    return found[0]


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Server]:
    """A server on free ports of 127.0.0.1; Firefox wants an address that is not loopback, see :func:`own_address`."""
    config = Config(
        **{
            "host": LOOPBACK,
            "port": 0,
            "media_port": 0,
            "media_addresses": (LOOPBACK,),
            "keys": {DEV_KEY: DEV_SECRET},
            "dev": True,
            "log_level": "warning",
            **settings,
        }
    )
    set_up_logs(config)
    server = Server(config, "test")
    await server.start()
    try:
        yield server
    finally:
        await server.close()


class Person:
    """Somebody's page in a room.

    Attributes:
        name: as typed into the page.
        page: the page.
        joined_at: when the page began to join, in seconds of :func:`time.monotonic`.
    """

    def __init__(self, name: str, page: Page, joined_at: float) -> None:
        self.name = name
        self.page = page
        self.joined_at = joined_at

    async def look(self) -> dict[str, Any]:
        """What the page knows: ``{state, identity, others: {identity: name}, received: [...], sent: [...], chat}``."""
        return await self.page.evaluate(
            """async () => {
              const {received, sent} = await sfu.stats();
              const {state, me, participants, ending} = sfu.room;
              return {
                state, ending, received, sent,
                identity: me?.identity ?? "",
                others: Object.fromEntries(participants.map((each) => [each.identity, each.name])),
                chat: sfu.messages.map(({identity, message}) => [identity, message]),
              };
            }"""
        )

    async def say(self, text: str) -> None:
        """Write a chat line once the page can."""
        await until(lambda: self.page.evaluate("(text) => sfu.chat(text)", text))

    async def heard_and_seen(self) -> dict[str, dict[str, float]]:
        """For each other participant: frames decoded, size of the picture, and audio energy."""
        seen: dict[str, dict[str, float]] = {}
        for track in (await self.look())["received"]:
            entry = seen.setdefault(track["owner"], {"frames": 0, "energy": 0.0, "key_frames": 0, "width": 0})
            if track["kind"] == "video":
                entry["frames"] += track.get("framesDecoded", 0)
                entry["key_frames"] += track.get("keyFramesDecoded", 0)
                entry["width"] = max(entry["width"], track.get("frameWidth", 0))
            else:
                entry["energy"] += track.get("totalAudioEnergy", 0.0)
        return seen

    async def sid(self) -> str:
        """The page's participant id."""
        return await self.page.evaluate("() => sfu.room.me.sid")

    async def identity(self) -> str:
        """The page's own identity."""
        return (await self.look())["identity"]


async def join(browser: Browser, server: Server, name: str, room: str = "test", detour: int = 0) -> Person:
    """Open the demo page and join; with ``detour`` media goes to that port instead of the server's."""
    preload = _DETOUR % json.dumps([server.media[0][1], detour]) if detour else ""
    began = time.monotonic()
    page = await browser.open(f"{server.url}/?room={room}&name={name}", preload)
    person = Person(name, page, began)
    await until(lambda: page.evaluate("() => sfu.room.state === 'connected'"), 40, f"{name} is not connected")
    return person


async def until(
    condition: Callable[[], Awaitable[Any]], seconds: float = 40, what: str = "", pause: float = 0.1
) -> Any:
    """Wait until the condition gives something true, and return that."""
    end = time.monotonic() + seconds
    last: Any = None
    while time.monotonic() < end:
        last = await condition()
        if last:
            return last
        await asyncio.sleep(pause)
    raise AssertionError(f"{what or 'not there'} after {seconds:g} s; last: {last!r}")


async def everybody_perceives(people: list[Person], frames: int, energy: float = 1e-6) -> bool:
    """Whether each of them has decoded so many frames and heard something of each other."""
    identities = {person.name: await person.identity() for person in people}
    for person in people:
        seen = await person.heard_and_seen()
        for name, identity in identities.items():
            if name == person.name:
                continue
            entry = seen.get(identity)
            if entry is None or entry["frames"] <= frames or entry["energy"] <= energy:
                return False
    return True
