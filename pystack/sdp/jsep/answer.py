"""``create_answer`` (RFC 9429 5.3): what both sides want of each offered section, on one bundled transport.

Numbers are the offerer's. A section is rejected (port 0) if the remote rejected it, stands outside of its bundle, has
no codec that we take, or belongs to a transceiver that is stopped or gone. Everything else is accepted, ``inactive`` at
the least, so that a place kept for later stays usable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from pystack.base import revise
from pystack.errors import LocalProtocolError
from pystack.sdp.attributes.direction import intersect, receives, reverse, sends
from pystack.sdp.jsep.matching import match_offer
from pystack.sdp.jsep.model import (
    AgreedExtension,
    DtlsRole,
    ExtensionCapability,
    LocalDescription,
    LocalSection,
    LocalSession,
    LocalTransceiver,
    NegotiatedSection,
    Negotiation,
    RemoteSection,
)
from pystack.sdp.jsep.offer import check_transport
from pystack.sdp.jsep.sections import compose, order_bundle, write_section
from pystack.sdp.jsep.states import SignalingState

__all__ = ["RID_URI", "agree_extensions", "create_answer", "reject"]

RID_URI: Final = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
"""Without this header extension there is no simulcast: it tells the layers apart (RFC 8852)."""


def create_answer(negotiation: Negotiation, local: LocalSession, *, provisional: bool = False) -> LocalDescription:
    """Answer the pending remote offer. Nothing changes until the answer is applied.

    Every living media section of the offer needs a transceiver in ``local`` with its mid (or with the key that
    ``apply_remote`` matched); a section without one is rejected.

    Raises:
        LocalProtocolError: there is no remote offer to answer.
        InvalidArgument: no fingerprint, text that does not fit into a description.
    """
    if negotiation.state not in (SignalingState.HAVE_REMOTE_OFFER, SignalingState.HAVE_LOCAL_PRANSWER):
        raise LocalProtocolError("create answer", negotiation.state.value)
    check_transport(local)
    by_mid = {one.mid: one for one in local.transceivers if one.mid is not None}
    by_key = {one.key: one for one in local.transceivers}
    transceivers = [
        by_mid.get(section.mid) or (by_key.get(section.transceiver) if section.transceiver is not None else None)
        for section in negotiation.remote_sections
    ]
    agreed = _agree(negotiation.remote_sections, transceivers)
    sections = [_local_section(one, transceiver) for one, transceiver in zip(agreed, transceivers, strict=True)]
    alive = tuple(one.mid for one in agreed if not one.rejected)
    living = frozenset(alive)
    bundle = order_bundle(negotiation.bundle, [mid for mid in negotiation.remote_bundle if mid in living])
    tagged = next(iter(bundle or alive), None)
    role = _role(negotiation, local) if alive else negotiation.dtls_role
    media = [
        write_section(
            section,
            local,
            setup=_setup(negotiation, role),
            with_candidates=section.mid == tagged,
            tls_id=local.transport.tls_id if negotiation.association_named else "",
            transceiver=transceiver,
            remote=remote,
        )
        for section, transceiver, remote in zip(sections, transceivers, negotiation.remote_sections, strict=True)
    ]
    version = negotiation.version + 1
    return LocalDescription(
        type="pranswer" if provisional else "answer",
        text=compose(
            negotiation.session_id,
            version,
            media,
            bundle=bundle,
            ice_lite=local.transport.ice_lite,
            extmap_allow_mixed=False,  # each section answers for itself
        ),
        sections=tuple(sections),
        version=version,
        epoch=negotiation.epoch,
        transport=local.transport,
        next_mid=negotiation.next_mid,
        agreed=agreed,
        dtls_role=role,
        bundle=bundle or alive[:1],
    )


def _role(negotiation: Negotiation, local: LocalSession) -> DtlsRole:
    """Keep the role that was agreed; else take what the offer leaves, else what we prefer (RFC 8842 5.3, 5.5)."""
    if negotiation.dtls_role is not None:
        return negotiation.dtls_role
    offered = negotiation.transport.setup if negotiation.transport is not None else "actpass"
    if offered == "actpass":
        return "client" if local.transport.setup == "active" else "server"
    return "server" if offered == "active" else "client"


def _setup(negotiation: Negotiation, role: DtlsRole | None) -> Literal["active", "passive"]:
    """Say our role; but an answer may not repeat what the offer said, even where that was wrong (RFC 4145 4.1)."""
    offered = negotiation.transport.setup if negotiation.transport is not None else "actpass"
    if offered in ("active", "passive"):
        return "passive" if offered == "active" else "active"
    return "active" if role == "client" else "passive"


def _agree(
    remote: Sequence[RemoteSection], transceivers: Sequence[LocalTransceiver | None]
) -> tuple[NegotiatedSection, ...]:
    agreed: list[NegotiatedSection] = []
    ids: dict[int, str] = {}
    for section, transceiver in zip(remote, transceivers, strict=True):
        if section.rejected:
            one = reject(section, transceiver.key if transceiver else None)
        elif section.kind == "application":
            one = NegotiatedSection(
                index=section.index,
                mid=section.mid,
                kind=section.kind,
                transceiver=None,
                rejected=False,
                direction="sendrecv",
                remote=section,
            )
        else:
            one = _agree_media(section, transceiver, ids)
        ids.update((extension.id, extension.uri) for extension in one.extensions)
        agreed.append(one)
    return tuple(agreed)


def reject(section: RemoteSection, transceiver: int | None) -> NegotiatedSection:
    """Return a section that is dead for both sides."""
    return NegotiatedSection(
        index=section.index,
        mid=section.mid,
        kind=section.kind,
        transceiver=transceiver,
        rejected=True,
        direction="inactive",
        remote=section,
    )


def _agree_media(
    section: RemoteSection, transceiver: LocalTransceiver | None, ids: dict[int, str]
) -> NegotiatedSection:
    if transceiver is None or transceiver.stopped or transceiver.kind != section.kind:
        return reject(section, transceiver.key if transceiver else None)
    send, receive = match_offer(transceiver.codecs, section.codecs, transceiver.prefer_local_order)
    if not send:
        return reject(section, transceiver.key)
    direction = intersect(transceiver.direction, reverse(section.direction))
    extensions = _choose_extensions(transceiver.extensions, section.extensions, ids)
    with_rids = any(extension.uri == RID_URI for extension in extensions)
    receive_rids: tuple[str, ...] = ()
    send_rids: tuple[str, ...] = ()
    if with_rids and receives(direction) and transceiver.receive_simulcast:
        receive_rids = tuple(rid.id for rid in section.rids)
    if with_rids and sends(direction):
        asked = {rid.id for rid in section.receive_rids}
        send_rids = tuple(rid for rid in transceiver.send_rids if rid in asked and rid not in receive_rids)
    return NegotiatedSection(
        index=section.index,
        mid=section.mid,
        kind=section.kind,
        transceiver=transceiver.key,
        rejected=False,
        direction=direction,
        remote=section,
        send_codecs=send,
        receive_codecs=receive,
        extensions=extensions,
        receive_rids=receive_rids,
        send_rids=send_rids,
        rtcp_rsize=section.rtcp_rsize,
    )


def _choose_extensions(
    capabilities: Sequence[ExtensionCapability], offered: Sequence[AgreedExtension], ids: dict[int, str]
) -> tuple[AgreedExtension, ...]:
    """Take what both know, in the directions that both allow (RFC 8285 section 7).

    ``ids`` are those of the earlier sections of the bundle. An id that means something else there is not accepted
    here, because a packet could not be told apart (RFC 8843 9.2). Ids from 4096 on ask the answerer to pick some; we
    do not.
    """
    ours = {one.uri: one.direction for one in capabilities}
    chosen: list[AgreedExtension] = []
    known = dict(ids)
    for one in offered:
        if one.uri not in ours or one.id > 255 or one.id == 15 or known.setdefault(one.id, one.uri) != one.uri:
            continue
        direction = intersect(ours[one.uri], reverse(one.direction))
        if direction != "inactive":
            chosen.append(AgreedExtension(one.id, one.uri, direction))
    return tuple(chosen)


def agree_extensions(
    offered: Sequence[AgreedExtension], answered: Sequence[AgreedExtension]
) -> tuple[AgreedExtension, ...]:
    """Read the answer to extensions that we offered: those it repeats with our id, in the directions left."""
    theirs = {(one.id, one.uri): one.direction for one in answered}
    agreed = (
        AgreedExtension(one.id, one.uri, intersect(one.direction, reverse(theirs[one.id, one.uri])))
        for one in offered
        if (one.id, one.uri) in theirs
    )
    return tuple(one for one in agreed if one.direction != "inactive")


def _local_section(agreed: NegotiatedSection, transceiver: LocalTransceiver | None) -> LocalSection:
    section = LocalSection(
        index=agreed.index,
        mid=agreed.mid,
        kind=agreed.kind,
        transceiver=agreed.transceiver,
        rejected=agreed.rejected,
        direction=agreed.direction,
        codecs=agreed.remote.codecs[:1] if agreed.rejected else agreed.receive_codecs,
        extensions=agreed.extensions,
        receive_rids=agreed.receive_rids,
        send_rids=agreed.send_rids,
    )
    if transceiver is None:
        return section
    return revise(section, msid=(transceiver.stream_ids, transceiver.track_id))
