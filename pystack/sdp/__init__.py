"""Session descriptions: text to model and back (RFC 8866), and negotiation (``pystack.sdp.jsep``, RFC 9429).

Pure functions and values; ICE candidates and certificate fingerprints stay text.
"""

from pystack.sdp.lines import Limits
from pystack.sdp.model import Line, MediaSection, Origin, SessionDescriptionModel, attribute
from pystack.sdp.parse import parse
from pystack.sdp.write import write

__all__ = ["Limits", "Line", "MediaSection", "Origin", "SessionDescriptionModel", "attribute", "parse", "write"]
