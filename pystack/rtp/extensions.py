"""RTP header extensions (RFC 8285), read and rewritten over raw bytes.

A packet's extension body is never turned into objects on the way through: one element is found by walking the element
headers, and a forwarder rewrites the ids by a table that is made once for a pair of maps. Unknown elements and
unknown profiles are kept as they are.

Called by the RTP session and by applications that read audio levels, orientation and the like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from operator import itemgetter
from struct import Struct
from typing import Any, Final

from pystack.errors import DecodeError, InvalidArgument
from pystack.rtp.layout import MAX_SHAPES, Layout
from pystack.rtp.packet import NO_EXTENSION, RtpPacket

__all__ = [
    "ABS_SEND_TIME",
    "AUDIO_LEVEL",
    "DEPENDENCY_DESCRIPTOR",
    "MID",
    "ONE_BYTE",
    "ORIENTATION",
    "PLAYOUT_DELAY",
    "REPAIRED_RID",
    "RID",
    "TRANSPORT_SEQUENCE",
    "TWO_BYTE",
    "VIDEO_LAYERS_ALLOCATION",
    "ExtensionReader",
    "HeaderExtensionMap",
    "Translation",
    "elements",
    "find",
    "is_two_byte",
    "pack_abs_send_time",
    "pack_audio_level",
    "pack_orientation",
    "parse_abs_send_time",
    "parse_audio_level",
    "parse_orientation",
    "translation",
    "write",
]

MID: Final = "urn:ietf:params:rtp-hdrext:sdes:mid"
"""The section's name (RFC 9143 section 15)."""
RID: Final = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
"""A simulcast layer's name (RFC 8852)."""
REPAIRED_RID: Final = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
"""The layer that a retransmission repairs (RFC 8852)."""
AUDIO_LEVEL: Final = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
"""Client-to-mixer audio level (RFC 6464)."""
ORIENTATION: Final = "urn:3gpp:video-orientation"
"""Coordination of video orientation (3GPP TS 26.114)."""
ABS_SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
"""Absolute send time, 24 bits of 6.18 fixed point."""
TRANSPORT_SEQUENCE: Final = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
"""The transport-wide sequence number (draft-holmer-rmcat-transport-wide-cc-extensions-01)."""
PLAYOUT_DELAY: Final = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
"""Bounds that the sender wishes for the playout delay."""
DEPENDENCY_DESCRIPTOR: Final = "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
"""The AV1 dependency descriptor; :mod:`pystack.rtp.descriptor` reads and writes it."""
VIDEO_LAYERS_ALLOCATION: Final = "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00"
"""Which layers are sent at what rate; :mod:`pystack.rtp.descriptor` reads and writes it."""

ONE_BYTE: Final = 0xBEDE
TWO_BYTE: Final = 0x1000

HOP_BY_HOP: Final = frozenset((MID, RID, REPAIRED_RID, TRANSPORT_SEQUENCE, ABS_SEND_TIME))
"""What each sender writes for itself, so that a forwarder never copies it."""


