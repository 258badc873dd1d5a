"""Who sends in a section: ``a=sendrecv``, ``a=sendonly``, ``a=recvonly``, ``a=inactive`` (RFC 8866 6.7, RFC 3264).

A section without one takes the session's (Firefox writes one there), and without that ``sendrecv``.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from pystack.sdp.model import Attributed

__all__ = ["DIRECTIONS", "Direction", "direction_of", "intersect", "make_direction", "receives", "reverse", "sends"]

Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
DIRECTIONS: Final[tuple[Direction, ...]] = ("sendrecv", "sendonly", "recvonly", "inactive")


def sends(direction: Direction) -> bool:
    """Tell whether the one whose view ``direction`` is may send."""
    return direction in ("sendrecv", "sendonly")


def receives(direction: Direction) -> bool:
    """Tell whether the one whose view ``direction`` is may receive."""
    return direction in ("sendrecv", "recvonly")


def make_direction(send: bool, receive: bool) -> Direction:
    """Return the direction that sends and receives as told."""
    if send:
        return "sendrecv" if receive else "sendonly"
    return "recvonly" if receive else "inactive"


def reverse(direction: Direction) -> Direction:
    """Return the same from the other side's view."""
    return make_direction(receives(direction), sends(direction))


def intersect(one: Direction, other: Direction) -> Direction:
    """Return what both directions, of the same view, allow."""
    return make_direction(sends(one) and sends(other), receives(one) and receives(other))


def direction_of(section: Attributed, session: Attributed | None = None) -> Direction:
    """Read the direction of ``section``, falling back to the session's and then to ``sendrecv``."""
    for holder in (section, session):
        for line in holder.lines if holder is not None else ():
            if line.type == "a" and line.value in DIRECTIONS:
                return line.value
    return "sendrecv"
