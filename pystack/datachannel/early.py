"""Messages that came before their channel is known (RFC 8831 section 6.7; the first messages that others lose).

Three ways lead here: a negotiated channel that our side has not claimed yet, data that overtook its OPEN, and a channel
that the peer opened on a stream whose last channel is not over yet on our side. What is kept is bounded over all
streams together; it stays charged to the receive window, so the peer cannot fill it twice.
"""

from __future__ import annotations

__all__ = ["EarlyMessages"]


class EarlyMessages:
    """Kept messages by stream.

    Args:
        max_bytes: the bound on all of them together.
        max_messages: the bound on their number.
    """

    __slots__ = ("_bytes", "_count", "_kept", "_max_bytes", "_max_messages")

    def __init__(self, max_bytes: int, max_messages: int) -> None:
        self._max_bytes = max_bytes
        self._max_messages = max_messages
        self._kept: dict[int, list[tuple[int, bytes]]] = {}
        self._bytes = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def keep(self, stream: int, ppid: int, data: bytes) -> bool:
        """Keep a message; false when that would exceed a bound."""
        if self._count >= self._max_messages or self._bytes + len(data) > self._max_bytes:
            return False
        self._kept.setdefault(stream, []).append((ppid, data))
        self._bytes += len(data)
        self._count += 1
        return True

    def take(self, stream: int) -> list[tuple[int, bytes]]:
        """Remove and return the stream's ``(ppid, data)``, oldest first."""
        kept = self._kept.pop(stream, [])
        self._count -= len(kept)
        self._bytes -= sum(len(data) for _, data in kept)
        return kept

    def streams(self) -> list[int]:
        """The streams that something is kept for."""
        return list(self._kept)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._bytes = self._count = 0
