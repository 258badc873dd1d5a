"""Layers of one source: ``a=rid`` (RFC 8851) and ``a=simulcast`` (RFC 8853).

``a=simulcast:send q;~h,x;f`` lists streams, each of one or more alternative rids; ``~`` marks one that starts paused.
Drafts wrote ``a=simulcast: send rid=q;h``; that is read too.
"""

from __future__ import annotations

from typing import Literal, cast

import attrs

from pystack.errors import DecodeError

__all__ = ["Rid", "Simulcast", "SimulcastRid"]


@attrs.frozen
class Rid:
    """``a=rid:<id> <send|recv> [pt=<formats>;]<restrictions>``, in the view of who wrote it."""

    id: str
    direction: Literal["send", "recv"]
    formats: tuple[str, ...] = ()
    restrictions: tuple[str, ...] = ()
    paused: bool = False
    """Taken from ``a=simulcast``; never part of the text of this attribute."""

    @classmethod
    def parse(cls, value: str) -> Rid:
        """Read the value; :class:`DecodeError` if it is not one."""
        name, direction, *rest = value.split(" ", 2) if value.count(" ") else (value, "")
        if not _is_rid(name):
            raise DecodeError(f"{name[:30]!r} is not a rid")
        if direction not in ("send", "recv"):
            raise DecodeError(f"the direction {direction[:20]!r} is neither send nor recv")
        formats: tuple[str, ...] = ()
        restrictions: list[str] = []
        for part in (item.strip() for item in "".join(rest).split(";")):
            if part.startswith("pt="):
                formats = tuple(part[3:].split(","))
            elif part:
                restrictions.append(part)
        return cls(name, cast(Literal["send", "recv"], direction), formats, tuple(restrictions))

    @property
    def text(self) -> str:
        """The value that reads back as this."""
        parts = [*([f"pt={','.join(self.formats)}"] if self.formats else []), *self.restrictions]
        return f"{self.id} {self.direction}" + (f" {';'.join(parts)}" if parts else "")


@attrs.frozen
class SimulcastRid:
    """One rid in ``a=simulcast``."""

    id: str
    paused: bool = False

    @property
    def text(self) -> str:
        """``~id`` if paused, else ``id``."""
        return f"~{self.id}" if self.paused else self.id


@attrs.frozen
class Simulcast:
    """``a=simulcast``: per direction, in the view of who wrote it, the streams, each a tuple of alternatives."""

    send: tuple[tuple[SimulcastRid, ...], ...] = ()
    recv: tuple[tuple[SimulcastRid, ...], ...] = ()

    @classmethod
    def parse(cls, value: str) -> Simulcast:
        """Read the value; :class:`DecodeError` if it is not one."""
        fields = value.split()
        if len(fields) not in (2, 4):
            raise DecodeError(f"{len(fields)} fields, neither 2 nor 4")
        found: dict[str, tuple[tuple[SimulcastRid, ...], ...]] = {}
        for direction, listed in zip(fields[::2], fields[1::2], strict=True):
            if direction not in ("send", "recv") or direction in found:
                raise DecodeError(f"{direction[:20]!r} is not a direction, or is there twice")
            streams = listed.removeprefix("rid=").split(";")
            found[direction] = tuple(tuple(map(_simulcast_rid, stream.split(","))) for stream in streams)
        return cls(found.get("send", ()), found.get("recv", ()))

    @property
    def text(self) -> str:
        """The value that reads back as this."""
        return " ".join(
            f"{name} " + ";".join(",".join(rid.text for rid in stream) for stream in streams)
            for name, streams in (("send", self.send), ("recv", self.recv))
            if streams
        )


def _simulcast_rid(text: str) -> SimulcastRid:
    rid = text.removeprefix("~")
    if not _is_rid(rid):
        raise DecodeError(f"{rid[:30]!r} is not a rid")
    return SimulcastRid(rid, text.startswith("~"))


def _is_rid(text: str) -> bool:
    return 0 < len(text) <= 255 and text.isascii() and text.replace("-", "").replace("_", "").isalnum()
