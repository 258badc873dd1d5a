"""Drives a room and its clients with no socket and no sleep, for the tests of rooms."""

import random

from livekit.protocol import models, rtc

from pystack.base import SeededRandomness
from sfu.rooms import (
    Admission,
    AnswerArrived,
    LeaveReason,
    OfferArrived,
    OfferWanted,
    ParticipantClosed,
    Room,
    RoomOptions,
    RouteAdded,
    RouteChanged,
    RouteRemoved,
)
from sfu.tracks import OfferedSection


class Client:
    """A client as the SDKs are: it adds the sections that it is asked for, and offers after every change.

    With ``dual`` it has a second peer connection, on which the room offers: then it answers.
    """

    def __init__(self, hall, identity, *, dual=False):
        self.dual = dual
        self.mids = {}  # of the sections that it was offered, by name
        self.offered_sections = ()  # as of the latest offer of the room
        self.hall = hall
        self.identity = identity
        self.sid = ""
        self.sections = {}  # mid -> [kind, sends, cid]
        self.rids = ()  # of the video that it publishes
        self.codec = "x"  # of all that it publishes
        self.tracks = {}  # mid -> sid, by the latest answer
        self.received = []
        self.known = {}  # identity -> ParticipantInfo
        self.left = None
        self.offers = 0
        self.cids = {}
        self.lazy = False  # does not do what it is asked
        self.away = False  # its signalling is lost

    def send(self, **message):
        self.hall.room.receive(rtc.SignalRequest(**message).SerializeToString(), self.sid, self.hall.now)
        self.hall.pump()

    def offer(self):
        self.offers += 1
        self.send(offer=rtc.SessionDescription(type="offer", sdp="sdp", id=self.offers))

    def offered(self):
        return [
            OfferedSection(
                mid=mid,
                kind=kind,
                sends=sends,
                receives=not sends and kind != "off" and not self.dual,
                track_id=cid,
                rids=self.rids if sends and kind == "video" else (),
            )
            for mid, (kind, sends, cid) in self.sections.items()
        ]

    def add_sections(self, audios, videos):
        for kind, count in (("audio", audios), ("video", videos)):
            for _ in range(count):
                self.sections[str(len(self.sections))] = (kind, False, "")

    def publish(self, kind, cid=None, **extra):
        cid = cid or f"{self.identity}-{kind}-{len(self.sections)}"
        track_type = models.TrackType.AUDIO if kind == "audio" else models.TrackType.VIDEO
        self.send(add_track=rtc.AddTrackRequest(cid=cid, type=track_type, **extra))
        if cid not in self.cids:
            return None
        self.sections[str(len(self.sections))] = (kind, True, cid)
        self.offer()
        return self.cids[cid]

    def unpublish(self, track):
        for mid, (kind, sends, cid) in list(self.sections.items()):
            if sends and self.cids.get(cid) == track:
                self.sections[mid] = (kind, False, cid)
        self.offer()

    def vanish(self):
        """Its signalling is lost; nothing reaches it any more."""
        self.away = True
        self.hall.room.signal_lost(self.sid, self.hall.now)
        self.hall.pump()

    def come_back(self):
        """Try to go on with this session."""
        self.away = False
        resumed = self.hall.room.resume(self.identity, self.sid, self.hall.now)
        self.hall.pump()
        return resumed

    def handle(self, frame):
        if self.away:
            return
        message = rtc.SignalResponse.FromString(frame)
        self.received.append(message)
        kind = message.WhichOneof("message")
        if kind == "join":
            self.known = {each.identity: each for each in message.join.other_participants}
        elif kind == "update":
            for info in message.update.participants:
                known = self.known.get(info.identity)
                if info.state == models.ParticipantInfo.State.DISCONNECTED:
                    if known is not None and known.sid == info.sid:
                        del self.known[info.identity]
                elif known is None or known.sid != info.sid or known.version < info.version:
                    self.known[info.identity] = info
        elif kind == "track_published":
            self.cids[message.track_published.cid] = message.track_published.track.sid
        elif kind == "answer":
            self.tracks = dict(message.answer.mid_to_track_id)
        elif kind == "offer":
            self.tracks = dict(message.offer.mid_to_track_id)
            if not self.lazy:
                self.send(answer=rtc.SessionDescription(type="answer", sdp="answer", id=message.offer.id))
        elif kind == "leave":
            self.left = message.leave
        elif kind == "media_sections_requirement" and not self.lazy:
            asked = message.media_sections_requirement
            self.add_sections(asked.num_audios, asked.num_videos)
            self.offer()

    def heard(self, kind):
        return [getattr(each, kind) for each in self.received if each.WhichOneof("message") == kind]


