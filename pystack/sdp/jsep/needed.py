"""Whether the two sides should negotiate again (W3C webrtc 4.7.3, "check if negotiation is needed").

Pure, so that the caller can ask whenever something changed. Called by ``pystack.peer`` while the state is stable.
"""

from __future__ import annotations

from pystack.sdp.attributes.direction import intersect, reverse, sends
from pystack.sdp.jsep.model import LocalSection, LocalSession, LocalTransceiver, NegotiatedSection, Negotiation

__all__ = ["needs_negotiation"]


def needs_negotiation(negotiation: Negotiation, local: LocalSession) -> bool:
    """Tell whether ``local`` wants something that is not in force. Meaningful while stable."""
    living = {slot.mid: slot for slot in negotiation.slots if not slot.dead}
    if local.data and not any(slot.kind == "application" for slot in living.values()):
        return True
    rejected = negotiation.mids - living.keys()
    placed = {one.mid for one in local.transceivers}
    if any(slot.kind != "application" and slot.mid not in placed for slot in living.values()):
        return True  # its transceiver was stopped while the offer that names it was on its way
    described = {one.mid: one for one in negotiation.last_local}
    agreed = {one.mid: one for one in negotiation.sections}
    return any(
        _differs(negotiation, one, one.mid in living, described.get(one.mid or ""), agreed.get(one.mid or ""))
        for one in local.transceivers
        if one.mid not in rejected
    )


def _differs(
    negotiation: Negotiation,
    transceiver: LocalTransceiver,
    placed: bool,
    described: LocalSection | None,
    agreed: NegotiatedSection | None,
) -> bool:
    if transceiver.stopped or not placed:
        return transceiver.stopped == placed
    if described is None or agreed is None:
        return True
    if sends(transceiver.direction) and described.msid != (transceiver.stream_ids, transceiver.track_id):
        return True
    theirs = reverse(agreed.remote.direction)
    if negotiation.current_local is not None and negotiation.current_local.type == "offer":
        return transceiver.direction not in (described.direction, theirs)
    return described.direction != intersect(transceiver.direction, theirs)
