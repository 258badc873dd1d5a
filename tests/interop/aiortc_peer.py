"""aiortc as the other peer, in this process."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine
from typing import Any

from pystack import DataChannel
from tests.e2e.e2e_harness.room import own_address
from tests.interop.other_peer import Offerer, OtherPeer, Ours, connect, pattern

__all__ = ["AiortcPeer", "meet"]


class AiortcPeer(OtherPeer):
    """Requests are calls; what aiortc emits becomes events."""

    def __init__(self) -> None:
        from aiortc import RTCPeerConnection

        super().__init__()
        self._reader = asyncio.create_task(asyncio.Event().wait())  # it is never gone
        self._channels: dict[str, Any] = {}
        self._peer = RTCPeerConnection()
        self._peer.on("connectionstatechange", lambda: self._tell("state", state=self._peer.connectionState))
        self._peer.on("datachannel", self._announce)

    async def ask(self, op: str, **arguments: Any) -> Any:
        """Have something done over there."""
        return await getattr(self, f"_{op}")(**arguments)

    async def leave(self) -> None:
        """End what is left of it."""
        await self._peer.close()
        self._reader.cancel()

    def _tell(self, event: str, **what: Any) -> None:
        self.events.append({"event": event, **what})
        self._came.set()

    def _announce(self, channel: Any) -> None:
        self._tell("channel", label=channel.label, protocol=channel.protocol)
        self._watch(channel)

    def _watch(self, channel: Any) -> None:
        label = channel.label
        self._channels[label] = channel
        channel.on("open", lambda: self._tell("open", label=label))
        channel.on("close", lambda: self._tell("closed", label=label))
        channel.on("message", lambda data: self._message(label, data))
        if channel.readyState == "open":
            self._tell("open", label=label)

    def _message(self, label: str, data: str | bytes) -> None:
        body = data.encode() if isinstance(data, str) else data
        self._tell(
            "message",
            label=label,
            text=isinstance(data, str),
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            body=data if isinstance(data, str) else None,
        )

    async def _open(self, label: str, **options: Any) -> None:
        self._watch(self._peer.createDataChannel(label, **options))

    async def _offer(self, *, iceRestart: bool = False) -> str:  # noqa: N803 - the W3C's name
        assert not iceRestart, "aiortc restarts nothing"
        await self._peer.setLocalDescription(await self._peer.createOffer())
        return str(self._peer.localDescription.sdp)

    async def _answer(self, sdp: str) -> str:
        await self._set_remote("offer", sdp)
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        return str(self._peer.localDescription.sdp)

    async def _accept(self, sdp: str) -> None:
        await self._set_remote("answer", sdp)

    async def _set_remote(self, kind: str, sdp: str) -> None:
        from aiortc import RTCSessionDescription

        await self._peer.setRemoteDescription(RTCSessionDescription(sdp, kind))

    async def _text(self, label: str, text: str) -> None:
        self._channels[label].send(text)

    async def _bytes(self, label: str, size: int, seed: int) -> None:
        self._channels[label].send(pattern(size, seed))

    async def _close(self, label: str) -> None:
        self._channels[label].close()

    async def _end(self) -> None:
        await self._peer.close()


def meet(
    who: Offerer,
    body: Callable[[Ours, OtherPeer, DataChannel], Coroutine[Any, Any, None]],
    *,
    seed: int | None = None,
    **settings: Any,
) -> None:
    """Run ``body`` with both connected; ``seed`` as for `Ours.open`."""

    async def main() -> None:
        async with asyncio.timeout(90):
            other = AiortcPeer()
            try:
                async with Ours.open(own_address(), seed, **settings) as ours:
                    await body(ours, other, await connect(ours, other, who))
            finally:
                await other.leave()

    asyncio.run(main())
