"""What the client's and the server's handshake share: the step that a message leads to, the transcript, the refusal.

A handshake is a small state machine that is fed whole messages in order and answers each with a :class:`Step`; it
touches neither records nor timers nor flights. That is the seam for another version of DTLS: a pair of handshakes with
the same members. Called by the engine (steps) and the two handshakes (all else). RFC 5246 section 7.4.9 says what the
transcript covers, RFC 6347 section 4.2.6 how fragmented messages count in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

import attrs

from pystack.dtls.export import Agreement
from pystack.dtls.flights import ChangeCipherSpec, Outgoing
from pystack.dtls.keys import TrafficKeys
from pystack.dtls.wire.alert import AlertDescription
from pystack.dtls.wire.extensions import Extensions
from pystack.dtls.wire.handshake import pack_message_header
from pystack.errors import StackError

__all__ = ["Handshake", "Numbering", "Refusal", "Step", "Transcript", "find_extension"]


class Refusal(StackError):
    """We cannot go on with this peer. Raised by a handshake and caught by the engine; never leaves it.

    ``alert`` is what the peer is told.
    """

    def __init__(self, alert: AlertDescription, message: str) -> None:
        super().__init__(message)
        self.alert = alert


@attrs.define(kw_only=True)
class Step:
    """What one message led to, in the order in which the engine carries it out.

    Attributes:
        keys: traffic keys of epoch 1, usable from now on.
        certificate: the peer's certificate in DER, after it proved to hold the key.
        flight: our next flight.
        timed: whether the flight expects an answer.
        agreement: the handshake is complete.
    """

    keys: TrafficKeys | None = None
    certificate: bytes | None = None
    flight: Sequence[Outgoing | ChangeCipherSpec] = ()
    timed: bool = True
    agreement: Agreement | None = None


class Handshake(Protocol):
    """One side of a handshake."""

    @property
    def waiting_for(self) -> str:
        """What it waits for, for people."""
        ...

    @property
    def key_log(self) -> str | None:
        """Once there are keys: the line that gives them away to a debugger."""
        ...

    def start(self) -> Step:
        """Begin: a client speaks first, a server's first step is empty."""
        ...

    def allows(self, kind: int) -> bool:
        """Tell whether a message of this type is legal now."""
        ...

    def handle(self, kind: int, sequence: int, body: bytes) -> Step:
        """Take a whole message that :meth:`allows` let in.

        Raises:
            DecodeError: malformed; nothing has changed.
            Refusal: the end.
        """
        ...


class Transcript:
    """The handshake messages of both sides, each as if it had been sent in one piece."""

    __slots__ = ("_messages",)

    def __init__(self) -> None:
        self._messages = bytearray()

    def add(self, kind: int, sequence: int, body: bytes) -> None:
        """Append a message."""
        self._messages += pack_message_header(kind, sequence, len(body), 0, len(body))
        self._messages += body

    def clear(self) -> None:
        """Begin again: a HelloVerifyRequest and the hello before it do not count (RFC 6347 section 4.2.1)."""
        self._messages.clear()

    def hash(self, algorithm: str) -> bytes:
        """The digest of everything so far."""
        return hashlib.new(algorithm, self._messages).digest()

    @property
    def messages(self) -> bytes:
        """Everything so far, for a signature."""
        return bytes(self._messages)


class Numbering:
    """Gives our own messages their numbers, and the transcript those that count."""

    __slots__ = ("_next", "transcript")

    def __init__(self) -> None:
        self._next = 0
        self.transcript = Transcript()

    def message(self, kind: int, body: bytes, *, epoch: int = 0, counts: bool = True) -> Outgoing:
        """Make the next message."""
        sequence = self._next
        self._next = sequence + 1
        if counts:
            self.transcript.add(kind, sequence, body)
        return Outgoing(epoch, kind, sequence, body)


def find_extension(extensions: Extensions, kind: int) -> bytes | None:
    """The contents of an extension, ``None`` if it is not there."""
    for found, data in extensions:
        if found == kind:
            return data
    return None
