"""What a connection is configured with, member by member: parts, codecs and header extensions.

Looked at when a configuration is made; what is wrong would else come to light in the middle of a negotiation.
"""

from __future__ import annotations

from types import UnionType

from pystack.errors import InvalidArgument
from pystack.sdp.attributes.codecs import TAKEN_FOR_RTCP
from pystack.sdp.jsep import CodecCapability, ExtensionCapability

__all__ = ["check_codecs", "check_extensions", "check_instance", "check_part"]


def check_instance(what: str, value: object, kind: type | UnionType, right: str) -> None:
    """See that it is of a kind, which ``right`` names.

    Raises:
        InvalidArgument: it is not.
    """
    if not isinstance(value, kind):
        raise InvalidArgument(f"{what} is {right}, not {value!r:.80}")


def check_part(what: str, value: object, right: str, methods: tuple[str, ...], *, optional: bool = False) -> None:
    """See that something of any class has the methods that will be called.

    Raises:
        InvalidArgument: it has not.
    """
    if value is None and optional:
        return
    for name in methods:
        if isinstance(value, type) or not callable(getattr(value, name, None)):
            raise InvalidArgument(f"{what} is {right}, not {value!r:.80}, which has no method {name}")


def check_codecs(what: str, codecs: object) -> None:
    """See that they are codecs whose payload types can be told from RTCP (RFC 5761 section 4).

    Raises:
        InvalidArgument: one is not.
    """
    _check_entries(what, codecs, CodecCapability)
    assert isinstance(codecs, list | tuple)
    for codec in codecs:
        for field, number in (("payload_type", codec.payload_type), ("rtx_payload_type", codec.rtx_payload_type)):
            if number is None:
                continue
            if not isinstance(number, int) or not 0 <= number <= 127:
                raise InvalidArgument(f"{what}: {field} of {codec.name} is 0 to 127, not {number!r:.80}")
            if number in TAKEN_FOR_RTCP:
                raise InvalidArgument(
                    f"{what}: {field} {number} of {codec.name} would be taken for RTCP; choose 96 to 127, or 35 to 63"
                )


def check_extensions(what: str, extensions: object) -> None:
    """See that they are header extensions.

    Raises:
        InvalidArgument: one is not.
    """
    _check_entries(what, extensions, ExtensionCapability)


def _check_entries(what: str, value: object, kind: type) -> None:
    if not isinstance(value, list | tuple):
        raise InvalidArgument(f"{what} is a tuple of {kind.__name__}, not {value!r:.80}")
    for each in value:
        if not isinstance(each, kind):
            raise InvalidArgument(f"{what} has {each!r:.80}, which is no {kind.__name__}")
