"""The signalling session of one participant: what can be answered without knowing the room.

Decodes frames (counting what cannot be), answers pings, keeps the offers in order, and hands the rest to the room.
"""

from __future__ import annotations

import attrs
from livekit.protocol import rtc

from pystack.errors import DecodeError
from sfu.signal.messages import decode_request
from sfu.signal.offers import Offers
from sfu.signal.proposals import Proposals

__all__ = ["MAX_BAD_FRAMES", "SignalSession"]

MAX_BAD_FRAMES = 100
"""Undecodable frames after which a session is not worth keeping."""


@attrs.define(eq=False)
class SignalSession:
    """One participant's signalling.

    Attributes:
        offers: the client's offers in order.
        proposals: ours to the client; used with a peer connection of their own only.
        bad_frames: undecodable frames so far.
        epoch: Unix time at monotonic zero, for the wall-clock fields of pongs.
    """

    offers: Offers
    proposals: Proposals
    epoch: float
    bad_frames: int = 0

    def receive(self, data: bytes, now: float) -> tuple[rtc.SignalRequest | None, list[rtc.SignalResponse]]:
        """Take one binary frame: the request for the room, if any, and what to answer at once.

        Raises:
            DecodeError: the frame is nothing known; it was counted.
        """
        try:
            request = decode_request(data)
        except DecodeError:
            self.bad_frames += 1
            raise
        kind = request.WhichOneof("message")
        if kind == "ping":  # the older form, still sent beside the newer one
            return None, [rtc.SignalResponse(pong=self._milliseconds(now))]
        if kind == "ping_req":
            pong = rtc.Pong(last_ping_timestamp=request.ping_req.timestamp, timestamp=self._milliseconds(now))
            return None, [rtc.SignalResponse(pong_resp=pong)]
        return request, []

    def _milliseconds(self, now: float) -> int:
        return int((self.epoch + now) * 1000)
