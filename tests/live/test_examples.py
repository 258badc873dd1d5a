"""The examples run as they stand, with peers of our own that speak their signalling."""

import asyncio
import contextlib
import importlib.util
import sys
from pathlib import Path

import aiohttp
from aiohttp import web

from pystack import Negotiator, PeerConnection, RtpPacket, SessionDescription, TrackAdded

ROOT = Path(__file__).parents[2]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


@contextlib.asynccontextmanager
async def serving(app):
    """The application of an example on a free port, and a session to it."""
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as http:
            yield http
    finally:
        await runner.cleanup()


async def until(condition, timeout=20.0):
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - what is waited for happens on the wire
            await asyncio.sleep(0.01)


class Visitor:
    """What the page of the minimal example does, with packets that say whose they are."""

    def __init__(self, name):
        self.name = name
        self.heard = set()  # (whose, kind) of all packets that came
        self.sent = 0

    @contextlib.asynccontextmanager
    async def visit(self, http):
        async with PeerConnection() as peer, http.ws_connect("/ws") as socket, asyncio.TaskGroup() as tasks:
            peer.listen(self.note)
            senders = [peer.add_track(kind) for kind in ("audio", "video")]
            doing = [tasks.create_task(each) for each in (self.negotiate(peer, socket), self.speak(senders))]
            try:
                yield self
            finally:
                for task in doing:
                    task.cancel()

    def note(self, event):
        if isinstance(event, TrackAdded):
            kind, receiver = event.transceiver.kind, event.transceiver.receiver
            receiver.on_packet = lambda packet, rid: self.heard.add((bytes(packet.payload)[-8:].strip(), kind))

    async def negotiate(self, peer, socket):
        async for frame in socket:
            await peer.set_remote_description(SessionDescription("offer", frame.data))
            await peer.set_local_description()
            await socket.send_str(peer.local_description.sdp)

    async def speak(self, senders):
        while True:
            self.sent += 1
            for sender, codec, start in zip(senders, ("opus", "VP8"), (b"", b"\x10\x00\x00\x00"), strict=True):
                if sender.codecs:  # agreed on; a picture of VP8 that any decoder could begin with
                    payload = start + self.name.encode().rjust(8)
                    packet = RtpPacket(
                        payload_type=sender.require_codec(codec).payload_type,
                        sequence_number=self.sent,
                        timestamp=960 * self.sent,
                        payload=payload,
                    )
                    sender.write(packet)
            await asyncio.sleep(0.02)

    def hears(self, *names):
        return {(name.encode(), kind) for name in names for kind in ("audio", "video")} <= self.heard


def test_everybody_in_the_minimal_room_hears_everybody_else_also_who_comes_back():
    async def main():
        ada, ben, cleo = (Visitor(name) for name in ("ada", "ben", "cleo"))
        async with serving(await load("minimal_sfu").main()) as http, ada.visit(http), cleo.visit(http):
            async with ben.visit(http):
                await until(lambda: ada.hears("ben", "cleo") and ben.hears("ada", "cleo") and cleo.hears("ada", "ben"))
            ada.heard.clear()
            await until(lambda: ada.hears("cleo"))  # who stays is not disturbed
            again = Visitor("again")
            async with again.visit(http):
                await until(lambda: again.hears("ada", "cleo") and ada.hears("again") and cleo.hears("again"))
                assert (b"ada", "audio") not in ada.heard  # nobody hears itself

    run(main())


def test_the_echo_server_answers_an_offer_and_says_what_was_written():
    async def main():
        module, port = load("echo_server"), _free_port()
        server = asyncio.create_task(module.main("127.0.0.1", port))
        try:
            async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http, PeerConnection() as page:
                channel = page.create_data_channel("echo")
                await page.set_local_description()
                async with asyncio.timeout(10):
                    while True:
                        try:
                            reply = await http.post("/offer", data=page.local_description.to_json())
                            break
                        except aiohttp.ClientConnectionError:  # it is only starting
                            await asyncio.sleep(0.01)
                await page.set_remote_description(SessionDescription.from_json(await reply.text()))
                await channel.wait_open(timeout=10)
                await channel.write("hello")
                assert await channel.read(timeout=10) == "hello"
                refused = await http.post("/offer", data="no offer")
                assert refused.status == 400
        finally:
            server.cancel()
            await asyncio.gather(server, return_exceptions=True)

    run(main())


def _free_port():
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_the_call_sends_back_what_comes():
    module = load("browser_call")

    class Line(module.Line):
        """A WebSocket of the client's side."""

    async def main():
        async with (
            serving(await module.main()) as http,
            http.ws_connect("/signal") as socket,
            asyncio.TaskGroup() as tasks,
            PeerConnection() as page,
        ):
            tasks.create_task(Negotiator(page, Line(socket), polite=False).run())
            sender = page.add_track("audio")
            section = page.transceivers[0]
            await page.wait_connected(timeout=10)
            async with asyncio.timeout(10):
                while section.current_direction != "sendrecv":  # noqa: ASYNC110 - the page's second offer
                    await asyncio.sleep(0.01)
            opus = sender.require_codec("opus").payload_type
            for number in range(50):
                sender.write(RtpPacket(payload_type=opus, sequence_number=number, payload=b"is anybody there?"))
                with contextlib.suppress(TimeoutError):
                    packet, _ = await section.receiver.read(timeout=0.1)
                    break
            assert packet.payload == b"is anybody there?"

    run(main())


def test_two_peers_talk_and_end():
    async def main():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "examples" / "two_peers.py"),
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": str(ROOT)},
        )
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0
        assert out.decode().splitlines() == ["bob got: hello, Bob", "bob got: and goodbye"]

    run(main())
