"""The attributes that we understand, one family a file; each reads and writes its values and knows no section."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pystack.sdp.attributes.codecs import Fmtp, RtcpFeedback, RtpMap, format_parameters, parse_parameters
from pystack.sdp.attributes.direction import Direction, direction_of
from pystack.sdp.attributes.dtls import Fingerprint, parse_setup
from pystack.sdp.attributes.extensions import ExtMap
from pystack.sdp.attributes.grouping import Group, parse_mid
from pystack.sdp.attributes.ice import candidate_text, parse_options, parse_pwd, parse_ufrag
from pystack.sdp.attributes.sctp import parse_max_message_size, parse_sctp_port
from pystack.sdp.attributes.simulcast import Rid, Simulcast, SimulcastRid
from pystack.sdp.attributes.sources import Msid, SsrcAttribute, SsrcGroup

__all__ = [
    "PARSERS",
    "Direction",
    "ExtMap",
    "Fingerprint",
    "Fmtp",
    "Group",
    "Msid",
    "Rid",
    "RtcpFeedback",
    "RtpMap",
    "Simulcast",
    "SimulcastRid",
    "SsrcAttribute",
    "SsrcGroup",
    "candidate_text",
    "direction_of",
    "format_parameters",
    "parse_parameters",
]

PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "extmap": ExtMap.parse,
    "fingerprint": Fingerprint.parse,
    "fmtp": Fmtp.parse,
    "group": Group.parse,
    "ice-options": parse_options,
    "ice-pwd": parse_pwd,
    "ice-ufrag": parse_ufrag,
    "max-message-size": parse_max_message_size,
    "mid": parse_mid,
    "msid": Msid.parse,
    "rid": Rid.parse,
    "rtcp-fb": RtcpFeedback.parse,
    "rtpmap": RtpMap.parse,
    "sctp-port": parse_sctp_port,
    "setup": parse_setup,
    "simulcast": Simulcast.parse,
    "ssrc": SsrcAttribute.parse,
    "ssrc-group": SsrcGroup.parse,
}
"""Every attribute that ``parse`` checks, by name. Flags and candidates need no check."""
