"""Ours for the benchmark ``forward``: the server as a process of its own, and the LiveKit clients that load it.

The server talks in lines: its address goes out, then for each line that comes the CPU seconds so far.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping
from typing import Any

import aiohttp
import structlog
from livekit.protocol import models, rtc

from benchmarks.clock import cpu_seconds
from pystack import PeerConnection, RtpSender, SessionDescription

__all__ = ["Client"]

KEYS = {"devkey": "secret"}
_LIMIT = 30.0


class Client:
    """A LiveKit client that publishes one video, or counts the packets of what it receives.

    Attributes:
        received: packets so far.
    """

    def __init__(self, http: aiohttp.ClientSession, identity: str) -> None:
        self.received = 0
        self._http = http
        self._identity = identity
        self._peer = PeerConnection()
        self._peer.create_data_channel("_reliable")
        self._answered = asyncio.Event()
        self._published = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def join(self) -> None:
        """Enter the room; whatever is published there is received from now on."""
        from sfu.server import make_token  # noqa: PLC0415

        token = make_token("devkey", KEYS["devkey"], identity=self._identity, room="forward")
        self._socket = await self._http.ws_connect("/rtc/v1", params={"access_token": token})
        self._run(self._read())
        await self._offer()
        await self._peer.wait_connected(timeout=_LIMIT)

    async def publish(self) -> RtpSender:
        """Publish a video."""
        await self._send(add_track=rtc.AddTrackRequest(cid="camera", type=models.TrackType.VIDEO))
        await asyncio.wait_for(self._published.wait(), _LIMIT)
        transceiver = self._peer.add_transceiver("video", direction="sendonly", track_id="camera", stream_ids=["s"])
        await self._offer()
        return transceiver.sender

    async def close(self) -> None:
        """Leave."""
        for task in self._tasks:
            task.cancel()
        await self._socket.close()
        self._peer.abort()

    def _run(self, coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)

    async def _send(self, **message: Any) -> None:
        await self._socket.send_bytes(rtc.SignalRequest(**message).SerializeToString())

    async def _offer(self) -> None:
        self._answered.clear()
        await self._peer.set_local_description(await self._peer.create_offer())
        description = self._peer.local_description
        assert description is not None
        await self._send(offer=rtc.SessionDescription(type="offer", sdp=description.sdp))
        await asyncio.wait_for(self._answered.wait(), _LIMIT)

    async def _read(self) -> None:
        async for frame in self._socket:
            message = rtc.SignalResponse.FromString(frame.data)
            kind = message.WhichOneof("message")
            if kind == "track_published":
                self._published.set()
            elif kind == "answer":
                await self._peer.set_remote_description(SessionDescription("answer", message.answer.sdp))
                self._listen(message.answer.mid_to_track_id)
                self._answered.set()
            elif kind == "media_sections_requirement":
                for _ in range(message.media_sections_requirement.num_videos):
                    self._peer.add_transceiver("video", direction="recvonly")
                self._run(self._offer())

    def _listen(self, tracks: Mapping[str, str]) -> None:
        for transceiver in self._peer.transceivers:
            if transceiver.mid in tracks and transceiver.current_direction == "recvonly":
                transceiver.receiver.on_packet = self._count

    def _count(self, packet: object, rid: str) -> None:
        self.received += 1


async def _serve() -> None:
    from sfu.server import Config, Server  # noqa: PLC0415
    from sfu.server.serve import spare_collector  # noqa: PLC0415

    config = Config(
        host="127.0.0.1",
        port=0,
        media_port=0,
        media_addresses=("127.0.0.1",),
        keys=KEYS,
    )
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))  # stdout is ours
    server = Server(config, "benchmark")
    await server.start()
    spare_collector()  # as the command does
    print(server.url, flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(cpu_seconds(), flush=True)
    await server.close()


if __name__ == "__main__":
    asyncio.run(_serve())
