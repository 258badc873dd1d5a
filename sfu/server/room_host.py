"""Drives one room on asyncio: its trays are emptied here, its timer is armed here, and its routes are laid here.

After every input the host *pumps*: frames go to their sockets, events are carried out, until both trays are empty;
then one timer is armed for the room's deadline. An event that leads to another input does not recurse, because the
running pump takes it up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any, TypeVar

import structlog
from livekit.protocol import models
from livekit.protocol.room import SendDataRequest

from pystack import Congestion
from pystack.base import Ended
from pystack.errors import DecodeError
from sfu.data import DataRouter, check_packet, redirect
from sfu.media import LOOK, WINDOW, RouteTable
from sfu.rooms import (
    Administration,
    Admission,
    AnswerArrived,
    CandidateArrived,
    ConnectionAborted,
    LeaveReason,
    OfferArrived,
    OfferWanted,
    ParticipantClosed,
    ParticipantJoined,
    ParticipantLeft,
    Room,
    RoomFinished,
    RoomStarted,
    RouteAdded,
    RouteChanged,
    RouteRemoved,
    TrackPublished,
    TrackUnpublished,
)
from sfu.server.media_session import MediaOwner, MediaSession
from sfu.server.member import Member
from sfu.server.regulator import Regulator
from sfu.server.socket import SignalSocket
from sfu.server.stream_log import StreamLog
from sfu.signal import ClientHello, Offer
from sfu.telemetry import is_told
from sfu.tracks import OfferedSection, SectionPlan

__all__ = ["RoomHost"]

T = TypeVar("T")


class RoomHost:
    """A room, its members, its routes and its data relay.

    Attributes:
        room: the core that decides.
        routes: which track flows to whom.
        regulator: who gets how much where a path does not take everything.
        unheard: signalling frames for somebody without a socket.
        frames, frame_drops: packets of data tracks that went on their way, and those that did not, by why.
    """

    def __init__(
        self,
        room: Room,
        open_media: Callable[[MediaOwner], MediaSession],
        on_end: Callable[[RoomHost], None],
        on_event: Callable[[Any], None],
    ) -> None:
        self.room = room
        self.routes = RouteTable()
        self.open_media = open_media
        self._on_end: Callable[[RoomHost], None] | None = on_end
        self._on_event = on_event
        self._loop = asyncio.get_running_loop()
        self._members: dict[str, Member] = {}
        self.regulator = Regulator(self.routes, self._congestion)
        self._data = DataRouter()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self._pumping = False
        self.unheard = 0
        self.frames = 0
        self.frame_drops: dict[str, int] = {}
        self._listening: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._log = structlog.get_logger("sfu.room").bind(room=room.name)
        self.pump()

    # ------------------------------------------------------------------ inputs

    def join(self, admission: Admission, hello: ClientHello, socket: SignalSocket) -> Member:
        """Let somebody in.

        Raises:
            RoomFull, LocalProtocolError: as ``Room.join``.
        """
        offer = Offer(hello.offer.id, hello.offer.sdp) if hello.offer is not None else None
        sid = self.room.join(admission, self._loop.time(), offer=offer, tracks=hello.tracks)
        member = Member(self, sid, admission.identity, socket, dual=admission.dual)
        self._members[sid] = member
        self._log.info("participant joined", identity=admission.identity, participant=sid)
        self.pump()
        return member

    def receive(self, member: Member, frame: bytes) -> None:
        """A signalling frame of a client."""
        self.room.receive(frame, member.sid, self._loop.time())
        self.pump()

    def resume(self, identity: str, sid: str, socket: SignalSocket, *, dual: bool) -> Member | None:
        """A client is back with a new socket; ``None`` if there is nothing to go on with.

        A client that comes back with another number of peer connections has none of those that we know.
        """
        participant = self.room.roster.by_identity(identity)
        member = self._members.get(participant.sid) if participant is not None else None
        if (
            member is None
            or member.dual != dual
            or not self.room.resume(identity, sid, self._loop.time(), last_sequence=member.last_sequence)
        ):
            return None
        member.take_socket(socket)
        self._log.info("participant resumed", identity=identity, participant=member.sid)
        self.pump()
        return member

    def signal_lost(self, member: Member, socket: SignalSocket, *, gone: bool) -> None:
        """A socket of the client has ended; ``gone`` if it is not expected to come back."""
        if member.socket is not socket:
            return  # it has another by now
        member.socket = None
        if gone:
            why = "the signal connection closed for good"
            self.room.leave(member.sid, LeaveReason.SIGNAL_CLOSE, self._loop.time(), why, tell=False)
        else:
            self.room.signal_lost(member.sid, self._loop.time())
        self.pump()

    def connected(self, member: Member) -> None:
        """A participant's transport works."""
        self.room.connected(member.sid, self._loop.time())
        self.pump()

    def lost(self, member: Member, why: str, reason: LeaveReason) -> None:
        """A participant's transport or socket has ended by itself."""
        self.room.leave(member.sid, reason, self._loop.time(), why)
        self.pump()

    def relay(self, sender: Member, label: str, message: bytes) -> None:
        """A data message goes to those whom it is for."""
        participant = self.room.participant(sender.sid)
        if participant is None:
            return
        others = [member for member in self._members.values() if member is not sender]
        grants = participant.grants
        stamped, receivers = self._data.route(
            message,
            sender,
            grants.can_publish_data,
            others,
            anonymous=grants.hidden,
            agent=participant.agent,
        )
        sender.last_sequence = stamped.sequence or sender.last_sequence
        for receiver in receivers:
            receiver.outbound.data.deliver(label, stamped.data)

    def relay_frame(self, sender: Member, packet: bytes) -> None:
        """A packet of a data track goes to its subscribers, to each under the handle that it has there. Hot."""
        try:
            route = self.room.data_route(sender.sid, check_packet(packet))
        except DecodeError:
            self._drop_frame("undecodable")
            return
        if route is None:
            self._drop_frame("unknown handle")
            return
        self.frames += 1
        for sid, handle in route:
            member = self._members.get(sid)
            if member is not None:
                member.outbound.data.deliver_frame(redirect(packet, handle))

    def plan(self, member: Member, offer_id: int, sections: Sequence[OfferedSection]) -> tuple[SectionPlan, ...] | None:
        """What the sections of an offer carry."""
        plans = self.room.plan(member.sid, offer_id, sections, self._loop.time())
        self.pump()
        return plans

    def answered(self, member: Member, offer_id: int, sdp: str, mime_types: Mapping[str, str]) -> None:
        """An answer is made."""
        self.room.answered(member.sid, offer_id, sdp, self._loop.time(), mime_types=mime_types)
        self.pump()

    def offer_made(self, member: Member, offer_id: int, sdp: str, mids: Mapping[str, str]) -> None:
        """An offer of ours is made."""
        self.room.offer_made(member.sid, offer_id, sdp, mids)
        self.pump()

    def answer_applied(self, member: Member, offer_id: int) -> None:
        """The answer to an offer of ours is in force."""
        self.room.answer_applied(member.sid, offer_id, self._loop.time())
        self.pump()

    def negotiation_failed(self, member: Member, why: str) -> None:
        """An offer cannot be answered, or not be made."""
        self.room.negotiation_failed(member.sid, why, self._loop.time())
        self.pump()

    def administer(self, command: Callable[[Administration, float], T]) -> T:
        """Carry out what the room's owner asks.

        Raises:
            RequestRefused: it cannot be done.
        """
        try:
            return command(self.room.administration, self._loop.time())
        finally:
            self.pump()

    def configure(
        self, *, metadata: str, empty_timeout: int, departure_timeout: int, max_participants: int
    ) -> models.Room:
        """Take what the room's owner chose, and return the room.

        Raises:
            RequestRefused: it cannot be done.
        """
        self.room.configure(
            self._loop.time(),
            metadata=metadata,
            empty_timeout=empty_timeout,
            departure_timeout=departure_timeout,
            max_participants=max_participants,
        )
        self.pump()
        return self.room.message()

    def send_data(self, asked: SendDataRequest) -> None:
        """Deliver data of the room's owner, to everybody or to those who are named."""
        reliable = asked.kind == models.DataPacket.RELIABLE
        user = models.UserPacket(payload=asked.data, topic=asked.topic or None)
        packet = models.DataPacket(
            kind=asked.kind, user=user, destination_identities=asked.destination_identities
        ).SerializeToString()
        named = frozenset(asked.destination_identities) | frozenset(asked.destination_sids)
        for member in self._members.values():
            if not named or member.identity in named or member.sid in named:
                member.outbound.data.deliver("_reliable" if reliable else "_lossy", packet)

    def end(self, reason: LeaveReason) -> list[SignalSocket]:
        """End the room; return the sockets that are still being flushed."""
        sockets = [member.socket for member in self._members.values() if member.socket is not None]
        self.room.end(self._loop.time(), reason)
        self.pump()
        return sockets

    # ------------------------------------------------------------------ the pump

    def pump(self) -> None:
        """Empty both trays of the room and arm its timer."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while True:
                frames = self.room.flush(self._loop.time())
                for frame, sid in frames:
                    member = self._members.get(str(sid))
                    if member is not None and member.socket is not None:
                        member.socket.send(frame)
                    else:
                        self.unheard += 1
                events = self.room.take_events()
                for event in events:
                    self._carry_out(event)
                    if is_told(event):
                        self._on_event(event)
                if not frames and not events:
                    break
        finally:
            self._pumping = False
        self._arm()

    def _arm(self) -> None:
        deadline = self.room.deadline
        if deadline < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = deadline
            self._timer = self._loop.call_at(deadline, self._tick)
        elif deadline == inf and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._timer_at = inf

    def _tick(self) -> None:
        # A deadline that moved later leaves the handle armed; then this does nothing but arm it again.
        self._timer = None
        self._timer_at = inf
        self.room.tick(self._loop.time())
        self.pump()

    # ------------------------------------------------------------------ events

    def _carry_out(self, event: Any) -> None:
        match event:
            case OfferArrived():
                member = self._members.get(event.participant)
                if member is not None:
                    member.negotiate(event.offer_id, event.sdp)
            case OfferWanted():
                member = self._members.get(event.participant)
                if member is not None:
                    member.offer(event)
            case AnswerArrived():
                member = self._members.get(event.participant)
                if member is not None:
                    member.accept(event)
            case CandidateArrived():
                member = self._members.get(event.participant)
                if member is not None:
                    member.add_candidate(event.candidate, outbound=event.outbound)
            case RouteAdded():
                self._add_route(event)
            case RouteChanged():
                self.routes.change(
                    event.track,
                    event.subscriber,
                    event.generation,
                    paused=event.paused,
                    ceiling=event.ceiling,
                    now=self._loop.time(),
                )
            case RouteRemoved():
                self.routes.remove(event.track, event.subscriber, event.generation)
            case TrackPublished():
                member = self._members.get(event.participant.sid)
                source = member.inbound.source(event.track.mid) if member is not None else None
                if source is not None:
                    important = event.track.source == models.TrackSource.SCREEN_SHARE
                    self.routes.publish(event.track.sid, event.track.kind, source, event.track.rids, int(important))
                    self._listen()
                if member is not None:
                    log = self._log.bind(participant=event.participant.sid, track=event.track.sid)
                    member.inbound.watch(event.track.mid, StreamLog(log))
                self._log.info("track published", participant=event.participant.sid, track=event.track.sid)
            case TrackUnpublished():
                self.routes.unpublish(event.track.sid)
                self._log.info("track unpublished", participant=event.participant.sid, track=event.track.sid)
            case ParticipantClosed():
                self._close_member(event)
            case ParticipantJoined() | ParticipantLeft() | ConnectionAborted() | RoomStarted() | RoomFinished():
                self._log.info(
                    "room event",
                    event_name=type(event).__name__,
                    number=event.number,
                    participants=event.room.num_participants,
                )
            case Ended():
                self._finish()

    def _add_route(self, event: RouteAdded) -> None:
        member = self._members.get(event.subscriber)
        outlet = member.outbound.outlet(event.mid) if member is not None else None
        if outlet is None:
            return
        now = self._loop.time()
        added = self.routes.add(
            event.track,
            event.subscriber,
            outlet,
            event.generation,
            paused=event.paused,
            ceiling=event.ceiling,
            since=event.since,
            now=now,
        )
        track = self.routes.get(event.track)
        if track is not None and not track.fits(outlet):
            self.room.undecodable(event.track, event.subscriber)
            self._log.warning("no common codec", track=event.track, subscriber=event.subscriber)
        self._log.info(
            "route added" if added else "route without a track",
            track=event.track,
            subscriber=event.subscriber,
            mid=event.mid,
            key_frame_requested_after_ms=round((now - event.since) * 1000, 1),
        )

    def _drop_frame(self, why: str) -> None:
        self.frame_drops[why] = self.frame_drops.get(why, 0) + 1

    def _listen(self) -> None:
        """While there are tracks, say every now and then how loud they are, and how well they arrive."""
        if self._looking is None:
            self._looking = self._loop.call_later(LOOK, self._look)
        if self._listening is None:
            self._listening = self._loop.call_later(WINDOW, self._hear)

    def _hear(self) -> None:
        self._listening = None
        loudness = self.routes.loudness(self._loop.time())
        self.room.heard(loudness)
        self.pump()
        if loudness:
            self._listen()

    def _look(self) -> None:
        self._looking = None
        self.room.measured(*self.routes.measure())
        self.pump()
        if len(self.routes):
            self._looking = self._loop.call_later(LOOK, self._look)

    def _close_member(self, event: ParticipantClosed) -> None:
        member = self._members.pop(event.participant, None)
        self.regulator.forget(event.participant)
        self._log.info(
            "participant closing",
            identity=event.identity,
            participant=event.participant,
            reason=event.reason.name,
            message=event.message,
            duration=round(event.duration, 3),
        )
        if member is not None:
            # Frames are flushed before events are taken, so the farewell is in the socket's queue already.
            member.close()

    def _congestion(self, subscriber: str) -> Congestion | None:
        member = self._members.get(subscriber)
        return None if member is None else member.outbound.congestion

    def _finish(self) -> None:
        self.routes.clear()
        self.regulator.close()
        for timer in (self._listening, self._looking):
            if timer is not None:
                timer.cancel()
        self._listening = self._looking = None
        callback, self._on_end = self._on_end, None
        if callback is not None:
            callback(self)

    # ------------------------------------------------------------------ looking inside

    def stats(self) -> dict[str, Any]:
        """What the room is doing, for the debug page."""
        now = self._loop.time()
        published = {info.sid: (each, info) for each in self.room.roster for info in each.publications}
        tracks = {}
        for uptrack in self.routes:
            publisher, info = published[uptrack.sid]
            tracks[uptrack.sid] = {
                "publisher": publisher.name or publisher.identity,
                "source": _source_name(info.source),
                "codec": info.mime_type,
                "muted": info.muted,
                "kind": uptrack.kind,
                "layer": uptrack.layer,
                "bitrate_bps": round(uptrack.bitrate_bps(now)),
                "packets": uptrack.packets,
                "key_frames": uptrack.key_frames,
                "key_frame_requests": uptrack.requests,
                "quality": _rounded(uptrack.quality.score),
                "subscribers": {
                    sid: {
                        "packets": down.packets,
                        "paused": down.paused,
                        "layer": down.target,
                        "spatial_layer": down.spatial,
                        "drops": down.drops,
                        "quality": _rounded(down.quality.score),
                        "key_frame_requested_after_ms": down.requested_after_ms,
                        "first_packet_after_ms": round(max(0.0, down.first_packet - down.since) * 1000, 1)
                        if down.first_packet
                        else None,
                    }
                    for sid, down in uptrack.downs.items()
                },
            }
        return {
            "name": self.room.name,
            "sid": self.room.sid,
            "num_participants": self.room.roster.count,
            "participants": [
                {
                    "sid": participant.sid,
                    "identity": participant.identity,
                    "name": participant.name,
                    "state": participant.state.name,
                    "signalling": "lost" if participant.missed is not None else "there",
                    "tracks": [info.sid for info in participant.publications],
                    "transport": self._members[participant.sid].stats() if participant.sid in self._members else None,
                    "path": self.regulator.stats(participant.sid),
                }
                for participant in self.room.roster
            ],
            "tracks": tracks,
            "data": {"messages": self._data.messages, "drops": self._data.drops},
            "data_tracks": {"packets": self.frames, "drops": self.frame_drops},
            "drops": self.room.drops | ({"unheard": self.unheard} if self.unheard else {}),
        }


def _source_name(source: int) -> str:
    """In words; ``""`` for none, and for a number of a client's own."""
    known = source and source in models.TrackSource.values()
    return models.TrackSource.Name(source).lower().replace("_", " ") if known else ""


def _rounded(score: float | None) -> int | None:
    return None if score is None else round(score)
