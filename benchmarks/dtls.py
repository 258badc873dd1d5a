"""DTLS 1.2 against the primitives that it cannot do without.

``handshake-1.2`` is a whole handshake of two engines in memory, certificates made before; the peer is the sum of its
asymmetric operations: on each side a key share, an agreement, a signature and a verification. ``record-1.2-seal`` and
``record-1.2-open`` are records of 1,200 bytes; the peer is the bare call of the cipher.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.clock import microseconds_each
from benchmarks.rounds import Benchmark, Case
from pystack.base import SecretRandomness
from pystack.dtls import Certificate, DtlsEngine, DtlsOptions, EngineState

_SIZE = 1200
_RECORDS = 500
_HANDSHAKES = 10
_AAD = bytes(13)


class _Pairs:
    """Makes connected pairs of engines in memory."""

    def __init__(self) -> None:
        self._client = Certificate.generate(time.time())
        self._server = Certificate.generate(time.time())
        self._randomness = SecretRandomness()

    def connect(self) -> tuple[DtlsEngine, DtlsEngine]:
        """A client and a server that trust each other."""
        client = DtlsEngine("client", self._client, DtlsOptions(), self._randomness)
        server = DtlsEngine("server", self._server, DtlsOptions(), self._randomness)
        client.trust([("sha-256", self._server.fingerprint())], 0.0)
        server.trust([("sha-256", self._client.fingerprint())], 0.0)
        server.start(0.0)
        client.start(0.0)
        while not client.state is server.state is EngineState.CONNECTED:
            for sender, receiver in ((client, server), (server, client)):
                for datagram in sender.flush(0.0):
                    receiver.receive(datagram, 0.0)
        return client, server


def _our_handshake() -> float:
    pairs = _Pairs()

    def work() -> int:
        for _ in range(_HANDSHAKES):
            pairs.connect()
        return _HANDSHAKES

    return microseconds_each(work, least=0.2) / 1000


def _bare_handshake() -> float:
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    signed, scheme = bytes(100), ec.ECDSA(hashes.SHA256())

    def work() -> int:
        for _ in range(_HANDSHAKES):
            shares = [X25519PrivateKey.generate() for _ in keys]
            publics = [share.public_key().public_bytes_raw() for share in shares]
            for share, peer, key in zip(shares, reversed(publics), keys, strict=True):
                share.exchange(X25519PublicKey.from_public_bytes(peer))
                key.public_key().verify(key.sign(signed, scheme), signed, scheme)
        return _HANDSHAKES

    return microseconds_each(work, least=0.2) / 1000


def _our_record(direction: str) -> Callable[[], float]:
    def run() -> float:
        client, server = _Pairs().connect()
        plain = bytes(_SIZE)

        def seal() -> int:
            for _ in range(_RECORDS):
                client.seal(plain)
            return _RECORDS

        if direction == "seal":
            return microseconds_each(seal)
        sealed = [client.seal(plain) for _ in range(200_000)]  # each opens once
        coming = iter(sealed)

        def open_() -> int:
            for _ in range(_RECORDS):
                assert server.open(next(coming), 0.0) is not None
            return _RECORDS

        return microseconds_each(open_, repeats=5, least=0.02)

    return run


def _bare_record(direction: str) -> Callable[[], float]:
    def run() -> float:
        cipher, plain, nonce = AESGCM(bytes(16)), bytes(_SIZE), bytes(12)
        sealed = cipher.encrypt(nonce, plain, _AAD)

        def seal() -> int:
            for _ in range(_RECORDS):
                cipher.encrypt(nonce, plain, _AAD)
            return _RECORDS

        def open_() -> int:
            for _ in range(_RECORDS):
                cipher.decrypt(nonce, sealed, _AAD)
            return _RECORDS

        return microseconds_each(seal if direction == "seal" else open_)

    return run


def _record(direction: str) -> Case:
    return Case(
        name=f"record-1.2-{direction}",
        unit="CPU-us",
        ours=_our_record(direction),
        peer=_bare_record(direction),
        peer_name="the bare cipher, cryptography",
        peer_package="cryptography",
        target=0.4,
    )


BENCHMARK = Benchmark(
    name="dtls",
    title="DTLS: how near to the primitives that it cannot do without",
    cases=[
        Case(
            name="handshake-1.2",
            unit="CPU-ms",
            ours=_our_handshake,
            peer=_bare_handshake,
            peer_name="the asymmetric operations, cryptography",
            peer_package="cryptography",
            target=0.4,
        ),
        _record("seal"),
        _record("open"),
    ],
)
