"""What is said of a participant: its name, metadata and attributes, as itself or the room's owner changes them."""

from __future__ import annotations

from collections.abc import Mapping

from sfu.rooms.options import RoomOptions, too_much
from sfu.rooms.participant import Participant

__all__ = ["change_profile"]


def change_profile(
    participant: Participant, options: RoomOptions, *, name: str, metadata: str, attributes: Mapping[str, str]
) -> str:
    """Take over what is not empty; an attribute with an empty value is removed. Whoever calls announces it.

    Returns:
        What of it is above its limit, in words; then nothing has changed.
    """
    merged = {key: value for key, value in (participant.attributes | dict(attributes)).items() if value}
    excess = too_much(options, name=name, metadata=metadata, attributes=merged)
    if not excess:
        participant.name = name or participant.name
        participant.metadata = metadata or participant.metadata
        participant.attributes = merged
    return excess
