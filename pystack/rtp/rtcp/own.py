"""RTCP of the caller's own: written where it can be, refused in words where it cannot.

What the session makes needs no check; what an application made is looked at field by field, because a number that does
not fit would go out as another one. Called by :class:`pystack.rtp.RtpSession` for each packet that it is given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, get_args

import attrs

from pystack.errors import DecodeError, InvalidArgument
from pystack.rtp.rtcp.compound import RtcpPacket, parse_compound
from pystack.rtp.rtcp.deltas import Deltas
from pystack.rtp.rtcp.remb import Remb
from pystack.rtp.rtcp.reports import ReportBlock

__all__ = ["MAX_RTCP", "write_own"]

MAX_RTCP: Final = 65000
"""Bytes of RTCP that still fit into a UDP datagram with what is added: a report in front, and SRTCP."""
_MAX_ENTRIES: Final = 31
_MAX_VALUE: Final = 255
_MANY: Final = MAX_RTCP
"""As many as there is room for: the length of the whole is looked at in the end."""


def write_own(packet: object) -> bytes:
    """Return a packet as bytes; bytes of a datagram are looked at and returned.

    Raises:
        InvalidArgument: it is no RTCP, or has a field that cannot stand in one; the message names it.
    """
    if isinstance(packet, bytes | bytearray | memoryview):
        data = bytes(packet)
        try:
            parse_compound(data)
        except DecodeError as error:
            raise InvalidArgument(f"cannot be sent as RTCP: {error}") from None
    elif isinstance(packet, get_args(RtcpPacket)):
        _check(type(packet).__name__, packet)
        data = packet.serialize()
    else:
        raise InvalidArgument(
            f"packet is RTCP, such as a Pli or a ReceiverReport, or its bytes, not {type(packet).__name__}"
        )
    if len(data) > MAX_RTCP:
        raise InvalidArgument(
            f"packet: {len(data)} bytes of RTCP fit into no UDP datagram, which takes {MAX_RTCP}; write several"
        )
    return data


def _check(where: str, packet: Any) -> None:
    for field in attrs.fields(type(packet)):
        check = _REMB_SSRCS if isinstance(packet, Remb) and field.name == "ssrcs" else _CHECKS[field.name]
        check(f"{where}.{field.name}", getattr(packet, field.name))


def _whole(least: int, most: int) -> Callable[[str, object], None]:
    def check(where: str, value: object) -> None:
        if not isinstance(value, int) or not least <= value <= most:
            raise InvalidArgument(f"{where} is a whole number from {least} to {most}, not {value!r:.80}")

    return check


def _bits(size: int) -> Callable[[str, object], None]:
    return _whole(0, (1 << size) - 1)


def _bytes(most: int) -> Callable[[str, object], None]:
    def check(where: str, value: object) -> None:
        if not isinstance(value, bytes):
            raise InvalidArgument(f"{where} is bytes, not {type(value).__name__}")
        if len(value) > most:
            raise InvalidArgument(f"{where} has at most {most} bytes, not {len(value)}")

    return check


def _many(each: Callable[[str, Any], None], most: int) -> Callable[[str, object], None]:
    def check(where: str, value: object) -> None:
        if not isinstance(value, list | tuple | Deltas):
            raise InvalidArgument(f"{where} is a list, not {type(value).__name__}")
        if len(value) > most:
            raise InvalidArgument(f"{where} has at most {most} entries, not {len(value)}: write several packets")
        for index, one in enumerate(value):
            each(f"{where}[{index}]", one)

    return check


def _pair(first: Callable[[str, object], None], second: Callable[[str, Any], None]) -> Callable[[str, object], None]:
    def check(where: str, value: object) -> None:
        match value:
            case (one, other):
                first(f"{where}[0]", one)
                second(f"{where}[1]", other)
            case _:
                raise InvalidArgument(f"{where} is a pair, not {value!r:.80}")

    return check


def _block(where: str, value: object) -> None:
    if not isinstance(value, ReportBlock):
        raise InvalidArgument(f"{where} is a ReportBlock, not {type(value).__name__}")
    _check(where, value)


def _delta(where: str, value: object) -> None:
    if value is not None:
        _whole(-0x8000, 0x7FFF)(where, value)


_SSRC = _bits(32)
_CHECKS: Final[dict[str, Callable[[str, Any], None]]] = {
    "ssrc": _SSRC,
    "sender_ssrc": _SSRC,
    "media_ssrc": _SSRC,
    "ntp_time": _bits(64),
    "rtp_timestamp": _bits(32),
    "packet_count": _bits(32),
    "octet_count": _bits(32),
    "reports": _many(_block, _MAX_ENTRIES),
    "extension": _bytes(_MANY),
    "fraction_lost": _bits(8),
    "cumulative_lost": _whole(-(1 << 23), (1 << 23) - 1),
    "highest_sequence": _bits(32),
    "jitter": _bits(32),
    "last_sender_report": _bits(32),
    "delay_since_last": _bits(32),
    "chunks": _many(_pair(_SSRC, _many(_pair(_whole(1, 255), _bytes(_MAX_VALUE)), _MANY)), _MAX_ENTRIES),
    "reason": _bytes(_MAX_VALUE),
    "sequence_numbers": _many(_bits(16), 0x10000),
    "entries": _many(_pair(_SSRC, _bits(8)), _MANY),
    "bitrate_bps": _whole(0, 0x3FFFF << 63),
    "base_sequence": _bits(16),
    "reference_time": _whole(-(1 << 23), (1 << 24) - 1),  # it wraps: who counts from 0 is right too
    "feedback_count": _bits(8),
    "deltas": _many(_delta, 0xFFFF),
    "packet_type": _whole(192, 223),
    "count": _whole(0, 31),
    "body": _bytes(_MANY),
    "ssrcs": _many(_SSRC, _MAX_ENTRIES),
}
"""What each field may be, by its name, which means the same in every packet that has it."""
_REMB_SSRCS: Final = _many(_SSRC, 255)
"""But for these, whose count has a byte of its own."""
