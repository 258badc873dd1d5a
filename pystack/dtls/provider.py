"""Key agreement and signing: the only places where DTLS draws randomness that it cannot be handed.

An ephemeral key and an ECDSA signature each draw their own randomness inside the crypto library, so a handshake would
not repeat from a seed. They stand behind :class:`CryptoProvider`: :class:`NativeProvider` is production,
:class:`SeededProvider` draws everything from a :class:`~pystack.base.Randomness` (signatures by RFC 6979) and makes
runs byte-identical. Groups: x25519 (RFC 7748), P-256 and P-384 (RFC 8422). Called by the two handshakes and by
:meth:`pystack.dtls.Certificate.generate`.
"""

from __future__ import annotations

from typing import Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pystack.base import Randomness
from pystack.dtls.signatures import scheme_hash

__all__ = [
    "GROUPS",
    "SECP256R1",
    "SECP384R1",
    "X25519",
    "CryptoProvider",
    "KeyShare",
    "NativeProvider",
    "SeededProvider",
]

X25519 = 29
SECP256R1 = 23
SECP384R1 = 24
GROUPS: Final = (X25519, SECP256R1, SECP384R1)
"""Supported groups, best first."""
_CURVES: Final[dict[int, ec.EllipticCurve]] = {SECP256R1: ec.SECP256R1(), SECP384R1: ec.SECP384R1()}
_CURVE_ORDERS: Final = {
    SECP256R1: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    SECP384R1: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
}


class KeyShare(Protocol):
    """One side's ephemeral key of one handshake.

    Attributes:
        group: its number.
        public: the public value as the wire has it.
    """

    group: int
    public: bytes

    def exchange(self, peer: bytes) -> bytes:
        """The shared secret with the peer's public value.

        Raises:
            ValueError: the peer's value is no point of the group, or gives the all-zero secret.
        """
        ...


class CryptoProvider(Protocol):
    """What draws randomness of its own."""

    def key_share(self, group: int) -> KeyShare:
        """A fresh ephemeral key of a group of :data:`GROUPS`."""
        ...

    def signing_key(self) -> ec.EllipticCurvePrivateKey:
        """A fresh P-256 key for a certificate."""
        ...

    def serial_number(self) -> int:
        """A serial number for a certificate, positive, below 2**159."""
        ...

    def sign(self, key: ec.EllipticCurvePrivateKey, scheme: int, data: bytes) -> bytes:
        """An ECDSA signature (DER) by one of :data:`~pystack.dtls.signatures.OWN_SCHEMES`."""
        ...

    def self_sign(self, builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        """The certificate that ``builder`` describes, signed with SHA-256."""
        ...


class _X25519Share:
    __slots__ = ("_key", "group", "public")

    def __init__(self, key: X25519PrivateKey) -> None:
        self.group = X25519
        self._key = key
        self.public = key.public_key().public_bytes_raw()

    def exchange(self, peer: bytes) -> bytes:
        # The library refuses the all-zero result, as RFC 8422 section 5.11 demands.
        return self._key.exchange(X25519PublicKey.from_public_bytes(peer))


class _CurveShare:
    __slots__ = ("_key", "group", "public")

    def __init__(self, group: int, key: ec.EllipticCurvePrivateKey) -> None:
        self.group = group
        self._key = key
        self.public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def exchange(self, peer: bytes) -> bytes:
        if peer[:1] != b"\x04":  # the library would take compressed points, which RFC 8422 section 5.4.1 abandons
            raise ValueError("not an uncompressed point")
        # Loading checks that the point lies on the curve.
        return self._key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(self._key.curve, peer))


class NativeProvider:
    """The crypto library's own randomness: what production uses."""

    def key_share(self, group: int) -> KeyShare:
        """A fresh ephemeral key of a group of :data:`GROUPS`."""
        if group == X25519:
            return _X25519Share(X25519PrivateKey.generate())
        return _CurveShare(group, ec.generate_private_key(_CURVES[group]))

    def signing_key(self) -> ec.EllipticCurvePrivateKey:
        """A fresh P-256 key for a certificate."""
        return ec.generate_private_key(_CURVES[SECP256R1])

    def serial_number(self) -> int:
        """A serial number for a certificate."""
        return x509.random_serial_number()

    def sign(self, key: ec.EllipticCurvePrivateKey, scheme: int, data: bytes) -> bytes:
        """An ECDSA signature in DER."""
        return key.sign(data, ec.ECDSA(scheme_hash(scheme)))

    def self_sign(self, builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        """The certificate that ``builder`` describes, signed with SHA-256."""
        return builder.sign(key, hashes.SHA256())


class SeededProvider:
    """Everything from a :class:`~pystack.base.Randomness`: for simulations and tests with a seeded one.

    Needs a crypto library with RFC 6979 signatures (OpenSSL 3.2 or later).
    """

    def __init__(self, randomness: Randomness) -> None:
        self._randomness = randomness

    def _scalar(self, group: int) -> int:
        # 64 bits more than the order has: the modulo's bias does not matter.
        order = _CURVE_ORDERS[group]
        return self._randomness.integer(order.bit_length() + 64) % (order - 1) + 1

    def key_share(self, group: int) -> KeyShare:
        """A fresh ephemeral key of a group of :data:`GROUPS`."""
        if group == X25519:
            return _X25519Share(X25519PrivateKey.from_private_bytes(self._randomness.token(32)))
        return _CurveShare(group, ec.derive_private_key(self._scalar(group), _CURVES[group]))

    def signing_key(self) -> ec.EllipticCurvePrivateKey:
        """A P-256 key for a certificate."""
        return ec.derive_private_key(self._scalar(SECP256R1), _CURVES[SECP256R1])

    def serial_number(self) -> int:
        """A serial number for a certificate."""
        return self._randomness.integer(158) + 1

    def sign(self, key: ec.EllipticCurvePrivateKey, scheme: int, data: bytes) -> bytes:
        """A deterministic ECDSA signature in DER (RFC 6979)."""
        return key.sign(data, ec.ECDSA(scheme_hash(scheme), deterministic_signing=True))

    def self_sign(self, builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        """The certificate that ``builder`` describes, signed with SHA-256 deterministically."""
        return builder.sign(key, hashes.SHA256(), ecdsa_deterministic=True)
