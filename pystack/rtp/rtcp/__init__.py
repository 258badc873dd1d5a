"""RTCP: the control packets of RTP, parsed and written (RFC 3550, 4585, 5104, 5506)."""

from pystack.rtp.rtcp.compound import RtcpPacket, UnknownRtcp, parse_compound, serialize_compound
from pystack.rtp.rtcp.feedback import Fir, Nack, Pli
from pystack.rtp.rtcp.own import write_own
from pystack.rtp.rtcp.remb import Remb
from pystack.rtp.rtcp.reports import ReceiverReport, ReportBlock, SenderReport
from pystack.rtp.rtcp.sources import CNAME, Bye, SourceDescription
from pystack.rtp.rtcp.transport import TransportFeedback

__all__ = [
    "CNAME",
    "Bye",
    "Fir",
    "Nack",
    "Pli",
    "ReceiverReport",
    "Remb",
    "ReportBlock",
    "RtcpPacket",
    "SenderReport",
    "SourceDescription",
    "TransportFeedback",
    "UnknownRtcp",
    "parse_compound",
    "serialize_compound",
    "write_own",
]
