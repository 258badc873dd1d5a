"""DTLS in a description: ``a=fingerprint`` (RFC 8122), ``a=setup`` (RFC 4145), ``a=tls-id`` (RFC 8842)."""

from __future__ import annotations

import re
from typing import Final, Literal, TypeAlias, cast

import attrs

from pystack.errors import DecodeError

__all__ = ["HASH_SIZES", "Fingerprint", "Setup", "parse_setup", "parse_tls_id"]

Setup: TypeAlias = Literal["actpass", "active", "passive", "holdconn"]

HASH_SIZES: Final = {"sha-256": 32, "sha-384": 48, "sha-512": 64}
"""The hash functions that we check a certificate with, and their length in bytes."""

_TLS_ID: Final = re.compile(r"[A-Za-z0-9+/_-]{20,255}").fullmatch
_DIGEST: Final = re.compile(r"[0-9A-F]{2}(?::[0-9A-F]{2})*").fullmatch


@attrs.frozen
class Fingerprint:
    """``a=fingerprint:<hash> <AB:CD:...>``; the hash in lower case, the digest in upper case.

    A hash that we do not know is kept; a digest of a known one must have its length.
    """

    algorithm: str
    digest: str

    @classmethod
    def parse(cls, value: str) -> Fingerprint:
        """Read the value; :class:`DecodeError` if it is not one."""
        fields = value.split()
        if len(fields) != 2:
            raise DecodeError(f"{len(fields)} fields, not 2")
        algorithm, digest = fields[0].lower(), fields[1].upper()
        if not _DIGEST(digest):
            raise DecodeError("the digest is not hexadecimal octets with colons")
        octets = (len(digest) + 1) // 3
        if octets != HASH_SIZES.get(algorithm, octets):
            raise DecodeError(f"{octets} octets are not a {algorithm} digest")
        return cls(algorithm, digest)

    @property
    def text(self) -> str:
        """The value that reads back as this."""
        return f"{self.algorithm} {self.digest}"


def parse_setup(value: str) -> Setup:
    """Read ``a=setup``; :class:`DecodeError` if it is not one of the four roles."""
    role = value.strip()
    if role not in ("actpass", "active", "passive", "holdconn"):
        raise DecodeError(f"{role[:20]!r} is not actpass, active, passive or holdconn")
    return cast(Setup, role)


def parse_tls_id(value: str) -> str:
    """Read ``a=tls-id``, the name of a DTLS association (RFC 8842 section 4); ``""`` if it is none."""
    text = value.strip()
    return text if _TLS_ID(text) else ""
