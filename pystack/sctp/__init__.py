"""SCTP over DTLS (RFC 9260, 8261, 8831): one association as a sans-IO core.

:class:`Association` is the core, :class:`AssociationOptions` its settings; the events are in
:mod:`pystack.sctp.events`. ``docs/explanation/sctp.md`` maps the RFCs to functions and tests.
"""

from pystack.sctp.association import Association
from pystack.sctp.events import (
    AssociationEvent,
    BufferedAmountLow,
    Ended,
    Established,
    IncomingReset,
    MessageReceived,
    OutgoingResetAsked,
    OutgoingResetDone,
    OutgoingResetFailed,
    Restarted,
    ShutdownStarted,
    Writable,
)
from pystack.sctp.options import AssociationOptions
from pystack.sctp.out_of_the_blue import answer_out_of_the_blue
from pystack.sctp.states import AssociationState
from pystack.sctp.stats import AssociationStats, Counters

__all__ = [
    "Association",
    "AssociationEvent",
    "AssociationOptions",
    "AssociationState",
    "AssociationStats",
    "BufferedAmountLow",
    "Counters",
    "Ended",
    "Established",
    "IncomingReset",
    "MessageReceived",
    "OutgoingResetAsked",
    "OutgoingResetDone",
    "OutgoingResetFailed",
    "Restarted",
    "ShutdownStarted",
    "Writable",
    "answer_out_of_the_blue",
]
