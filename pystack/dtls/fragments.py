"""From handshake fragments to whole messages in order (RFC 6347 sections 4.2.2 and 4.2.3).

Fragments come in any order, twice, and overlapping. Nothing in epoch 0 is authentic, so a message with one header and
bytes of another can be forged: what came last wins, and the peer's retransmission then repairs everything. Memory is
bounded by the number of messages ahead, the size of one and the sum of all. Called by the engine.
"""

from __future__ import annotations

from enum import Enum, auto

from pystack.base import RangeSet
from pystack.dtls.wire.handshake import Fragment
from pystack.errors import DecodeError

__all__ = ["Arrival", "FragmentAssembler", "Message"]

_AHEAD = 8
"""How many messages beyond the next one are kept; the longest flight has five."""
_MAX_MESSAGE = 16384
_MAX_TOTAL = 65536
_MAX_GAPS = 64
"""How scattered a message may arrive; one that is more so is no peer's doing, and is begun again."""


class Arrival(Enum):
    """What a fragment was."""

    KEPT = auto()
    REPEATED = auto()
    """Of a message that has been handled: the peer may have missed our answer."""


class Message:
    """A message that is being put together, or is whole."""

    __slots__ = ("_body", "_got", "kind", "length", "sequence")

    def __init__(self, kind: int, sequence: int, length: int) -> None:
        self.kind = kind
        self.sequence = sequence
        self.length = length
        self._body = bytearray(length)
        self._got = RangeSet()

    def add(self, offset: int, data: bytes) -> None:
        """Put a fragment in its place."""
        if len(self._got) > _MAX_GAPS:
            self._got.clear()
        self._body[offset : offset + len(data)] = data
        self._got.add_range(offset, offset + len(data))

    @property
    def whole(self) -> bool:
        """Whether every byte has come."""
        return self.length == 0 or (len(self._got) == 1 and self._got.first == (0, self.length))

    @property
    def body(self) -> bytes:
        """The body, without header."""
        return bytes(self._body)


class FragmentAssembler:
    """The receiving side of the handshake's own sequence numbers.

    Attributes:
        next: the message_seq of the message that is to be handled next.
    """

    __slots__ = ("_messages", "_total", "next")

    def __init__(self) -> None:
        self.next = 0
        self._messages: dict[int, Message] = {}
        self._total = 0

    def add(self, fragment: Fragment) -> Arrival:
        """Take a fragment.

        Raises:
            DecodeError: too far ahead, or too large.
        """
        kind, sequence, length, offset, data = fragment
        if sequence < self.next:
            return Arrival.REPEATED
        if sequence > self.next + _AHEAD:
            raise DecodeError("handshake message too far ahead")
        if length > _MAX_MESSAGE:
            raise DecodeError("handshake message too large")
        message = self._messages.get(sequence)
        if message is not None and (message.kind != kind or message.length != length):
            self._forget(sequence)
            message = None
        if message is None:
            if self._total + length > _MAX_TOTAL:
                raise DecodeError("handshake messages too large")
            message = self._messages[sequence] = Message(kind, sequence, length)
            self._total += length
        message.add(offset, data)
        return Arrival.KEPT

    def peek(self) -> Message | None:
        """The next message, if it is whole."""
        message = self._messages.get(self.next)
        return message if message is not None and message.whole else None

    def advance(self) -> None:
        """The next message has been handled."""
        self._forget(self.next)
        self.next += 1

    def reject(self) -> None:
        """The next message cannot be right: forget it and wait for another in its place."""
        self._forget(self.next)

    def clear(self) -> None:
        """Forget what is not whole; the handshake is over."""
        self._messages.clear()
        self._total = 0

    def _forget(self, sequence: int) -> None:
        message = self._messages.pop(sequence, None)
        if message is not None:
            self._total -= message.length
