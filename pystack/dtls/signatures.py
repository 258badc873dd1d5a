"""Signature schemes: which we ask for, which we can make, and how one is verified.

RFC 5246 section 7.4.1.4.1, RFC 8422 section 5.1.3, and RFC 8446 section 4.2.3 for RSA-PSS, which TLS 1.2 shares. In
TLS 1.2 an ECDSA scheme names the hash alone, whatever the curve. We make ECDSA P-256 signatures only; a peer with an
RSA certificate is verified all the same. Called by the two handshakes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

__all__ = ["ECDSA_SIGN", "OFFERED_SCHEMES", "OWN_SCHEMES", "RSA_SIGN", "PublicKey", "scheme_hash", "verify"]

PublicKey: TypeAlias = ec.EllipticCurvePublicKey | rsa.RSAPublicKey

RSA_SIGN = 1
ECDSA_SIGN = 64
"""ClientCertificateType numbers (RFC 5246 section 7.4.4, RFC 8422 section 5.5)."""

_SHA256, _SHA384, _SHA512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()
_Hash: TypeAlias = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
_SCHEMES: Final[Mapping[int, tuple[Literal["ecdsa", "pss", "pkcs1"], _Hash]]] = {
    0x0403: ("ecdsa", _SHA256),
    0x0503: ("ecdsa", _SHA384),
    0x0603: ("ecdsa", _SHA512),
    0x0804: ("pss", _SHA256),
    0x0805: ("pss", _SHA384),
    0x0806: ("pss", _SHA512),
    0x0401: ("pkcs1", _SHA256),
    0x0501: ("pkcs1", _SHA384),
    0x0601: ("pkcs1", _SHA512),
}
OFFERED_SCHEMES: Final = tuple(_SCHEMES)
OWN_SCHEMES: Final = (0x0403, 0x0503, 0x0603)
"""What an ECDSA key can sign with, best first."""
_SMALLEST_RSA_BITS = 2048
_LARGEST_RSA_BITS = 8192
_SHORTEST_CURVE_BITS = 256


def scheme_hash(scheme: int) -> _Hash:
    """The hash of one of :data:`OWN_SCHEMES`."""
    return _SCHEMES[scheme][1]


def verify(key: PublicKey, scheme: int, signature: bytes, data: bytes, allowed: Sequence[int]) -> bool:
    """Tell whether ``signature`` over ``data`` is good, by a scheme of ``allowed`` that suits the key."""
    if scheme not in allowed or scheme not in _SCHEMES:
        return False
    family, algorithm = _SCHEMES[scheme]
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            if family != "ecdsa" or key.curve.key_size < _SHORTEST_CURVE_BITS:
                return False
            key.verify(signature, data, ec.ECDSA(algorithm))
            return True
        if not _SMALLEST_RSA_BITS <= key.key_size <= _LARGEST_RSA_BITS:
            return False
        if family == "pss":
            shape = padding.PSS(mgf=padding.MGF1(algorithm), salt_length=algorithm.digest_size)
            key.verify(signature, data, shape, algorithm)
            return True
        if family == "pkcs1":
            key.verify(signature, data, padding.PKCS1v15(), algorithm)
            return True
        return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
