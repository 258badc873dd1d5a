"""Our association against aiortc's SCTP transport, in memory, in both roles."""

import asyncio
import types

import pytest

from pystack.base import SecretRandomness
from pystack.sctp import (
    Association,
    AssociationOptions,
    Ended,
    Established,
    IncomingReset,
    MessageReceived,
    OutgoingResetDone,
)

pytestmark = pytest.mark.component("aiortc")
aiortc = pytest.importorskip("aiortc")

DCEP, STRING, BINARY = 50, 51, 53
OPEN_X = b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00x"


class DtlsInMemory:
    """What aiortc's SCTP transport needs of its DTLS transport: packets go to ours and come from it."""

    def __init__(self, role, lose):
        self.state = "connected"
        self._role = role
        self.transport = types.SimpleNamespace(role="controlling")
        self.receiver = None
        self.ours = None
        self.lose = lose
        self.count = 0

    def lost(self):
        self.count += 1
        return bool(self.lose and self.count % self.lose == 0)

    def _register_data_receiver(self, receiver):
        self.receiver = receiver

    def _unregister_data_receiver(self, receiver):
        self.receiver = None

    async def _send_data(self, data):
        if not self.lost():
            asyncio.get_running_loop().call_soon(self.ours.arrived, bytes(data))


class Ours:
    """Drives an association on the running loop."""

    def __init__(self, dtls, options):
        self.loop = asyncio.get_running_loop()
        self.core = Association(options, SecretRandomness())
        self.dtls = dtls
        dtls.ours = self
        self.events = []
        self.changed = asyncio.Event()
        self.timer = None
        self.outgoing = asyncio.Queue()
        self.task = self.loop.create_task(self.carry())

    async def carry(self):
        while True:
            packet = await self.outgoing.get()
            if self.dtls.receiver is not None and not self.dtls.lost():
                await self.dtls.receiver._handle_data(packet)

    def arrived(self, data):
        self.core.receive(data, self.loop.time())
        self.pump()

    def pump(self):
        now = self.loop.time()
        self.core.tick(now)
        for packet in self.core.flush(now):
            self.outgoing.put_nowait(packet)
        for event in self.core.take_events():
            self.events.append(event)
            if isinstance(event, MessageReceived):
                self.core.consume(event.stream, len(event.data), now)
        for packet in self.core.flush(now):
            self.outgoing.put_nowait(packet)
        self.changed.set()
        if self.timer is not None:
            self.timer.cancel()
        if self.core.deadline < float("inf"):
            self.timer = self.loop.call_at(self.core.deadline, self.pump)

    def all(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, true):
        async with asyncio.timeout(20):
            while not true():
                self.changed.clear()
                await self.changed.wait()

    async def close(self):
        self.core.abort(self.loop.time())
        self.pump()
        await eventually(self.outgoing.empty)
        if self.timer is not None:
            self.timer.cancel()
        self.task.cancel()


async def eventually(true):
    """Look now and then: aiortc has nothing to wait on."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("lose", [0, 9], ids=["clean", "lossy"])
@pytest.mark.parametrize("role", ["client", "server"])
def test_data_both_ways_channels_and_close(role, lose):
    """Handshake in both roles, fragmentation, an unreliable message, a stream reset by either side, the end."""
    from aiortc.rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
    from aiortc.rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport

    async def run():
        dtls = DtlsInMemory(role, lose)
        ours = Ours(dtls, AssociationOptions())
        theirs = RTCSctpTransport(dtls)
        channels, got = [], []

        @theirs.on("datachannel")
        def announced(channel):
            channels.append(channel)
            channel.on("message", got.append)

        await theirs.start(RTCSctpCapabilities(maxMessageSize=262144), 5000)
        ours.core.connect(ours.loop.time())
        ours.pump()
        await ours.until(lambda: ours.all(Established))
        assert ours.all(Established)[0].partial_reliability
        assert ours.all(Established)[0].stream_reset
        mine = 1 if role == "client" else 0

        def send(data, ppid, **limits):
            assert ours.core.send(mine, data, ours.loop.time(), ppid=ppid, **limits)
            ours.pump()

        send(OPEN_X, DCEP)
        await ours.until(lambda: any(event.ppid == DCEP for event in ours.all(MessageReceived)))
        big = bytes(range(256)) * 1000
        send(big, BINARY)
        send(b"small", STRING, ordered=False)
        send(b"unreliable", STRING, max_retransmits=5, lifetime=5.0)
        await eventually(lambda: len(got) == 3)
        assert sorted(map(len, got)) == [5, 10, 256_000]
        assert big in got

        channel = RTCDataChannel(theirs, RTCDataChannelParameters(label="back"))
        await ours.until(
            lambda: any(event.ppid == DCEP and event.stream != mine for event in ours.all(MessageReceived))
        )
        ours.core.send(channel.id, b"\x02", ours.loop.time(), ppid=DCEP)
        ours.pump()
        await eventually(lambda: channel.readyState == "open")
        channel.send(big)
        await ours.until(lambda: any(event.data == big for event in ours.all(MessageReceived)))

        ours.core.reset([mine], ours.loop.time())
        ours.pump()
        await ours.until(lambda: ours.all(OutgoingResetDone) and ours.all(IncomingReset))
        assert ours.all(OutgoingResetDone)[0].streams == (mine,)
        channel.close()
        await ours.until(lambda: any(channel.id in event.streams for event in ours.all(IncomingReset)))

        await theirs.stop()
        if not lose:
            await ours.until(lambda: ours.all(Ended))
        await ours.close()

    asyncio.run(run())
