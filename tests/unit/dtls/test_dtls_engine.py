"""The engine as its caller sees it: trust, data held and given, alerts, the end, bounds, and hostile datagrams."""

from math import inf
from pathlib import Path
from typing import Any

import pytest

from pystack.base import Ended, SeededRandomness
from pystack.dtls import (
    Certificate,
    Connected,
    DtlsEngine,
    DtlsOptions,
    EngineState,
    PeerCertificate,
    SeededProvider,
    fingerprint,
)
from pystack.dtls.fragments import FragmentAssembler
from pystack.dtls.wire.alert import FATAL, WARNING, Alert, AlertDescription
from pystack.dtls.wire.handshake import (
    CertificateChain,
    HandshakeType,
    ServerHello,
    pack_message_header,
    parse_fragments,
)
from pystack.dtls.wire.record import ALERT, APPLICATION_DATA, HANDSHAKE, HEADER, split_records
from pystack.errors import (
    LOCAL,
    Closed,
    HandshakeFailed,
    InvalidArgument,
    LocalProtocolError,
    PeerAborted,
    PeerClosed,
    RemoteProtocolError,
    TransportLost,
)
from pystack.testing import Recording

VECTORS = Path(__file__).parents[2] / "vectors" / "dtls"


class Two:
    """A client and a server on a perfect wire."""

    def __init__(
        self, *, trust: bool = True, start: bool = True, trace: Recording | None = None, **options: Any
    ) -> None:
        ends = []
        for role in ("client", "server"):
            randomness = SeededRandomness(role)
            provider = SeededProvider(randomness)
            certificate = Certificate.generate(1.7e9, provider)
            engine = DtlsEngine(role, certificate, DtlsOptions(**options), randomness, provider, trace)  # type: ignore[arg-type]
            ends.append((engine, certificate))
        (self.client, self.client_certificate), (self.server, self.server_certificate) = ends
        self.now = 0.0
        self.events: dict[str, list[Any]] = {"client": [], "server": []}
        if trust:
            self.trust()
        if start:
            self.server.start(self.now)
            self.client.start(self.now)

    def trust(self) -> None:
        self.client.trust([("sha-256", self.server_certificate.fingerprint())], self.now)
        self.server.trust([("sha-256", self.client_certificate.fingerprint())], self.now)

    def send(self, sender: DtlsEngine) -> None:
        target = self.server if sender is self.client else self.client
        for datagram in sender.flush(self.now):
            target.receive(datagram, self.now)

    def run(self, rounds: int = 4) -> "Two":
        for _ in range(rounds):
            self.send(self.client)
            self.send(self.server)
        for engine in (self.client, self.server):
            self.events[engine.role] += engine.take_events()
        return self

    def end(self, role: str) -> Any:
        """The reason of the one end."""
        (ended,) = [event for event in self.events[role] if isinstance(event, Ended)]
        assert self.events[role][-1] is ended
        return ended.reason

    def wait(self, engine: DtlsEngine) -> float:
        """Until the engine's next deadline."""
        self.now = engine.deadline
        engine.tick(self.now)
        return self.now


def plain(kind: int, payload: bytes, number: int = 0) -> bytes:
    return HEADER.pack(kind, 0xFEFD, number, len(payload)) + payload


def message(kind: int, sequence: int, body: bytes) -> bytes:
    return plain(HANDSHAKE, pack_message_header(kind, sequence, len(body), 0, len(body)) + body)


# Trust


def test_connects_when_trust_comes_first() -> None:
    two = Two().run()
    for role, engine, certificate in (
        ("client", two.client, two.server_certificate),
        ("server", two.server, two.client_certificate),
    ):
        assert two.events[role] == [
            PeerCertificate(certificate.der, certificate.fingerprint()),
            Connected(8, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "DTLS 1.2"),
        ]
        assert engine.state is EngineState.CONNECTED
        assert engine.deadline == inf
        assert engine.peer_certificate == certificate.der
        assert not engine.drops
        assert engine.repetitions == 0
    assert two.client.srtp_keying_material() == two.server.srtp_keying_material()
    assert two.client.export(b"x", 20, b"y") == two.server.export(b"x", 20, b"y")
    assert two.client.export(b"x", 20) != two.server.export(b"x", 20, b"")


