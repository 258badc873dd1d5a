"""Our own sections as lines, in the order that browsers write them, and the description around them (RFC 9429 5.2.1).

Ports and addresses are the placeholders of trickle ICE (``9`` and ``0.0.0.0``, RFC 8840 4.1.1): nobody who speaks ICE
reads them. Candidates stand in the section that owns the transport alone, since everything is bundled.

Called by ``offer`` and ``answer``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pystack.errors import InvalidArgument
from pystack.sdp.attributes.codecs import STATIC_FORMATS, Fmtp, RtcpFeedback, RtpMap, format_parameters
from pystack.sdp.attributes.direction import sends
from pystack.sdp.attributes.extensions import ExtMap
from pystack.sdp.attributes.grouping import Group
from pystack.sdp.attributes.ice import candidate_text
from pystack.sdp.attributes.simulcast import Rid, Simulcast, SimulcastRid
from pystack.sdp.attributes.sources import Msid, SsrcAttribute, SsrcGroup
from pystack.sdp.jsep.model import (
    AgreedCodec,
    LocalSection,
    LocalSession,
    LocalTransceiver,
    RemoteSection,
    TransportParameters,
)
from pystack.sdp.model import Line, MediaSection, SessionDescriptionModel, attribute
from pystack.sdp.write import write

__all__ = ["MEDIA_PROTOCOL", "compose", "order_bundle", "write_section"]

MEDIA_PROTOCOL: Final = "UDP/TLS/RTP/SAVPF"
DATA_PROTOCOL: Final = "UDP/DTLS/SCTP"
_NO_CODEC: Final = {"audio": STATIC_FORMATS[0], "video": STATIC_FORMATS[31]}
"""Something for a rejected section to name; Chromium refuses video formats without a name."""


def order_bundle(running: Sequence[str], members: Sequence[str]) -> tuple[str, ...]:
    """Name the members that the bundle has first, then the new ones.

    The first of a group owns the transport (RFC 9143 7.2.1), whatever the order of the m-lines. A new section in a dead
    place at the front would move everything to a new transport, with a new DTLS association, if it were named first.

    Args:
        running: the mids of the bundle in force.
        members: those of the description that is written.
    """
    living = frozenset(members)
    kept = dict.fromkeys(mid for mid in running if mid in living)
    return (*kept, *(mid for mid in members if mid not in kept))


def compose(
    session_id: int,
    version: int,
    sections: Sequence[MediaSection],
    *,
    bundle: Sequence[str],
    ice_lite: bool,
    extmap_allow_mixed: bool,
) -> str:
    """Write the whole description (RFC 9429 5.2.1; ``o=`` as in RFC 8866 5.2)."""
    lines = [
        Line("v", "0"),
        Line("o", f"- {session_id} {version} IN IP4 127.0.0.1"),
        Line("s", "-"),
        Line("t", "0 0"),
    ]
    if bundle:
        lines.append(attribute("group", Group("BUNDLE", tuple(bundle)).text))
    if extmap_allow_mixed:
        lines.append(attribute("extmap-allow-mixed"))
    lines.append(attribute("msid-semantic", " WMS *"))
    if ice_lite:
        lines.append(attribute("ice-lite"))
    return write(SessionDescriptionModel(lines=tuple(lines), media=tuple(sections)))


def write_section(
    section: LocalSection,
    local: LocalSession,
    *,
    setup: str,
    with_candidates: bool,
    tls_id: str,
    transceiver: LocalTransceiver | None = None,
    remote: RemoteSection | None = None,
) -> MediaSection:
    """Write one section. ``remote`` is the offered section that this one answers (``None`` in an offer)."""
    lines = [Line("c", "IN IP4 0.0.0.0")]
    if section.rejected:
        return _write_rejected(section, lines, remote)
    if section.kind != "application":
        lines.append(attribute("rtcp", "9 IN IP4 0.0.0.0"))
    lines += _transport_lines(local.transport, setup, with_candidates, tls_id)
    if remote is None or remote.has_mid:
        lines.append(attribute("mid", section.mid))
    if section.kind == "application":
        lines += _data_lines(local, remote)
        old = remote is not None and remote.protocol.upper() == "DTLS/SCTP"
        formats = (str(local.sctp_port) if old else "webrtc-datachannel",)
        return MediaSection(
            kind="application",
            port=9,
            protocol=remote.protocol if remote is not None else DATA_PROTOCOL,
            formats=formats,
            lines=tuple(lines),
        )
    if remote is not None and remote.extmap_allow_mixed:
        lines.append(attribute("extmap-allow-mixed"))
    lines += [attribute("extmap", ExtMap(one.id, one.uri, one.direction).text) for one in section.extensions]
    lines.append(attribute(section.direction))
    lines += _msid_lines(section)
    lines.append(attribute("rtcp-mux"))
    if remote is None or remote.rtcp_rsize:
        lines.append(attribute("rtcp-rsize"))
    numbers: list[str] = []
    for codec in section.codecs:
        lines += _codec_lines(codec)
        numbers.append(str(codec.payload_type))
        if codec.rtx_payload_type is not None:
            numbers.append(str(codec.rtx_payload_type))
    if transceiver is not None and sends(section.direction):
        lines += _source_lines(section, transceiver)
    lines += _rid_lines(section, remote)
    return MediaSection(
        kind=section.kind,
        port=9,
        protocol=remote.protocol if remote is not None else MEDIA_PROTOCOL,
        formats=tuple(numbers),
        lines=tuple(lines),
    )


def _write_rejected(section: LocalSection, lines: list[Line], remote: RemoteSection | None) -> MediaSection:
    protocol, formats = (remote.protocol, remote.formats[:1]) if remote is not None else ("", ())
    if section.kind == "application":
        protocol, formats = protocol or DATA_PROTOCOL, formats or ("webrtc-datachannel",)
    else:
        protocol = protocol or MEDIA_PROTOCOL
        known = next((one for one in section.codecs if not formats or str(one.payload_type) == formats[0]), None)
        named = _NO_CODEC.get(section.kind)
        if known is not None:
            named = RtpMap(known.payload_type, known.name, known.clock_rate, known.channels)
        if named is not None and (known is not None or not formats):
            formats = (str(named.payload_type),)
            lines.append(attribute("rtpmap", named.text))
        lines.append(attribute("inactive"))
    if remote is None or remote.has_mid:
        lines.append(attribute("mid", section.mid))
    return MediaSection(
        kind=section.kind, port=0, protocol=protocol, formats=tuple(formats) or ("0",), lines=tuple(lines)
    )


def _transport_lines(transport: TransportParameters, setup: str, with_candidates: bool, tls_id: str) -> list[Line]:
    lines: list[Line] = []
    if with_candidates:
        for candidate in transport.candidates:
            text = _one_line(candidate_text(candidate), "a candidate")
            lines.append(attribute("candidate", text.removeprefix("candidate:")))
        if transport.end_of_candidates:
            lines.append(attribute("end-of-candidates"))
    lines += [
        attribute("ice-ufrag", _token(transport.ufrag, "ufrag")),
        attribute("ice-pwd", _token(transport.pwd, "pwd")),
    ]
    if transport.ice_options:
        lines.append(attribute("ice-options", _one_line(" ".join(transport.ice_options), "an ICE option")))
    lines += [
        attribute("fingerprint", _one_line(f"{name} {digest}", "a fingerprint"))
        for name, digest in transport.fingerprints
    ]
    lines.append(attribute("setup", setup))
    if tls_id:
        lines.append(attribute("tls-id", _token(tls_id, "tls-id")))
    return lines


def _data_lines(local: LocalSession, remote: RemoteSection | None) -> list[Line]:
    port = attribute("sctp-port", str(local.sctp_port))
    if remote is not None and remote.protocol.upper() == "DTLS/SCTP":
        port = attribute("sctpmap", f"{local.sctp_port} webrtc-datachannel 65535")
    return [port, attribute("max-message-size", str(local.max_message_size))]


def _msid_lines(section: LocalSection) -> list[Line]:
    streams, track = section.msid
    if not sends(section.direction) or (not streams and not track):
        return []
    checked = _token(track, "track id") if track else ""
    return [attribute("msid", Msid(_token(stream, "stream id"), checked).text) for stream in streams or ("-",)]


def _codec_lines(codec: AgreedCodec) -> list[Line]:
    number = codec.payload_type
    lines = [attribute("rtpmap", RtpMap(number, codec.name, codec.clock_rate, codec.channels).text)]
    lines += [attribute("rtcp-fb", RtcpFeedback(number, feedback).text) for feedback in codec.rtcp_fb]
    if codec.fmtp:
        parameters = _one_line(format_parameters(codec.fmtp), "a codec parameter")
        lines.append(attribute("fmtp", Fmtp(str(number), parameters).text))
    if codec.rtx_payload_type is not None:
        lines.append(attribute("rtpmap", RtpMap(codec.rtx_payload_type, "rtx", codec.clock_rate).text))
        lines.append(attribute("fmtp", Fmtp(str(codec.rtx_payload_type), f"apt={number}").text))
    return lines


def _source_lines(section: LocalSection, transceiver: LocalTransceiver) -> list[Line]:
    """Write ``a=ssrc`` with a cname, and the FID group of source and RTX; none for layers, which go by their rid."""
    if transceiver.ssrc is None or section.send_rids:
        return []
    repaired = any(codec.rtx_payload_type is not None for codec in section.codecs)
    sources = [transceiver.ssrc]
    lines: list[Line] = []
    if transceiver.rtx_ssrc is not None and repaired:
        sources.append(transceiver.rtx_ssrc)
        lines.append(attribute("ssrc-group", SsrcGroup("FID", tuple(sources)).text))
    cname = _token(transceiver.cname, "cname")
    return lines + [attribute("ssrc", SsrcAttribute(ssrc, "cname", cname).text) for ssrc in sources]


def _rid_lines(section: LocalSection, remote: RemoteSection | None) -> list[Line]:
    if not section.send_rids and not section.receive_rids:
        return []
    numbers = {str(codec.payload_type) for codec in section.codecs}
    theirs = {rid.id: rid for rid in (*remote.rids, *remote.receive_rids)} if remote is not None else {}
    lines: list[Line] = []
    for direction, names in (("send", section.send_rids), ("recv", section.receive_rids)):
        for name in names:
            asked = theirs.get(name)
            rid = Rid(
                _token(name, "rid"),
                "send" if direction == "send" else "recv",
                tuple(number for number in asked.formats if number in numbers) if asked is not None else (),
                asked.restrictions if asked is not None else (),
            )
            lines.append(attribute("rid", rid.text))
    if remote is None or remote.simulcast:
        simulcast = Simulcast(
            tuple((SimulcastRid(name),) for name in section.send_rids),
            tuple((SimulcastRid(name),) for name in section.receive_rids),
        )
        lines.append(attribute("simulcast", simulcast.text))
    return lines


def _token(text: str, what: str) -> str:
    """Let nothing into a description that would end its line or field: stream and track ids come from users."""
    if not text or not text.isprintable() or " " in text:
        raise InvalidArgument(f"{what} {text[:40]!r} is empty or has a space or a control character")
    return text


def _one_line(text: str, what: str) -> str:
    if not text.isprintable():
        raise InvalidArgument(f"{what} has a line break or a control character: {text[:60]!r}")
    return text
