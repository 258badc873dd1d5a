"""Pages of other origins may ask and read: what is allowed goes by tokens in headers, never by cookies (Fetch, CORS).

Called by ``sfu.server.app`` and ``sfu.server.room_service``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

__all__ = ["ANY_ORIGIN", "preflight"]

ANY_ORIGIN: Final[Mapping[str, str]] = {"Access-Control-Allow-Origin": "*"}
"""What an answer says to be read by any page."""

_ALLOWED: Final = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "86400",
}


async def preflight(request: web.Request) -> web.Response:
    """What a browser asks before it lets a page of another origin send a token."""
    return web.Response(status=204, headers={**ANY_ORIGIN, **_ALLOWED})
