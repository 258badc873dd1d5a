"""aiortc's DTLS transport (OpenSSL through pyOpenSSL) as the other end, over a pipe in memory, in both roles."""

import asyncio
import importlib
import os
import time
from typing import Any

import pytest

from pystack.base import Ended, SecretRandomness
from pystack.dtls import SRTP_PROFILES, Certificate, Connected, DtlsEngine, DtlsOptions, EngineState
from pystack.errors import HandshakeFailed, PeerClosed

pytestmark = pytest.mark.component("aiortc")

DEFAULT = DtlsOptions()


@pytest.fixture(scope="module")
def theirs() -> Any:
    try:
        return importlib.import_module("aiortc.rtcdtlstransport")
    except ImportError:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("aiortc is not installed")


class Wire:
    """What aiortc takes for an ICE transport: our engine is at the other end."""

    role = "controlling"

    def __init__(self, engine: DtlsEngine) -> None:
        self.engine = engine
        self.events: list[Any] = []
        self.received: list[bytes] = []
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()

    def pump(self) -> None:
        """Hand over what our side has to send and to say."""
        for datagram in self.engine.flush(time.monotonic()):
            self.put(datagram)
        self.events += self.engine.take_events()
        self.received += self.engine.take_data()

    def put(self, datagram: bytes) -> None:
        self._queue.put_nowait(datagram)

    async def _recv(self) -> bytes:
        return await self._queue.get()

    async def _send(self, data: bytes) -> None:
        self.engine.receive(data, time.monotonic())
        self.pump()


class Sink:
    def __init__(self) -> None:
        self.data: asyncio.Queue[bytes] = asyncio.Queue()

    async def _handle_data(self, data: bytes) -> None:
        await self.data.put(data)


def wire(theirs: Any, role: str, *, options: DtlsOptions = DEFAULT, lie: bool = False) -> tuple[Wire, Any, Any]:
    certificate = Certificate.generate(time.time())
    engine = DtlsEngine(role, certificate, options, SecretRandomness())  # type: ignore[arg-type]
    wire = Wire(engine)
    other = theirs.RTCCertificate.generateCertificate()
    transport = theirs.RTCDtlsTransport(wire, [other])
    transport._set_role("server" if role == "client" else "client")
    value = other.getFingerprints()[0].value
    wrong = value[:-2] + ("01" if value.endswith("00") else "00")
    engine.trust([("sha-256", wrong if lie else value)], time.monotonic())
    ours = theirs.RTCDtlsParameters(
        fingerprints=[theirs.RTCDtlsFingerprint(algorithm="sha-256", value=certificate.fingerprint())]
    )
    return wire, transport, ours


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("profiles", [(8, 7, 1), (7,), (1,)])
def test_connects_with_equal_keys_and_data_both_ways(theirs: Any, role: str, profiles: tuple[int, ...]) -> None:
    async def body() -> None:
        ours, transport, parameters = wire(theirs, role, options=DtlsOptions(srtp_profiles=profiles))
        ours.engine.start(time.monotonic())
        ours.pump()
        await transport.start(parameters)
        assert transport.state == "connected"
        connected = next(event for event in ours.events if isinstance(event, Connected))
        assert connected.srtp_profile == profiles[0]
        assert connected.cipher == "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
        key, salt = SRTP_PROFILES[profiles[0]]
        exported = transport._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        assert b"".join(ours.engine.srtp_keying_material()) == exported
        assert ours.engine.export(b"EXPERIMENTAL x", 40, b"context") == transport._ssl.export_keying_material(
            b"EXPERIMENTAL x", 40, b"context"
        )
        sink = Sink()
        transport._register_data_receiver(sink)
        for size in (1, 100, 1100):
            ours.put(ours.engine.seal(bytes(size)))
            assert await sink.data.get() == bytes(size)
            await transport._send_data(b"x" * size)
            assert ours.received.pop() == b"x" * size
        assert not ours.engine.drops
        await transport.stop()
        assert ours.engine.state is EngineState.ENDED
        ended = ours.events[-1]
        assert isinstance(ended, Ended)
        assert isinstance(ended.reason, PeerClosed)

    asyncio.run(asyncio.wait_for(body(), 30))


@pytest.mark.parametrize("role", ["client", "server"])
def test_our_close_notify_ends_theirs(theirs: Any, role: str) -> None:
    async def body() -> None:
        ours, transport, parameters = wire(theirs, role)
        ours.engine.start(time.monotonic())
        ours.pump()
        await transport.start(parameters)
        closed = asyncio.Event()
        transport.on("statechange", lambda: closed.set() if transport.state == "closed" else None)
        ours.engine.close(time.monotonic())
        ours.pump()
        await closed.wait()
        await transport.stop()

    asyncio.run(asyncio.wait_for(body(), 30))


@pytest.mark.parametrize("role", ["client", "server"])
def test_a_wrong_fingerprint_refuses_them(theirs: Any, role: str) -> None:
    async def body() -> None:
        ours, transport, parameters = wire(theirs, role, lie=True)
        ours.engine.start(time.monotonic())
        ours.pump()
        await transport.start(parameters)
        assert transport.state == "failed"
        ended = ours.events[-1]
        assert isinstance(ended, Ended)
        assert isinstance(ended.reason, HandshakeFailed)

    asyncio.run(asyncio.wait_for(body(), 30))
