"""Perfect negotiation over a signalling transport of yours (W3C webrtc-pc section 10.7).

Both sides may add and remove what they like at any time, and offer at the same time: the polite one gives way. The
messages are those of the W3C's own example, so a page that follows it is the other side:
``{"description": {"type": ..., "sdp": ...}}`` and ``{"candidate": {...} | null}``.

Composed of public parts alone: a program that needs another policy writes its own in the same way.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, Protocol

from pystack.errors import Closed, InvalidArgument, RemoteProtocolError
from pystack.peer.connection import PeerConnection
from pystack.peer.description import IceCandidate, SessionDescription
from pystack.peer.events import IceCandidateFound, NegotiationNeeded, PeerConnectionClosed, PeerEvent
from pystack.peer.waiting import Awaited

__all__ = ["Negotiator", "Signalling"]

_UNSENT: Final = 256
"""Messages that may wait for the transport. A peer that asks for more without taking any has gone wrong."""


class Signalling(Protocol):
    """Carries texts to the other side and back, whole and in order. A WebSocket of ``websockets`` is one as it is."""

    async def send(self, message: str, /) -> None:
        """Send one text."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Yield the texts that come, until the other side is gone."""
        ...


class Negotiator:
    """Keeps a connection negotiated as long as :meth:`run` runs.

    Usage::

        async with asyncio.TaskGroup() as tasks, PeerConnection() as connection:
            tasks.create_task(Negotiator(connection, websocket, polite=True).run())
            chat = connection.create_data_channel("chat")
            await chat.wait_open(timeout=10)

    The group comes first, so that it is left last: it waits for :meth:`run`, which ends with the connection.

    Args:
        connection: the connection; create channels and transceivers before or after, as you like.
        signalling: carries the messages.
        polite: whether this side gives way when both offer at once. One side is, the other is not; with a browser it
            matters not which.

    Attributes:
        ignored: messages that were neither a description nor a candidate: something else may share the transport.
    """

    def __init__(self, connection: PeerConnection, signalling: Signalling, *, polite: bool) -> None:
        self._connection = connection
        self._signalling = signalling
        self._polite = polite
        self._unsent: deque[str] = deque()
        self._candidates: deque[str] = deque()
        self._describing = False
        self._needed = False
        self._ended = False
        self._ignoring = False  # the peer's offer, and with it its candidates
        self._news = Awaited()
        self.ignored = 0

    async def run(self) -> None:
        """Negotiate until the connection or the signalling ends, whichever is first. A connected call goes on after.

        Whatever the transport raises is raised here.

        Raises:
            InvalidArgument: the peer's description cannot be used; the message names the line or the section.
            RemoteProtocolError: the peer asks for more than it takes.
        """
        stop = self._connection.listen(self._handle)
        tasks = [asyncio.create_task(half) for half in (self._speak(), self._hear())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        for error in [task.exception() for task in tasks if not task.cancelled()]:
            if error is not None and not isinstance(error, Closed):
                raise error

    # ---- ours to theirs

    def _handle(self, event: PeerEvent) -> None:
        if isinstance(event, NegotiationNeeded):
            self._needed = True
        elif isinstance(event, IceCandidateFound):
            candidate = event.candidate
            text = f'{{"candidate": {"null" if candidate is None else candidate.to_json()}}}'
            # While a description is being applied its candidates come first, and have to travel behind it.
            (self._candidates if self._describing else self._unsent).append(text)
        elif isinstance(event, PeerConnectionClosed):
            self._ended = True
        self._news.ring()

    async def _speak(self) -> None:
        while not self._ended:
            if self._needed:
                self._needed = False
                if self._connection.signaling_state == "stable":
                    await self._describe()
            while self._unsent and not self._ended:
                await self._signalling.send(self._unsent.popleft())
            await self._news.until(self._has_news, None)

    def _has_news(self) -> bool:
        return self._ended or bool(self._unsent) or self._needed

    async def _describe(self) -> None:
        """Apply the description that the state asks for, and queue it in front of its candidates."""
        self._describing = True
        try:
            await self._connection.set_local_description()
            description = self._connection.local_description
            assert description is not None
            self._unsent.append(f'{{"description": {description.to_json()}}}')
        finally:
            self._describing = False
            self._unsent.extend(self._candidates)
            self._candidates.clear()
        if len(self._unsent) > _UNSENT:
            raise RemoteProtocolError("the signalling does not carry what is said; is the other side reading?")
        self._news.ring()

    # ---- theirs to ours

    async def _hear(self) -> None:
        async for message in self._signalling:
            try:
                value = json.loads(message)
            except (ValueError, RecursionError):
                value = None
            if isinstance(value, dict) and isinstance(value.get("description"), dict):
                await self._take(SessionDescription.from_json(json.dumps(value["description"])))
            elif isinstance(value, dict) and "candidate" in value:
                if not self._ignoring:
                    await self._add(value["candidate"])
            else:
                self.ignored += 1

    async def _add(self, value: object) -> None:
        try:
            candidate = None if value is None else IceCandidate.from_json(json.dumps(value))
        except InvalidArgument:
            self.ignored += 1
            return
        await self._connection.add_ice_candidate(candidate)

    async def _take(self, description: SessionDescription) -> None:
        connection = self._connection
        collision = description.type == "offer" and connection.signaling_state != "stable"
        self._ignoring = collision and not self._polite
        if self._ignoring:
            return
        await connection.set_remote_description(description)
        if description.type == "offer":
            await self._describe()
