"""The vectors of RFC 3711 appendix B, RFC 6188 section 7 and RFC 7714 sections 16 and 17."""

import json
from pathlib import Path

import pytest

from pystack.srtp.aead import AeadCipher
from pystack.srtp.counter_mode import CounterModeCipher
from pystack.srtp.keys import derive

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "srtp" / "rfc.json").read_text())


def hexed(name: str) -> dict[str, bytes]:
    return {key: bytes.fromhex(value) for key, value in VECTORS[name].items() if isinstance(value, str)}


@pytest.mark.parametrize("name", ["rfc3711-b3-derivation", "rfc6188-7-derivation"])
def test_session_keys_are_derived_as_the_rfc_says(name: str) -> None:
    vector = hexed(name)
    for label, part in enumerate(("encryption", "authentication", "salt")):
        assert derive(label, vector["master_key"], vector["master_salt"], len(vector[part])) == vector[part]


def test_counter_mode_keystream() -> None:
    vector = hexed("rfc3711-b2-keystream")
    cipher = CounterModeCipher(vector["key"], bytes(20), vector["salt"])
    header = bytes.fromhex("800f0000decafbad00000000")
    sealed = cipher.seal(header, bytes(len(vector["keystream"])), 0, 0)
    assert sealed[12:-10] == vector["keystream"]


@pytest.mark.parametrize("name", ["rfc7714-aes128", "rfc7714-aes256"])
def test_gcm_rtp(name: str) -> None:
    vector = hexed(name)
    cipher = AeadCipher(vector["key"], vector["salt"])
    plain = vector["rtp_plain"]
    ssrc = int.from_bytes(plain[8:12], "big")
    index = int.from_bytes(plain[2:4], "big")
    assert cipher.seal(plain[:12], plain[12:], ssrc, index) == vector["rtp_sealed"]
    assert cipher.open(vector["rtp_sealed"], 12, ssrc, index) == plain
    assert cipher.open(vector["rtp_sealed"], 12, ssrc, index + 1) is None


@pytest.mark.parametrize("name", ["rfc7714-aes128", "rfc7714-aes256"])
def test_gcm_rtcp(name: str) -> None:
    vector = hexed(name)
    cipher = AeadCipher(vector["key"], vector["salt"])
    index = VECTORS[name]["rtcp_index"]
    ssrc = int.from_bytes(vector["rtcp_plain"][4:8], "big")
    assert cipher.seal_rtcp(vector["rtcp_plain"], ssrc, index) == vector["rtcp_sealed"]
    assert cipher.open_rtcp(vector["rtcp_sealed"], ssrc, index) == vector["rtcp_plain"]
    assert cipher.open_rtcp(vector["rtcp_sealed"][:-1] + b"\0", ssrc, index) is None
