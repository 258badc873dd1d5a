"""All targets by name; one file for each thing that reads a peer's bytes. A module is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from fuzz.target import Target

__all__ = ["NAMES", "find"]

_MODULES: Final = {
    "sctp-packet": "sctp_packet",
    "sctp-association": "sctp_association",
    "sctp-program": "sctp_program",
    "dcep": "dcep",
    "datachannels": "datachannels",
    "channels-program": "channels_program",
    "dtls-wire": "dtls_wire",
    "dtls-client": "dtls_engine",
    "dtls-server": "dtls_engine",
    "stun": "stun",
    "ice-lite": "ice_lite",
    "framing": "framing",
    "rtp": "rtp",
    "rtcp": "rtcp",
    "payloads": "payloads",
    "descriptors": "descriptors",
    "rtp-session": "rtp_session",
    "sdp": "sdp",
    "jsep": "jsep",
    "signal": "signal",
    "livekit-data": "livekit_data",
}
NAMES: Final = tuple(_MODULES)
"""Every target."""


def find(name: str) -> Target:
    """The target of this name.

    Raises:
        KeyError: there is none.
    """
    targets: dict[str, Target] = import_module(f"fuzz.targets.{_MODULES[name]}").TARGETS
    return targets[name]
