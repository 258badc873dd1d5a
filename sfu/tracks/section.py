"""One media section of an offer, the client's or ours, reduced to what a room decides on.

The runtime reads the client's sections from its offers, hands them to ``Room.plan`` and applies the plans that come
back; of sections that we offer it makes transceivers. So a room sees mids, kinds and track ids, never an SDP.
"""

from __future__ import annotations

import attrs

from sfu.tracks.track_info import Kind

__all__ = ["OfferedSection", "SectionPlan", "SentSection"]


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
        codec: the name of the codec that it is to be sent with, ``""`` for any.
        send: the sid of the track that we send to the client here, ``""`` for none.
        stream_id: the ``a=msid`` stream of what we send: ``PA_publisher|stream``.
    """

    mid: str
    receive: str = ""
    codec: str = ""
    send: str = ""
    stream_id: str = ""


@attrs.frozen(kw_only=True)
class SentSection:
    """What an offer of ours says of one section.

    Attributes:
        name: what we call the section.
        track: the sid of the track that we send to the client here, ``""`` for none.
        stream_id: the ``a=msid`` stream of what we send: ``PA_publisher|stream``.
    """

    name: str
    kind: Kind
    track: str = ""
    stream_id: str = ""
