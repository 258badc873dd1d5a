"""Applying descriptions: each function takes a negotiation and gives the next one (RFC 9429 4.1.8 to 4.1.10, 5.9-5.11).

The signaling table is asked first, then the description is read; if either refuses, the old value is still what it was.
An offer changes the m-lines and what is known of the remote; only an answer changes what is in force.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from pystack.base import Machine, revise
from pystack.errors import InvalidArgument, LocalProtocolError
from pystack.sdp.attributes.direction import intersect, receives, reverse, sends
from pystack.sdp.jsep.answer import agree_extensions, reject
from pystack.sdp.jsep.matching import identity, match_answer
from pystack.sdp.jsep.model import (
    AppliedDescription,
    DescriptionType,
    DtlsRole,
    LocalDescription,
    LocalSection,
    LocalSession,
    LocalTransceiver,
    NegotiatedSection,
    Negotiation,
    RemoteSection,
    RemoteTransport,
    SctpParameters,
    Slot,
)
from pystack.sdp.jsep.numbers import note_extensions, note_payload_types
from pystack.sdp.jsep.offer import stable_base
from pystack.sdp.jsep.remote import RemoteDescription, read_remote
from pystack.sdp.jsep.states import SIGNALING_TABLE, SignalingInput, SignalingState

__all__ = ["apply_local", "apply_remote", "close", "rollback", "start"]

_LOCAL: Final = {
    "offer": SignalingInput.APPLY_LOCAL_OFFER,
    "answer": SignalingInput.APPLY_LOCAL_ANSWER,
    "pranswer": SignalingInput.APPLY_LOCAL_PRANSWER,
}
_REMOTE: Final = {
    "offer": SignalingInput.APPLY_REMOTE_OFFER,
    "answer": SignalingInput.APPLY_REMOTE_ANSWER,
    "pranswer": SignalingInput.APPLY_REMOTE_PRANSWER,
}


def start(session_id: int) -> Negotiation:
    """Return the first value: stable, with nothing in it. ``session_id`` is for ``o=``: 62 random bits (5.2.1)."""
    return Negotiation(session_id=session_id)


def close(negotiation: Negotiation) -> Negotiation:
    """Return the closed negotiation; what was agreed can still be read."""
    return revise(negotiation, state=_move(negotiation, SignalingInput.CLOSE), before=None, offered=None)


def rollback(negotiation: Negotiation) -> Negotiation:
    """Give up the pending offer of either side: everything is as it was before it (RFC 9429 4.1.10.2).

    Raises:
        LocalProtocolError: there is no pending offer, or it was answered provisionally.
    """
    local = negotiation.state is SignalingState.HAVE_LOCAL_OFFER
    _move(negotiation, SignalingInput.ROLL_BACK_LOCAL if local else SignalingInput.ROLL_BACK_REMOTE)
    before = stable_base(negotiation)
    # Versions never go back: the remote may have seen the offer (RFC 8866 5.2).
    return revise(before, version=negotiation.version, epoch=negotiation.epoch + 1)


def apply_local(negotiation: Negotiation, description: LocalDescription) -> Negotiation:
    """Put a description of our own in place; the very one that ``create_offer`` or ``create_answer`` gave.

    Raises:
        LocalProtocolError: not legal in this state.
        InvalidArgument: another description was applied since it was created.
    """
    state = _move(negotiation, _LOCAL[description.type])
    applied = AppliedDescription(type=description.type, text=description.text)
    if description.epoch != negotiation.epoch:
        if applied == negotiation.pending_local:
            return negotiation
        raise InvalidArgument(f"the {description.type} is stale: another description was applied since it was made")
    if description.type == "offer":
        return _apply_local_offer(negotiation, state, description, applied)
    changed = revise(
        negotiation,
        state=state,
        epoch=negotiation.epoch + 1,
        version=description.version,
        last_local=description.sections,
        pending_local=applied,
    )
    agreed = _in_force(changed, description.agreed, description.dtls_role, description.bundle)
    return agreed if state is not SignalingState.STABLE else _settle(agreed)


def _apply_local_offer(
    negotiation: Negotiation, state: SignalingState, offer: LocalDescription, applied: AppliedDescription
) -> Negotiation:
    base = stable_base(negotiation)
    payload_types = dict(base.payload_types)
    extension_ids = dict(base.extension_ids)
    for section in offer.sections:
        for codec in () if section.rejected else section.codecs:
            payload_types[codec.payload_type] = identity(codec)
            if codec.rtx_payload_type is not None:
                payload_types[codec.rtx_payload_type] = ("rtx", str(codec.payload_type))
        extension_ids.update((extension.id, extension.uri) for extension in section.extensions)
    return revise(
        base,
        state=state,
        slots=_slots(base.slots, offer.sections),
        pending_local=applied,
        offered=offer,
        version=offer.version,
        epoch=negotiation.epoch + 1,
        next_mid=offer.next_mid,
        payload_types=payload_types,
        extension_ids=extension_ids,
        before=base,
    )


def apply_remote(negotiation: Negotiation, kind: DescriptionType, text: str, local: LocalSession) -> Negotiation:
    """Put a description of the remote in place.

    After an offer look at :attr:`~Negotiation.remote_sections`; after an answer at :attr:`~Negotiation.sections`.
    ``local`` is needed for its transceivers: a section that is new may take one that waits for it (RFC 9429 5.10).

    Raises:
        LocalProtocolError: not legal in this state.
        InvalidArgument: the text cannot be used; the message names line or section, and attribute.
    """
    state = _move(negotiation, _REMOTE[kind])
    base = stable_base(negotiation) if kind == "offer" else negotiation
    read = read_remote(base, kind, text)
    _check_transport(base, kind, read.transport)
    applied = AppliedDescription(type=kind, text=text)
    changed = revise(
        base,
        state=state,
        epoch=negotiation.epoch + 1,
        version=negotiation.version,
        next_mid=read.next_mid,
        transport=read.transport or base.transport,
        remote_bundle=read.bundle,
        remote_ice_restart=_restarts(stable_base(negotiation).transport, read.transport),
        payload_types=note_payload_types(base.payload_types, read.sections, offered=kind == "offer"),
        extension_ids=note_extensions(base.extension_ids, read.sections, offered=kind == "offer"),
        pending_remote=applied,
    )
    if kind == "offer":
        matched = _match_transceivers(read.sections, local.transceivers)
        return revise(
            changed, remote_sections=matched, slots=_slots(base.slots, matched), before=base, pending_local=None
        )
    agreed = _apply_answer(changed, kind, read)
    return agreed if state is not SignalingState.STABLE else _settle(agreed)


def _move(negotiation: Negotiation, given: SignalingInput) -> SignalingState:
    """Ask the table; the error speaks the W3C names."""
    machine = Machine(SIGNALING_TABLE, negotiation.state)
    if not machine.allows(given):
        raise LocalProtocolError(given.value, negotiation.state.value)
    return machine.move(given)


def _settle(negotiation: Negotiation) -> Negotiation:
    """Make what was pending current: the exchange is over."""
    return revise(
        negotiation,
        current_local=negotiation.pending_local,
        current_remote=negotiation.pending_remote,
        pending_local=None,
        pending_remote=None,
        offered=None,
        before=None,
        slots=tuple(
            revise(slot, dead=section.rejected)
            for slot, section in zip(negotiation.slots, negotiation.sections, strict=True)
        ),
    )


def _slots(before: Sequence[Slot], sections: Sequence[LocalSection] | Sequence[RemoteSection]) -> tuple[Slot, ...]:
    """Return the m-lines of an offer: one that was dead stays so unless the offer takes it again."""
    dead = {slot.mid for slot in before if slot.dead}
    return tuple(
        Slot(mid=section.mid, kind=section.kind, dead=section.rejected and section.mid in dead) for section in sections
    )


def _match_transceivers(
    sections: Sequence[RemoteSection], transceivers: Sequence[LocalTransceiver]
) -> tuple[RemoteSection, ...]:
    """Give each section of a remote offer its transceiver; a new one may take one that ``add_track`` made (5.10)."""
    by_mid = {one.mid: one for one in transceivers if one.mid is not None}
    mids = {section.mid for section in sections}
    free = [
        one
        for one in transceivers
        if (one.mid is None or one.mid not in mids) and one.from_track and not one.stopped and sends(one.direction)
    ]
    waiting: dict[str, deque[LocalTransceiver]] = {}
    for one in free:
        waiting.setdefault(one.kind, deque()).append(one)
    matched: list[RemoteSection] = []
    for section in sections:
        found = by_mid.get(section.mid)
        if found is None and not section.rejected and section.kind != "application":
            line = waiting.get(section.kind)
            found = line.popleft() if line else None
        matched.append(revise(section, transceiver=found.key if found else None))
    return tuple(matched)


def _restarts(before: RemoteTransport | None, now: RemoteTransport | None) -> bool:
    """New credentials on a transport that had others are a restart (RFC 8839 4.4.1.1.1)."""
    return before is not None and now is not None and (before.ufrag, before.pwd) != (now.ufrag, now.pwd)


def _check_transport(base: Negotiation, kind: DescriptionType, transport: RemoteTransport | None) -> None:
    """A running DTLS association keeps its certificates; we do not start another one (RFC 8842 5.5).

    It keeps its roles too, but a description that says otherwise is let through and means nothing: Firefox answers an
    ICE restart with ``active`` whatever its role is, and so does Chromium once the first section was stopped.
    """
    known = stable_base(base).transport
    if known is None and base.state is SignalingState.HAVE_REMOTE_PRANSWER:
        known = base.transport  # whoever answered provisionally: DTLS is with them, and forks are not followed
    if transport is None or known is None or base.dtls_role is None:
        return
    where = f"remote {kind}: section {transport.index} (mid {transport.mid})"
    if not set(transport.fingerprints) & set(known.fingerprints):
        raise InvalidArgument(f"{where}: a=fingerprint changed on a running transport")
    if transport.tls_id and known.tls_id and transport.tls_id != known.tls_id:
        raise InvalidArgument(f"{where}: a=tls-id changed: it asks for a new DTLS association on a running transport")


def _in_force(
    negotiation: Negotiation, sections: tuple[NegotiatedSection, ...], role: DtlsRole | None, bundle: tuple[str, ...]
) -> Negotiation:
    """Return ``negotiation`` with what an answer puts in force."""
    data = next((one for one in sections if one.kind == "application" and not one.rejected), None)
    sctp = None
    if data is not None:
        sctp = SctpParameters(
            mid=data.mid, remote_port=data.remote.sctp_port, max_message_size=data.remote.max_message_size
        )
    return revise(negotiation, sections=sections, dtls_role=role or negotiation.dtls_role, bundle=bundle, sctp=sctp)


def _apply_answer(negotiation: Negotiation, kind: DescriptionType, read: RemoteDescription) -> Negotiation:
    offer = negotiation.offered
    assert offer is not None  # the table lets an answer come only to an offer of ours
    matched: list[RemoteSection] = []
    sections: list[NegotiatedSection] = []
    for offered, remote in zip(offer.sections, read.sections, strict=True):
        remote = revise(remote, transceiver=offered.transceiver)
        matched.append(remote)
        sections.append(_read_answered(kind, offered, remote))
    role = negotiation.dtls_role
    if role is None and read.transport is not None:
        role = "server" if read.transport.setup == "active" else "client"
    alive = tuple(one.mid for one in sections if not one.rejected)
    living = frozenset(alive)
    bundle = tuple(mid for mid in read.bundle if mid in living) or alive[:1]
    changed = revise(negotiation, remote_sections=tuple(matched), last_local=offer.sections)
    return _in_force(changed, tuple(sections), role, bundle)


def _read_answered(kind: DescriptionType, offered: LocalSection, remote: RemoteSection) -> NegotiatedSection:
    if offered.rejected or remote.rejected:
        return reject(remote, offered.transceiver)
    common = NegotiatedSection(
        index=offered.index,
        mid=offered.mid,
        kind=offered.kind,
        transceiver=offered.transceiver,
        rejected=False,
        direction="sendrecv",
        remote=remote,
    )
    if offered.kind == "application":
        return common
    send, receive = match_answer(offered.codecs, remote.codecs)
    if not send:
        raise InvalidArgument(
            f"remote {kind}: section {offered.index} (mid {offered.mid}): m= has no codec that was offered"
        )
    direction = intersect(offered.direction, reverse(remote.direction))
    coming = {rid.id for rid in remote.rids}
    asked = {rid.id for rid in remote.receive_rids}
    return revise(
        common,
        direction=direction,
        send_codecs=send,
        receive_codecs=receive,
        extensions=agree_extensions(offered.extensions, remote.extensions),
        receive_rids=tuple(r for r in offered.receive_rids if r in coming) if receives(direction) else (),
        send_rids=tuple(r for r in offered.send_rids if r in asked) if sends(direction) else (),
        rtcp_rsize=remote.rtcp_rsize,
    )
