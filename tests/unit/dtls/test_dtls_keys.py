"""Key derivation against published and independently computed values, and the exporter."""

import hashlib
import hmac

import pytest

from pystack.dtls.export import SRTP_PROFILES, Agreement12, srtp_keying_material
from pystack.dtls.keys import extended_master_secret, master_secret, prf, traffic_keys, verify_data
from pystack.dtls.suites import SUITES


def test_prf_sha256_vector() -> None:
    """The test vector of the TLS working group's list for P_SHA256."""
    secret = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
    seed = bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
    expected = bytes.fromhex(
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a"
        "6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab"
        "4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
        "87347b66"
    )
    assert prf("sha256", secret, b"test label", seed, 100) == expected


@pytest.mark.parametrize("algorithm", ["sha256", "sha384"])
@pytest.mark.parametrize("size", [1, 12, 32, 33, 48, 100])
def test_prf_as_the_rfc_writes_it(algorithm: str, size: int) -> None:
    def mac(data: bytes) -> bytes:
        return hmac.new(b"secret", data, getattr(hashlib, algorithm)).digest()

    seed, output = b"labelseed", b""
    chain = seed
    while len(output) < size:
        chain = mac(chain)
        output += mac(chain + seed)
    assert prf(algorithm, b"secret", b"label", b"seed", size) == output[:size]


def test_secrets_have_their_sizes_and_depend_on_everything() -> None:
    one, two = b"1" * 32, b"2" * 32
    assert len(master_secret("sha256", b"p", one, two)) == 48
    assert master_secret("sha256", b"p", one, two) != master_secret("sha256", b"p", two, one)
    assert extended_master_secret("sha256", b"p", one) != extended_master_secret("sha256", b"p", two)
    assert len(verify_data("sha384", b"m", b"client finished", one)) == 12


@pytest.mark.parametrize("suite", SUITES.values(), ids=lambda suite: str(suite.name))
def test_key_block_is_cut_in_the_order_of_the_rfc(suite: object) -> None:
    assert suite in SUITES.values()
    for each in SUITES.values():
        keys = traffic_keys(each, b"m" * 48, b"c" * 32, b"s" * 32)
        size = 2 * (each.key_size + each.salt_size)
        block = prf(each.hash, b"m" * 48, b"key expansion", b"s" * 32 + b"c" * 32, size)
        assert keys.client_key + keys.server_key + keys.client_salt + keys.server_salt == block
        assert len(keys.client_key) == len(keys.server_key) == each.key_size


def test_exporter_seed() -> None:
    agreement = Agreement12(SUITES[0xC02B], 8, b"m" * 48, b"c" * 32, b"s" * 32)
    randoms = b"c" * 32 + b"s" * 32
    assert agreement.export(b"L", 40, None) == prf("sha256", b"m" * 48, b"L", randoms, 40)
    assert agreement.export(b"L", 40, b"") == prf("sha256", b"m" * 48, b"L", randoms + b"\0\0", 40)
    assert agreement.export(b"L", 40, b"xy") == prf("sha256", b"m" * 48, b"L", randoms + b"\0\2xy", 40)


@pytest.mark.parametrize("profile", SRTP_PROFILES)
def test_srtp_keys_are_cut_in_the_order_of_the_rfc(profile: int) -> None:
    agreement = Agreement12(SUITES[0xC02C], profile, b"m" * 48, b"c" * 32, b"s" * 32)
    parts = srtp_keying_material(agreement, profile)
    key, salt = SRTP_PROFILES[profile]
    assert [len(part) for part in parts] == [key, key, salt, salt]
    assert b"".join(parts) == agreement.export(b"EXTRACTOR-dtls_srtp", 2 * (key + salt), None)
