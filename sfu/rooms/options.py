"""What can be chosen about a room."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

__all__ = ["RoomOptions", "too_much"]


@attrs.frozen(kw_only=True)
class RoomOptions:
    """Time-outs in seconds and limits of one room.

    Attributes:
        join_timeout: from joining to a working transport; after that the participant is removed.
        resume_timeout: how long a participant whose transport works is kept when its signalling is lost; 0 for not.
        empty_timeout: how long a room lives that nobody ever joined. Agents and recorders are nobody here.
        departure_timeout: how long a room lives after the last participant left; likewise.
        negotiation_timeout: how long one offer may take to be answered.
        retry_interval: how often unmet subscriptions are looked at again.
        snapshot_interval: how often at most the room's counts are broadcast.
        ping_interval, ping_timeout: announced to clients, whole seconds.
        max_participants: 0 for no limit.
        max_metadata: bytes of metadata, and of all attributes together.
        max_request: bytes of an ``add_track`` (every announcement repeats it) and of a name.
        server_version: of LiveKit's server whose protocol is spoken. Clients compare it to learn what a server can:
            the SDKs make no remote procedure calls below 1.8.0, and some refuse an empty one.
        about: says in words which server this is.
        publish_codecs: the MIME types that clients may publish, announced to them.
    """

    join_timeout: float = 60.0
    resume_timeout: float = 20.0
    empty_timeout: float = 300.0
    departure_timeout: float = 20.0
    negotiation_timeout: float = 15.0
    retry_interval: float = 3.0
    snapshot_interval: float = 5.0
    ping_interval: int = 5
    ping_timeout: int = 15
    max_participants: int = 0
    max_metadata: int = 64 * 1024
    max_request: int = 4 * 1024
    server_version: str = "1.9.0"
    about: str = "sfu"
    publish_codecs: tuple[str, ...] = ("audio/opus", "video/VP8", "video/H264", "video/VP9", "video/AV1", "video/rtx")


def too_much(options: RoomOptions, *, name: str, metadata: str, attributes: Mapping[str, str]) -> str:
    """What of this is above its limit, in words; ``""`` if nothing is. All of it is told to the whole room."""
    if len(name.encode()) > options.max_request:
        return f"the name is above {options.max_request} bytes"
    if len(metadata.encode()) > options.max_metadata:
        return f"metadata is above {options.max_metadata} bytes"
    if sum(len(key.encode()) + len(value.encode()) for key, value in attributes.items()) > options.max_metadata:
        return f"the attributes are above {options.max_metadata} bytes together"
    return ""