def test_trust_may_come_after_the_handshake_and_frees_what_was_held() -> None:
    two = Two(trust=False)
    two.server.trust([("sha-256", two.client_certificate.fingerprint())], 0.0)
    two.run()
    assert two.client.state is EngineState.UNTRUSTED
    assert [type(event) for event in two.events["client"]] == [PeerCertificate]
    with pytest.raises(LocalProtocolError):
        two.client.seal(b"too early")
    with pytest.raises(LocalProtocolError):
        two.client.export(b"x", 1)
    with pytest.raises(LocalProtocolError):
        two.client.srtp_keying_material()
    sealed = [two.server.seal(bytes([at])) for at in range(3)]
    for datagram in sealed:
        assert two.client.open(datagram, 1.0) is None
        two.client.receive(datagram, 1.0)
    assert two.client.take_data() == []
    two.client.trust([("sha-256", two.server_certificate.fingerprint())], 2.0)
    assert [type(event) for event in two.client.take_events()] == [Connected]
    assert two.client.take_data() == [b"\0", b"\1", b"\2"]
    assert two.client.take_data() == []
    assert two.client.deadline == inf
    assert two.client.open(sealed[0], 3.0) is None  # a replay, also of what was held


def test_trust_may_come_during_the_handshake() -> None:
    two = Two(trust=False)
    two.run(1)
    two.trust()
    two.run()
    assert two.client.state is two.server.state is EngineState.CONNECTED


@pytest.mark.parametrize("algorithm", ["sha-256", "sha-384", "sha-512", "SHA-256"])
def test_trust_by_every_algorithm(algorithm: str) -> None:
    two = Two(trust=False).run()
    two.client.trust([(algorithm, two.server_certificate.fingerprint(algorithm))], 0.0)
    assert two.client.state is EngineState.CONNECTED


def test_what_cannot_be_trusted() -> None:
    two = Two(trust=False)
    for pairs in ([], [("sha-1", "AB")], [("sha-256", "AB")]):
        with pytest.raises(InvalidArgument):
            two.client.trust(pairs, 0.0)
    two.trust()
    assert two.run().client.state is EngineState.CONNECTED


@pytest.mark.parametrize("role", ["client", "server"])
@pytest.mark.parametrize("after", [False, True])
def test_a_wrong_fingerprint_ends_it_for_both(role: str, after: bool) -> None:
    two = Two(trust=False)
    wrong = [("sha-256", fingerprint(b"another certificate"))]
    engine, other = (two.client, two.server) if role == "client" else (two.server, two.client)
    if after:
        two.run()
    engine.trust(wrong, 0.0)
    two.run()
    reason = two.end(role)
    assert isinstance(reason, HandshakeFailed)
    assert "fingerprint" in str(reason)
    if other.state is not EngineState.ENDED:  # the alert was not protected: it is a suspicion
        while other.state is not EngineState.ENDED:
            two.wait(other)
        two.run()
    text = str(two.end(other.role))
    assert text == "DTLS handshake refused by the peer ← DTLS alert: bad_certificate"
    if not after:
        assert two.now <= DtlsOptions().alert_grace


def test_a_new_description_with_another_fingerprint_ends_a_connection() -> None:
    two = Two().run()
    two.trust()
    assert two.client.state is EngineState.CONNECTED
    two.client.trust([("sha-256", fingerprint(b"another"))], 1.0)
    two.run()
    assert isinstance(two.end("client"), HandshakeFailed)
    assert isinstance(two.end("server"), PeerAborted)
    two.client.trust([("sha-256", fingerprint(b"another"))], 1.0)  # harmless after the end


def test_trust_that_never_comes() -> None:
    two = Two(trust=False, trust_timeout=30.0).run()
    assert two.wait(two.client) == 30.0
    two.run()
    assert "no fingerprint" in str(two.end("client"))
    assert "bad_certificate" in str(two.end("server"))


# Data


