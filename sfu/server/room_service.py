"""LiveKit's ``RoomService`` over HTTP: what a backend does to rooms, with ``livekit.api`` or any Twirp client.

``POST /twirp/livekit.RoomService/<method>`` with a protobuf message, or its JSON; the answer is of the same kind. A
refusal is JSON with a code and a sentence. What each method needs of a token is in the table at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
from aiohttp import web
from google.protobuf.json_format import MessageToJson, Parse, ParseError
from google.protobuf.message import DecodeError as ProtobufError
from google.protobuf.message import Message
from livekit.protocol import models, room

from sfu.rooms import Grants, LeaveReason, RequestRefused
from sfu.server.auth import MAX_NAME, AuthError, bearer, read_grant
from sfu.server.cross_origin import ANY_ORIGIN
from sfu.server.room_host import RoomHost
from sfu.server.runtime import Refused, Runtime, ShuttingDown

__all__ = ["BODY_TIMEOUT", "PREFIX", "RoomService"]

PREFIX: Final = "/twirp/livekit.RoomService/"

_STATUS: Final = {
    "invalid_argument": 400,
    "malformed": 400,
    "unauthenticated": 401,
    "permission_denied": 403,
    "not_found": 404,
    "deadline_exceeded": 408,
    "bad_route": 404,
    "failed_precondition": 412,
    "resource_exhausted": 429,
    "unimplemented": 501,
    "unavailable": 503,
}
BODY_TIMEOUT: Final = 15.0
"""Seconds for the body of a call to be whole."""
_JSON: Final = "application/json"
_PROTOBUF: Final = "application/protobuf"


class _Denied(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class RoomService:
    """Answers the calls, on the rooms of one server."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def handle(self, request: web.Request) -> web.Response:
        """One call."""
        kind = request.content_type
        try:
            answer = await self._call(request.match_info["method"], request, kind)
        except (_Denied, RequestRefused) as error:
            code = error.code
            return _refusal(code, str(error))
        if kind == _JSON:
            text = MessageToJson(answer, preserving_proto_field_name=True)
            return web.Response(text=text, content_type=_JSON, headers=ANY_ORIGIN)
        return web.Response(body=answer.SerializeToString(), content_type=_PROTOBUF, headers=ANY_ORIGIN)

    async def refuse(self, request: web.Request) -> web.Response:
        """A call that is not for this service."""
        return _refusal("bad_route", f"there is only {PREFIX}<method> here, not {request.path:.200}")

    async def _call(self, method: str, request: web.Request, kind: str) -> Message:
        found = _METHODS.get(method)
        if found is None:
            known = ", ".join(_METHODS)
            code = "unimplemented" if method in _NOT_DONE else "bad_route"
            raise _Denied(code, f"there is no method {method!r} here; known are: {known}")
        video = self._authenticate(request, found.grant)  # before a byte of the body is waited for
        body = await _body(request)
        asked = found.request()
        name = asked.DESCRIPTOR.name
        try:
            if kind == _JSON:
                Parse(body.decode(), asked, ignore_unknown_fields=True)
            elif kind == _PROTOBUF:
                asked.ParseFromString(body)
            else:
                raise _Denied("malformed", f"send {_PROTOBUF} or {_JSON}, not {kind}")
        except (ParseError, ProtobufError, UnicodeDecodeError) as error:
            raise _Denied("malformed", f"the body is not the {name} that it should be: {error}") from None
        if found.grant == "roomAdmin" and video.get("room") != asked.room:
            raise _Denied("permission_denied", f"the token is for room {video.get('room')!r}, not {asked.room!r}")
        return found.answer(self, asked)

    def _authenticate(self, request: web.Request, grant: str) -> Mapping[str, Any]:
        token = bearer(request.headers.get("Authorization", ""))
        if not token:
            raise _Denied("unauthenticated", "there is no access token: send it as 'Authorization: Bearer TOKEN'")
        try:
            video = read_grant(token, self._runtime.config.keys)
        except AuthError as error:
            raise _Denied("unauthenticated", str(error)) from None
        if video.get(grant) is not True:
            why = f"the token does not allow this: it needs the grant video.{grant} = true"
            raise _Denied("permission_denied", why)
        return video

    # ------------------------------------------------------------------ rooms

    def create_room(self, asked: room.CreateRoomRequest) -> models.Room:
        """Open a room, or change what was chosen for one that is open."""
        if not asked.name:
            raise RequestRefused("invalid_argument", "a room needs a name")
        if len(asked.name) > MAX_NAME:
            raise RequestRefused("invalid_argument", f"a room's name may have {MAX_NAME} characters at most")
        try:
            host = self._runtime.open_room(asked.name)
        except Refused as error:
            code = "unavailable" if isinstance(error, ShuttingDown) else "resource_exhausted"
            raise _Denied(code, str(error)) from None
        return host.configure(
            metadata=asked.metadata,
            empty_timeout=asked.empty_timeout,
            departure_timeout=asked.departure_timeout,
            max_participants=asked.max_participants,
        )

    def list_rooms(self, asked: room.ListRoomsRequest) -> room.ListRoomsResponse:
        """The open rooms, all or those of these names."""
        names = frozenset(asked.names)
        hosts = self._runtime.hosts
        return room.ListRoomsResponse(
            rooms=[host.room.message() for name, host in hosts.items() if not names or name in names]
        )

    def delete_room(self, asked: room.DeleteRoomRequest) -> room.DeleteRoomResponse:
        """End a room: everybody in it leaves."""
        self._host(asked.room).end(LeaveReason.ROOM_DELETED)
        return room.DeleteRoomResponse()

    def update_room_metadata(self, asked: room.UpdateRoomMetadataRequest) -> models.Room:
        """Change what is said of a room."""
        return self._host(asked.room).administer(lambda admin, now: admin.set_metadata(asked.metadata, now))

    # ------------------------------------------------------------------ participants

    def list_participants(self, asked: room.ListParticipantsRequest) -> room.ListParticipantsResponse:
        """Who is in a room."""
        found = self._host(asked.room).administer(lambda admin, _: admin.participants())
        return room.ListParticipantsResponse(participants=found)

    def get_participant(self, asked: room.RoomParticipantIdentity) -> models.ParticipantInfo:
        """One of them."""
        return self._host(asked.room).administer(lambda admin, _: admin.participant(asked.identity))

    def remove_participant(self, asked: room.RoomParticipantIdentity) -> room.RemoveParticipantResponse:
        """Let somebody go."""
        self._host(asked.room).administer(lambda admin, now: admin.remove(asked.identity, now))
        return room.RemoveParticipantResponse()

    def mute_published_track(self, asked: room.MuteRoomTrackRequest) -> room.MuteRoomTrackResponse:
        """Mute a track of somebody."""
        track = self._host(asked.room).administer(
            lambda admin, _: admin.mute(asked.identity, asked.track_sid, asked.muted)
        )
        return room.MuteRoomTrackResponse(track=track)

    def update_participant(self, asked: room.UpdateParticipantRequest) -> models.ParticipantInfo:
        """Change what is said of somebody, and what it may do."""
        grants = _grants(asked.permission) if asked.HasField("permission") else None
        return self._host(asked.room).administer(
            lambda admin, now: admin.update(
                asked.identity,
                now,
                name=asked.name,
                metadata=asked.metadata,
                attributes=dict(asked.attributes),
                grants=grants,
            )
        )

    def update_subscriptions(self, asked: room.UpdateSubscriptionsRequest) -> room.UpdateSubscriptionsResponse:
        """Let somebody have tracks, or not."""
        tracks = [*asked.track_sids, *(sid for each in asked.participant_tracks for sid in each.track_sids)]
        self._host(asked.room).administer(
            lambda admin, now: admin.subscribe(asked.identity, tracks, asked.subscribe, now)
        )
        return room.UpdateSubscriptionsResponse()

    def send_data(self, asked: room.SendDataRequest) -> room.SendDataResponse:
        """Send data to everybody in a room, or to some of them."""
        self._host(asked.room).send_data(asked)
        return room.SendDataResponse()

    def _host(self, name: str) -> RoomHost:
        host = self._runtime.hosts.get(name)
        if host is None:
            raise RequestRefused("not_found", f"there is no room {name!r}")
        return host


