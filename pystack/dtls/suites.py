"""The cipher suites: what their numbers mean (RFC 5288, RFC 5289, RFC 7905; ECDHE with ECDSA or RSA certificates).

Called by the two handshakes to choose, by :mod:`pystack.dtls.keys` for the sizes and by
:mod:`pystack.dtls.records` for the AEAD.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import attrs

__all__ = ["CLIENT_SUITES", "SERVER_SUITES", "SUITES", "CipherSuite"]


@attrs.frozen
class CipherSuite:
    """One suite. Sizes in bytes; ``hash`` names the PRF's hash; ``salt_size`` is the implicit part of the nonce."""

    number: int
    name: str
    authentication: Literal["ecdsa", "rsa"]
    aead: Literal["gcm", "chacha"]
    key_size: int
    salt_size: int
    hash: Literal["sha256", "sha384"]


_ALL = (
    CipherSuite(0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ecdsa", "gcm", 16, 4, "sha256"),
    CipherSuite(0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ecdsa", "gcm", 32, 4, "sha384"),
    CipherSuite(0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ecdsa", "chacha", 32, 12, "sha256"),
    CipherSuite(0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "rsa", "gcm", 16, 4, "sha256"),
    CipherSuite(0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "rsa", "gcm", 32, 4, "sha384"),
    CipherSuite(0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "rsa", "chacha", 32, 12, "sha256"),
)
SUITES: Final[Mapping[int, CipherSuite]] = {suite.number: suite for suite in _ALL}
CLIENT_SUITES: Final = tuple(SUITES)
"""What a client offers, best first. AES-128 leads because it costs least and nobody can tell the difference."""
SERVER_SUITES: Final = tuple(suite.number for suite in _ALL if suite.authentication == "ecdsa")
"""What a server takes, best first: its own certificate is ECDSA."""
