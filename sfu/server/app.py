"""The HTTP and WebSocket surface: LiveKit's ``/rtc/v1`` and ``/rtc``, the demo page, health and debugging.

A failed join is answered before the upgrade, with a status and a text that says what to do, because that is what the
SDKs show to people. After the upgrade only frames and the room's own messages travel.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Final

from aiohttp import WSCloseCode, WSMsgType, web
from livekit.protocol import rtc

from pystack.base import SecretRandomness
from pystack.errors import DecodeError
from sfu.identifiers import identifier
from sfu.rooms import Admission, LeaveReason
from sfu.server.auth import AuthError, Claims, bearer, make_token, verify
from sfu.server.config import DEV_KEY
from sfu.server.cross_origin import ANY_ORIGIN, preflight
from sfu.server.doorkeeper import Doorkeeper
from sfu.server.member import Member
from sfu.server.room_host import RoomHost
from sfu.server.room_service import PREFIX, RoomService
from sfu.server.runtime import Refused, Runtime, ShuttingDown
from sfu.server.socket import SignalSocket
from sfu.signal import MAX_FRAME, ClientHello, Pace, parse_hello, request_from_text
from sfu.telemetry import CONTENT_TYPE

__all__ = ["HEARTBEAT", "make_app"]

HEARTBEAT: Final = 20.0
"""Seconds between WebSocket pings; a client that does not answer within half of that is gone."""

_WEB: Final = Path(__file__).parent / "web"
_RUNTIME: Final = web.AppKey("runtime", Runtime)
_PAGES: Final = {"/": "index.html"} | {f"/{name}": name for name in ("app.js", "session.js", "packets.js", "style.css")}
_DUAL: Final = "/rtc"
"""Where clients join that have a second peer connection for what they receive; the others use ``/rtc/v1``."""
_DUAL_PATHS: Final = frozenset({"rtc", "rtc/validate"})
_BOARD: Final = {"/debug": "rooms.html", "/rooms.js": "rooms.js"}
_FILES: Final = _PAGES | _BOARD
_UNNAMED: Final = re.compile(r"[^a-z0-9]+")
_POLICY: Final = (
    "default-src 'self'; connect-src 'self' ws: wss:; media-src 'self' blob: mediastream:; img-src 'self' data:"
)


def make_app(runtime: Runtime, doorkeeper: Doorkeeper) -> web.Application:
    """Make the application around a runtime."""
    app = web.Application(middlewares=[doorkeeper.middleware()])
    app[_RUNTIME] = runtime
    service = RoomService(runtime)
    for slash in ("", "/"):  # an address that ends with a slash makes two of the first
        for path in (f"{slash}/rtc/v1", slash + _DUAL):
            app.router.add_get(path, _signal)
            app.router.add_get(f"{path}/validate", _validate)
            app.router.add_options(f"{path}/validate", preflight)
        app.router.add_options(slash + "/twirp/{rest:.*}", preflight)
        app.router.add_post(slash + PREFIX + "{method}", service.handle)
        app.router.add_post(slash + "/twirp/{rest:.*}", service.refuse)
    app.router.add_get("/healthz", _health)
    if runtime.config.metrics:
        app.router.add_get("/metrics", _metrics)
    for path in _PAGES:
        app.router.add_get(path, _page)
    if runtime.config.dev:
        app.router.add_get("/dev/token", _dev_token)
        app.router.add_get("/debug/rooms", _debug)
        for path in _BOARD:
            app.router.add_get(path, _page)
    return app


# ---------------------------------------------------------------------- signalling


async def _signal(request: web.Request) -> web.StreamResponse:
    runtime = request.app[_RUNTIME]
    if request.headers.get("Upgrade", "").lower() != "websocket":
        return _text(404, "this is a WebSocket address: connect with a LiveKit SDK\n")
    examined = _examine(request)
    if isinstance(examined, web.Response):
        return examined
    claims, admission, hello = examined
    room = claims.room
    ws = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=MAX_FRAME, compress=False)
    await ws.prepare(request)
    socket = SignalSocket(ws, text=hello.text)
    try:
        if hello.reconnect:
            found = runtime.resume(room, admission, hello, socket)
            if found is None:  # it joins anew then, which SDKs do by themselves
                _leave(socket, LeaveReason.STATE_MISMATCH, rtc.LeaveRequest.RECONNECT)
            else:
                await _serve(request, ws, socket, *found)
        else:
            try:
                host, member = runtime.join(room, admission, hello, socket, claims.room_config)
            except Refused:
                _leave(socket, LeaveReason.JOIN_FAILURE, rtc.LeaveRequest.DISCONNECT)
            else:
                await _serve(request, ws, socket, host, member)
    finally:
        socket.finish()
        await socket.wait_finished()
    return ws


async def _serve(
    request: web.Request, ws: web.WebSocketResponse, socket: SignalSocket, host: RoomHost, member: Member
) -> None:
    loop = asyncio.get_running_loop()
    pace = Pace(loop.time())
    gone = False
    try:
        async for message in ws:
            if member.socket is not socket:
                break  # the client is back through another one
            if message.type is WSMsgType.ERROR:
                gone = True  # not what WebSocket allows, or too much at once: whoever writes that is not waited for
                break
            if message.type is WSMsgType.BINARY:
                socket.text = False
                host.receive(member, message.data)
            elif message.type is WSMsgType.TEXT:
                socket.text = True
                try:
                    frame = request_from_text(message.data)
                except DecodeError:
                    frame = b""  # says nothing, so the room counts it with its other undecodable frames
                host.receive(member, frame)
            wait = pace.take(len(message.data), loop.time())
            if wait > 0:
                await asyncio.sleep(wait)
                if request.transport is None or request.transport.is_closing():
                    break  # what it sent before it vanished interests nobody any more
    finally:
        # A page that is closed says that it goes away; a network that is lost says nothing.
        host.signal_lost(member, socket, gone=gone or ws.close_code == WSCloseCode.GOING_AWAY)


def _leave(socket: SignalSocket, reason: LeaveReason, action: rtc.LeaveRequest.Action) -> None:
    leave = rtc.LeaveRequest(reason=int(reason), action=action)  # type: ignore[arg-type]
    leave.can_reconnect = action == rtc.LeaveRequest.RECONNECT
    socket.send(rtc.SignalResponse(leave=leave).SerializeToString())


async def _validate(request: web.Request) -> web.Response:
    """Why a WebSocket would be refused: clients ask here after a failed upgrade."""
    examined = _examine(request)
    return examined if isinstance(examined, web.Response) else _text(200, "success\n")


def _examine(request: web.Request) -> tuple[Claims, Admission, ClientHello] | web.Response:
    """Who wants to join which room, or the refusal with its status and the sentence that explains it."""
    runtime = request.app[_RUNTIME]
    token = request.query.get("access_token") or bearer(request.headers.get("Authorization", ""))
    try:
        claims = verify(token, runtime.config.keys, request.query.get("room", ""))
        hello = parse_hello(request.query)
        admission = _admission(claims, hello, dual=request.path.lstrip("/") in _DUAL_PATHS)
        runtime.check(claims.room, admission)
    except AuthError as error:
        return _text(401, f"{error}\n")
    except DecodeError as error:
        return _text(400, f"{error}\n")
    except Refused as error:
        return _text(503 if isinstance(error, ShuttingDown) else 403, f"{error}\n")
    return claims, admission, hello


def _admission(claims: Claims, hello: ClientHello, *, dual: bool) -> Admission:
    # A client may bring metadata of its own when its token lets it change them later anyway.
    own = claims.grants.can_update_metadata
    return Admission(
        identity=claims.identity,
        name=claims.name,
        metadata=(hello.metadata if own else "") or claims.metadata,
        attributes={**claims.attributes, **(hello.attributes if own else {})},
        grants=claims.grants,
        client=hello.client,
        kind=claims.kind,
        kind_details=claims.kind_details,
        auto_subscribe=hello.auto_subscribe,
        dual=dual,
    )


# ---------------------------------------------------------------------- pages


async def _page(request: web.Request) -> web.StreamResponse:
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
    return web.FileResponse(_WEB / _FILES[request.path], headers=headers)


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok", "version": request.app[_RUNTIME].version})


async def _metrics(request: web.Request) -> web.Response:
    text = request.app[_RUNTIME].metrics.text()
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})


async def _dev_token(request: web.Request) -> web.Response:
    """A token for whoever asks: only with ``--dev``."""
    room, name = request.query.get("room", "").strip(), request.query.get("name", "").strip()
    if not room or not name or len(room) > 128 or len(name) > 128:
        return web.json_response({"error": "give ?room= and ?name=, 128 characters at most"}, status=400)
    stem = _UNNAMED.sub("-", name.lower()).strip("-")
    stem = stem or "guest"  # a name in another script than Latin: the identity may be plain, but must be unique
    identity = request.query.get("identity") or identifier(f"{stem}-", SecretRandomness())[: len(stem) + 7]
    keys = request.app[_RUNTIME].config.keys
    key = DEV_KEY if DEV_KEY in keys else next(iter(keys))
    token = make_token(key, keys[key], identity=identity, room=room, name=name, grants={"canUpdateOwnMetadata": True})
    return web.json_response({"token": token, "identity": identity, "room": room})


async def _debug(request: web.Request) -> web.Response:
    return web.json_response(request.app[_RUNTIME].stats())


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=text, headers=ANY_ORIGIN)
