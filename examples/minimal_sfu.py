"""A forwarding room in under 80 lines: run it, and open http://127.0.0.1:8080 in two windows."""

import asyncio

from aiohttp import web

from pystack import Configuration, NegotiationNeeded, PeerConnection, SessionDescription, UdpMux
from sfu.media import BEST, Munger, Outlet, RouteTable
from sfu.tracks import Kind

PAGE = """<!doctype html><style>body{display:flex;flex-wrap:wrap}video{width:48%}</style><script type="module">
const show = (stream, muted = false) => {
  const video = Object.assign(document.createElement("video"), { srcObject: stream, autoplay: true, muted });
  stream.onremovetrack = () => stream.active || video.remove(); document.body.append(video); };
const local = await navigator.mediaDevices.getUserMedia({ audio: true, video: true }); show(local, true);
const pc = (window.pc = new RTCPeerConnection()), ws = new WebSocket(`ws://${location.host}/ws`);
pc.ontrack = ({ track, streams }) => track.kind === "video" && show(streams[0]);
ws.onmessage = async ({ data }) => {
  await pc.setRemoteDescription({ type: "offer", sdp: data });
  if (!pc.currentLocalDescription) local.getTracks().forEach((track) => pc.addTrack(track, local));
  await pc.setLocalDescription(); ws.send(pc.localDescription.sdp); };</script>"""


class Room:
    def __init__(self, mux: UdpMux) -> None:
        self.mux, self.routes, self.peers = mux, RouteTable(), dict[str, PeerConnection]()

    async def visit(self, request: web.Request) -> web.WebSocketResponse:
        await (socket := web.WebSocketResponse(heartbeat=20)).prepare(request)
        async with PeerConnection(Configuration(mux=self.mux)) as peer, asyncio.TaskGroup() as tasks:
            offering = tasks.create_task(self.offer(peer, socket))
            try:
                await self.serve(f"{id(peer):x}", peer, socket)
            finally:
                self.leave(f"{id(peer):x}")
                offering.cancel()
        return socket

    async def serve(self, name: str, peer: PeerConnection, socket: web.WebSocketResponse) -> None:
        mine = [peer.add_transceiver(kind, direction="recvonly") for kind in ("audio", "video")]
        for track in self.routes:
            self.forward(track.sid, track.kind, name, peer)
        while (frame := await socket.receive()).type is web.WSMsgType.TEXT:
            await peer.set_remote_description(SessionDescription("answer", frame.data))
            for section in mine if name not in self.peers else ():  # with the first answer its media comes
                self.routes.publish(f"{name}/{section.kind}", section.kind, section.receiver)
                for other, theirs in self.peers.items():
                    self.forward(f"{name}/{section.kind}", section.kind, other, theirs)
            self.peers[name] = peer

    async def offer(self, peer: PeerConnection, socket: web.WebSocketResponse) -> None:
        async for event in peer.events():
            if isinstance(event, NegotiationNeeded):
                await peer.set_local_description()
                await socket.send_str(peer.local_description.sdp if peer.local_description else "")

    def forward(self, track: str, kind: Kind, subscriber: str, peer: PeerConnection) -> None:
        section = peer.add_transceiver(kind, direction="sendonly", track_id=track, stream_ids=[track.partition("/")[0]])
        outlet = Outlet(section.sender, Munger(48000 if kind == "audio" else 90000))
        self.routes.add(track, subscriber, outlet, 1, paused=False, ceiling=BEST, since=0.0, now=0.0)

    def leave(self, name: str) -> None:
        self.peers.pop(name, None)
        for track in self.routes:
            self.routes.unpublish(track.sid) if track.sid.startswith(f"{name}/") else track.remove(name)
        for section in [each for theirs in self.peers.values() for each in theirs.transceivers]:
            section.stop() if section.sender.track_id.startswith(f"{name}/") else None


async def main() -> web.Application:
    app, room = web.Application(), Room(await UdpMux.open(loopback=True))
    app.router.add_get("/ws", room.visit)
    app.router.add_get("/", lambda _: asyncio.sleep(0, web.Response(text=PAGE, content_type="text/html")))
    app.on_cleanup.append(lambda _: asyncio.sleep(0, room.mux.close()))
    return app


if __name__ == "__main__":
    web.run_app(main(), host="127.0.0.1", port=8080)
