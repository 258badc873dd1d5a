"""A page that can only reach us by TCP: ICE over TCP to the shared port (RFC 6544), data and media."""

from __future__ import annotations

import pytest

from pystack import Configuration, DataChannelAdded, PeerConnection, SessionDescription, UdpMux
from tests.e2e.e2e_harness.room import own_address
from tests.interop.browser.echo import Echo, inbound, until
from tests.interop.browser.page_peer import stage
from tests.interop.other_peer import PATIENCE, pattern


@pytest.mark.parametrize("who", ["we offer", "they offer"])
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("chromium", marks=pytest.mark.component("chromium")),
        pytest.param("firefox", marks=pytest.mark.component("firefox")),
    ],
)
def test_data_and_video_over_tcp_alone(kind, who):
    async def body(other):
        async with await UdpMux.open(own_address(), tcp_port=0) as mux, PeerConnection(Configuration(mux=mux)) as mine:
            channels = []
            mine.listen(lambda event: channels.append(event.channel) if isinstance(event, DataChannelAdded) else None)
            if who == "we offer":
                channels.append(mine.create_data_channel("first"))
                echo = Echo(mine.add_transceiver("video"), ["VP8"])
                await mine.set_local_description()
                await other.ask("send", kind="video")
                answer = await other.ask("answer", sdp=without_udp(mine.local_description.sdp))
                await mine.set_remote_description(SessionDescription("answer", answer))
            else:
                await other.ask("open", label="first")
                await other.ask("send", kind="video", codec="VP8")
                await mine.set_remote_description(SessionDescription("offer", await other.ask("offer")))
                echo = Echo(mine.transceivers[0])
                await mine.set_local_description()
                await other.ask("accept", sdp=without_udp(mine.local_description.sdp))
            await mine.wait_connected(timeout=PATIENCE)
            await other.wait("open", label="first")
            await other.ask("pour", label="first", count=64, size=16384)
            for seed in range(64):
                assert await channels[0].read(timeout=PATIENCE) == pattern(16384, seed)
            await channels[0].write(pattern(65536, 1))
            assert (await other.wait("message", label="first"))["size"] == 65536

            async def decoded() -> bool:
                return any(each.get("framesDecoded", 0) >= 20 for each in await inbound(other, "video"))

            await until(decoded, f"no frames; {echo.packets} came")
            pair = mine._ice.selected_pair
            assert pair.protocol == "tcp"
            assert mux.counters()["datagrams_in"] == 0
            await mine.close()
            assert not mux._ways[1]._connections

    with stage(kind) as browser:
        browser.run(body)


def without_udp(sdp):
    """The description without its candidates for UDP."""
    lines = sdp.splitlines(keepends=True)
    kept = [line for line in lines if not (line.startswith("a=candidate") and " udp " in line)]
    assert len(kept) < len(lines)
    assert any(line.startswith("a=candidate") and " tcp " in line for line in kept)
    return "".join(kept)
