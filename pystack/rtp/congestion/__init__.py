"""Whether the path takes what is sent, by transport-wide feedback; and, when it does not, how much it takes."""

from pystack.rtp.congestion.detector import CongestionDetector
from pystack.rtp.congestion.monitor import CongestionMonitor
from pystack.rtp.congestion.sent import SentPackets
from pystack.rtp.congestion.state import Congestion, CongestionState

__all__ = ["Congestion", "CongestionDetector", "CongestionMonitor", "CongestionState", "SentPackets"]
