"""The outgoing half of one client's WebSocket: a bounded queue and the one task that empties it.

The room never waits for a client: frames are queued here, and a client that does not read them is cut off when its
queue is full. At the end what is queued still goes out, within a bound. Frames travel as text (JSON) once the client
has shown that it wants that, else as binary.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from aiohttp import ClientConnectionError, web

from sfu.signal import response_to_text

__all__ = ["FLUSH_TIMEOUT", "MAX_QUEUED", "SignalSocket"]

MAX_QUEUED: Final = 4 * 1024 * 1024
"""Bytes of signalling that may wait for one client."""
FLUSH_TIMEOUT: Final = 0.5
"""Seconds for what is queued to go out when the participant leaves."""


class SignalSocket:
    """Writes signalling frames to one client.

    Attributes:
        text: write the JSON form in text frames.
        on_overflow: called once when the client does not read what it is sent.
    """

    def __init__(self, ws: web.WebSocketResponse, *, text: bool) -> None:
        self.text = text
        self.on_overflow: Callable[[], None] | None = None
        self._ws = ws
        self._queue: deque[bytes] = deque()
        self._size = 0
        self._wake = asyncio.Event()
        self._finishing = False
        self._task = asyncio.get_running_loop().create_task(self._write(), name="sfu: signal writer")

    def send(self, frame: bytes) -> None:
        """Queue one binary ``SignalResponse``."""
        if self._finishing:
            return
        if self._size > MAX_QUEUED:  # what waits already: one large frame alone says nothing about the client
            callback, self.on_overflow = self.on_overflow, None
            if callback is not None:
                callback()
            return
        self._queue.append(frame)
        self._size += len(frame)
        self._wake.set()

    def finish(self) -> None:
        """Write what is queued, then close; bounded, and awaits nobody."""
        if not self._finishing:
            self._finishing = True
            self.on_overflow = None
            self._wake.set()
            asyncio.get_running_loop().call_later(FLUSH_TIMEOUT, self._task.cancel)

    async def wait_finished(self) -> None:
        """Wait until nothing of this is left; call :meth:`finish` first."""
        await asyncio.wait([self._task], timeout=2 * FLUSH_TIMEOUT)

    async def _write(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._queue:
                    frame = self._queue.popleft()
                    self._size -= len(frame)
                    if self.text:
                        await self._ws.send_str(response_to_text(frame))
                    else:
                        await self._ws.send_bytes(frame)
                if self._finishing:
                    return
        except (ClientConnectionError, ConnectionError, RuntimeError):
            # The connection is gone; the reading half notices it and tells the room.
            return
        finally:
            self._queue.clear()
            if self._finishing:
                await self._close()

    async def _close(self) -> None:
        try:
            async with asyncio.timeout(FLUSH_TIMEOUT):
                await self._ws.close()
        except (TimeoutError, ConnectionError):
            return
