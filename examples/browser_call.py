"""A video call with a browser: whatever the page sends comes back, so you see and hear yourself twice.

Run it: ``python examples/browser_call.py`` (aiohttp comes with ``pystack-rtc[server]``), open the page that it prints,
and allow the camera.
"""

from collections.abc import AsyncIterator

from aiohttp import web

from pystack import Configuration, Negotiator, PeerConnection, PeerEvent, TrackAdded, Transceiver, UdpMux

PAGE = """<!doctype html><meta charset="utf-8"><title>Call</title>
<video id="mine" autoplay muted playsinline></video> <video id="back" autoplay playsinline></video>
<script type="module">
const socket = new WebSocket(`ws://${location.host}/signal`);
const connection = (window.connection = new RTCPeerConnection());
const say = (message) => socket.send(JSON.stringify(message));
let making = false, ignoring = false;
connection.onnegotiationneeded = async () => {
  making = true;
  await connection.setLocalDescription().finally(() => (making = false));
  say({ description: connection.localDescription });
};
connection.onicecandidate = ({ candidate }) => say({ candidate });
connection.ontrack = ({ streams }) => (document.querySelector("#back").srcObject = streams[0]);
socket.onmessage = async ({ data }) => {
  const { description, candidate } = JSON.parse(data);
  if (description) {
    ignoring = description.type === "offer" && (making || connection.signalingState !== "stable");
    if (ignoring) return;  // this side is the impolite one
    await connection.setRemoteDescription(description);
    if (description.type !== "offer") return;
    await connection.setLocalDescription();
    say({ description: connection.localDescription });
  } else if (candidate && !ignoring) await connection.addIceCandidate(candidate);
};
await new Promise((open) => (socket.onopen = open));
const camera = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
document.querySelector("#mine").srcObject = camera;
camera.getTracks().forEach((track) => connection.addTrack(track, camera));
</script>"""


class Line:
    """A WebSocket of aiohttp as the negotiator wants it."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket

    async def send(self, message: str) -> None:
        await self.socket.send_str(message)

    async def __aiter__(self) -> AsyncIterator[str]:
        async for message in self.socket:
            yield message.data


def send_back(section: Transceiver) -> None:
    """Connect the two halves of a section: no packet is decoded, none waits."""
    receiver, sender = section.receiver, section.sender
    sender.set_track(f"{section.kind}-again", ["echo"])
    section.direction = "sendrecv"
    receiver.on_packet = lambda packet, rid: sender.write(packet)
    sender.on_key_frame_request = receiver.request_key_frame


def hear(event: PeerEvent) -> None:
    match event:
        case TrackAdded(section):
            send_back(section)


async def main() -> web.Application:
    mux = await UdpMux.open(loopback=True)

    async def signal(request: web.Request) -> web.WebSocketResponse:
        await (socket := web.WebSocketResponse(heartbeat=20)).prepare(request)
        async with PeerConnection(Configuration(mux=mux)) as connection:
            connection.listen(hear)
            await Negotiator(connection, Line(socket), polite=True).run()  # until the page goes
        return socket

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def close(app: web.Application) -> None:
        mux.close()

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/signal", signal)
    app.on_cleanup.append(close)
    return app


if __name__ == "__main__":
    web.run_app(main(), host="127.0.0.1", port=8080)
