"""Whether the two sides should negotiate again (W3C webrtc 4.7.3, "check if negotiation is needed").

Pure, so that the caller can ask whenever something changed. Called by ``pystack.peer`` while the state is stable.
"""

from __future__ import annotations

from pystack.sdp.attributes.direction import intersect, reverse, sends
from pystack.sdp.jsep.model import LocalSession, LocalTransceiver, Negotiation

__all__ = ["needs_negotiation"]


def needs_negotiation(negotiation: Negotiation, local: LocalSession) -> bool:
    """Tell whether ``local`` wants something that is not in force. Meaningful while stable."""
    living = {slot.mid: slot for slot in negotiation.slots if not slot.dead}
    if local.data and not any(slot.kind == "application" for slot in living.values()):
        return True
    rejected = negotiation.mids - living.keys()
    return any(_differs(negotiation, one, one.mid in living) for one in local.transceivers if one.mid not in rejected)


def _differs(negotiation: Negotiation, transceiver: LocalTransceiver, placed: bool) -> bool:
    if transceiver.stopped or not placed:
        return transceiver.stopped == placed
    described = next((one for one in negotiation.last_local if one.mid == transceiver.mid), None)
    agreed = negotiation.section(transceiver.mid or "")
    if described is None or agreed is None:
        return True
    if sends(transceiver.direction) and described.msid != (transceiver.stream_ids, transceiver.track_id):
        return True
    theirs = reverse(agreed.remote.direction)
    if negotiation.current_local is not None and negotiation.current_local.type == "offer":
        return transceiver.direction not in (described.direction, theirs)
    return described.direction != intersect(transceiver.direction, theirs)
