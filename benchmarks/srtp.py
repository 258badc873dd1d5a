"""SRTP: protect and unprotect 1,100-byte packets, against pylibsrtp (libsrtp in C)."""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

from benchmarks.clock import microseconds_each
from benchmarks.rounds import Benchmark, Case

_HEADER = Struct("!BBHLL")
_COUNT = 2048
_KEYS = {7: (16, 12), 1: (16, 14)}  # AEAD_AES_128_GCM, AES128_CM_HMAC_SHA1_80: key and salt lengths
_SSRC = 0x1234_5678


def _packets() -> list[bytes]:
    return [_HEADER.pack(0x80, 96, n & 0xFFFF, 3000 * n, _SSRC) + bytes(1088) for n in range(_COUNT)]


def _secret(profile: int) -> tuple[bytes, bytes]:
    key, salt = _KEYS[profile]
    return bytes(range(key)), bytes(range(100, 100 + salt))


def _ours(profile: int, direction: str) -> Callable[[], float]:
    def run() -> float:
        from pystack.srtp import SrtpReceiver, SrtpSender  # noqa: PLC0415

        key, salt = _secret(profile)
        packets = _packets()
        protected = list(map(SrtpSender(profile, key, salt).protect, packets))

        def protect() -> int:
            session = SrtpSender(profile, key, salt)
            for packet in packets:
                session.protect(packet)
            return _COUNT

        def unprotect() -> int:
            session = SrtpReceiver(profile, key, salt)
            for packet in protected:
                assert session.unprotect(packet)
            return _COUNT

        return microseconds_each(protect if direction == "protect" else unprotect)

    return run


def _peer(profile: int, direction: str) -> Callable[[], float]:
    def run() -> float:
        from pylibsrtp import Policy, Session  # noqa: PLC0415

        key, salt = _secret(profile)
        kind = {7: Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 1: Policy.SRTP_PROFILE_AES128_CM_SHA1_80}[profile]

        def session(ssrc_type: int) -> Session:
            return Session(Policy(key=key + salt, ssrc_type=ssrc_type, srtp_profile=kind))

        packets = _packets()
        protected = list(map(session(Policy.SSRC_ANY_OUTBOUND).protect, packets))

        def protect() -> int:
            sender = session(Policy.SSRC_ANY_OUTBOUND)
            for packet in packets:
                sender.protect(packet)
            return _COUNT

        def unprotect() -> int:
            receiver = session(Policy.SSRC_ANY_INBOUND)
            for packet in protected:
                receiver.unprotect(packet)
            return _COUNT

        return microseconds_each(protect if direction == "protect" else unprotect)

    return run


BENCHMARK = Benchmark(
    name="srtp",
    title="SRTP, CPU per 1,100-byte packet: how much less than libsrtp",
    packages=("cryptography",),
    cases=[
        Case(
            name=f"{cipher}-{direction}",
            unit="CPU-us/packet",
            ours=_ours(profile, direction),
            peer=_peer(profile, direction),
            peer_name="pylibsrtp",
            peer_package="pylibsrtp",
            target=0.9,
        )
        for cipher, profile in (("gcm", 7), ("cm", 1))
        for direction in ("protect", "unprotect")
    ],
)
