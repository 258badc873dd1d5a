"""Where the elements of a header extension lie: worked out once per shape, not once per packet.

The packets of a stream have extensions of a few shapes only. A shape is fixed by its structural bytes: element headers,
lengths and padding. When those of a new body stand where those of a known one stood, its elements lie where they lay.
So a packet costs one ``unpack_from`` and one comparison; :func:`pystack.rtp.extensions.elements` is the plain twin.

Called by :mod:`pystack.rtp.extensions`.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any, Final

__all__ = ["MAX_MARKS", "MAX_SHAPES", "Layout"]

MAX_SHAPES: Final = 16
"""How many sizes of bodies anybody remembers; a peer that sends more of them only makes itself slow."""
MAX_MARKS: Final = 48
"""Structural bytes of a shape that is worth remembering: all ids of the one-byte form, and padding."""

_ONE_BYTE: Final = 0xBEDE


class Layout:
    """The shape of one header extension body.

    Args:
        profile: the 16 bits "defined by profile", one-byte or two-byte form.
        body: a body of this shape.

    Raises:
        ValueError: the body is malformed, has no elements, or more structural bytes than are worth remembering.

    Attributes:
        profile: as given.
        marks: reads the structural bytes of a body of the same size.
        expected: what they are in this shape.
        elements: ``(id, start, stop)`` of each element, in order.
    """

    __slots__ = ("elements", "expected", "marks", "profile")

    def __init__(self, profile: int, body: bytes) -> None:
        self.profile = profile
        places, self.elements = _walk(profile, body)
        form = ["!"]
        at = 0
        for place in places:
            form.append(f"{place - at}xB" if place > at else "B")
            at = place + 1
        self.marks: Callable[[bytes], tuple[Any, ...]] = Struct("".join(form)).unpack_from
        self.expected = self.marks(body)


def _walk(profile: int, body: bytes) -> tuple[list[int], list[tuple[int, int, int]]]:
    """The places of the structural bytes, and the elements."""
    places: list[int] = []
    elements: list[tuple[int, int, int]] = []
    at, size = 0, len(body)
    while at < size:
        head = body[at]
        if len(places) >= MAX_MARKS:
            raise ValueError("too many elements")
        places.append(at)
        if head == 0:
            at += 1
            continue
        if profile == _ONE_BYTE:
            if head >= 0xF0 or head < 0x10:
                break
            identifier, start = head >> 4, at + 1
            stop = start + (head & 0x0F) + 1
        else:
            if at + 1 >= size:
                raise ValueError("an element without a length")
            places.append(at + 1)
            identifier, start = head, at + 2
            stop = start + body[at + 1]
        if stop > size:
            raise ValueError("an element runs past the end")
        elements.append((identifier, start, stop))
        at = stop
    if not elements:
        raise ValueError("no elements")
    return places, elements
