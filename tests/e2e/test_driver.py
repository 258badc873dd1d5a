"""The harness itself: both browsers talk to each other page to page, so that a failure elsewhere is not its own."""

from __future__ import annotations

import asyncio

import pytest

from tests.e2e.e2e_harness.browsers import Driver

OFFER = """async () => {
  window.pc = new RTCPeerConnection();
  const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
  stream.getTracks().forEach((track) => pc.addTrack(track, stream));
  window.channel = pc.createDataChannel("chat");
  window.heard = [];
  channel.onmessage = (event) => heard.push(event.data);
  channel.onopen = () => channel.send("hello from the offerer");
  await pc.setLocalDescription();
  while (pc.iceGatheringState !== "complete") await new Promise((done) => setTimeout(done, 50));
  return pc.localDescription.toJSON();
}"""
ANSWER = """async (offer) => {
  window.pc = new RTCPeerConnection();
  window.heard = [];
  pc.ondatachannel = ({channel}) => {
    channel.onmessage = (event) => { heard.push(event.data); channel.send("hello from the answerer"); };
  };
  const stream = await navigator.mediaDevices.getUserMedia({audio: true, video: true});
  stream.getTracks().forEach((track) => pc.addTrack(track, stream));
  await pc.setRemoteDescription(offer);
  await pc.setLocalDescription();
  while (pc.iceGatheringState !== "complete") await new Promise((done) => setTimeout(done, 50));
  return pc.localDescription.toJSON();
}"""
STATE = """async () => {
  const frames = [...(await pc.getStats()).values()]
    .filter((report) => report.type === "inbound-rtp" && report.kind === "video")
    .reduce((sum, report) => sum + (report.framesDecoded ?? 0), 0);
  return {connection: pc.connectionState, frames, heard};
}"""


@pytest.mark.component("chromium")
@pytest.mark.component("firefox")
def test_a_chromium_page_calls_a_firefox_page(run):
    async def body():
        async with Driver() as driver:
            chromium, firefox = await asyncio.gather(driver.launch("chromium"), driver.launch("firefox"))
            # Any page of a secure origin may use a camera; these come from the driver's own blank document.
            server = await asyncio.start_server(_serve_blank, "127.0.0.1", 0)
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
            caller, callee = await asyncio.gather(chromium.open(url), firefox.open(url))
            answer = await callee.evaluate(ANSWER, await caller.evaluate(OFFER))
            await caller.evaluate("(answer) => pc.setRemoteDescription(answer)", answer)
            for _ in range(100):
                states = await asyncio.gather(caller.evaluate(STATE), callee.evaluate(STATE))
                if all(state["frames"] > 20 and state["heard"] for state in states):
                    break
                await asyncio.sleep(0.3)
            assert states[0]["heard"] == ["hello from the answerer"], states
            assert states[1]["heard"] == ["hello from the offerer"], states
            assert all(state["frames"] > 20 for state in states), states
            await chromium.kill()
            await firefox.close()
            server.close()

    run(body())


async def _serve_blank(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    page = b"<!doctype html><title>blank</title>"
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(page)
    )
    writer.write(page)
    await writer.drain()
    writer.close()
