"""Rooms of LiveKit's SDK for Python on a server of ours, for the tests that look at what it does there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from sfu.server import make_token
from sfu.server.config import DEV_KEY, DEV_SECRET

__all__ = ["enter", "watching"]


async def enter(server: Any, identity: str, *, key: str = DEV_KEY, secret: str = DEV_SECRET, dual: bool = False) -> Any:
    """Join the room ``test``, with one or two peer connections."""
    from livekit import rtc

    room = rtc.Room()
    token = make_token(key, secret, identity=identity, room="test", name=identity)
    options = rtc.RoomOptions(single_peer_connection=not dual)
    await room.connect(server.url.replace("http", "ws", 1), token, options)
    return room


@contextlib.asynccontextmanager
async def watching(publisher: Any, viewer: Any, filming: asyncio.Task[None], track: Any) -> AsyncIterator[list[int]]:
    """The widths of the pictures that the viewer sees, as they come; at the end all leave.

    Args:
        publisher, viewer: their rooms.
        filming: what films until then.
        track: the viewer's, once it has it.
    """
    from livekit import rtc

    widths: list[int] = []

    async def watch() -> None:
        async for event in rtc.VideoStream.from_track(track=await track):
            widths.append(event.frame.width)

    task = asyncio.create_task(watch())
    try:
        yield widths
    finally:
        filming.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await filming
        await publisher.disconnect()
        await viewer.disconnect()
        await asyncio.wait([task], timeout=10)
        task.cancel()
