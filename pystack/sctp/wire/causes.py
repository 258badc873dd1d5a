"""Error causes of ERROR and ABORT chunks (RFC 9260 section 3.3.10)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from struct import Struct
from typing import TypeAlias

__all__ = ["Cause", "CauseCode", "decode_causes", "describe_causes", "encode_causes"]

_HEADER = Struct("!HH")

Cause: TypeAlias = tuple[int, bytes]
"""``(code, value)``; unknown codes are kept."""


class CauseCode(IntEnum):
    """Cause codes 1 to 13."""

    INVALID_STREAM_IDENTIFIER = 1
    MISSING_MANDATORY_PARAMETER = 2
    STALE_COOKIE = 3
    OUT_OF_RESOURCE = 4
    UNRESOLVABLE_ADDRESS = 5
    UNRECOGNIZED_CHUNK_TYPE = 6
    INVALID_MANDATORY_PARAMETER = 7
    UNRECOGNIZED_PARAMETERS = 8
    NO_USER_DATA = 9
    COOKIE_WHILE_SHUTTING_DOWN = 10
    RESTART_WITH_NEW_ADDRESSES = 11
    USER_INITIATED_ABORT = 12
    PROTOCOL_VIOLATION = 13


_WITH_TEXT = (CauseCode.USER_INITIATED_ABORT, CauseCode.PROTOCOL_VIOLATION)


def encode_causes(causes: Iterable[Cause]) -> bytes:
    """All causes, each padded to four bytes."""
    return b"".join(_HEADER.pack(code, 4 + len(value)) + value + bytes(-len(value) & 3) for code, value in causes)


def decode_causes(data: bytes) -> list[Cause]:
    """Read what can be read. Never raises: an ABORT with a truncated cause is an ABORT all the same."""
    found: list[Cause] = []
    at, end = 0, len(data)
    while at + 4 <= end:
        code, length = _HEADER.unpack_from(data, at)
        if length < 4:
            break
        found.append((code, data[at + 4 : min(at + length, end)]))
        at += length + (-length & 3)
    return found


def describe_causes(causes: Iterable[Cause]) -> str:
    """The causes for people: ``user initiated abort "bye", out of resource``; at most 200 characters of text each."""
    said: list[str] = []
    for code, value in causes:
        try:
            name = CauseCode(code).name.lower().replace("_", " ")
        except ValueError:
            name = f"cause {code}"
        if code in _WITH_TEXT and value:
            name += f' "{value[:200].decode("utf-8", "replace")}"'
        said.append(name)
    return ", ".join(said) or "no cause given"
