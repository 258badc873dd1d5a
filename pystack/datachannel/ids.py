"""Who uses which stream identifier, and when one may be used again (RFC 8832 section 6, RFC 8831 section 6.7).

The DTLS client opens on even identifiers, the server on odd ones. An identifier is free again only when *both* of its
directions are reset; a channel that is gone for its user may leave a stream behind that is still being reset, and a
new channel on it would be swallowed.
"""

from __future__ import annotations

from heapq import heappop, heappush

__all__ = ["MAX_STREAM_ID", "StreamIds"]

MAX_STREAM_ID = 65534
"""65535 is never a stream of a data channel (RFC 8832 section 5)."""

_OUTGOING = 1
_INCOMING = 2


class StreamIds:
    """The stream identifiers of one association, seen from one side.

    Attributes:
        limit: how many streams there are; identifiers are below it. Set when the association is established.
    """

    __slots__ = ("_freed", "_fresh", "_open", "_parity", "limit")

    def __init__(self) -> None:
        self.limit = MAX_STREAM_ID + 1
        self._open: dict[int, int] = {}  # identifier -> which of its directions are not reset yet
        self._parity = -1  # unknown: the DTLS role is not agreed upon yet
        self._fresh = 0
        self._freed: list[int] = []  # a heap of identifiers of ours that were used and are free again

    def set_role(self, is_dtls_client: bool) -> None:
        """From here on :meth:`allocate` works."""
        self._parity = 0 if is_dtls_client else 1
        self._fresh = self._parity

    @property
    def known(self) -> bool:
        """Whether the role is known."""
        return self._parity >= 0

    def is_ours(self, identifier: int) -> bool:
        """Tell whether this side opens channels on ``identifier``."""
        return identifier & 1 == self._parity

    def __len__(self) -> int:
        """How many identifiers are not free."""
        return len(self._open)

    def __contains__(self, identifier: int) -> bool:
        return identifier in self._open

    def taken(self) -> list[int]:
        """The identifiers that are not free."""
        return list(self._open)

    def allocate(self) -> int | None:
        """Take the lowest free identifier of this side; ``None`` when all are taken."""
        while self._freed:
            identifier = heappop(self._freed)
            if identifier < self.limit and self.take(identifier):
                return identifier
        while self._fresh < self.limit:
            identifier = self._fresh
            self._fresh += 2
            if self.take(identifier):
                return identifier
        return None

    def take(self, identifier: int) -> bool:
        """Take this very identifier; false when it is in use."""
        if identifier in self._open:
            return False
        self._open[identifier] = _OUTGOING | _INCOMING
        return True

    def outgoing_reset(self, identifier: int) -> bool:
        """Our direction is reset; return whether the identifier became free."""
        return self._reset(identifier, _OUTGOING)

    def incoming_reset(self, identifier: int) -> bool:
        """The peer's direction is reset; return whether the identifier became free."""
        return self._reset(identifier, _INCOMING)

    def incoming_is_reset(self, identifier: int) -> bool:
        """Tell whether the peer may already regard ``identifier`` as free: it did its half."""
        return not self._open.get(identifier, _INCOMING) & _INCOMING

    def outgoing_is_reset(self, identifier: int) -> bool:
        """Tell whether our half is done."""
        return not self._open.get(identifier, _OUTGOING) & _OUTGOING

    def free(self, identifier: int) -> None:
        """Give an identifier back on which nothing was ever sent, or whose association began anew."""
        if self._open.pop(identifier, None) is not None and self.known and self.is_ours(identifier):
            heappush(self._freed, identifier)

    def clear(self) -> None:
        """Forget everything."""
        self._open.clear()
        self._freed.clear()
        self._fresh = max(self._parity, 0)

    def _reset(self, identifier: int, direction: int) -> bool:
        left = self._open.get(identifier)
        if left is None:
            return False
        left &= ~direction
        if left:
            self._open[identifier] = left
            return False
        self.free(identifier)
        return True
