"""LiveKit signalling: binary frames, JSON frames and join requests, into a room with three participants.

Input: a byte for what it is, then pieces of frames (each with a byte that says from whom and in which form).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import suppress
from math import inf
from typing import Any, Final

from google.protobuf import json_format
from livekit.protocol import models, rtc

from fuzz.target import Program, Target, check, piece
from pystack.base import Ended, SeededRandomness
from pystack.errors import DecodeError
from pystack.testing.laws import footprint
from sfu.rooms import Admission, Room, RoomOptions
from sfu.signal import Offer, parse_hello, request_from_text, response_to_text
from sfu.tracks import OfferedSection

_NAMES: Final = ("ada", "grace", "joan")
_GROUPS: Final = ("frames", "join request")


def run(data: bytes) -> None:
    program = Program(data)
    if program.byte() % 2:
        _hello(program.rest())
    else:
        _frames(program)


def _hello(data: bytes) -> None:
    wrapped = base64.urlsafe_b64encode(data[1:]).decode()
    with suppress(DecodeError):
        parse_hello({"join_request": wrapped if data[:1] != b"\1" else data[1:].decode("latin-1")})
    words = data.decode("utf-8", "surrogateescape").split("&")
    with suppress(DecodeError):
        hello = parse_hello(dict(word.partition("=")[::2] for word in words if not word.startswith("join_request")))
        check(hello.offer is None, "an offer out of nothing")


def _frames(program: Program) -> None:
    now = 1000.0
    options = RoomOptions(join_timeout=3.0, empty_timeout=30.0, departure_timeout=5.0, negotiation_timeout=2.0)
    room = Room("fuzz", options, SeededRandomness(1), now, epoch=1.7e9)
    for number, name in enumerate(_NAMES):
        room.join(Admission(identity=name, name=name), now, offer=Offer(1, "v=0") if number == 0 else None)
    sids = [each.sid for each in room.roster]
    room.connected(sids[0], now)
    for _ in range(32):
        if not program:
            break
        how = program.byte()
        sid = sids[how & 3] if how & 3 < 3 else "PA_nobody"
        frame = program.piece()
        if how & 4:
            try:
                frame = request_from_text(frame.decode("utf-8", "surrogateescape"))
            except DecodeError:
                frame = b""
        if how & 8:
            _answer(room, sid, how >> 6, now)
        if how & 16:
            now = max(now, min(room.deadline, now + 10))
            room.tick(now)
        room.receive(frame, sid, now)
        _settle(room, now)
    check(footprint(room) < 3_000_000, "holds too much")
    for _ in range(200):
        if room.deadline == inf:
            break
        now = max(now, room.deadline)
        room.tick(now)
        _settle(room, now)
    room.end(now)
    check(room.deadline == inf and not list(room.roster), "something stays behind")
    _settle(room, now)


def _answer(room: Room, sid: str, tracks: int, now: float) -> None:
    participant = room.participant(sid)
    if participant is None or participant.session.offers.current is None:
        return
    current = participant.session.offers.current
    published = ["c", "d", "e"][:tracks]
    sections = [
        OfferedSection(mid=str(mid), kind="video", sends=bool(cid), receives=not cid, track_id=cid)
        for mid, cid in enumerate([*published, "", ""])
    ]
    room.plan(sid, current.id, sections, now)
    room.answered(sid, current.id, "v=0", now, mime_types={"0": "video/VP8"})


def _settle(room: Room, now: float) -> None:
    for frame, _ in room.flush(now):
        check(len(frame) < 4 << 20, "a frame that is too large")
        response_to_text(frame)
    events: list[Any] = room.take_events()
    check(sum(isinstance(event, Ended) for event in events) <= 1, "ended twice")


def _requests() -> Iterator[rtc.SignalRequest]:
    yield rtc.SignalRequest(offer=rtc.SessionDescription(type="offer", sdp="v=0", id=2))
    yield rtc.SignalRequest(answer=rtc.SessionDescription(type="answer", sdp="v=0", id=2))
    for kind in (models.TrackType.AUDIO, models.TrackType.VIDEO):
        yield rtc.SignalRequest(add_track=rtc.AddTrackRequest(cid="c", name="camera", type=kind, width=640, height=480))
    yield rtc.SignalRequest(mute=rtc.MuteTrackRequest(sid="TR_x", muted=True))
    yield rtc.SignalRequest(trickle=rtc.TrickleRequest(candidateInit='{"candidate":"","sdpMid":"0"}'))
    yield rtc.SignalRequest(subscription=rtc.UpdateSubscription(track_sids=["TR_x"], subscribe=True))
    yield rtc.SignalRequest(track_setting=rtc.UpdateTrackSettings(track_sids=["TR_x"], disabled=True))
    yield rtc.SignalRequest(
        subscription_permission=rtc.SubscriptionPermission(
            track_permissions=[rtc.TrackPermission(participant_identity="ada", all_tracks=True)]
        )
    )
    yield rtc.SignalRequest(
        update_metadata=rtc.UpdateParticipantMetadata(name="x", attributes={"a": "b"}, request_id=1)
    )
    yield rtc.SignalRequest(ping_req=rtc.Ping(timestamp=1 << 40))
    yield rtc.SignalRequest(ping=5)
    yield rtc.SignalRequest(leave=rtc.LeaveRequest(action=rtc.LeaveRequest.DISCONNECT))
    yield rtc.SignalRequest(simulate=rtc.SimulateScenario(node_failure=True))


def _seeds() -> Iterator[bytes]:
    every = b""
    for request in _requests():
        binary = b"\x40" + piece(request.SerializeToString())
        text = b"\x45" + piece(json_format.MessageToJson(request, indent=None).encode())
        yield b"\0" + binary + b"\x58\0\0"
        yield b"\0" + text + b"\x58\0\0"
        every += b"\x48" + piece(request.SerializeToString())
    yield b"\0" + every
    join = rtc.JoinRequest(client_info=models.ClientInfo(sdk=models.ClientInfo.JS, version="2.0"), metadata="m")
    yield b"\1\0" + rtc.WrappedJoinRequest(join_request=join.SerializeToString()).SerializeToString()
    yield (
        b"\1\0"
        + rtc.WrappedJoinRequest(
            compression=rtc.WrappedJoinRequest.GZIP,
            join_request=bytes.fromhex("1f8b0800000000000203030000000000000000000000"),
        ).SerializeToString()
    )
    yield b"\1\1auto_subscribe=1&protocol=16&sdk=js&reconnect=1&sid=PA_x&encoding=json"


def _group(data: bytes) -> str:
    return _GROUPS[(data[0] if data else 0) % 2]


TARGETS = {
    "signal": Target(
        name="signal",
        run=run,
        seeds=_seeds,
        group=_group,
        packages=("sfu.signal", "sfu.rooms", "sfu.tracks"),
    )
}
