"""From a shared secret to traffic keys: the PRF of TLS 1.2 and what is derived with it.

RFC 5246 sections 5 (PRF), 6.3 (key block), 7.4.9 (Finished) and 8.1 (master secret); RFC 7627 section 4 (extended
master secret). Called by the two handshakes and by :mod:`pystack.dtls.export`.
"""

from __future__ import annotations

from hmac import digest

import attrs

from pystack.dtls.suites import CipherSuite
from pystack.dtls.wire.handshake import VERIFY_DATA_SIZE

__all__ = [
    "TrafficKeys",
    "extended_master_secret",
    "key_log_line",
    "master_secret",
    "prf",
    "traffic_keys",
    "verify_data",
]

_MASTER_SIZE = 48


def prf(algorithm: str, secret: bytes, label: bytes, seed: bytes, size: int) -> bytes:
    """``size`` bytes of P_hash(secret, label + seed), with the hash named ``algorithm``."""
    seed = label + seed
    block, output = seed, b""
    while len(output) < size:
        block = digest(secret, block, algorithm)
        output += digest(secret, block + seed, algorithm)
    return output[:size]


def master_secret(algorithm: str, premaster: bytes, client_random: bytes, server_random: bytes) -> bytes:
    """The master secret of RFC 5246, for a peer without RFC 7627."""
    return prf(algorithm, premaster, b"master secret", client_random + server_random, _MASTER_SIZE)


def extended_master_secret(algorithm: str, premaster: bytes, session_hash: bytes) -> bytes:
    """The master secret of RFC 7627, bound to the handshake up to the ClientKeyExchange."""
    return prf(algorithm, premaster, b"extended master secret", session_hash, _MASTER_SIZE)


def verify_data(algorithm: str, master: bytes, label: bytes, transcript_hash: bytes) -> bytes:
    """The contents of a Finished; ``label`` is ``b"client finished"`` or ``b"server finished"``."""
    return prf(algorithm, master, label, transcript_hash, VERIFY_DATA_SIZE)


@attrs.frozen(repr=False)
class TrafficKeys:
    """The AEAD keys and implicit nonces of both directions."""

    suite: CipherSuite
    client_key: bytes
    server_key: bytes
    client_salt: bytes
    server_salt: bytes


def key_log_line(client_random: bytes, master: bytes) -> str:
    """The line of an NSS key log for a session: with it everybody can read the session."""
    return f"CLIENT_RANDOM {client_random.hex()} {master.hex()}"


def traffic_keys(suite: CipherSuite, master: bytes, client_random: bytes, server_random: bytes) -> TrafficKeys:
    """Cut the key block; the AEAD suites have no MAC keys in it."""
    key, salt = suite.key_size, suite.salt_size
    block = prf(suite.hash, master, b"key expansion", server_random + client_random, 2 * (key + salt))
    return TrafficKeys(
        suite,
        block[:key],
        block[key : 2 * key],
        block[2 * key : 2 * key + salt],
        block[2 * key + salt :],
    )
