"""One media section of a participant's offer, reduced to what a room decides on.

The runtime makes these from the peer connection's transceivers, hands them to ``Room.plan`` and applies the plans
that come back. So a room sees mids, kinds and track ids, never an SDP.
"""

from __future__ import annotations

import attrs

from sfu.tracks.track_info import Kind

__all__ = ["OfferedSection", "SectionPlan"]


@attrs.frozen(kw_only=True)
class OfferedSection:
    """A section as the client offers it, in the client's view of directions.

    Attributes:
        sends: the client wants to send on it.
        receives: the client can receive on it.
        track_id: the client's own id of the track that it sends (from ``a=msid``).
        rids: the simulcast layers in the order of the offer.
    """

    mid: str
    kind: Kind
    sends: bool
    receives: bool
    track_id: str = ""
    rids: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class SectionPlan:
    """What the answer does with one section.

    Attributes:
        receive: the sid of the track that we take from the client here, ``""`` for none.
        send: the sid of the track that we send to the client here, ``""`` for none.
        stream_id: the ``a=msid`` stream of what we send: ``PA_publisher|stream``.
    """

    mid: str
    receive: str = ""
    send: str = ""
    stream_id: str = ""
