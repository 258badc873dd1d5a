"""Alerts: two bytes, a level and a description (RFC 5246 section 7.2; registry of RFC 8446 section 6)."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from pystack.errors import DecodeError

__all__ = ["FATAL", "WARNING", "Alert", "AlertDescription"]

WARNING = 1
FATAL = 2


class AlertDescription(IntEnum):
    """What an alert says. Numbers not listed here are kept as plain integers."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    RECORD_OVERFLOW = 22
    HANDSHAKE_FAILURE = 40
    BAD_CERTIFICATE = 42
    UNSUPPORTED_CERTIFICATE = 43
    CERTIFICATE_REVOKED = 44
    CERTIFICATE_EXPIRED = 45
    CERTIFICATE_UNKNOWN = 46
    ILLEGAL_PARAMETER = 47
    UNKNOWN_CA = 48
    ACCESS_DENIED = 49
    DECODE_ERROR = 50
    DECRYPT_ERROR = 51
    PROTOCOL_VERSION = 70
    INSUFFICIENT_SECURITY = 71
    INTERNAL_ERROR = 80
    INAPPROPRIATE_FALLBACK = 86
    USER_CANCELED = 90
    NO_RENEGOTIATION = 100
    MISSING_EXTENSION = 109
    UNSUPPORTED_EXTENSION = 110
    UNRECOGNIZED_NAME = 112
    CERTIFICATE_REQUIRED = 116
    NO_APPLICATION_PROTOCOL = 120


class Alert(NamedTuple):
    """One alert. ``level`` is 1 (warning) or 2 (fatal)."""

    level: int
    description: int

    @property
    def name(self) -> str:
        """The registered name in lower case, or ``alert_N``."""
        try:
            return AlertDescription(self.description).name.lower()
        except ValueError:
            return f"alert_{self.description}"

    def serialize(self) -> bytes:
        """The two bytes of the wire."""
        return bytes(self)

    @classmethod
    def parse(cls, data: bytes) -> Alert:
        """Read the payload of an alert record.

        Raises:
            DecodeError: not two bytes, or a level that does not exist.
        """
        if len(data) != 2 or data[0] not in {WARNING, FATAL}:
            raise DecodeError("malformed alert")
        return cls(data[0], data[1])
