"""Who sends what: ``a=ssrc``, ``a=ssrc-group`` (RFC 5576) and ``a=msid`` (RFC 8830)."""

from __future__ import annotations

import attrs

from pystack.errors import DecodeError
from pystack.sdp.attributes.numbers import number

__all__ = ["Msid", "SsrcAttribute", "SsrcGroup"]


@attrs.frozen
class SsrcAttribute:
    """``a=ssrc:<ssrc> <name>[:<value>]``."""

    ssrc: int
    name: str = ""
    value: str | None = None

    @classmethod
    def parse(cls, value: str) -> SsrcAttribute:
        """Read the value; :class:`DecodeError` if it is not one."""
        ssrc, _, rest = value.partition(" ")
        name, colon, content = rest.partition(":")
        return cls(number(ssrc, "an SSRC", 0xFFFFFFFF), name, content if colon else None)

    @property
    def text(self) -> str:
        """The value that reads back as this."""
        if not self.name:
            return str(self.ssrc)
        return f"{self.ssrc} {self.name}" + ("" if self.value is None else f":{self.value}")


@attrs.frozen
class SsrcGroup:
    """``a=ssrc-group:<semantics> <ssrc>...``: ``FID`` is a source and its RTX, ``SIM`` the layers of one source."""

    semantics: str
    ssrcs: tuple[int, ...]

    @classmethod
    def parse(cls, value: str) -> SsrcGroup:
        """Read the value; :class:`DecodeError` if it is not one."""
        semantics, *ssrcs = value.split() or [""]
        if not semantics:
            raise DecodeError("no semantics")
        return cls(semantics, tuple(number(ssrc, "an SSRC", 0xFFFFFFFF) for ssrc in ssrcs))

    @property
    def text(self) -> str:
        """The value that reads back as this."""
        return " ".join((self.semantics, *map(str, self.ssrcs)))


@attrs.frozen
class Msid:
    """``a=msid:<stream id> [<track id>]``; the stream id ``-`` says that the track is in no stream."""

    stream_id: str
    track_id: str = ""

    @classmethod
    def parse(cls, value: str) -> Msid:
        """Read the value; :class:`DecodeError` if it is not one."""
        fields = value.split()
        if not 1 <= len(fields) <= 2:
            raise DecodeError(f"{len(fields)} fields, neither 1 nor 2")
        return cls(*fields)

    @property
    def text(self) -> str:
        """The value that reads back as this."""
        return f"{self.stream_id} {self.track_id}" if self.track_id else self.stream_id
