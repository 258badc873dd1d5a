"""An echo server for a browser: open the page it prints, type, and every line comes back over a data channel.

It shows a browser connecting to a Python program: the page makes the offer, one HTTP request carries it here, and the
answer goes back in the response. Run it: ``python examples/echo_server.py`` (aiohttp comes with
``pystack-rtc[server]``).
"""

import asyncio
import sys

from aiohttp import web

from pystack import (
    Configuration,
    ConnectionStateChanged,
    DataChannel,
    DataChannelAdded,
    InvalidArgument,
    PeerConnection,
    PeerEvent,
    SessionDescription,
    UdpMux,
)

PAGE = """<!doctype html><meta charset="utf-8"><title>Echo</title>
<style>body { font: 1.1rem system-ui; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }
#log { white-space: pre-wrap; border: 1px solid #bbb; border-radius: .5rem; min-height: 12rem; padding: 1rem }</style>
<h1>Echo over a data channel</h1><form><input autofocus placeholder="Say something" disabled></form><p id="log"></p>
<script>
const log = text => document.querySelector("#log").append(text + "\\n"), input = document.querySelector("input");
const connection = new RTCPeerConnection(), channel = connection.createDataChannel("echo");
channel.onopen = () => { log("connected"); input.disabled = false; input.focus(); };
channel.onclose = () => { log("closed: reload the page to connect again"); input.disabled = true; };
channel.onmessage = event => log("← " + event.data);
document.querySelector("form").onsubmit = event => {
  event.preventDefault();
  if (input.value) { log("→ " + input.value); channel.send(input.value); input.value = ""; }
};
(async () => {
  await connection.setLocalDescription();
  const answer = await fetch("/offer", { method: "POST", body: JSON.stringify(connection.localDescription) });
  if (!answer.ok) return log("the server says: " + await answer.text());
  await connection.setRemoteDescription(await answer.json());
})();
</script>"""


async def echo(channel: DataChannel) -> None:
    """Write back whatever comes, at the speed at which the browser takes it."""
    async for message in channel:
        await channel.write(message, timeout=30)


class EchoServer:
    """The connections of all pages that are open."""

    def __init__(self, mux: UdpMux) -> None:
        self.mux = mux
        self.connections: set[PeerConnection] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    async def offer(self, request: web.Request) -> web.Response:
        """Answer a page's offer."""
        connection = PeerConnection(Configuration(mux=self.mux))
        self.connections.add(connection)

        def hear(event: PeerEvent) -> None:
            if isinstance(event, DataChannelAdded):
                task = asyncio.create_task(echo(event.channel))
                self.tasks.add(task)
                task.add_done_callback(self.finished)
            elif isinstance(event, ConnectionStateChanged) and event.state in {"failed", "closed"}:
                self.connections.discard(connection)
                connection.abort()

        connection.listen(hear)
        try:
            await connection.set_remote_description(SessionDescription.from_json(await request.text()))
            await connection.set_local_description()
        except InvalidArgument as error:
            connection.abort()
            return web.Response(status=400, text=str(error))
        # The server's candidates are known at once, so the answer is complete: no trickling.
        answer = connection.local_description
        assert answer is not None
        return web.Response(text=answer.to_json(), content_type="application/json")

    def finished(self, task: asyncio.Task[None]) -> None:
        """One channel is over; say so if it did not end in good order."""
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            print("a channel ended:", task.exception(), file=sys.stderr)

    async def close(self, app: web.Application) -> None:
        """Tell every page that we go."""
        await asyncio.gather(*(connection.close() for connection in list(self.connections)))


async def show_page(request: web.Request) -> web.Response:
    """The page that talks to us."""
    return web.Response(text=PAGE, content_type="text/html")


async def main(host: str = "127.0.0.1", port: int = 8080) -> None:
    async with await UdpMux.open() as mux:
        server = EchoServer(mux)
        app = web.Application()
        app.router.add_get("/", show_page)
        app.router.add_post("/offer", server.offer)
        app.on_shutdown.append(server.close)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        print(f"open http://{host}:{port}/ in a browser; Ctrl-C ends")
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
    except OSError as error:
        sys.exit(f"cannot listen: {error}")