class HeaderExtensionMap:
    """Which id means which URI in one media section (RFC 8285 section 5).

    Immutable and compared by its entries, so that tables between two maps can be shared by all who use them.

    Args:
        entries: URI by id, or ``(id, uri)`` pairs; ids 1 to 14 fit both forms, up to 255 the two-byte form. An id
            given twice keeps its first meaning.

    Raises:
        InvalidArgument: an id is outside 1 to 255, or is 15.

    Attributes:
        entries: ``(id, uri)`` pairs, sorted.
        mid: the id of the media section's name; this and the following are 0 when not negotiated.
        rid: the id of the simulcast stream's name.
        repaired_rid: the id of the name of the stream that a retransmission repairs.
        audio_level: the id of the client-to-mixer audio level.
        transport_sequence: the id of the transport-wide sequence number.
        abs_send_time: the id of the absolute send time.
        orientation: the id of the video orientation.
    """

    __slots__ = (
        "_hash",
        "_ids",
        "_uris",
        "abs_send_time",
        "audio_level",
        "entries",
        "mid",
        "orientation",
        "repaired_rid",
        "rid",
        "transport_sequence",
    )

    def __init__(self, entries: Mapping[int, str] | Iterable[tuple[int, str]] = ()) -> None:
        uris: dict[int, str] = {}
        for identifier, uri in entries.items() if isinstance(entries, Mapping) else entries:
            if not 1 <= identifier <= 255 or identifier == 15:
                raise InvalidArgument(f"header extension id {identifier} is not allowed")
            uris.setdefault(identifier, uri)
        self.entries = tuple(sorted(uris.items()))
        self._uris = uris
        self._ids = {uri: identifier for identifier, uri in reversed(self.entries)}
        self._hash = hash(self.entries)
        self.mid = self.id_of(MID)
        self.rid = self.id_of(RID)
        self.repaired_rid = self.id_of(REPAIRED_RID)
        self.audio_level = self.id_of(AUDIO_LEVEL)
        self.transport_sequence = self.id_of(TRANSPORT_SEQUENCE)
        self.abs_send_time = self.id_of(ABS_SEND_TIME)
        self.orientation = self.id_of(ORIENTATION)

    def id_of(self, uri: str) -> int:
        """The id of ``uri``; 0 when it was not negotiated."""
        return self._ids.get(uri, 0)

    def uri_of(self, identifier: int) -> str | None:
        """The URI of ``identifier``; ``None`` when it has no meaning here."""
        return self._uris.get(identifier)

    def get(self, packet: RtpPacket, uri: str) -> bytes | None:
        """The raw value of ``uri`` in ``packet``, whose ids are of this map; ``None`` when it is not there."""
        identifier = self._ids.get(uri, 0)
        return find(packet.extension_profile, packet.extension, identifier) if identifier else None

    def set(self, packet: RtpPacket, uri: str, value: bytes) -> None:
        """Set ``uri`` in ``packet``, whose ids are of this map, keeping every other element.

        Raises:
            InvalidArgument: ``uri`` was not negotiated, ``value`` is above 255 bytes, or the packet's extension is of
                a profile that has no elements.
            DecodeError: the packet's extension is malformed.
        """
        identifier = self._ids.get(uri, 0)
        if not identifier or len(value) > 255:
            raise InvalidArgument(f"cannot set {uri} to {len(value)} bytes")
        if packet.extension_profile not in (NO_EXTENSION, ONE_BYTE) and not is_two_byte(packet.extension_profile):
            raise InvalidArgument(f"extension profile {packet.extension_profile:#06x} has no elements")
        kept = [each for each in elements(packet.extension_profile, packet.extension) if each[0] != identifier]
        kept.append((identifier, value))
        packet.extension_profile, packet.extension = write(kept)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HeaderExtensionMap) and other.entries == self.entries

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"HeaderExtensionMap({dict(self.entries)})"


def is_two_byte(profile: int) -> bool:
    """Tell whether ``profile`` announces two-byte elements (RFC 8285 section 4.3)."""
    return profile & 0xFFF0 == TWO_BYTE if profile >= 0 else False


def find(profile: int, body: bytes, identifier: int) -> bytes | None:
    """The value of one element, or ``None``; never raises on a malformed body. Hot."""
    at = 0
    size = len(body)
    if profile == ONE_BYTE:
        while at < size:
            head = body[at]
            if head == 0:
                at += 1
                continue
            stop = at + 2 + (head & 0x0F)
            if head >> 4 == identifier:
                return body[at + 1 : stop] if stop <= size else None
            if head >= 0xF0 or head < 0x10:
                return None  # id 15, or 0 with a length: everything after it is to be ignored (section 4.2)
            at = stop
    elif is_two_byte(profile):
        while at + 1 < size:
            head = body[at]
            if head == 0:
                at += 1
                continue
            stop = at + 2 + body[at + 1]
            if head == identifier:
                return body[at + 2 : stop] if stop <= size else None
            at = stop
    return None


def elements(profile: int, body: bytes) -> list[tuple[int, bytes]]:
    """All elements as ``(id, value)``, in their order; empty for a profile that has none.

    Raises:
        DecodeError: an element runs past the end.
    """
    found: list[tuple[int, bytes]] = []
    at = 0
    size = len(body)
    if profile == ONE_BYTE:
        while at < size:
            head = body[at]
            if head == 0:
                at += 1
                continue
            if head >= 0xF0 or head < 0x10:
                break
            stop = at + 2 + (head & 0x0F)
            if stop > size:
                raise DecodeError("RTP: extension element runs past the end")
            found.append((head >> 4, body[at + 1 : stop]))
            at = stop
    elif is_two_byte(profile):
        while at < size:
            head = body[at]
            if head == 0:
                at += 1
                continue
            stop = at + 2 + (body[at + 1] if at + 1 < size else size)
            if stop > size:
                raise DecodeError("RTP: extension element runs past the end")
            found.append((head, body[at + 2 : stop]))
            at = stop
    return found


