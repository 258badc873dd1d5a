"""A session description as data: the lines, in their order, cut at every ``m=`` (RFC 8866 section 5).

The lines are the only truth. Typed values are read from them by the families in ``pystack.sdp.attributes`` whenever
somebody asks, so what nobody knows is kept, and writing what was parsed gives the same text back.

Called by ``parse``, ``write`` and ``jsep``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TypeVar

import attrs

from pystack.errors import DecodeError

__all__ = ["Attributed", "Line", "MediaSection", "Origin", "SessionDescriptionModel", "attribute"]

T = TypeVar("T")


@attrs.frozen
class Line:
    """One ``type=value`` line; ``number`` is its place in the text that it came from (0: made here), for errors."""

    type: str
    value: str
    number: int = attrs.field(default=0, eq=False)

    @property
    def name(self) -> str:
        """The name of the attribute, or ``""`` for another type of line."""
        return self.value.partition(":")[0] if self.type == "a" else ""

    @property
    def content(self) -> str | None:
        """What follows the attribute's colon; ``None`` for a flag such as ``a=rtcp-mux``."""
        _, colon, content = self.value.partition(":")
        return content if colon else None


def attribute(name: str, content: str | None = None) -> Line:
    """Make an ``a=`` line."""
    return Line("a", name if content is None else f"{name}:{content}")


@attrs.frozen
class Origin:
    """The ``o=`` line (RFC 8866 5.2)."""

    username: str
    session_id: str
    version: str
    network_type: str
    address_type: str
    address: str

    @classmethod
    def parse(cls, value: str) -> Origin:
        """Read the value of an ``o=`` line; :class:`DecodeError` if it does not have its six fields."""
        fields = value.split()
        if len(fields) != 6:
            raise DecodeError(f"o= has {len(fields)} fields, not 6")
        return cls(*fields)


@attrs.frozen
class Attributed:
    """What has lines: the session, and each of its media sections."""

    lines: tuple[Line, ...]

    @cached_property
    def _by_name(self) -> dict[str, list[Line]]:
        """The attributes, found once: about twenty are asked for in every section, which may have hundreds of lines."""
        found: dict[str, list[Line]] = {}
        for line in self.lines:
            if line.type == "a":
                found.setdefault(line.name, []).append(line)
        return found

    def all(self, name: str) -> tuple[Line, ...]:
        """Return every ``a=name`` line, in order."""
        return tuple(self._by_name.get(name, ()))

    def has(self, name: str) -> bool:
        """Tell whether there is an ``a=name`` line."""
        return name in self._by_name

    def read(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """Read every ``a=name`` line with ``parse``; :class:`DecodeError` names the line."""
        return tuple([read_line(line, parse) for line in self._by_name.get(name, ())])

    def read_first(self, name: str, parse: Callable[[str], T]) -> T | None:
        """Read the first ``a=name`` line with ``parse``, or return ``None`` if there is none."""
        lines = self._by_name.get(name)
        return read_line(lines[0], parse) if lines else None


def read_line(line: Line, parse: Callable[[str], T]) -> T:
    """Read one attribute line with ``parse``, and put the line's number in front of what it complains of."""
    try:
        return parse(line.content or "")
    except DecodeError as error:
        raise DecodeError(f"line {line.number}: a={line.name}: {error.message}") from None


@attrs.frozen
class MediaSection(Attributed):
    """One ``m=`` line and what follows it. ``lines`` does not hold the ``m=`` line itself (RFC 8866 5.14)."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    port_count: int | None = None
    number: int = attrs.field(default=0, eq=False)

    @property
    def media_line(self) -> str:
        """The value of the ``m=`` line."""
        port = str(self.port) if self.port_count is None else f"{self.port}/{self.port_count}"
        return " ".join((self.kind, port, self.protocol, *self.formats))


@attrs.frozen
class SessionDescriptionModel(Attributed):
    """A whole description: ``lines`` of the session level (``v=`` and ``o=`` included), then the media sections."""

    media: tuple[MediaSection, ...] = ()

    @property
    def origin(self) -> Origin:
        """The ``o=`` line; :class:`DecodeError` if there is none."""
        for line in self.lines:
            if line.type == "o":
                return Origin.parse(line.value)
        raise DecodeError("there is no o= line")
