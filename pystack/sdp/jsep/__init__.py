"""Negotiation as pure functions on an immutable value (RFC 9429, the JavaScript Session Establishment Protocol).

::

    negotiation = start(session_id)                                  # the first value; session_id: 62 random bits

    offer = create_offer(negotiation, local)                         # legal in stable and have-local-offer
    negotiation = apply_local(negotiation, offer)                    # offer.text goes to the peer
    negotiation = apply_remote(negotiation, "answer", text, local)

    negotiation = apply_remote(negotiation, "offer", text, local)
    # negotiation.remote_sections: make the transceivers whose key is None, then describe them in ``local`` with mid
    answer = create_answer(negotiation, local)                       # legal in have-remote-offer, have-local-pranswer
    negotiation = apply_local(negotiation, answer)

    negotiation = rollback(negotiation)                              # from have-local-offer or have-remote-offer
    needs_negotiation(negotiation, local) -> bool                    # W3C 4.7.3, meaningful while stable
    text = with_candidates(text, candidates, complete=True)          # local candidates into a text, as they come

All of them raise :class:`~pystack.errors.LocalProtocolError` in a wrong state and
:class:`~pystack.errors.InvalidArgument` for a description that cannot be used (its message names the line or the
section and the attribute), and then nothing has changed, because the old value is still there.
"""

from pystack.sdp.jsep.answer import RID_URI, create_answer
from pystack.sdp.jsep.apply import apply_local, apply_remote, close, rollback, start
from pystack.sdp.jsep.candidates import with_candidates
from pystack.sdp.jsep.model import (
    AgreedCodec,
    AgreedExtension,
    AppliedDescription,
    CodecCapability,
    DescriptionType,
    DtlsRole,
    ExtensionCapability,
    LocalDescription,
    LocalSection,
    LocalSession,
    LocalTransceiver,
    MediaKind,
    NegotiatedSection,
    Negotiation,
    RemoteSection,
    RemoteTransport,
    SctpParameters,
    SectionKind,
    Slot,
    TransportParameters,
)
from pystack.sdp.jsep.needed import needs_negotiation
from pystack.sdp.jsep.offer import create_offer
from pystack.sdp.jsep.states import SIGNALING_TABLE, SignalingInput, SignalingState

__all__ = [
    "RID_URI",
    "SIGNALING_TABLE",
    "AgreedCodec",
    "AgreedExtension",
    "AppliedDescription",
    "CodecCapability",
    "DescriptionType",
    "DtlsRole",
    "ExtensionCapability",
    "LocalDescription",
    "LocalSection",
    "LocalSession",
    "LocalTransceiver",
    "MediaKind",
    "NegotiatedSection",
    "Negotiation",
    "RemoteSection",
    "RemoteTransport",
    "SctpParameters",
    "SectionKind",
    "SignalingInput",
    "SignalingState",
    "Slot",
    "TransportParameters",
    "apply_local",
    "apply_remote",
    "close",
    "create_answer",
    "create_offer",
    "needs_negotiation",
    "rollback",
    "start",
    "with_candidates",
]
