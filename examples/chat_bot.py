"""A bot that joins a room, says hello, and answers in the chat.

Start a server (``sfu serve --dev``), then this, and open the page that the server prints; write "time" or "help":

    python examples/chat_bot.py --room demo

It is a whole LiveKit client for data in one file: signalling over a WebSocket, one peer connection on which it offers,
and the two data channels that carry ``DataPacket`` messages. Media offered to it is declined by never adding a section.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator

import aiohttp
from livekit.protocol import models, rtc

from pystack import Closed, DataChannel, IceCandidate, IceCandidateFound, PeerConnection, PeerEvent, SessionDescription
from sfu.server import make_token

CHAT_TOPIC = "lk.chat"
OLD_CHAT_TOPIC = "lk-chat-topic"
CHUNK = 15_000  # bytes of text in one packet
LONGEST = 100_000  # bytes of a line that is read
OPEN = 100  # streams that have begun and not ended


class TextStreams:
    """Puts the text streams of all participants together: a header, chunks, and a trailer at the end."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], bytearray] = {}

    def take(self, packet: models.DataPacket) -> str | None:
        """The text that ends with this packet, if it does and is of the chat."""
        who = packet.participant_identity
        match packet.WhichOneof("value"):
            case "stream_header" if packet.stream_header.topic == CHAT_TOPIC:
                self._open[who, packet.stream_header.stream_id] = bytearray()
                if len(self._open) > OPEN:
                    del self._open[next(iter(self._open))]
            case "stream_chunk" if (who, packet.stream_chunk.stream_id) in self._open:
                text = self._open[who, packet.stream_chunk.stream_id]
                text += packet.stream_chunk.content
                if len(text) > LONGEST:
                    del self._open[who, packet.stream_chunk.stream_id]
            case "stream_trailer":
                whole = self._open.pop((who, packet.stream_trailer.stream_id), None)
                return None if whole is None else whole.decode(errors="replace")
        return None


def stream_packets(text: str) -> list[models.DataPacket]:
    """The packets that carry a text to the chat, as the SDKs' ``send_text`` sends them."""
    name, data = str(uuid.uuid4()), text.encode()
    header = models.DataStream.Header(
        stream_id=name,
        timestamp=int(time.time() * 1000),
        topic=CHAT_TOPIC,
        mime_type="text/plain",
        total_length=len(data),
        text_header=models.DataStream.TextHeader(),
    )
    packets = [models.DataPacket(stream_header=header)]
    at = 0
    while at < len(data):
        # Cut between characters: what is left of one at the end comes first in the next chunk.
        part = data[at : at + CHUNK].decode(errors="ignore").encode()
        chunk = models.DataStream.Chunk(stream_id=name, chunk_index=len(packets) - 1, content=part)
        packets.append(models.DataPacket(stream_chunk=chunk))
        at += len(part)
    return [*packets, models.DataPacket(stream_trailer=models.DataStream.Trailer(stream_id=name))]


