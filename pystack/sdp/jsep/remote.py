"""A remote description as values: what each section says, and the one transport that counts (RFC 9429 5.8, RFC 8843).

Bundling is decided here. The sections of the first ``a=group:BUNDLE`` share the transport of the first of them that is
alive; a remote that does not bundle gets its first living section, and the others count as rejected. Whatever is wrong
is an :class:`~pystack.errors.InvalidArgument` that names the section and the attribute.

Called by ``apply``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import attrs

from pystack.base import revise
from pystack.errors import DecodeError, InvalidArgument
from pystack.sdp.attributes.codecs import STATIC_FORMATS, TAKEN_FOR_RTCP, Fmtp, RtcpFeedback, RtpMap, parse_parameters
from pystack.sdp.attributes.direction import direction_of, sends
from pystack.sdp.attributes.dtls import HASH_SIZES, Fingerprint, Setup, parse_setup, parse_tls_id
from pystack.sdp.attributes.extensions import ExtMap
from pystack.sdp.attributes.grouping import Group, parse_mid
from pystack.sdp.attributes.ice import candidate_text, parse_options, parse_pwd, parse_ufrag
from pystack.sdp.attributes.sctp import max_message_size_of, port_of
from pystack.sdp.attributes.simulcast import Rid, Simulcast, SimulcastRid
from pystack.sdp.attributes.sources import Msid, SsrcAttribute, SsrcGroup
from pystack.sdp.jsep.model import (
    AgreedCodec,
    AgreedExtension,
    DescriptionType,
    Negotiation,
    RemoteSection,
    RemoteTransport,
    Slot,
)
from pystack.sdp.model import MediaSection, SessionDescriptionModel
from pystack.sdp.parse import parse

__all__ = ["RemoteDescription", "read_remote"]

T = TypeVar("T")

_MEDIA_PROTOCOLS: Final = ("RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF")
_DATA_PROTOCOLS: Final = ("UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP")
_MAX_RIDS: Final = 16
"""Layers of one section that are looked at; the RTP layer keeps state for each."""


@attrs.frozen(kw_only=True)
class RemoteDescription:
    """What was read. ``bundle`` is empty if the remote wrote no group; ``transport`` is ``None`` if nothing lives."""

    sections: tuple[RemoteSection, ...]
    transport: RemoteTransport | None
    bundle: tuple[str, ...]
    next_mid: int


def read_remote(base: Negotiation, kind: DescriptionType, text: str) -> RemoteDescription:
    """Read ``text`` as a description of the given ``kind`` for the session ``base``.

    Raises:
        InvalidArgument: it is malformed, does not follow what the session already has, or lacks what a transport needs.
    """
    try:
        return _read(base, kind, parse(text))
    except (DecodeError, InvalidArgument) as error:
        raise InvalidArgument(f"remote {kind}: {error.message}") from None


def _read(base: Negotiation, kind: DescriptionType, model: SessionDescriptionModel) -> RemoteDescription:
    _check_order(base.slots, kind, model.media)
    mids, next_mid = _mids(base, model)
    bundle = next(
        (group.mids for group in model.read("group", Group.parse) if group.semantics.upper() == "BUNDLE"), None
    )
    grouped = frozenset(bundle or ())
    sections = [
        _read_section(model, index, mids[index], bundled=mids[index] in grouped) for index in range(len(model.media))
    ]
    for one in sections:
        if kind != "offer" and not one.rejected and one.kind in ("audio", "video") and not one.rtcp_mux:
            raise InvalidArgument(f"{_where(one.index, one.mid)}: a=rtcp-mux is missing")
    sections = [one if _usable(one) else _rejected(one) for one in sections]
    tag = _transport_index(sections, bundle, base.bundle if kind == "offer" else ())
    if tag is None:
        return RemoteDescription(sections=tuple(sections), transport=None, bundle=bundle or (), next_mid=next_mid)
    members = {sections[tag].mid, *grouped}
    known = frozenset(mids)
    sections = [one if one.mid in members else _rejected(one) for one in sections]
    transport = _read_transport(model, sections[tag], kind)
    return RemoteDescription(
        sections=tuple(sections),
        transport=transport,
        bundle=tuple(mid for mid in bundle or () if mid in known),
        next_mid=next_mid,
    )


def _rejected(section: RemoteSection) -> RemoteSection:
    return revise(section, rejected=True, direction="inactive")


def _where(index: int, mid: str) -> str:
    return f"section {index} (mid {mid})"


def _check_order(slots: Sequence[Slot], kind: DescriptionType, media: Sequence[MediaSection]) -> None:
    """The m-lines of a session keep their places, kinds and mids; only dead ones are used again (RFC 9429 5.2.2)."""
    if len(media) < len(slots) or (kind != "offer" and len(media) != len(slots)):
        raise InvalidArgument(f"it has {len(media)} sections where the session has {len(slots)}")
    for index, (slot, section) in enumerate(zip(slots, media, strict=False)):
        if slot.dead and kind == "offer":
            continue
        where = f"line {section.number}: section {index} (mid {slot.mid})"
        if section.kind != slot.kind:
            raise InvalidArgument(f"{where}: the kind changed from {slot.kind} to {section.kind[:30]}")
        mid = section.read_first("mid", parse_mid)
        if mid is not None and mid != slot.mid:
            raise InvalidArgument(f"{where}: a=mid changed to {mid[:30]}")


def _mids(base: Negotiation, model: SessionDescriptionModel) -> tuple[list[str], int]:
    """Return the mid of every section, made up where the remote wrote none, and the next number for made-up ones."""
    written = [section.read_first("mid", parse_mid) for section in model.media]
    said = frozenset(mid for mid in written if mid is not None)
    taken = said | base.mids
    mids: dict[str, None] = {}
    # Never one that was there before: packets and candidates of a section that is gone may still be under way.
    number = max(base.next_mid, *(int(mid) + 1 for mid in said if mid.isascii() and mid.isdigit() and len(mid) < 10), 0)
    for index, mid in enumerate(written):
        if mid is None and index < len(base.slots) and base.slots[index].mid not in said:
            mid = base.slots[index].mid
        while mid is None:
            mid = None if str(number) in taken else str(number)
            number += 1
        if mid in mids:
            raise InvalidArgument(f"line {model.media[index].number}: section {index}: a=mid:{mid} is there twice")
        mids[mid] = None
    return list(mids), number


def _transport_index(
    sections: Sequence[RemoteSection], bundle: Sequence[str] | None, running: Sequence[str]
) -> int | None:
    """Return the index of the section whose transport is used, or ``None`` if every section is rejected.

    ``running`` is the bundle in force, whose members come first, as they will in our answer.
    """
    alive = {section.mid: section.index for section in sections if not section.rejected}
    members = frozenset(bundle or ())
    grouped = next((alive[mid] for mid in (*running, *(bundle or ())) if mid in alive and mid in members), None)
    return grouped if grouped is not None else next(iter(alive.values()), None)


def _usable(section: RemoteSection) -> bool:
    if section.kind == "application":
        return section.protocol.upper() in _DATA_PROTOCOLS
    if section.kind not in ("audio", "video"):
        return False
    protocol = section.protocol.upper().removeprefix("UDP/TLS/").removeprefix("TCP/TLS/").removeprefix("TCP/DTLS/")
    return protocol in _MEDIA_PROTOCOLS and section.rtcp_mux


def _read_section(model: SessionDescriptionModel, index: int, mid: str, *, bundled: bool) -> RemoteSection:
    section = model.media[index]
    # Port 0 rejects, unless it is the mark of a section that exists only inside of the bundle (RFC 8843 6).
    rejected = section.port == 0 and not (bundled and section.has("bundle-only"))
    common = RemoteSection(
        index=index,
        mid=mid,
        kind=section.kind,
        rejected=rejected,
        direction="inactive" if rejected else direction_of(section, model),
        protocol=section.protocol,
        formats=section.formats,
        has_mid=section.has("mid"),
    )
    if section.kind == "application":
        return revise(common, sctp_port=port_of(section), max_message_size=max_message_size_of(section))
    if section.kind not in ("audio", "video"):
        return common
    common = revise(
        common,
        codecs=_read_codecs(section),
        extensions=_read_extensions(section),
        rtcp_mux=section.has("rtcp-mux"),
        rtcp_rsize=section.has("rtcp-rsize"),
        extmap_allow_mixed=section.has("extmap-allow-mixed") or model.has("extmap-allow-mixed"),
    )
    common = _with_rids(common, section)
    return _with_sources(common, section) if sends(common.direction) else common


def _read_codecs(section: MediaSection) -> tuple[AgreedCodec, ...]:
    maps = dict(STATIC_FORMATS)
    maps.update((one.payload_type, one) for one in reversed(section.read("rtpmap", RtpMap.parse)))
    parameters = {one.format: one.parameters for one in reversed(section.read("fmtp", Fmtp.parse))}
    feedback = section.read("rtcp-fb", RtcpFeedback.parse)
    listed = [
        int(name)
        for name in section.formats
        if name.isascii() and name.isdigit() and len(name) <= 3 and int(name) in maps
    ]
    for payload_type in listed:
        if section.port and payload_type in TAKEN_FOR_RTCP:
            raise InvalidArgument(
                f"line {section.number}: payload type {payload_type} cannot be told from RTCP; take one of 96 to 127"
            )
    repairs: dict[int, int] = {}
    for number in listed:
        if maps[number].name.lower() == "rtx":
            repaired = parse_parameters(parameters.get(str(number), "")).get("apt", "")
            if repaired.isascii() and repaired.isdigit() and len(repaired) <= 3:
                repairs.setdefault(int(repaired), number)
    return tuple(
        AgreedCodec(
            payload_type=number,
            name=maps[number].name,
            clock_rate=maps[number].clock_rate,
            channels=maps[number].channels,
            fmtp=parse_parameters(parameters.get(str(number), "")),
            rtcp_fb=tuple(
                dict.fromkeys(
                    one.feedback for one in feedback if one.payload_type is None or one.payload_type == number
                )
            ),
            rtx_payload_type=repairs.get(number),
        )
        for number in dict.fromkeys(listed)
        if maps[number].name.lower() != "rtx"
    )


def _read_extensions(section: MediaSection) -> tuple[AgreedExtension, ...]:
    found: dict[str, AgreedExtension] = {}
    for one in section.read("extmap", ExtMap.parse):
        found.setdefault(one.uri, AgreedExtension(one.id, one.uri, one.direction))
    return tuple(found.values())


def _with_rids(common: RemoteSection, section: MediaSection) -> RemoteSection:
    """Read ``a=rid``, in the order and with the pauses of ``a=simulcast`` if that is there (RFC 8853 5.2)."""
    listed = {rid.id: rid for rid in reversed(section.read("rid", Rid.parse))}
    simulcast = section.read_first("simulcast", Simulcast.parse)

    def layers(direction: str, streams: Sequence[Sequence[SimulcastRid]]) -> tuple[Rid, ...]:
        if simulcast is None:
            plain = [rid for rid in section.read("rid", Rid.parse) if rid.direction == direction]
            return tuple(plain[:_MAX_RIDS])
        chosen: dict[str, Rid] = {}
        for stream in streams:
            for one in stream:
                rid = listed.get(one.id)
                if rid is not None and rid.direction == direction:
                    chosen.setdefault(one.id, revise(rid, paused=one.paused))
                    break  # of alternatives the first that we can read
        return tuple(chosen.values())[:_MAX_RIDS]

    return revise(
        common,
        rids=layers("send", simulcast.send if simulcast else ()) if sends(common.direction) else (),
        receive_rids=layers("recv", simulcast.recv if simulcast else ()),
        simulcast=simulcast is not None,
    )


def _with_sources(common: RemoteSection, section: MediaSection) -> RemoteSection:
    lines = section.read("ssrc", SsrcAttribute.parse)
    msids = section.read("msid", Msid.parse) or tuple(
        Msid.parse(line.value) for line in lines if line.name == "msid" and line.value and len(line.value.split()) <= 2
    )
    streams = dict.fromkeys(msid.stream_id for msid in msids if msid.stream_id != "-")
    return revise(
        common,
        ssrcs=tuple(dict.fromkeys(line.ssrc for line in lines)),
        ssrc_groups=section.read("ssrc-group", SsrcGroup.parse),
        cname=next((line.value for line in lines if line.name == "cname" and line.value), ""),
        stream_ids=tuple(streams),
        track_id=next((msid.track_id for msid in msids if msid.track_id), ""),
    )


def _read_transport(model: SessionDescriptionModel, tagged: RemoteSection, kind: DescriptionType) -> RemoteTransport:
    section = model.media[tagged.index]
    where = _where(tagged.index, tagged.mid)

    def either(name: str, reader: Callable[[str], T]) -> T | None:
        own = section.read_first(name, reader)
        return model.read_first(name, reader) if own is None else own

    ufrag, pwd = either("ice-ufrag", parse_ufrag), either("ice-pwd", parse_pwd)
    if ufrag is None or pwd is None:
        raise InvalidArgument(f"{where}: a=ice-{'ufrag' if ufrag is None else 'pwd'} is missing")
    fingerprints = section.read("fingerprint", Fingerprint.parse) or model.read("fingerprint", Fingerprint.parse)
    if not fingerprints:
        raise InvalidArgument(f"{where}: a=fingerprint is missing")
    known = tuple((one.algorithm, one.digest) for one in fingerprints if one.algorithm in HASH_SIZES)
    if not known:
        names = ", ".join(sorted({one.algorithm[:30] for one in fingerprints}))
        raise InvalidArgument(f"{where}: a=fingerprint has only unknown hash functions: {names}")
    setup: Setup | None = either("setup", parse_setup)
    if setup is None:  # RFC 4145 section 4.1
        setup = "active" if kind == "offer" else "passive"
    if setup == "holdconn" or (kind != "offer" and setup == "actpass"):
        raise InvalidArgument(f"{where}: a=setup:{setup} cannot be used in an {kind.removeprefix('pr')}")
    return RemoteTransport(
        mid=tagged.mid,
        index=tagged.index,
        ufrag=ufrag,
        pwd=pwd,
        ice_lite=model.has("ice-lite"),
        ice_options=either("ice-options", parse_options) or (),
        candidates=tuple(candidate_text(line.value) for line in section.all("candidate")),
        end_of_candidates=section.has("end-of-candidates") or model.has("end-of-candidates"),
        fingerprints=known,
        setup=setup,
        tls_id=either("tls-id", parse_tls_id) or "",
    )
