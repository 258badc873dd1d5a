"""Formats of a section: ``a=rtpmap``, ``a=fmtp`` (RFC 8866 6.6, 6.15) and ``a=rtcp-fb`` (RFC 4585 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from pystack.errors import DecodeError
from pystack.sdp.attributes.numbers import number

__all__ = [
    "STATIC_FORMATS",
    "TAKEN_FOR_RTCP",
    "Fmtp",
    "RtcpFeedback",
    "RtpMap",
    "format_parameters",
    "parse_parameters",
]


@attrs.frozen
class RtpMap:
    """``a=rtpmap:<payload type> <name>/<clock rate>[/<channels>]``; one channel where nothing is said."""

    payload_type: int
    name: str
    clock_rate: int
    channels: int = 1

    @classmethod
    def parse(cls, value: str) -> RtpMap:
        """Read the value; :class:`DecodeError` if it is not one."""
        payload_type, _, encoding = value.partition(" ")
        fields = encoding.strip().split("/")
        if not 2 <= len(fields) <= 3 or not fields[0]:
            raise DecodeError(f"{encoding[:40]!r} is not name/rate or name/rate/channels")
        return cls(
            number(payload_type, "a payload type", 127),
            fields[0],
            number(fields[1], "a clock rate", 10**9, 1),
            number(fields[2], "a number of channels", 255, 1) if len(fields) == 3 else 1,
        )

    @property
    def text(self) -> str:
        """The value that reads back as this; one channel is left out."""
        channels = f"/{self.channels}" if self.channels != 1 else ""
        return f"{self.payload_type} {self.name}/{self.clock_rate}{channels}"


TAKEN_FOR_RTCP: Final = range(64, 96)
"""Payload types that, with the marker bit, look like RTCP packet types (RFC 5761 section 4)."""

STATIC_FORMATS: Final[Mapping[int, RtpMap]] = {
    0: RtpMap(0, "PCMU", 8000),
    3: RtpMap(3, "GSM", 8000),
    8: RtpMap(8, "PCMA", 8000),
    9: RtpMap(9, "G722", 8000),
    13: RtpMap(13, "CN", 8000),
    18: RtpMap(18, "G729", 8000),
    26: RtpMap(26, "JPEG", 90000),
    31: RtpMap(31, "H261", 90000),
    34: RtpMap(34, "H263", 90000),
}
"""Payload types that need no ``a=rtpmap`` (RFC 3551 section 6); those that are still seen."""


@attrs.frozen
class Fmtp:
    """``a=fmtp:<format> <parameters>``; ``parameters`` as text, because each format has its own grammar."""

    format: str
    parameters: str

    @classmethod
    def parse(cls, value: str) -> Fmtp:
        """Read the value; :class:`DecodeError` if it is not one."""
        name, _, parameters = value.partition(" ")
        if not name:
            raise DecodeError("no format")
        return cls(name, parameters.strip())

    @property
    def text(self) -> str:
        """The value that reads back as this."""
        return f"{self.format} {self.parameters}"


def parse_parameters(text: str) -> dict[str, str]:
    """Read ``a=1;b=2`` as a mapping with lower-case names; a part without ``=`` (``0-15``, ``111/111``) maps to ``""``.

    Never fails. A repeated name keeps its first value.
    """
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.strip().partition("=")
        if name:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def format_parameters(parameters: Mapping[str, str]) -> str:
    """Write a mapping as the text that :func:`parse_parameters` reads."""
    return ";".join(f"{name}={value}" if value else name for name, value in parameters.items())


@attrs.frozen
class RtcpFeedback:
    """``a=rtcp-fb:<payload type or *> <type> [<parameter>]``; ``payload_type`` is ``None`` for ``*``.

    ``feedback`` is the rest in one string: ``"nack"``, ``"nack pli"``, ``"ccm fir"``, ``"transport-cc"``.
    """

    payload_type: int | None
    feedback: str

    @classmethod
    def parse(cls, value: str) -> RtcpFeedback:
        """Read the value; :class:`DecodeError` if it is not one."""
        target, *feedback = value.split() or [""]
        if not feedback:
            raise DecodeError("no feedback type")
        return cls(None if target == "*" else number(target, "a payload type", 127), " ".join(feedback))

    @property
    def text(self) -> str:
        """The value that reads back as this."""
        return f"{'*' if self.payload_type is None else self.payload_type} {self.feedback}"