def write(values: Iterable[tuple[int, bytes]]) -> tuple[int, bytes]:
    """Write elements, one-byte if they all fit that form; return profile and body, ``NO_EXTENSION`` for none."""
    kept = list(values)
    if not kept:
        return NO_EXTENSION, b""
    short = fits_one_byte(kept)
    body = encode(kept, short)
    return ONE_BYTE if short else TWO_BYTE, body + bytes(-len(body) & 3)


def fits_one_byte(values: Iterable[tuple[int, bytes]]) -> bool:
    """Tell whether all of ``values`` have an id up to 14 and 1 to 16 bytes."""
    return all(identifier < 15 and 1 <= len(value) <= 16 for identifier, value in values)


def encode(values: Iterable[tuple[int, bytes]], one_byte: bool) -> bytes:
    """The bytes of ``values`` in one of the forms, without padding."""
    parts: list[bytes] = []
    for identifier, value in values:
        parts.append(bytes((identifier << 4 | len(value) - 1,) if one_byte else (identifier, len(value))))
        parts.append(value)
    return b"".join(parts)


class ExtensionReader:
    """Reads the same extensions out of every packet of a media section: what runs per packet.

    Args:
        names: what the ids of the packets mean.
        uris: what to read.
    """

    __slots__ = ("_ids", "_nothing", "_plans")

    def __init__(self, names: HeaderExtensionMap, *uris: str) -> None:
        self._ids = [names.id_of(uri) for uri in uris]
        self._nothing: tuple[bytes | None, ...] = (None,) * len(uris)
        self._plans: dict[int, _Reading] = {}

    def read(self, packet: RtpPacket) -> tuple[bytes | None, ...]:
        """The raw values in the order of ``uris``, ``None`` for what is not there; never raises. Hot."""
        body = packet.extension
        plan = self._plans.get(len(body))
        if plan is None or plan.profile != packet.extension_profile or plan.marks(body) != plan.expected:
            return self._learn(packet.extension_profile, body)
        return plan.pick((*plan.values(body), None))

    def _learn(self, profile: int, body: bytes) -> tuple[bytes | None, ...]:
        """The plain twin, which also remembers the shape."""
        if profile != ONE_BYTE and not is_two_byte(profile):
            return self._nothing
        try:
            layout = Layout(profile, body)
        except ValueError:
            return tuple(find(profile, body, identifier) if identifier else None for identifier in self._ids)
        if len(self._plans) >= MAX_SHAPES:
            self._plans.clear()
        self._plans[len(body)] = _Reading(layout, self._ids)
        return tuple(find(profile, body, identifier) if identifier else None for identifier in self._ids)


class _Reading:
    """How the wanted values come out of bodies of one shape: in the order of the body, then in the wanted order."""

    __slots__ = ("expected", "marks", "pick", "profile", "values")

    def __init__(self, layout: Layout, ids: list[int]) -> None:
        self.profile = layout.profile
        self.marks = layout.marks
        self.expected = layout.expected
        first: dict[int, int] = {}
        form = ["!"]
        at = 0
        for identifier, start, stop in layout.elements:
            if identifier in ids and identifier not in first:
                first[identifier] = len(first)
                form.append(f"{start - at}x{stop - start}s")
                at = stop
        self.values: Callable[[bytes], tuple[Any, ...]] = Struct("".join(form)).unpack_from
        places = [first.get(identifier, -1) for identifier in ids]
        self.pick: Callable[[tuple[Any, ...]], tuple[bytes | None, ...]]
        if len(places) > 1:
            self.pick = itemgetter(*places)
        else:
            self.pick = lambda values: tuple(values[place] for place in places)