@pytest.mark.parametrize("size", [0, 1, 1163, 16384])
def test_data_both_ways(size: int) -> None:
    two = Two().run()
    for sender, target in ((two.client, two.server), (two.server, two.client)):
        sealed = sender.seal(b"x" * size)
        assert len(sealed) == size + sender.record_overhead
        assert target.open(sealed, 0.0) == b"x" * size
        target.receive(sender.seal(b"y" * size), 0.0)
        assert target.take_data() == [b"y" * size]


def test_open_leaves_no_trace_when_it_declines() -> None:
    two = Two().run()
    sealed = two.client.seal(b"x")
    forged = sealed[:-1] + bytes([sealed[-1] ^ 1])
    assert two.server.open(forged, 0.0) is None
    assert not two.server.drops
    two.server.receive(forged, 0.0)
    assert two.server.drops == {"record not authentic": 1}
    assert two.server.open(sealed, 0.0) == b"x"
    assert two.server.open(sealed, 0.0) is None
    two.server.receive(sealed, 0.0)
    assert two.server.drops == {"record not authentic": 1, "repeated record": 1}


def test_several_records_in_a_datagram() -> None:
    two = Two().run()
    both = two.client.seal(b"one") + two.client.seal(b"two")
    assert two.server.open(both, 0.0) is None
    two.server.receive(both + b"junk", 0.0)
    assert two.server.take_data() == [b"one", b"two"]
    assert two.server.drops == {"record cut short": 1}


def test_seal_before_and_after() -> None:
    two = Two(start=False)
    with pytest.raises(LocalProtocolError, match="NEW"):
        two.client.seal(b"x")
    two.client.start(0.0)
    with pytest.raises(LocalProtocolError, match="HANDSHAKING"):
        two.client.seal(b"x")
    with pytest.raises(LocalProtocolError):
        two.client.start(0.0)
    two.server.start(0.0)
    two.run()
    sealed = two.client.seal(b"x")
    two.client.close(1.0)
    for use in (lambda: two.client.seal(b"x"), two.client.srtp_keying_material, lambda: two.client.export(b"x", 1)):
        with pytest.raises(Closed) as caught:
            use()
        assert caught.value.reason == LOCAL
    two.run()
    assert two.server.open(sealed, 1.0) is None


def test_data_before_the_finished_is_held() -> None:
    """The server's last flight is lost, its data is not."""
    two = Two()
    two.send(two.client)
    two.send(two.server)
    two.send(two.client)
    lost = two.server.flush(0.0)
    assert two.server.state is EngineState.CONNECTED
    two.client.receive(two.server.seal(b"early"), 0.0)
    assert two.client.take_data() == []
    for datagram in lost:
        two.client.receive(datagram, 0.0)
    assert two.client.state is EngineState.CONNECTED
    assert two.client.take_data() == [b"early"]


def test_a_finished_that_overtakes_its_keys_is_kept() -> None:
    two = Two(mtu=300)
    two.send(two.client)
    two.send(two.server)
    flight = two.client.flush(0.0)
    assert len(flight) > 1
    for datagram in reversed(flight):
        two.server.receive(datagram, 0.0)
    two.run()
    assert two.client.state is two.server.state is EngineState.CONNECTED
    assert not two.server.drops


def test_held_bytes_are_bounded() -> None:
    two = Two(trust=False, held_bytes=2000)
    two.server.trust([("sha-256", two.client_certificate.fingerprint())], 0.0)
    two.run()
    for _ in range(10):
        two.client.receive(two.server.seal(bytes(500)), 0.0)
    assert two.client.drops == {"too much data before trust": 7}
    two.client.trust([("sha-256", two.server_certificate.fingerprint())], 0.0)
    assert len(two.client.take_data()) == 3


def test_data_that_nobody_takes_is_bounded() -> None:
    two = Two(data_bytes=2000).run()
    for _ in range(10):
        two.client.receive(two.server.seal(bytes(500)), 0.0)
    assert two.client.drops == {"too much data that nobody takes": 7}
    assert len(two.client.take_data()) == 3
    two.client.receive(two.server.seal(bytes(500)), 0.0)
    assert len(two.client.take_data()) == 1