class Room:
    """One stay in a room of a LiveKit server, for data only."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, peer: PeerConnection) -> None:
        self._socket = socket
        self._peer = peer
        self._reliable: DataChannel = peer.create_data_channel("_reliable")
        self._lossy = peer.create_data_channel("_lossy", ordered=False, max_retransmits=0)
        self._sequence = 0
        self._streams = TextStreams()
        self._tasks: set[asyncio.Task[None]] = set()
        self.identity = ""
        self.people: dict[str, str] = {}  # names by identity

    @classmethod
    @contextlib.asynccontextmanager
    async def join(cls, url: str, token: str, *, timeout: float = 15.0) -> AsyncIterator[Room]:
        """Join, and leave at the end of the block."""
        address = f"{url.rstrip('/')}/rtc/v1?access_token={token}&auto_subscribe=0"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(address) as socket,
            PeerConnection() as peer,
        ):
            room = cls(socket, peer)
            stop = peer.listen(room._handle_peer)
            try:
                await room._start(timeout)
                yield room
            finally:
                stop()
                await room._send(rtc.SignalRequest(leave=rtc.LeaveRequest()))
                for task in room._tasks:
                    task.cancel()

    async def say(self, text: str) -> None:
        """Write a line to everybody."""
        for packet in stream_packets(text):
            self._sequence += 1
            packet.sequence = self._sequence
            await self._reliable.write(packet.SerializeToString(), timeout=5.0)

    async def lines(self) -> AsyncIterator[tuple[str, str]]:
        """What the others write: their identity and the text."""
        async for message in self._reliable:
            if isinstance(message, str):
                continue
            packet = models.DataPacket.FromString(message)
            text = self._streams.take(packet)
            if packet.WhichOneof("value") == "chat_message":
                text = packet.chat_message.message
            elif packet.user.topic == OLD_CHAT_TOPIC:
                with contextlib.suppress(ValueError, AttributeError):  # anybody may send anything on this topic
                    line = json.loads(packet.user.payload)
                    text = None if line.get("ignoreLegacy") else str(line.get("message", ""))
            if text is not None:
                yield packet.participant_identity, text

    # ------------------------------------------------------------------ inside

    async def _start(self, timeout: float) -> None:
        async with asyncio.timeout(timeout):
            await self._receive()  # the join comes first
            self._spawn(self._signalling())
            await self._peer.set_local_description(await self._peer.create_offer())
            offer = self._peer.local_description
            assert offer is not None
            await self._send(rtc.SignalRequest(offer=rtc.SessionDescription(type="offer", sdp=offer.sdp, id=1)))
            await self._reliable.wait_open()

    async def _signalling(self) -> None:
        while True:
            await self._receive()

    async def _receive(self) -> None:
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            self._peer.abort()
            raise ConnectionError("the server closed the signalling")
        response = rtc.SignalResponse.FromString(message.data)
        match response.WhichOneof("message"):
            case "join":
                self.identity = response.join.participant.identity
                self._note(*response.join.other_participants)
                self._spawn(self._ping(response.join.ping_interval))
            case "update":
                self._note(*response.update.participants)
            case "answer":
                await self._peer.set_remote_description(SessionDescription("answer", response.answer.sdp))
            case "leave":
                print("the server says goodbye:", models.DisconnectReason.Name(response.leave.reason))
                self._peer.abort()

    def _note(self, *people: models.ParticipantInfo) -> None:
        for person in people:
            if person.state == models.ParticipantInfo.State.DISCONNECTED:
                self.people.pop(person.identity, None)
            else:
                self.people[person.identity] = person.name or person.identity

    async def _ping(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self._send(rtc.SignalRequest(ping_req=rtc.Ping(timestamp=int(time.time() * 1000))))

    def _handle_peer(self, event: PeerEvent) -> None:
        if isinstance(event, IceCandidateFound) and event.candidate is not None:
            self._spawn(self._trickle(event.candidate))

    async def _trickle(self, candidate: IceCandidate) -> None:
        await self._send(rtc.SignalRequest(trickle=rtc.TrickleRequest(candidateInit=candidate.to_json())))

    async def _send(self, request: rtc.SignalRequest) -> None:
        with contextlib.suppress(ConnectionError):
            await self._socket.send_bytes(request.SerializeToString())

    def _spawn(self, coroutine: object) -> None:
        task = asyncio.ensure_future(coroutine)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            print("signalling ended:", task.exception())


def answer(text: str, people: int) -> str:
    """What the bot says to a line."""
    words = text.lower().split()
    if "help" in words:
        return 'Write "time", "who" or "roll", or anything else to hear it back.'
    if "time" in words:
        return time.strftime("It is %H:%M:%S here.")
    if "who" in words:
        return f"There are {people + 1} of us in this room."
    if "roll" in words:
        return f"🎲 {uuid.uuid4().int % 6 + 1}"
    return f"You wrote {len(text)} characters: {text}"


async def run(url: str, room: str, name: str, key: str, secret: str) -> None:
    """Join and answer until the room ends."""
    token = make_token(key, secret, identity=f"bot-{uuid.uuid4().hex[:6]}", room=room, name=name)
    async with Room.join(url, token) as stay:
        print(f"{name} is in room {room}; stop with Ctrl-C")
        await stay.say("Hello, I am a bot. Write “help” to me.")
        try:
            async for who, text in stay.lines():
                print(f"{stay.people.get(who, who)}: {text}")
                await stay.say(answer(text, len(stay.people)))
        except Closed as end:
            print(end)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--url", default="ws://127.0.0.1:7880", help="the server (ws://127.0.0.1:7880)")
    parser.add_argument("--room", default="demo", help="the room (demo)")
    parser.add_argument("--name", default="Bot", help="the bot's name (Bot)")
    parser.add_argument("--key", default="devkey", help="the API key (that of sfu serve --dev)")
    parser.add_argument("--secret", default="secret", help="its secret (that of sfu serve --dev)")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        try:
            asyncio.run(run(given.url, given.room, given.name, given.key, given.secret))
        except aiohttp.WSServerHandshakeError as error:
            raise SystemExit(f"the server refused ({error.status}): check --key and --secret") from None
        except aiohttp.InvalidURL:
            raise SystemExit(f"{given.url} is no address: give --url ws://HOST:PORT") from None
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise SystemExit(
                f"cannot join at {given.url}: {error or 'no connection in time'}; is it running?"
            ) from None


if __name__ == "__main__":
    main()
