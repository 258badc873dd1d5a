"""Certificates: our own, self-signed with P-256, and what is read of the peer's.

WebRTC pins certificates by fingerprint (RFC 8122, RFC 8827 section 6.5), so nothing of the peer's certificate matters
but its bytes and its public key: no names, no dates, no chain. Called by the engine and by whoever writes SDP.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Self

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pystack.dtls.provider import CryptoProvider, NativeProvider
from pystack.dtls.signatures import PublicKey
from pystack.errors import DecodeError, InvalidArgument

__all__ = ["FINGERPRINT_ALGORITHMS", "Certificate", "Fingerprints", "fingerprint", "public_key"]

FINGERPRINT_ALGORITHMS: Final = ("sha-512", "sha-384", "sha-256")
"""Hash names as SDP writes them, strongest first. MD5 and SHA-1 prove nothing any more and count as unknown."""
_HASHES: Final = {"sha-512": hashlib.sha512, "sha-384": hashlib.sha384, "sha-256": hashlib.sha256}
_VALUE = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2})*")
_DAY = 86400.0


def fingerprint(der: bytes, algorithm: str = "sha-256") -> str:
    """The fingerprint of a certificate in the form of SDP: ``AB:CD:…``.

    Raises:
        InvalidArgument: an algorithm that is not in :data:`FINGERPRINT_ALGORITHMS`.
    """
    try:
        digest = _HASHES[algorithm.lower()]
    except KeyError:
        raise InvalidArgument(f"unknown fingerprint algorithm {algorithm!r}") from None
    return digest(der).digest().hex(":").upper()


def public_key(der: bytes) -> PublicKey:
    """The public key of a peer's certificate.

    Raises:
        DecodeError: no certificate, or a key that is neither elliptic-curve nor RSA.
    """
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, Warning):
        # Warning: the library warns about odd certificates, and the application may have made warnings errors.
        raise DecodeError("unreadable certificate") from None
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise DecodeError("certificate with an unsupported key")
    return key


@attrs.frozen
class Certificate:
    """Our own certificate and its private key.

    ``der`` is what goes over the wire; its fingerprint is what goes into the SDP.
    """

    private_key: ec.EllipticCurvePrivateKey = attrs.field(repr=False)
    der: bytes = attrs.field(repr=False)

    @classmethod
    def generate(cls, unix_time: float, provider: CryptoProvider | None = None, *, lifetime: float = 30 * _DAY) -> Self:
        """Make a self-signed P-256 certificate.

        Args:
            unix_time: the time of day in seconds since 1970. It is valid from a day before, for clocks that are off.
            provider: where key, serial number and signature come from; the crypto library's own by default.
            lifetime: seconds of validity after ``unix_time``. Peers that pin fingerprints do not look at it.
        """
        source = provider or NativeProvider()
        key = source.signing_key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "WebRTC")])
        now = datetime.fromtimestamp(int(unix_time), UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(source.serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(seconds=lifetime))
        )
        return cls(key, source.self_sign(builder, key).public_bytes(Encoding.DER))

    def fingerprint(self, algorithm: str = "sha-256") -> str:
        """The fingerprint in the form of SDP: ``AB:CD:…``."""
        return fingerprint(self.der, algorithm)


class Fingerprints:
    """What the signalling said about the peer's certificate (RFC 8122 section 5).

    Several may be given. Only those of the strongest algorithm that we know count, and one of them must match.
    """

    __slots__ = ("_algorithm", "_values")

    def __init__(self, fingerprints: Sequence[tuple[str, str]]) -> None:
        """Take ``(algorithm, value)`` pairs, in whatever case.

        Raises:
            InvalidArgument: none of a known algorithm, or a value that is not one of its algorithm.
        """
        known: dict[str, set[str]] = {}
        for algorithm, value in fingerprints:
            name, text = algorithm.lower(), value.upper()
            if name not in _HASHES:
                continue
            if not _VALUE.fullmatch(text) or len(text) != 3 * _HASHES[name]().digest_size - 1:
                raise InvalidArgument(f"malformed {name} fingerprint")
            known.setdefault(name, set()).add(text)
        if not known:
            raise InvalidArgument("no fingerprint of a known algorithm")
        self._algorithm = next(name for name in FINGERPRINT_ALGORITHMS if name in known)
        self._values = frozenset(known[self._algorithm])

    def match(self, der: bytes) -> bool:
        """Tell whether a certificate is the one that was announced."""
        return fingerprint(der, self._algorithm) in self._values