async def _body(request: web.Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            return await request.read()
    except TimeoutError:
        raise _Denied("deadline_exceeded", f"the body was not whole after {BODY_TIMEOUT:g} s") from None


def _refusal(code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "msg": message}, status=_STATUS[code], headers=ANY_ORIGIN)


def _grants(permission: models.ParticipantPermission) -> Grants:
    return Grants(
        can_subscribe=permission.can_subscribe,
        can_publish=permission.can_publish,
        can_publish_data=permission.can_publish_data,
        can_update_metadata=permission.can_update_metadata,
        publish_sources=frozenset(permission.can_publish_sources),
    )


@attrs.frozen
class _Method:
    request: type[Any]
    grant: str
    answer: Callable[[RoomService, Any], Message]


_METHODS: Final[dict[str, _Method]] = {
    "CreateRoom": _Method(room.CreateRoomRequest, "roomCreate", RoomService.create_room),
    "ListRooms": _Method(room.ListRoomsRequest, "roomList", RoomService.list_rooms),
    "DeleteRoom": _Method(room.DeleteRoomRequest, "roomCreate", RoomService.delete_room),
    "UpdateRoomMetadata": _Method(room.UpdateRoomMetadataRequest, "roomAdmin", RoomService.update_room_metadata),
    "ListParticipants": _Method(room.ListParticipantsRequest, "roomAdmin", RoomService.list_participants),
    "GetParticipant": _Method(room.RoomParticipantIdentity, "roomAdmin", RoomService.get_participant),
    "RemoveParticipant": _Method(room.RoomParticipantIdentity, "roomAdmin", RoomService.remove_participant),
    "MutePublishedTrack": _Method(room.MuteRoomTrackRequest, "roomAdmin", RoomService.mute_published_track),
    "UpdateParticipant": _Method(room.UpdateParticipantRequest, "roomAdmin", RoomService.update_participant),
    "UpdateSubscriptions": _Method(room.UpdateSubscriptionsRequest, "roomAdmin", RoomService.update_subscriptions),
    "SendData": _Method(room.SendDataRequest, "roomAdmin", RoomService.send_data),
}
_NOT_DONE: Final = frozenset({"ForwardParticipant", "MoveParticipant", "PerformRpc"})
