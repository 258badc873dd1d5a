"""One end of a peer connection with a data channel, the same few members for us and for aiortc.

Both gather 127.0.0.1 alone and fill packets of the same size, so that the two carry the same bytes the same way.
"""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

__all__ = ["MTU", "AiortcEnd", "End", "OurEnd"]

MTU = 1188
"""Bytes of an SCTP packet on both sides: what aiortc fills of its 1189."""
BUFFER = 512 * 1024
"""Bytes that wait in the sender at most."""


class End(Protocol):
    """What the benchmark does with an end.

    Attributes:
        received: bytes of messages that came so far.
    """

    received: int

    async def offer(self) -> str:
        """Make the channel and an offer with all candidates."""
        ...

    async def answer(self, offer: str) -> str:
        """Answer an offer, candidates included."""
        ...

    async def accept(self, answer: str) -> None:
        """Take the answer."""

    async def opened(self) -> None:
        """Wait until the channel is open."""

    async def send(self, message: bytes) -> None:
        """Send one message; waits while too much is queued."""

    async def close(self) -> None:
        """End it."""


class AiortcEnd:
    """aiortc's RTCPeerConnection."""

    def __init__(self) -> None:
        import aioice.ice  # noqa: PLC0415
        from aiortc import RTCConfiguration, RTCPeerConnection  # noqa: PLC0415

        aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
        self.received = 0
        self._connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._channel: Any = None
        self._open = asyncio.Event()
        self._low = asyncio.Event()
        self._connection.on("datachannel", self._use)

    def _use(self, channel: Any) -> None:
        self._channel = channel
        channel.bufferedAmountLowThreshold = BUFFER // 2
        channel.on("message", self._count)
        channel.on("bufferedamountlow", self._low.set)
        channel.on("open", self._open.set)
        if channel.readyState == "open":
            self._open.set()

    def _count(self, message: bytes) -> None:
        self.received += len(message)

    async def offer(self) -> str:
        self._use(self._connection.createDataChannel("benchmark"))
        await self._connection.setLocalDescription(await self._connection.createOffer())
        return str(self._connection.localDescription.sdp)

    async def answer(self, offer: str) -> str:
        from aiortc import RTCSessionDescription  # noqa: PLC0415

        await self._connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        await self._connection.setLocalDescription(await self._connection.createAnswer())
        return str(self._connection.localDescription.sdp)

    async def accept(self, answer: str) -> None:
        from aiortc import RTCSessionDescription  # noqa: PLC0415

        await self._connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def opened(self) -> None:
        await self._open.wait()

    async def send(self, message: bytes) -> None:
        while self._channel.bufferedAmount > BUFFER:
            self._low.clear()
            await self._low.wait()
        self._channel.send(message)

    async def close(self) -> None:
        await self._connection.close()


class OurEnd:
    """Our PeerConnection."""

    def __init__(self) -> None:
        import pystack.aio.ice  # noqa: PLC0415
        from pystack import Configuration, DataChannelAdded, PeerConnection  # noqa: PLC0415
        from pystack.sctp import AssociationOptions  # noqa: PLC0415
        from pystack.session import SessionOptions  # noqa: PLC0415

        pystack.aio.ice.local_addresses = lambda **_: ["127.0.0.1"]
        self.received = 0
        self._added = DataChannelAdded
        self._connection = PeerConnection(
            Configuration(
                session=SessionOptions(
                    association=AssociationOptions(mtu=MTU, send_buffer=BUFFER, stream_send_buffer=BUFFER)
                ),
            )
        )
        self._channel: Any = None
        self._announced = asyncio.Event()
        self._connection.listen(self._hear)

    def _hear(self, event: Any) -> None:
        if isinstance(event, self._added):
            self._use(event.channel)

    def _use(self, channel: Any) -> None:
        self._channel = channel
        channel.on_message = self._count
        self._announced.set()

    def _count(self, message: bytes) -> None:
        self.received += len(message)

    async def _gathered(self) -> str:
        await self._connection.wait_gathered(timeout=10)
        return str(self._connection.local_description.sdp)

    async def offer(self) -> str:
        self._use(self._connection.create_data_channel("benchmark"))
        await self._connection.set_local_description()
        return await self._gathered()

    async def answer(self, offer: str) -> str:
        from pystack import SessionDescription  # noqa: PLC0415

        await self._connection.set_remote_description(SessionDescription("offer", offer))
        await self._connection.set_local_description()
        return await self._gathered()

    async def accept(self, answer: str) -> None:
        from pystack import SessionDescription  # noqa: PLC0415

        await self._connection.set_remote_description(SessionDescription("answer", answer))

    async def opened(self) -> None:
        await self._announced.wait()
        await self._channel.wait_open(timeout=30)

    async def send(self, message: bytes) -> None:
        await self._channel.write(message)

    async def close(self) -> None:
        await self._connection.close()
