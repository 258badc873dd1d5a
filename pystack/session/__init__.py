"""All layers of one peer composed into one core: DTLS, SRTP, RTP, SCTP and data channels behind one datagram path."""

from pystack.session.demux import classify
from pystack.session.events import DataTransportEnded, DtlsStateChanged, Secured
from pystack.session.options import SessionOptions
from pystack.session.pacing import LeakyBucket, Pacer
from pystack.session.session import Session
from pystack.session.transport_state import ConnectionState, DtlsState, IceState, connection_state

__all__ = [
    "ConnectionState",
    "DataTransportEnded",
    "DtlsState",
    "DtlsStateChanged",
    "IceState",
    "LeakyBucket",
    "Pacer",
    "Secured",
    "Session",
    "SessionOptions",
    "classify",
    "connection_state",
]
