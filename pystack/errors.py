"""The whole error taxonomy of the stack, in one place.

Three families, told apart by whose fault it is:

* :class:`LocalError`: you called wrongly. Raised at the call, and nothing has changed.
* :class:`RemoteError`: the peer did wrongly. Never raised by ``receive()``; it travels as the *reason* of the
  one terminal event and of every :class:`Closed`.
* :class:`TransportLost`: nobody did wrong; the path is gone.

A deadline that passes raises the built-in :class:`TimeoutError`, so that it can never be mistaken for an end.

A reason is a *value*: it is stored and shared, but never raised itself, because a raised instance keeps its
traceback, and so every frame and object on it, alive. Whoever waits gets an instance of its own from
:meth:`Closed.because`.
"""

from __future__ import annotations

from typing import Final, Literal, Self, TypeAlias

__all__ = [
    "LOCAL",
    "Closed",
    "DecodeError",
    "HandshakeFailed",
    "InvalidArgument",
    "LocalError",
    "LocalProtocolError",
    "MessageTooLarge",
    "PeerAborted",
    "PeerClosed",
    "Reason",
    "RemoteError",
    "RemoteProtocolError",
    "StackError",
    "TransportLost",
    "WouldBlock",
]


class StackError(Exception):
    """Base of everything that this stack raises on purpose; any other exception is our bug.

    ``cause`` is the error below that led to this one, as a value (``None`` at the bottom of the chain).
    ``str()`` tells the whole chain: ``association lost ← DTLS alert: bad_certificate``.
    """

    def __init__(self, message: str = "", *, cause: StackError | None = None) -> None:
        super().__init__(message)
        self.message: Final = message
        self.cause: Final = cause

    def __str__(self) -> str:
        own = self.message or type(self).__name__
        return f"{own} ← {self.cause}" if self.cause is not None else own


class LocalError(StackError):
    """You called wrongly. Raised at the call; nothing was changed by it."""


class LocalProtocolError(LocalError):
    """The operation is not legal in this state.

    Attributes:
        state: the state that the thing was in.
        operation: what was asked of it.
    """

    def __init__(self, operation: str, state: str, message: str = "") -> None:
        super().__init__(message or f"{operation} is not legal in state {state}")
        self.operation: Final = operation
        self.state: Final = state


class InvalidArgument(LocalError, ValueError):
    """An argument can never be right, whatever the state."""


class MessageTooLarge(LocalError, ValueError):
    """A message is larger than the peer said that it takes (RFC 8841 section 6, ``a=max-message-size``).

    Attributes:
        limit: the largest size in bytes that would be accepted.
        size: the size in bytes that was offered.
    """

    def __init__(self, limit: int, size: int) -> None:
        super().__init__(f"message of {size} bytes is above the limit of {limit} bytes")
        self.limit: Final = limit
        self.size: Final = size


class WouldBlock(LocalError):
    """Only from the ``*_nowait`` forms: there is no room now. Wait for ``writable()`` and try again."""


class RemoteError(StackError):
    """The peer did wrongly. Never raised by ``receive()``: carried as the reason of an end."""


class RemoteProtocolError(RemoteError):
    """The peer broke the protocol in a way that cannot be survived."""


class HandshakeFailed(RemoteError):
    """The two sides could not agree, or the peer could not prove who it is."""


class PeerAborted(RemoteError):
    """The peer ended it at once (SCTP ABORT, a fatal DTLS alert)."""


class PeerClosed(RemoteError):
    """The peer ended it in good order (SCTP SHUTDOWN, DTLS close_notify). Not an accusation, but its doing."""


class TransportLost(StackError):
    """The path is gone: consent expired, sockets failed, or too many retransmissions."""


Reason: TypeAlias = StackError | Literal["local"]
"""Why something ended: an error value, or ``"local"``."""
LOCAL: Final[Literal["local"]] = "local"
"""The reason of an end that this side asked for."""


class Closed(StackError):
    """Raised at every use of, and every wait on, a thing that has ended.

    Attributes:
        what: the thing that ended, for people (``data channel "chat"``).
        reason: why: a :class:`StackError` value, or ``"local"`` if this side ended it.
    """

    def __init__(self, what: str, reason: Reason, *, has: str = "closed") -> None:
        why = None if reason == LOCAL else reason
        assert why is None or isinstance(why, StackError)
        super().__init__(f"{what} {has}" + (" locally" if why is None else ""), cause=why)
        self.what: Final = what
        self.reason: Final[Reason] = reason

    @classmethod
    def because(cls, what: str, reason: Reason) -> Self:
        """Make an instance of its own for one waiter, so that no two waiters share a traceback."""
        return cls(what, reason)


class DecodeError(StackError):
    """Internal to the wire formats: bytes that are not what they should be.

    Caught at ``receive()``, counted and dropped; an application sees it only when it calls a codec itself.
    """
