"""Posts the events of all rooms to web addresses, signed as LiveKit's server signs them.

The body is the JSON of a ``WebhookEvent``; the header ``Authorization`` is a token of the API key that holds the body's
SHA-256, so LiveKit's ``WebhookReceiver`` verifies it. Nobody waits for an address: rooms hand events over and go on;
the end of the server waits a moment for what is still to be told.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import aiohttp
import structlog
from google.protobuf.json_format import MessageToJson
from livekit.protocol import webhook

from sfu.telemetry.event_message import event_message
from sfu.telemetry.hook_queue import HookQueue

__all__ = ["Webhooks"]

Sign: TypeAlias = Callable[[float, Mapping[str, Any]], str]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_LIFETIME: Final = 300
"""Seconds for which a signature is valid."""


class Webhooks:
    """The addresses that are told.

    Args:
        urls: where to post to, each by itself and in order.
        sign: makes a token of the server's that is valid for so many seconds and says this.
    """

    def __init__(self, urls: Sequence[str], sign: Sign) -> None:
        self._hooks = [_Hook(url, sign) for url in urls]

    def put(self, event: Any) -> None:
        """A room has told this event."""
        at = time.time()
        for hook in self._hooks:
            hook.put(event_message(event, at))

    async def close(self, timeout: float) -> None:
        """Wait until everything was taken, ``timeout`` seconds at most, and end."""
        await asyncio.gather(*(hook.close(timeout) for hook in self._hooks))

    def stats(self) -> dict[str, dict[str, int]]:
        """What became of the events, by address."""
        return {hook.url: hook.stats() for hook in self._hooks}


class _Hook:
    """One address, and the task that posts while something waits for it."""

    def __init__(self, url: str, sign: Sign) -> None:
        self.url = url
        self._sign = sign
        self._loop = asyncio.get_running_loop()
        self._queue = HookQueue()
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger("sfu.webhooks").bind(url=url)

    def put(self, event: webhook.WebhookEvent) -> None:
        self._queue.put(event, self._loop.time())
        if self._task is None:
            self._task = self._loop.create_task(self._run(), name=f"webhook {self.url}")

    async def close(self, timeout: float) -> None:
        task = self._task
        if task is None:
            return
        await asyncio.wait([task], timeout=timeout)
        if not task.done():
            self._log.warning("events were not delivered before the end", waiting=len(self._queue))
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def stats(self) -> dict[str, int]:
        queue = self._queue
        return {
            "delivered": queue.delivered,
            "waiting": len(queue),
            "failed_attempts": queue.failures,
            "dropped": queue.dropped,
        }

    async def _run(self) -> None:
        try:
            while len(self._queue):  # again for what came while the connection was being closed
                async with aiohttp.ClientSession(timeout=_TIMEOUT) as http:
                    await self._empty(http)
        finally:
            self._task = None

    async def _empty(self, http: aiohttp.ClientSession) -> None:
        queue, loop = self._queue, self._loop
        while len(queue):
            event = queue.take(loop.time())
            if event is not None:
                queue.settle(await self._post(http, event), loop.time())
            elif len(queue):
                await asyncio.sleep(max(0.0, queue.deadline - loop.time()))

    async def _post(self, http: aiohttp.ClientSession, event: webhook.WebhookEvent) -> bool:
        body = MessageToJson(event, indent=None).encode()
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        token = self._sign(_LIFETIME, {"sha256": digest})
        headers = {"Authorization": token, "Content-Type": "application/webhook+json"}
        try:
            async with http.post(self.url, data=body, headers=headers) as answer:
                if 200 <= answer.status < 300:
                    return True
                why = f"it answered {answer.status}"
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:  # the last: where it redirects to
            why = str(error) or type(error).__name__
        self._log.warning("an event was not taken; it is tried again", event_name=event.event, id=event.id, why=why)
        return False
