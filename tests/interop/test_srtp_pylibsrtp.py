"""libsrtp, through pylibsrtp, as a live oracle in both directions and over roll-overs."""

import struct

import pytest

from pystack.srtp import SrtpReceiver, SrtpSender, profile

pylibsrtp = pytest.importorskip("pylibsrtp")

NUMBERS = {1: "SRTP_PROFILE_AES128_CM_SHA1_80", 7: "SRTP_PROFILE_AEAD_AES_128_GCM", 8: "SRTP_PROFILE_AEAD_AES_256_GCM"}
SSRC = 0xDECAFBAD


def keys(number: int) -> tuple[bytes, bytes]:
    which = profile(number)
    return bytes(range(1, 1 + which.key_length)), bytes(range(50, 50 + which.salt_length))


def oracle(number: int, direction: str) -> "pylibsrtp.Session":
    key, salt = keys(number)
    policy = pylibsrtp.Policy(
        key=key + salt,
        ssrc_type=getattr(pylibsrtp.Policy, f"SSRC_ANY_{direction}"),
        srtp_profile=getattr(pylibsrtp.Policy, NUMBERS[number]),
    )
    policy.window_size = 1024
    policy.allow_repeat_tx = True
    return pylibsrtp.Session(policy=policy)


def rtp(sequence_number: int) -> bytes:
    extended = sequence_number % 3 == 0
    header = struct.pack("!BBHLL", 0x91 if extended else 0x80, 96, sequence_number & 0xFFFF, sequence_number, SSRC)
    extension = b"CSRC\xbe\xde\0\2\x10\x01\x20\x02abcd" if extended else b""
    return header + extension + bytes(i & 0xFF for i in range(sequence_number % 300))


def rtcp(count: int) -> bytes:
    return struct.pack("!BBHLL", 0x80, 201, 2, SSRC, count)


@pytest.mark.parametrize("number", NUMBERS)
def test_libsrtp_gives_the_same_bytes_over_roll_overs(number: int) -> None:
    ours, theirs = SrtpSender(number, *keys(number)), oracle(number, "OUTBOUND")
    for index in [*range(40), *range(40, 196_500, 977), *range(196_500, 196_700)]:
        assert ours.protect(rtp(index)) == theirs.protect(rtp(index)), index
    assert ours.roll_over(SSRC) == 3


@pytest.mark.parametrize("number", NUMBERS)
def test_we_open_what_libsrtp_sealed(number: int) -> None:
    ours, theirs = SrtpReceiver(number, *keys(number)), oracle(number, "OUTBOUND")
    for index in range(30_000, 300_000, 983):
        assert ours.unprotect(theirs.protect(rtp(index))) == rtp(index)
    for count in range(5):
        assert ours.unprotect_rtcp(theirs.protect_rtcp(rtcp(count))) == rtcp(count)
    assert not any(ours.drops.values())


@pytest.mark.parametrize("number", NUMBERS)
def test_libsrtp_opens_what_we_sealed(number: int) -> None:
    ours, theirs = SrtpSender(number, *keys(number)), oracle(number, "INBOUND")
    for index in range(30_000, 300_000, 983):
        assert theirs.unprotect(ours.protect(rtp(index))) == rtp(index)
    for count in range(5):
        assert theirs.unprotect_rtcp(ours.protect_rtcp(rtcp(count))) == rtcp(count)
