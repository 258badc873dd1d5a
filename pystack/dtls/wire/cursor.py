"""A reading position in a message: the length-prefixed vectors of TLS, with every length checked before use.

RFC 5246 section 4 describes the notation. Called by the message and extension codecs of this package.
"""

from __future__ import annotations

from struct import unpack

from pystack.errors import DecodeError

__all__ = ["Cursor", "vector8", "vector16", "vector24"]


class Cursor:
    """Reads a ``bytes`` from front to back; every method raises :class:`~pystack.errors.DecodeError` when it ends."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        start = self._at
        stop = start + size
        if stop > len(self._data):
            raise DecodeError("message cut short")
        self._at = stop
        return self._data[start:stop]

    def number(self, size: int) -> int:
        """The next ``size`` bytes as an unsigned integer."""
        return int.from_bytes(self.take(size))

    def vector(self, prefix: int) -> bytes:
        """A vector whose length stands before it in ``prefix`` bytes."""
        return self.take(self.number(prefix))

    def numbers16(self, prefix: int) -> tuple[int, ...]:
        """A vector of unsigned integers of two bytes each."""
        data = self.vector(prefix)
        if len(data) % 2:
            raise DecodeError("vector of odd length")
        return unpack(f"!{len(data) // 2}H", data)

    @property
    def empty(self) -> bool:
        """Whether everything has been read."""
        return self._at == len(self._data)

    def finish(self) -> None:
        """Insist that everything has been read."""
        if self._at != len(self._data):
            raise DecodeError("bytes after the message")


def vector8(data: bytes) -> bytes:
    """``data`` behind its length in one byte."""
    return len(data).to_bytes(1) + data


def vector16(data: bytes) -> bytes:
    """``data`` behind its length in two bytes."""
    return len(data).to_bytes(2) + data


def vector24(data: bytes) -> bytes:
    """``data`` behind its length in three bytes."""
    return len(data).to_bytes(3) + data