class Translation:
    """Rewrites extension bodies from the ids of one map to those of another, by URI.

    What the other side did not negotiate is dropped, and so is what each sender writes for itself. In a fan-out the
    same body passes once per subscriber, mostly with equal maps, so the last result is kept; from packet to packet
    it is the shape that stays, so what to take from where is worked out once per shape.
    """

    __slots__ = ("_last_body", "_last_profile", "_plans", "_result", "_table")

    def __init__(self, source: HeaderExtensionMap | None, target: HeaderExtensionMap) -> None:
        uris = (source or target).entries
        self._table = {
            identifier: target.id_of(uri) for identifier, uri in uris if uri not in HOP_BY_HOP and target.id_of(uri)
        }
        self._plans: dict[int, _Rewriting] = {}
        self._last_profile = NO_EXTENSION
        self._last_body = b""
        self._result: tuple[bool, bytes] = (True, b"")

    def apply(self, profile: int, body: bytes) -> tuple[bool, bytes]:
        """Return whether the result is in one-byte form, and its elements without padding. Hot.

        A malformed body gives nothing.
        """
        if body is self._last_body and profile == self._last_profile:
            return self._result
        plan = self._plans.get(len(body))
        if plan is not None and plan.profile == profile and plan.marks(body) == plan.expected:
            head, start, stop = plan.only
            if plan.others is None:
                result = plan.short, head + body[start:stop]
            else:
                parts = [head, body[start:stop]]
                for head, start, stop in plan.others:
                    parts.append(head)
                    parts.append(body[start:stop])
                result = plan.short, b"".join(parts)
        else:
            result = self._learn(profile, body)
        self._last_profile = profile
        self._last_body = body
        self._result = result
        return result

    def _learn(self, profile: int, body: bytes) -> tuple[bool, bytes]:
        if not self._table:
            return True, b""
        try:
            layout = Layout(profile, body)
        except ValueError:
            pass
        else:
            if len(self._plans) >= MAX_SHAPES:
                self._plans.clear()
            self._plans[len(body)] = _Rewriting(layout, self._table)
        return self.translate(profile, body)

    def translate(self, profile: int, body: bytes) -> tuple[bool, bytes]:
        """The plain twin of :meth:`apply`, which reads every element and remembers nothing."""
        table = self._table
        try:
            found = elements(profile, body)
        except DecodeError:
            found = []
        kept = [(table[identifier], value) for identifier, value in found if identifier in table]
        short = fits_one_byte(kept)
        return short, encode(kept, short)


class _Rewriting:
    """What of bodies of one shape goes on, and under which element headers."""

    __slots__ = ("expected", "marks", "only", "others", "profile", "short")

    def __init__(self, layout: Layout, table: Mapping[int, int]) -> None:
        self.profile = layout.profile
        self.marks = layout.marks
        self.expected = layout.expected
        kept = [(table[identifier], start, stop) for identifier, start, stop in layout.elements if identifier in table]
        self.short = all(identifier < 15 and 1 <= stop - start <= 16 for identifier, start, stop in kept)
        pieces = [
            (bytes((identifier << 4 | stop - start - 1,) if self.short else (identifier, stop - start)), start, stop)
            for identifier, start, stop in kept
        ]
        self.only = pieces[0] if pieces else (b"", 0, 0)
        self.others = pieces[1:] or None


@lru_cache(maxsize=256)
def translation(source: HeaderExtensionMap | None, target: HeaderExtensionMap) -> Translation:
    """The table from ``source`` (``None``: the ids are already those of ``target``) to ``target``, shared."""
    return Translation(source, target)


def parse_audio_level(value: bytes) -> tuple[bool, int] | None:
    """``(voice activity, level)`` of RFC 6464, the level in -dBov from 0 (loudest) to 127; ``None`` if empty."""
    return (value[0] > 0x7F, value[0] & 0x7F) if value else None


def pack_audio_level(voice: bool, level: int) -> bytes:
    """The value of RFC 6464; ``level`` in -dBov, 0 to 127."""
    return bytes((level | 0x80 if voice else level,))


def parse_abs_send_time(value: bytes) -> float | None:
    """The send time in seconds modulo 64; ``None`` when it is not three bytes."""
    return int.from_bytes(value, "big") / 262144 if len(value) == 3 else None


def pack_abs_send_time(seconds: float) -> bytes:
    """Three bytes of ``seconds`` modulo 64 in units of 2**-18 s."""
    return (int(seconds * 262144) & 0xFFFFFF).to_bytes(3, "big")


def parse_orientation(value: bytes) -> tuple[int, bool, bool] | None:
    """``(rotation in degrees clockwise, flipped, back camera)`` (3GPP TS 26.114 7.4.5); ``None`` if empty."""
    return ((value[0] & 3) * 90, bool(value[0] & 4), bool(value[0] & 8)) if value else None


def pack_orientation(rotation: int, *, flipped: bool = False, back_camera: bool = False) -> bytes:
    """The value for a rotation of 0, 90, 180 or 270 degrees clockwise."""
    return bytes((rotation // 90 & 3 | flipped << 2 | back_camera << 3,))
