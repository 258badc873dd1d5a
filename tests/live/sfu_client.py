"""A LiveKit client of our own making and a server on free ports, for the tests on real sockets."""

import asyncio
import contextlib

import aiohttp
from livekit.protocol import models, rtc

from pystack import DataChannelAdded, PeerConnection, SessionDescription
from sfu.server import Config, Server, make_token

KEYS = {"devkey": "secret"}


@contextlib.asynccontextmanager
async def serving(**changes):
    settings = {"host": "127.0.0.1", "port": 0, "media_port": 0, "keys": KEYS, "dev": True} | changes
    server = Server(Config(**settings), "1.2.3")
    await server.start()
    try:
        async with aiohttp.ClientSession(server.url) as http:
            yield server, http
    finally:
        await server.close()


def token(identity, room="demo", **more):
    return make_token("devkey", "secret", identity=identity, room=room, **more)


class Client:
    """A LiveKit client of our own making: offers, adds sections when asked, sends and receives packets.

    With ``dual`` it receives on a second peer connection, ``taking``, on which the server offers.
    """

    def __init__(self, http, identity, room="demo", *, text=False, dual=False, **grants):
        self.http = http
        self.identity = identity
        self.path = "/rtc" if dual else "/rtc/v1"
        self.query = {"access_token": token(identity, room, grants=grants)}
        self.peer = PeerConnection()
        self.taking = PeerConnection() if dual else self.peer
        self.answers = True  # to what the server offers
        self.through = lambda sdp: sdp  # what stands between
        self.channels = {}  # those that the server made, by label
        self.reliable = self.peer.create_data_channel("_reliable")
        self.lossy = self.peer.create_data_channel("_lossy", ordered=False, max_retransmits=0)
        self.seen = []
        self.people = {}
        self.tracks = {}
        self.published = {}
        self.sid = ""
        self.left = asyncio.get_running_loop().create_future()
        self.offers = 0
        self.answered = asyncio.Event()
        self.ws = None
        self.reader = None

    async def join(self):
        self.taking.listen(self.note)
        self.ws = await self.http.ws_connect(self.path, params=self.query)
        first = rtc.SignalResponse.FromString((await self.ws.receive()).data)
        assert first.WhichOneof("message") == "join"
        self.sid = first.join.participant.sid
        self.people = {each.identity: each for each in first.join.other_participants}
        self.reader = asyncio.ensure_future(self.read())
        await self.offer()
        await self.peer.wait_connected(timeout=10)
        await self.taking.wait_connected(timeout=10)
        await self.reliable.wait_open(timeout=10)
        return self

    def note(self, event):
        if isinstance(event, DataChannelAdded):
            self.channels[event.channel.label] = event.channel

    async def hear(self, label, timeout):
        """The next message that the server sends on the channel of this label."""
        if self.taking is not self.peer:
            await until(lambda: label in self.channels)
        own = {"_reliable": self.reliable, "_lossy": self.lossy}
        return await self.channels.get(label, own[label]).read(timeout=timeout)

    async def resume(self):
        """Come back through a new socket; return whether the server goes on with this session."""
        if self.left.done():
            self.left = asyncio.get_running_loop().create_future()
        self.ws = await self.http.ws_connect(self.path, params=self.query | {"reconnect": "1", "sid": self.sid})
        first = rtc.SignalResponse.FromString((await self.ws.receive()).data)
        self.seen.append(first)
        second = rtc.SignalResponse.FromString((await self.ws.receive()).data) if first.HasField("reconnect") else None
        if second is None:
            return False
        self.seen.append(second)
        self.reader.cancel()
        self.reader = asyncio.ensure_future(self.read())
        return True

    async def offer(self, *, ice_restart=False):
        self.offers += 1
        self.answered.clear()
        await self.peer.set_local_description(await self.peer.create_offer(ice_restart=ice_restart))
        await self.send(offer=rtc.SessionDescription(type="offer", sdp=self.peer.local_description.sdp, id=self.offers))
        await asyncio.wait_for(self.answered.wait(), 10)

    async def send(self, **message):
        await self.ws.send_bytes(rtc.SignalRequest(**message).SerializeToString())

    async def read(self):
        async for frame in self.ws:
            message = rtc.SignalResponse.FromString(frame.data)
            self.seen.append(message)
            match message.WhichOneof("message"):
                case "update":
                    for info in message.update.participants:
                        self.people[info.identity] = info
                        if info.state == models.ParticipantInfo.State.DISCONNECTED:
                            del self.people[info.identity]
                case "track_published":
                    self.published[message.track_published.cid] = message.track_published.track.sid
                case "answer":
                    if self.taking is self.peer:
                        self.tracks = dict(message.answer.mid_to_track_id)
                    sdp = self.through(message.answer.sdp)
                    await self.peer.set_remote_description(SessionDescription("answer", sdp))
                    self.answered.set()
                case "offer" if self.answers:
                    self.tracks = dict(message.offer.mid_to_track_id)
                    await self.taking.set_remote_description(SessionDescription("offer", message.offer.sdp))
                    await self.taking.set_local_description()
                    sdp = self.taking.local_description.sdp
                    await self.send(answer=rtc.SessionDescription(type="answer", sdp=sdp, id=message.offer.id))
                case "media_sections_requirement":
                    asked = message.media_sections_requirement
                    for kind, count in (("audio", asked.num_audios), ("video", asked.num_videos)):
                        for _ in range(count):
                            self.peer.add_transceiver(kind, direction="recvonly")
                    self.offering = asyncio.ensure_future(self.offer())
                case "leave":
                    if not self.left.done():
                        self.left.set_result(message.leave)
        if not self.left.done():
            self.left.set_result(None)

    async def publish(self, kind, cid, **more):
        wanted = models.TrackType.AUDIO if kind == "audio" else models.TrackType.VIDEO
        await self.send(add_track=rtc.AddTrackRequest(cid=cid, type=wanted, **more))
        await until(lambda: cid in self.published)
        sender = self.peer.add_transceiver(kind, direction="sendonly", track_id=cid, stream_ids=["s"]).sender
        await self.offer()
        return sender

    def receiver(self, sid):
        for transceiver in self.taking.transceivers:
            if self.tracks.get(transceiver.mid) == sid and transceiver.current_direction == "recvonly":
                return transceiver.receiver
        return None

    async def close(self):
        if self.reader is not None:
            self.reader.cancel()
        await self.ws.close()
        await self.peer.close()
        await self.taking.close()


async def until(condition, timeout=10.0):
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - what is waited for happens on the wire
            await asyncio.sleep(0.01)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))