def test_records_before_the_keys_are_bounded() -> None:
    two = Two(held_bytes=2000)
    for number in range(100):
        two.server.receive(plain(HANDSHAKE, bytes(100), 1 << 48 | number), 0.0)
    assert two.server.drops["too much before the keys"] == 100 - 2000 // 113
    assert two.run().server.state is EngineState.CONNECTED


# The end


@pytest.mark.parametrize("role", ["client", "server"])
def test_close_says_so(role: str) -> None:
    two = Two().run()
    engine, other = (two.client, two.server) if role == "client" else (two.server, two.client)
    engine.close(1.0)
    assert engine.state is EngineState.ENDED
    engine.close(1.0)
    engine.abort(1.0)
    two.run()
    assert two.end(role) == LOCAL
    reason = two.end(other.role)
    assert isinstance(reason, PeerClosed)
    assert str(reason) == "DTLS alert: close_notify"
    assert engine.flush(2.0) == other.flush(2.0) == []
    assert engine.deadline == other.deadline == inf


def test_close_notify_is_answered() -> None:
    two = Two().run()
    two.client.close(1.0)
    two.send(two.client)
    (answer,) = two.server.flush(1.0)
    assert answer[0] == ALERT
    with pytest.raises(Closed) as caught:
        two.server.seal(b"x")
    assert isinstance(caught.value.reason, PeerClosed)


def test_abort_gives_its_reason_here_and_an_alert_there() -> None:
    two = Two().run()
    why = RemoteProtocolError("bad news")
    two.server.abort(1.0, why)
    two.run()
    assert two.end("server") is why
    reason = two.end("client")
    assert isinstance(reason, PeerAborted)
    assert str(reason) == "DTLS alert: internal_error"


def test_close_before_start_is_silent() -> None:
    two = Two(start=False)
    two.client.close(0.0)
    two.run()
    assert two.end("client") == LOCAL
    assert two.client.flush(0.0) == []
    with pytest.raises(LocalProtocolError):
        two.client.start(0.0)


def test_close_of_a_server_that_heard_nothing_is_silent() -> None:
    two = Two()
    two.server.close(0.0)
    assert two.server.flush(0.0) == []


def test_close_during_the_handshake_reaches_the_peer() -> None:
    two = Two()
    two.run(1)
    two.server.close(0.0)
    two.run()
    assert two.client.state is EngineState.HANDSHAKING  # anybody could have said so
    while two.client.state is not EngineState.ENDED:
        two.wait(two.client)
    two.run()
    assert isinstance(two.end("client"), HandshakeFailed)
    assert isinstance(two.end("client").cause, PeerClosed)


def test_data_before_the_end_can_still_be_taken() -> None:
    two = Two().run()
    last = two.client.seal(b"last words")
    two.client.close(0.0)
    two.server.receive(last + two.client.flush(0.0)[0], 0.0)
    assert two.server.state is EngineState.ENDED
    assert two.server.take_data() == [b"last words"]


def test_nothing_after_the_end() -> None:
    two = Two().run()
    sealed = two.client.seal(b"x")
    two.server.abort(0.0)
    two.server.flush(0.0)
    two.server.take_events()
    two.server.receive(sealed, 1.0)
    two.server.receive(b"junk", 1.0)
    two.server.tick(1e9)
    assert (two.server.take_data(), two.server.take_events(), two.server.flush(2.0)) == ([], [], [])
    assert two.server.deadline == inf


# Time


@pytest.mark.parametrize("role", ["client", "server"])
def test_a_handshake_without_a_peer_expires(role: str) -> None:
    two = Two(handshake_timeout=10.0)
    engine = two.client if role == "client" else two.server
    while engine.state is not EngineState.ENDED:
        two.wait(engine)
        engine.flush(two.now)
    assert two.now == 10.0
    two.run()
    reason = two.end(role)
    assert str(reason) == ("DTLS handshake not finished in 10 s, waiting for HELLO ← the peer was not heard")
    assert isinstance(reason, HandshakeFailed)
    assert isinstance(reason.cause, TransportLost)


def test_a_handshake_that_stops_half_way_expires() -> None:
    two = Two(handshake_timeout=10.0)
    two.run(1)
    while two.server.state is not EngineState.ENDED:
        two.wait(two.server)
    two.run()
    assert str(two.end("server")) == "DTLS handshake not finished in 10 s, waiting for CERTIFICATE"


