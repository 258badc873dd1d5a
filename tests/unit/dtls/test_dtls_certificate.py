"""Certificates, fingerprints, signatures, and the provider that draws the randomness."""

import contextlib
import hashlib
import warnings
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pystack.base import SeededRandomness
from pystack.dtls import Certificate, NativeProvider, SeededProvider
from pystack.dtls.certificate import Fingerprints, public_key
from pystack.dtls.provider import GROUPS, SECP256R1, X25519, CryptoProvider
from pystack.dtls.signatures import OFFERED_SCHEMES, OWN_SCHEMES, verify
from pystack.errors import DecodeError, InvalidArgument

UNIX_TIME = 1_700_000_000.0


def seeded(seed: int = 0) -> SeededProvider:
    return SeededProvider(SeededRandomness(seed))


@pytest.mark.parametrize("provider", [None, NativeProvider(), seeded()])
def test_generated_certificates_are_self_signed_p256(provider: CryptoProvider | None) -> None:
    certificate = Certificate.generate(UNIX_TIME, provider)
    parsed = x509.load_der_x509_certificate(certificate.der)
    parsed.verify_directly_issued_by(parsed)
    key = parsed.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    assert key == certificate.private_key.public_key() == public_key(certificate.der)
    now = datetime.fromtimestamp(UNIX_TIME, UTC)
    assert parsed.not_valid_before_utc < now < parsed.not_valid_after_utc
    assert "PRIVATE" not in repr(certificate).upper().replace("PRIVATE_KEY", "")


def test_seeded_certificates_repeat_and_native_ones_do_not() -> None:
    assert Certificate.generate(UNIX_TIME, seeded(1)).der == Certificate.generate(UNIX_TIME, seeded(1)).der
    assert Certificate.generate(UNIX_TIME, seeded(1)).der != Certificate.generate(UNIX_TIME, seeded(2)).der
    assert Certificate.generate(UNIX_TIME).der != Certificate.generate(UNIX_TIME).der


def test_fingerprints_in_the_form_of_sdp() -> None:
    certificate = Certificate.generate(UNIX_TIME, seeded())
    digest = hashlib.sha256(certificate.der).hexdigest().upper()
    assert certificate.fingerprint().replace(":", "") == digest
    assert len(certificate.fingerprint("SHA-512").split(":")) == 64
    with pytest.raises(InvalidArgument):
        certificate.fingerprint("sha-1")


def test_only_the_strongest_known_algorithm_counts() -> None:
    one, two = (Certificate.generate(UNIX_TIME, seeded(seed)) for seed in (1, 2))
    sha256, sha512 = one.fingerprint(), one.fingerprint("sha-512")
    assert Fingerprints([("sha-256", sha256)]).match(one.der)
    assert Fingerprints([("SHA-256", sha256.lower())]).match(one.der)
    assert not Fingerprints([("sha-256", sha256)]).match(two.der)
    assert Fingerprints([("sha-256", two.fingerprint()), ("sha-256", sha256)]).match(one.der)
    assert Fingerprints([("sha-1", "00:11"), ("sha-256", sha256)]).match(one.der)
    assert not Fingerprints([("sha-512", two.fingerprint("sha-512")), ("sha-256", sha256)]).match(one.der)
    assert Fingerprints([("sha-512", sha512), ("sha-256", two.fingerprint())]).match(one.der)


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("sha-1", "AB:CD")],
        [("sha-256", "AB:CD")],
        [("sha-256", "")],
        [("sha-256", "G" * 95)],
        [("sha-256", ":".join(["AB"] * 33))],
        [("sha-384", ":".join(["AB"] * 32))],
    ],
)
def test_fingerprints_that_cannot_be(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidArgument):
        Fingerprints(pairs)


def certificate_of(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    now = datetime.fromtimestamp(UNIX_TIME, UTC)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now)
    return builder.sign(key, algorithm).public_bytes(Encoding.DER)


def test_keys_that_we_cannot_use() -> None:
    with pytest.raises(DecodeError, match="unsupported"):
        public_key(certificate_of(ed25519.Ed25519PrivateKey.generate()))
    for bad in (b"", b"\x30\x00", bytes(300)):
        with pytest.raises(DecodeError, match="unreadable"):
            public_key(bad)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_damaged_certificates_raise_only_decode_error(data: st.DataObject) -> None:
    der = bytearray(Certificate.generate(UNIX_TIME, seeded()).der)
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with contextlib.suppress(DecodeError):
            public_key(bytes(der))


@pytest.mark.parametrize("scheme", OWN_SCHEMES)
@pytest.mark.parametrize("provider", [NativeProvider(), seeded()])
def test_own_signatures_verify(scheme: int, provider: CryptoProvider) -> None:
    key = provider.signing_key()
    signature = provider.sign(key, scheme, b"data")
    assert verify(key.public_key(), scheme, signature, b"data", OFFERED_SCHEMES)
    assert not verify(key.public_key(), scheme, signature, b"Data", OFFERED_SCHEMES)
    assert not verify(key.public_key(), scheme, signature, b"data", [])
    assert not verify(key.public_key(), scheme, b"junk", b"data", OFFERED_SCHEMES)
    assert not verify(key.public_key(), 0x0401, signature, b"data", OFFERED_SCHEMES)
    assert not verify(key.public_key(), 0x0203, signature, b"data", [0x0203])


def test_rsa_signatures_verify_by_their_scheme() -> None:
    key = rsa.generate_private_key(65537, 2048)
    pkcs1 = key.sign(b"data", padding.PKCS1v15(), hashes.SHA384())
    pss = key.sign(b"data", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    public = key.public_key()
    assert verify(public, 0x0501, pkcs1, b"data", OFFERED_SCHEMES)
    assert verify(public, 0x0804, pss, b"data", OFFERED_SCHEMES)
    assert not verify(public, 0x0401, pkcs1, b"data", OFFERED_SCHEMES)
    assert not verify(public, 0x0804, pkcs1, b"data", OFFERED_SCHEMES)
    assert not verify(public, 0x0403, pkcs1, b"data", OFFERED_SCHEMES)


def test_weak_keys_prove_nothing() -> None:
    small = rsa.generate_private_key(65537, 1024)
    signature = small.sign(b"data", padding.PKCS1v15(), hashes.SHA256())
    assert not verify(small.public_key(), 0x0401, signature, b"data", OFFERED_SCHEMES)
    curve = ec.generate_private_key(ec.SECP224R1())
    weak = curve.sign(b"data", ec.ECDSA(hashes.SHA256()))
    assert not verify(curve.public_key(), 0x0403, weak, b"data", OFFERED_SCHEMES)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("provider", [NativeProvider(), seeded()])
def test_key_shares_agree(group: int, provider: CryptoProvider) -> None:
    one, two = provider.key_share(group), provider.key_share(group)
    assert one.group == group
    assert one.public != two.public
    assert one.exchange(two.public) == two.exchange(one.public)


@pytest.mark.parametrize("group", GROUPS)
def test_bad_points_raise_value_error(group: int) -> None:
    share = seeded().key_share(group)
    for bad in (b"", bytes(32), bytes(65), share.public[:-1], share.public + b"x", b"\x04" + b"\x01" * 64):
        with pytest.raises(ValueError):
            share.exchange(bad)


def test_compressed_points_are_not_taken() -> None:
    point = b"\x02" + seeded(7).key_share(SECP256R1).public[1:33]
    with pytest.raises(ValueError, match="uncompressed"):
        seeded().key_share(SECP256R1).exchange(point)


def test_seeded_shares_repeat() -> None:
    assert seeded(3).key_share(X25519).public == seeded(3).key_share(X25519).public
