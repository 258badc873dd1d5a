"""Joins messages in the deprecated partial form (RFC 8831 section 8.2: PPID 52 and 54), within a bound."""

from __future__ import annotations

__all__ = ["Pieces"]

_MOST = 4096  # pieces of one message


class Pieces:
    """The pieces of one message so far; false when there are none.

    Args:
        limit: bytes that the whole message may have.

    Attributes:
        size: bytes held.
    """

    __slots__ = ("_limit", "_pieces", "size")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def add(self, data: bytes) -> int:
        """Take a piece; 0, or, when the message became too large, how many bytes are dropped with it."""
        size = self.size + len(data)
        if size > self._limit or len(self._pieces) >= _MOST:
            self._pieces.clear()
            self.size = 0
            return size
        self._pieces.append(data)
        self.size = size
        return 0

    def join(self) -> bytes:
        """Return the whole message and begin anew."""
        whole = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return whole