class Hall:
    """Drives one room as the runtime does, and keeps what it said."""

    def __init__(self, **options):
        self.now = 100.0
        self.room = Room("hall", RoomOptions(**options), SeededRandomness(1), self.now, epoch=1.7e9)
        self.clients = {}
        self.gone = {}
        self.events = []
        self.routes = {}  # (track, subscriber) -> [mid, generation, paused, ceiling]
        self.answering = True
        self.pumping = False
        self.connect_by_itself = True
        self.random = random.Random(7)

    def join(self, identity, *, connect=None, tracks=(), dual=False, **admission):
        client = Client(self, identity, dual=dual)
        client.sid = self.room.join(Admission(identity=identity, dual=dual, **admission), self.now, tracks=tracks)
        self.clients[client.sid] = client
        self.pump()
        client.offer()
        if self.connect_by_itself if connect is None else connect:
            self.connect(client)
        return client

    def connect(self, client):
        self.room.connected(client.sid, self.now)
        self.pump()

    def leave(self, client, reason=LeaveReason.CLIENT_INITIATED):
        self.room.leave(client.sid, reason, self.now, "test")
        self.pump()

    def pass_time(self, seconds):
        until = self.now + seconds
        while self.room.deadline <= until:
            self.now = max(self.now, self.room.deadline)
            self.room.tick(self.now)
            self.pump()
            assert self.room.deadline > self.now
        self.now = until
        self.room.tick(self.now)
        self.pump()

    def pump(self):
        if self.pumping:
            return
        self.pumping = True
        while True:
            frames = self.room.flush(self.now)
            for frame, sid in frames:
                client = self.clients.get(sid)
                if client is not None:
                    client.handle(frame)
            events = self.room.take_events()
            for event in events:
                self.events.append(event)
                self.carry_out(event)
            if not frames and not events:
                break
        self.pumping = False

    def carry_out(self, event):
        match event:
            case OfferArrived():
                if self.answering:
                    self.answer(event)
            case OfferWanted():
                if self.answering:
                    self.offer(event)
            case AnswerArrived():
                self.room.answer_applied(event.participant, event.offer_id, self.now)
            case RouteAdded():
                assert (event.track, event.subscriber) not in self.routes
                self.routes[event.track, event.subscriber] = [event.mid, event.generation, event.paused, event.ceiling]
            case RouteChanged():
                route = self.routes[event.track, event.subscriber]
                assert route[1] == event.generation
                route[2:] = event.paused, event.ceiling
            case RouteRemoved():
                route = self.routes.pop((event.track, event.subscriber))
                assert route[1] == event.generation
            case ParticipantClosed():
                self.gone[event.participant] = self.clients.pop(event.participant, None)

    def answer(self, event):
        client = self.clients[event.participant]
        plans = self.room.plan(event.participant, event.offer_id, client.offered(), self.now)
        assert plans is not None
        mime = {plan.mid: f"{client.sections[plan.mid][0]}/{client.codec}" for plan in plans}
        self.room.answered(event.participant, event.offer_id, "answer", self.now, mime_types=mime)

    def offer(self, event):
        client = self.clients[event.participant]
        client.offered_sections = event.sections
        for section in event.sections:
            client.mids.setdefault(section.name, str(len(client.mids)))
        self.room.offer_made(event.participant, event.offer_id, "offer", client.mids)

    def numbered(self, *kinds):
        return [event for event in self.events if isinstance(event, kinds)]

    def received_by(self, client):
        return {track for track, subscriber in self.routes if subscriber == client.sid}