@pytest.mark.parametrize("role", ["client", "server"])
def test_a_tick_that_is_late_for_several_timers_leaves_none_behind(role: str) -> None:
    two = Two(handshake_timeout=10.0)
    engine = two.client if role == "client" else two.server
    two.run(1)
    while engine.deadline < 10.0:
        two.wait(engine)
        engine.flush(two.now)
    two.now = 1000.0  # the loop was held up: the end of the handshake and then the flight are due
    engine.tick(two.now)
    assert engine.deadline == inf
    assert len(engine.flush(two.now)) == 1
    assert engine.flush(two.now) == []


def test_an_early_tick_changes_nothing() -> None:
    two = Two()
    two.client.flush(0.0)
    before = two.client.deadline
    two.client.tick(before - 0.001)
    assert two.client.deadline == before
    assert two.client.flush(before) == []


def test_flush_keeps_to_its_limit() -> None:
    two = Two(mtu=300)
    two.send(two.client)
    assert two.server.flush(0.0, 0) == []
    parts = []
    while part := two.server.flush(0.0, 1):
        assert len(part) == 1
        parts += part
    assert len(parts) > 2
    for datagram in parts:
        two.client.receive(datagram, 0.0)
    assert two.run().client.state is EngineState.CONNECTED


def test_a_flood_of_hellos_is_not_amplified() -> None:
    two = Two()
    (hello,) = two.client.flush(0.0)
    sent = 0
    for step in range(10_000):
        now = step / 10_000
        two.server.receive(hello, now)
        two.server.tick(now)
        sent += len(two.server.flush(now))
    assert sent <= 1 + 1 / DtlsOptions().repeat_spacing + 1
    assert two.server.drops == {"repeated handshake message": 9_999}


# Alerts


def test_unprotected_alerts_do_not_stop_a_handshake_that_goes_on() -> None:
    two = Two()
    alarm = plain(ALERT, bytes((FATAL, AlertDescription.HANDSHAKE_FAILURE)))
    for _ in range(4):
        two.client.receive(alarm, two.now)
        two.server.receive(alarm, two.now)
        two.run(1)
    assert two.client.state is two.server.state is EngineState.CONNECTED
    two.client.receive(alarm, 100.0)
    two.client.tick(1000.0)
    assert two.client.state is EngineState.CONNECTED
    assert two.client.drops["epoch 0 after the handshake"] >= 1


def test_an_unprotected_alert_ends_a_handshake_that_does_not() -> None:
    two = Two(alert_grace=3.0)
    two.client.receive(plain(ALERT, bytes((WARNING, AlertDescription.USER_CANCELED))), 0.0)
    two.client.receive(plain(ALERT, bytes((FATAL, AlertDescription.HANDSHAKE_FAILURE))), 1.0)
    two.client.receive(plain(ALERT, bytes((FATAL, AlertDescription.BAD_CERTIFICATE))), 2.0)
    while two.client.state is not EngineState.ENDED:
        two.wait(two.client)
        two.client.flush(two.now)
    assert two.now == 4.0
    two.run()
    assert str(two.end("client")) == "DTLS handshake refused by the peer ← DTLS alert: handshake_failure"
    assert two.client.drops == {"alert without protection": 3}


def test_a_server_that_heard_nobody_ignores_alerts() -> None:
    two = Two()
    before = two.server.deadline
    two.server.receive(plain(ALERT, bytes((FATAL, 40))), 0.0)
    assert two.server.deadline == before


def test_warnings_are_only_counted() -> None:
    two = Two().run()
    assert two.client._writer is not None
    for description in (AlertDescription.USER_CANCELED, AlertDescription.NO_RENEGOTIATION, 200):
        two.server.receive(two.client._writer.protect(ALERT, Alert(WARNING, description).serialize()), 0.0)
    assert two.server.state is EngineState.CONNECTED
    assert two.server.drops == {"warning alert": 3}
    two.server.receive(two.client._writer.protect(ALERT, Alert(FATAL, 200).serialize()), 0.0)
    two.run()
    assert str(two.end("server")) == "DTLS alert: alert_200"


# Peers that lie


