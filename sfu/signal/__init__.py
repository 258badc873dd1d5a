"""LiveKit signalling: its messages, how a client introduces itself, and one participant's session."""

from sfu.signal.join import MAX_DECOMPRESSED, ClientHello, parse_hello
from sfu.signal.messages import MAX_FRAME, decode_request, request_from_text, response_to_text
from sfu.signal.offers import Offer, Offers
from sfu.signal.pace import Pace
from sfu.signal.proposals import Proposals
from sfu.signal.session import MAX_BAD_FRAMES, SignalSession

__all__ = [
    "MAX_BAD_FRAMES",
    "MAX_DECOMPRESSED",
    "MAX_FRAME",
    "ClientHello",
    "Offer",
    "Offers",
    "Pace",
    "Proposals",
    "SignalSession",
    "decode_request",
    "parse_hello",
    "request_from_text",
    "response_to_text",
]
