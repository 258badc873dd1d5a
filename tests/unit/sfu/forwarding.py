"""Plain objects in the place of transports, for the tests of forwarding."""

import attrs

from pystack.errors import LOCAL, Closed
from sfu.media import BEST, Munger, Outlet


@attrs.define
class Codec:
    payload_type: int
    name: str
    clock_rate: int = 90000
    channels: int | None = None
    fmtp: dict = attrs.field(factory=dict)


@attrs.define
class Packet:
    sequence_number: int
    timestamp: int = 0
    payload: bytes = b"\x10\x01"  # VP8: the start of a frame that is no key frame
    payload_type: int = 96
    arrival: float = 0.0
    extension_map: object = None
    marker: bool = False
    ssrc: int = 1


KEY = b"\x10\x00"


class Source:
    def __init__(self, codecs=()):
        self.codecs = codecs or (Codec(96, "VP8"),)
        self.on_packet = None
        self.requested = []
        self.windows = {}  # by rid

    def request_key_frame(self, rid=""):
        self.requested.append(rid)

    def reception_window(self, rid="", observer=""):
        return self.windows.get(rid)


class Sink:
    def __init__(self, codecs=()):
        self.codecs = codecs or (Codec(120, "VP8"),)
        self.on_key_frame_request = None
        self.sent = []
        self.marked = []  # the numbers of those with a marker
        self.full = False
        self.window = None
        self.ended = False

    def pad(self, size):
        self.padded = getattr(self, "padded", 0) + size
        return size

    def report_window(self, rid="", observer=""):
        return self.window

    def write(self, packet, *, payload_type=None, sequence_number=None, timestamp=None):
        if self.ended:
            raise Closed.because("sender", LOCAL)
        if self.full:
            return False
        if packet.marker:
            self.marked.append(sequence_number)
        self.sent.append((sequence_number, timestamp, payload_type, packet.payload))
        return True


def route(
    table, track, subscriber, sink, *, kind_clock=90000, generation=1, paused=False, ceiling=BEST, now=0.0, munger=None
):
    outlet = Outlet(sink, munger or Munger(kind_clock))
    return table.add(track, subscriber, outlet, generation, paused=paused, ceiling=ceiling, since=now, now=now)
