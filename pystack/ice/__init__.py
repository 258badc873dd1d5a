"""ICE without sockets: the STUN codec, candidates, credentials, the lite agent, and the consent of the full one."""

from pystack.ice.candidate import Candidate, candidate_foundation, candidate_priority, tcp_candidate_priority
from pystack.ice.consent import Consent, ConsentOptions
from pystack.ice.credentials import Credentials, make_credentials
from pystack.ice.events import GenerationRetired, PathAuthenticated, PathForgotten, PathSelected, StateChanged
from pystack.ice.framing import Deframer, frame
from pystack.ice.lite import LiteAgent, LiteOptions
from pystack.ice.path import Path
from pystack.ice.states import LiteState

__all__ = [
    "Candidate",
    "Consent",
    "ConsentOptions",
    "Credentials",
    "Deframer",
    "GenerationRetired",
    "LiteAgent",
    "LiteOptions",
    "LiteState",
    "Path",
    "PathAuthenticated",
    "PathForgotten",
    "PathSelected",
    "StateChanged",
    "candidate_foundation",
    "candidate_priority",
    "frame",
    "make_credentials",
    "tcp_candidate_priority",
]