class Liar:
    def __init__(self, numbering: Any, message: Any) -> None:
        self.transcript = numbering.transcript
        self.message = message


def lying_client(kind: int, body: bytes) -> Two:
    """Run a handshake in which the client sends another body in a message."""
    two = Two()
    handshake = two.client._handshake
    assert handshake is not None
    numbering = handshake._numbering  # type: ignore[attr-defined]
    honest = numbering.message

    def message(found: int, honest_body: bytes, **keywords: Any) -> Any:
        return honest(found, body if found == kind else honest_body, **keywords)

    handshake._numbering = Liar(numbering, message)  # type: ignore[attr-defined]
    return two.run()


def test_a_client_without_a_certificate_is_refused() -> None:
    two = lying_client(HandshakeType.CERTIFICATE, CertificateChain(()).serialize())
    assert str(two.end("server")) == "DTLS handshake: the client has no certificate"


def test_a_corrupted_finished_is_refused() -> None:
    two = lying_client(HandshakeType.FINISHED, bytes(12))
    assert str(two.end("server")) == "DTLS handshake: the client saw another handshake"
    assert not [event for event in two.events["server"] if isinstance(event, Connected)]
    while two.client.state is not EngineState.ENDED:
        two.wait(two.client)
    two.run()
    assert str(two.end("client")).endswith("DTLS alert: decrypt_error")


def test_a_corrupted_finished_of_the_server_is_refused() -> None:
    two = Two()
    two.run(1)
    two.send(two.client)
    # The last flight is waiting: damage its plain text.
    flights = two.server._flights
    flights._items = [item._replace(body=bytes(12)) if hasattr(item, "body") else item for item in flights._items]
    two.run()
    assert str(two.end("client")) == "DTLS handshake: the server saw another handshake"
    assert str(two.end("server")) == "DTLS alert: decrypt_error"  # protected, so it is believed


def test_a_damaged_finished_record_is_dropped_and_comes_again() -> None:
    two = Two()
    two.run(1)
    (flight,) = two.client.flush(0.0)
    two.server.receive(flight[:-1] + bytes([flight[-1] ^ 1]), 0.0)
    assert two.server.drops == {"record not authentic": 1}
    two.wait(two.client)
    assert two.run().server.state is EngineState.CONNECTED


def test_an_unprotected_finished_is_not_even_looked_at() -> None:
    two = Two()
    two.run(1)
    two.client.receive(message(HandshakeType.FINISHED, 5, bytes(12)), 0.0)
    assert two.client.drops == {"handshake message in the wrong epoch": 1}
    assert two.run().client.state is EngineState.CONNECTED


def test_a_protected_hello_is_no_renegotiation() -> None:
    two = Two().run()
    assert two.client._writer is not None
    hello = pack_message_header(HandshakeType.CLIENT_HELLO, 4, 0, 0, 0)
    two.server.receive(two.client._writer.protect(HANDSHAKE, hello), 0.0)
    assert two.server.drops == {"handshake message in the wrong epoch": 1}
    assert two.server.flush(1.0) == []
    assert two.server.state is EngineState.CONNECTED


def test_injected_nonsense_does_not_take_the_place_of_the_real_message() -> None:
    two = Two()
    two.client.receive(message(HandshakeType.SERVER_HELLO, 0, b"junk"), 0.0)
    two.client.receive(message(HandshakeType.SERVER_HELLO_DONE, 0, b""), 0.0)
    two.client.receive(message(HandshakeType.HELLO_REQUEST, 0, b""), 0.0)
    two.server.receive(message(HandshakeType.HELLO_VERIFY_REQUEST, 0, b""), 0.0)
    assert two.client.drops == {"message cut short": 1, "unexpected handshake message": 2}
    assert two.server.drops == {"unexpected handshake message": 1}
    assert two.run().client.state is EngineState.CONNECTED


def test_one_bad_fragment_does_not_hide_the_next() -> None:
    two = Two()
    (hello,) = two.client.flush(0.0)
    old = pack_message_header(HandshakeType.FINISHED, 0, 0, 0, 0)
    two.server.receive(plain(HANDSHAKE, old + hello[13:]), 0.0)
    assert two.server.drops == {"handshake message in the wrong epoch": 1}
    assert len(two.server.flush(0.0)) == 1


