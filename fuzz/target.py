"""What a target is: a function that takes bytes and raises when the code under test did wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

__all__ = ["Program", "Target", "Wrong", "check", "piece"]


class Wrong(AssertionError):
    """What the code under test did is not what it should do. Any other exception is a finding too."""


def check(condition: object, what: str) -> None:
    """Raise :class:`Wrong` unless ``condition``; works under ``-O`` as well."""
    if not condition:
        raise Wrong(what)


@attrs.frozen(kw_only=True)
class Target:
    """Something to fuzz.

    Attributes:
        name: on the command line, and of its corpus.
        run: one input through the code under test; deterministic; raises on a finding.
        seeds: inputs that are computed, in addition to those of ``fuzz/corpus/NAME.hex``.
        group: which state an input is for; counts and coverage are told by it.
        packages: whose lines are counted as coverage.
        max_size: the longest input in bytes.
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]] = tuple
    group: Callable[[bytes], str] = lambda data: "all"
    packages: tuple[str, ...] = ("pystack",)
    max_size: int = 4096


class Program:
    """An input read as a program: bytes, numbers and pieces, zeros when it is at its end."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        """The next byte."""
        at = self._at
        self._at = at + 1
        return self._data[at] if at < len(self._data) else 0

    def word(self) -> int:
        """The next two bytes, the higher first."""
        return self.byte() << 8 | self.byte()

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes, or what is left."""
        at = self._at
        self._at = at + size
        return self._data[at : at + size]

    def piece(self) -> bytes:
        """A piece with its length in front (two bytes)."""
        return self.take(self.word())

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(len(self._data))


def piece(data: bytes) -> bytes:
    """What :meth:`Program.piece` reads."""
    return len(data).to_bytes(2, "big") + data
