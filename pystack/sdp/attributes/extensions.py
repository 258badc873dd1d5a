"""Header extensions: ``a=extmap`` (RFC 8285 sections 5 to 7). ``a=extmap-allow-mixed`` is a plain flag."""

from __future__ import annotations

from typing import cast

import attrs

from pystack.errors import DecodeError
from pystack.sdp.attributes.direction import DIRECTIONS, Direction
from pystack.sdp.attributes.numbers import number

__all__ = ["ExtMap"]


@attrs.frozen
class ExtMap:
    """``a=extmap:<id>[/<direction>] <uri> [<attributes>]``, in the view of who wrote it.

    Ids 1 to 14 fit the one-byte form, up to 255 the two-byte form; 4096 to 4351 only ask the answerer to choose.
    """

    id: int
    uri: str
    direction: Direction = "sendrecv"
    attributes: str = ""
    explicit: bool = False
    """Whether the direction was written out."""

    @classmethod
    def parse(cls, value: str) -> ExtMap:
        """Read the value; :class:`DecodeError` if it is not one."""
        fields = value.split(" ", 2)
        name, slash, direction = fields[0].partition("/")
        if len(fields) < 2 or not fields[1]:
            raise DecodeError("no URI")
        if slash and direction not in DIRECTIONS:
            raise DecodeError(f"the direction {direction[:20]!r} is not one")
        return cls(
            number(name, "an extension id", 65535, 1),
            fields[1],
            cast(Direction, direction) if slash else "sendrecv",
            fields[2] if len(fields) == 3 else "",
            bool(slash),
        )

    @property
    def text(self) -> str:
        """The value that reads back as this."""
        direction = f"/{self.direction}" if self.explicit or self.direction != "sendrecv" else ""
        return f"{self.id}{direction} {self.uri}" + (f" {self.attributes}" if self.attributes else "")
