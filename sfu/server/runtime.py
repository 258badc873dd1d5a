"""All rooms of one server on asyncio, and what they share: the UDP port, the certificate, the bound of history."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import attrs
import structlog
from livekit.protocol.room import RoomConfiguration

from pystack import Configuration
from pystack.aio import UdpMux
from pystack.base import SecretRandomness
from pystack.dtls import Certificate
from pystack.rtp import HistoryBudget, RtpSessionOptions
from pystack.session import SessionOptions
from sfu.rooms import Admission, LeaveReason, Room, RoomFull, too_much
from sfu.server.auth import sign
from sfu.server.config import Config
from sfu.server.media_session import MediaOwner, MediaSession
from sfu.server.member import Member
from sfu.server.room_host import RoomHost
from sfu.server.socket import SignalSocket
from sfu.signal import ClientHello
from sfu.telemetry import Census, Metrics, Webhooks

__all__ = ["Refused", "Runtime", "ShuttingDown"]

_HISTORY_BYTES: Final = 256_000_000
"""What all members together may hold of sent packets, in case they are asked for again."""
_FAREWELL: Final = 2.0
"""Seconds in which webhooks may still be told of the end."""
_MAX_CAPABILITIES: Final = 64
"""What a client may list of what it can; everybody in the room is told."""


class Refused(Exception):
    """Somebody cannot be let in; the text says why."""


class ShuttingDown(Refused):
    """Nobody is let in any more: the server is going."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down; try again in a moment")


class Runtime:
    """The rooms of one server.

    Attributes:
        config: the settings in use.
        webhooks: who is told what happens.
        metrics: the numbers of the server.
        version: of the server, announced to clients.
    """

    def __init__(self, config: Config, mux: UdpMux, version: str) -> None:
        """Inside a running loop; the mux belongs to whoever opened it."""
        self.config = config
        self.version = version
        self._loop = asyncio.get_running_loop()
        self._mux = mux
        # One budget for all: a payload goes to many, and counts once.
        rtp = RtpSessionOptions(
            history_budget=HistoryBudget(_HISTORY_BYTES), watch_congestion=config.congestion_control
        )
        self._peer = Configuration(
            certificate=Certificate.generate(time.time()), inbox_rtcp=0, session=SessionOptions(rtp=rtp)
        )
        self._options = config.room_options(version)
        self._randomness = SecretRandomness()
        self._epoch = time.time() - self._loop.time()
        self._rooms: dict[str, RoomHost] = {}
        self._closing = False
        key = config.webhook_key or next(iter(config.keys), "")
        self.webhooks = Webhooks(config.webhook_urls, partial(sign, key, config.keys.get(key, "")))
        self.metrics = Metrics(version, self._count)
        self._log = structlog.get_logger("sfu")

    def check(self, room: str, admission: Admission) -> None:
        """Say early, before a socket is opened, whether somebody cannot be let in.

        Raises:
            Refused: the server is closing, or a limit is reached.
        """
        excess = too_much(
            self._options, name=admission.name, metadata=admission.metadata, attributes=admission.attributes
        )
        if excess or len(admission.client.capabilities) > _MAX_CAPABILITIES:
            raise Refused(excess or f"a client has {_MAX_CAPABILITIES} capabilities at most")
        host = self._find(room)
        if host is None:
            return
        limit = host.room.max_participants
        if (
            limit
            and not admission.dependent
            and host.room.roster.count >= limit
            and host.room.roster.by_identity(admission.identity) is None
        ):
            raise Refused(f"room {room!r} is full: it takes {limit} participants (max_participants)")

    def join(
        self, room: str, admission: Admission, hello: ClientHello, socket: SignalSocket, config: RoomConfiguration
    ) -> tuple[RoomHost, Member]:
        """Let somebody into a room, which is made like ``config`` if there is none.

        Raises:
            Refused: as :meth:`check`.
        """
        self.check(room, admission)
        made = room not in self._rooms
        host = self.open_room(room)
        if made:
            host.configure(  # its metadata came in a token, which is shorter than they may be
                metadata=config.metadata,
                empty_timeout=config.empty_timeout,
                departure_timeout=config.departure_timeout,
                max_participants=config.max_participants,
            )
        try:
            return host, host.join(admission, hello, socket)
        except RoomFull as error:
            raise Refused(str(error)) from None

    def open_room(self, name: str) -> RoomHost:
        """The room of this name, which is made if there is none.

        Raises:
            Refused: the server is closing, or has as many rooms as it may have.
        """
        host = self._find(name)
        if host is None:
            core = Room(name, self._options, self._randomness, self._loop.time(), epoch=self._epoch)
            host = self._rooms[name] = RoomHost(core, self._open_media, self._ended, self._told)
        return host

    @property
    def hosts(self) -> Mapping[str, RoomHost]:
        """The open rooms, by name."""
        return MappingProxyType(self._rooms)

    def resume(
        self, room: str, admission: Admission, hello: ClientHello, socket: SignalSocket
    ) -> tuple[RoomHost, Member] | None:
        """Let a client go on with its session; ``None`` if it has to join anew."""
        host = self._rooms.get(room)
        if host is None:
            return None
        member = host.resume(admission.identity, hello.resume_sid, socket, dual=admission.dual)
        return None if member is None else (host, member)

    async def close(self) -> None:
        """Tell every client, and every webhook, that the server goes away, and let that go out; bounded."""
        self._closing = True
        sockets: list[SignalSocket] = []
        for host in list(self._rooms.values()):
            sockets.extend(host.end(LeaveReason.SERVER_SHUTDOWN))
        if sockets:
            await asyncio.gather(*(socket.wait_finished() for socket in sockets))
        await self.webhooks.close(_FAREWELL)

    def stats(self) -> dict[str, Any]:
        """What the server is doing, for the debug page."""
        return {
            "version": self.version,
            "rooms": [host.stats() for host in self._rooms.values()],
            "webhooks": self.webhooks.stats(),
            "media": {"addresses": [f"{host}:{port}" for host, port in self._mux.addresses]}
            | {"sessions": len(self._mux), "counters": dict(self._mux.counters())},
        }

    def _find(self, room: str) -> RoomHost | None:
        """The room of this name; ``None`` if there is none and it may be made."""
        if self._closing:
            raise ShuttingDown
        host, limit = self._rooms.get(room), self.config.max_rooms
        if host is None and limit and len(self._rooms) >= limit:
            raise Refused(f"the server has {limit} rooms already, which is its limit (max_rooms)")
        return host

    def _open_media(self, owner: MediaOwner) -> MediaSession:
        return MediaSession(attrs.evolve(self._peer, mux=self._mux), owner, self._loop.time)

    def _told(self, event: Any) -> None:
        self.metrics.note(event)
        self.webhooks.put(event)

    def _count(self) -> Census:
        hosts = list(self._rooms.values())
        routes = [track for host in hosts for track in host.routes]
        return Census(
            rooms=len(hosts),
            participants=sum(host.room.roster.count for host in hosts),
            tracks={kind: sum(track.kind == kind for track in routes) for kind in ("audio", "video")},
            subscriptions=sum(len(track.downs) for track in routes),
            limited=sum(host.regulator.limited for host in hosts),
            traffic=dict(self._mux.counters()),
            webhooks=self.webhooks.stats(),
        )

    def _ended(self, host: RoomHost) -> None:
        # A room that ends takes nobody in any more, so a join meanwhile has made a new one under this name.
        if self._rooms.get(host.room.name) is host:
            del self._rooms[host.room.name]
