"""Shows out who opens a connection and then says nothing, or says it byte by byte and never ends.

aiohttp bounds the time between requests, and who is asked for a body bounds the time for that, but nobody the time
until the first request is whole. One look round every few seconds closes such connections, so they cannot use up the
sockets of the process.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

__all__ = ["PATIENCE", "Doorkeeper"]

PATIENCE: Final = 10.0
"""Seconds for a connection's first request to be whole."""


class Doorkeeper:
    """Looks after the connections of one server: :meth:`watch` to begin, :meth:`close` to end.

    Attributes:
        shown_out: connections closed so far.
    """

    def __init__(self, patience: float = PATIENCE) -> None:
        self.shown_out = 0
        self._patience = patience
        self._spoke: set[object] = set()
        self._silent_since: dict[object, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def middleware(self) -> Middleware:
        """The middleware that sees the first request of each connection."""

        @web.middleware
        async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._spoke.add(request.protocol)
            return await handler(request)

        return note

    def watch(self, server: web.Server) -> None:
        """Look round from now on."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        connections = server.connections
        self._spoke.intersection_update(connections)
        silent = [connection for connection in connections if connection not in self._spoke]
        self._silent_since = {each: self._silent_since.get(each, now) for each in silent}
        for connection in silent:
            if now - self._silent_since[connection] >= self._patience:
                self.shown_out += 1
                connection.force_close()
        self._timer = loop.call_later(self._patience / 2, self.watch, server)

    def close(self) -> None:
        """Stop looking round."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._spoke.clear()
        self._silent_since.clear()