@pytest.mark.parametrize(
    ("datagram", "why"),
    [
        (b"\x16", "record cut short"),
        (b"\x80" * 20, "unknown content type"),
        (bytes([0x2F]) * 40, "unknown content type"),
        (HEADER.pack(22, 0x0303, 0, 0), "unknown record version"),
        (plain(HANDSHAKE, b""), "handshake header cut short"),
        (plain(ALERT, b"\x02"), "malformed alert"),
        (plain(20, b"\x02"), "malformed ChangeCipherSpec"),
        (plain(APPLICATION_DATA, b"x"), "application data without protection"),
        (plain(HANDSHAKE, b"x", 2 << 48), "unknown epoch"),
    ],
)
def test_malformed_datagrams_are_counted(datagram: bytes, why: str) -> None:
    two = Two()
    two.client.receive(datagram, 0.0)
    assert two.client.drops == {why: 1}
    two.client.receive(b"", 0.0)
    two.client.receive(plain(20, b"\x01"), 0.0)
    assert two.client.drops == {why: 1}


def test_datagrams_before_start_are_counted() -> None:
    two = Two(start=False)
    two.server.receive(plain(HANDSHAKE, b""), 0.0)
    assert two.server.drops == {"datagram before start": 1}


# Real clients


@pytest.mark.parametrize("name", ["chromium156", "firefox153", "firefox153-dtls12", "livekit"])
@pytest.mark.parametrize("shape", ["in order", "reversed", "twice"])
def test_the_server_answers_real_clients(name: str, shape: str) -> None:
    lines = (VECTORS / f"{name}.hex").read_text().splitlines()
    hello = [bytes.fromhex(line) for line in lines if not line.startswith("#")]
    if shape == "reversed":
        hello.reverse()
    elif shape == "twice":
        hello = [datagram for datagram in hello for _ in range(2)]
    engine = Two().server
    for datagram in hello:
        engine.receive(datagram, 0.0)
    flight = engine.flush(0.0)
    assert all(len(datagram) <= 1200 for datagram in flight)
    assembler = FragmentAssembler()
    kinds = []
    for datagram in flight:
        for record in split_records(datagram):
            for fragment in parse_fragments(record.payload):
                assembler.add(fragment)
    while (found := assembler.peek()) is not None:
        assembler.advance()
        kinds.append(HandshakeType(found.kind).name)
        if found.kind == HandshakeType.SERVER_HELLO:
            chosen = ServerHello.parse(found.body)
            assert (chosen.version, chosen.suite) == (0xFEFD, 0xC02B)
            assert {kind for kind, _ in chosen.extensions} == {11, 14, 23, 0xFF01}
            assert dict(chosen.extensions)[14] == b"\x00\x02\x00\x08\x00"
            assert b"DOWNGRD" not in chosen.random
    assert kinds == ["SERVER_HELLO", "CERTIFICATE", "SERVER_KEY_EXCHANGE", "CERTIFICATE_REQUEST", "SERVER_HELLO_DONE"]


# Watching


def test_a_trace_sees_states_messages_timers_and_drops() -> None:
    trace = Recording()
    two = Two(trace=trace, start=False)
    two.client.start(0.0)
    two.client.flush(0.0)
    two.wait(two.client)
    two.client.receive(b"\x16", 1.0)
    two.server.start(1.0)
    two.run()
    assert (0.0, "dtls", "NEW", "HANDSHAKING") in trace.states
    assert [after for _, _, _, after in trace.states].count("CONNECTED") == 2
    assert (0.2, "dtls", "flight") in trace.timers
    assert (1.0, "dtls", "record cut short") in trace.drops
    assert {direction for _, _, direction, _ in trace.packets} == {"in", "out"}


def test_options_are_checked() -> None:
    for bad in (
        {"mtu": 100},
        {"srtp_profiles": (2,)},
        {"replay_window": 0},
        {"handshake_timeout": 0.0},
        {"held_bytes": -1},
    ):
        with pytest.raises(InvalidArgument):
            DtlsOptions(**bad)  # type: ignore[arg-type]
