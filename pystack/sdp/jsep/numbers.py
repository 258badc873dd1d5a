"""Payload types and extension ids of our own offers.

A number never changes its meaning within a session: what was used once, by either side, keeps its number, and nothing
else gets it (RFC 9429 5.2.2, RFC 8285 section 5, RFC 8843 section 9.1). A remote offer is the exception: whoever
offers, numbers, so its numbers replace what was noted. Both tables are bounded by the ranges of the numbers.

Called by ``offer`` (which numbers) and ``apply`` (which notes what a remote description used).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from pystack.errors import InvalidArgument
from pystack.sdp.jsep.matching import Identity, identity, lower_keys
from pystack.sdp.jsep.model import (
    AgreedCodec,
    AgreedExtension,
    CodecCapability,
    ExtensionCapability,
    RemoteSection,
)

__all__ = ["ExtensionIds", "PayloadTypes", "note_extensions", "note_payload_types"]

_FREE_PAYLOAD_TYPES: Final[tuple[int, ...]] = (*range(96, 128), *range(35, 64))
"""Dynamic ones first; 64 to 95 stay clear of RTCP packet types (RFC 5761 section 4)."""
_FREE_EXTENSION_IDS: Final[tuple[int, ...]] = (*range(1, 15), *range(16, 256))
"""Those of the one-byte form first; 15 is reserved (RFC 8285 4.2)."""


class PayloadTypes:
    """Gives numbers to the codecs of one offer; ``table`` is what the whole session used so far."""

    def __init__(self, table: Mapping[int, Identity]) -> None:
        self.table = dict(table)

    def assign(self, capabilities: Sequence[CodecCapability], before: Sequence[AgreedCodec]) -> tuple[AgreedCodec, ...]:
        """Number ``capabilities`` of one section; ``before`` are the codecs that this section had.

        Raises:
            InvalidArgument: there are more codecs than numbers.
        """
        had = {identity(codec): codec for codec in before}
        codecs: dict[Identity, AgreedCodec] = {}
        for capability in capabilities:
            known = identity(capability)
            if known in codecs:
                continue
            earlier = had.get(known)
            number = self._number(known, (earlier.payload_type if earlier else None, capability.payload_type))
            rtx = None
            if capability.rtx:
                wishes = (earlier.rtx_payload_type if earlier else None, capability.rtx_payload_type)
                rtx = self._number(("rtx", str(number)), wishes)
            codecs[known] = AgreedCodec(
                payload_type=number,
                name=capability.name,
                clock_rate=capability.clock_rate,
                channels=capability.channels,
                fmtp=lower_keys(capability.fmtp),
                rtcp_fb=capability.rtcp_fb,
                rtx_payload_type=rtx,
            )
        return _with_red(codecs.values())

    def _number(self, wanted: Identity, wishes: Iterable[int | None]) -> int:
        """Return the number of ``wanted``: what it had here, what it had anywhere, the wished, any free one."""
        wished = [wish for wish in wishes if wish is not None]
        for wish in wished:
            if self.table.get(wish) == wanted:
                return wish
        noted = next((number for number, used in self.table.items() if used == wanted), None)
        if noted is not None:
            return noted
        for number in (*wished, *_FREE_PAYLOAD_TYPES):
            if number not in self.table:
                self.table[number] = wanted
                return number
        raise InvalidArgument(f"no payload type is left for {wanted[0]}")


def _with_red(codecs: Iterable[AgreedCodec]) -> tuple[AgreedCodec, ...]:
    """Let audio RED name what it repeats (RFC 2198 section 5); drop it where there is nothing to repeat."""
    listed = tuple(codecs)
    kept: list[AgreedCodec] = []
    for codec in listed:
        if codec.name.lower() == "red" and codec.clock_rate != 90000:
            primary = next(
                (
                    one.payload_type
                    for one in listed
                    if one.name.lower() != "red"
                    and (one.clock_rate, one.channels) == (codec.clock_rate, codec.channels)
                ),
                None,
            )
            if primary is None:
                continue
            codec = AgreedCodec(
                payload_type=codec.payload_type,
                name=codec.name,
                clock_rate=codec.clock_rate,
                channels=codec.channels,
                fmtp={f"{primary}/{primary}": ""},
                rtcp_fb=codec.rtcp_fb,
            )
        kept.append(codec)
    return tuple(kept)


class ExtensionIds:
    """Gives ids to the header extensions of one offer; ``table`` is what the whole session used so far."""

    def __init__(self, table: Mapping[int, str]) -> None:
        self.table = dict(table)

    def assign(self, capabilities: Iterable[ExtensionCapability]) -> tuple[AgreedExtension, ...]:
        """Number ``capabilities`` of one section; those for which no id is left are left out."""
        by_uri = {uri: number for number, uri in reversed(self.table.items())}
        assigned: dict[str, AgreedExtension] = {}
        for capability in capabilities:
            if capability.uri in assigned or capability.direction == "inactive":
                continue
            number = by_uri.get(capability.uri)
            if number is None:
                wishes = (capability.preferred_id, *_FREE_EXTENSION_IDS)
                number = next((one for one in wishes if one is not None and one not in self.table), None)
            if number is not None:
                self.table[number] = capability.uri
                assigned[capability.uri] = AgreedExtension(number, capability.uri, capability.direction)
        return tuple(assigned.values())


def note_payload_types(
    table: Mapping[int, Identity], sections: Iterable[RemoteSection], *, offered: bool
) -> dict[int, Identity]:
    """Return ``table`` with every number that a remote description used; only an offer may change a meaning."""
    used: dict[int, Identity] = {}
    for section in sections:
        for codec in section.codecs:
            used[codec.payload_type] = identity(codec)
            if codec.rtx_payload_type is not None:
                used[codec.rtx_payload_type] = ("rtx", str(codec.payload_type))
    return {**table, **used} if offered else {**used, **table}


def note_extensions(table: Mapping[int, str], sections: Iterable[RemoteSection], *, offered: bool) -> dict[int, str]:
    """Return ``table`` with every id that a remote description used for real (1 to 255), as above."""
    used = {
        extension.id: extension.uri
        for section in sections
        for extension in section.extensions
        if extension.id in _FREE_EXTENSION_IDS
    }
    return {**table, **used} if offered else {**used, **table}
