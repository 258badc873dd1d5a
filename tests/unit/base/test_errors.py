"""The taxonomy: whose fault, the chain in words, and an instance of its own for each waiter."""

import gc
import weakref

import pytest

from pystack import errors
from pystack.errors import (
    LOCAL,
    Closed,
    DecodeError,
    HandshakeFailed,
    InvalidArgument,
    LocalError,
    LocalProtocolError,
    MessageTooLarge,
    PeerAborted,
    PeerClosed,
    Reason,
    RemoteError,
    RemoteProtocolError,
    StackError,
    TransportLost,
    WouldBlock,
)


def test_every_public_name_is_there_and_every_error_is_ours() -> None:
    for name in errors.__all__:
        value = getattr(errors, name)
        if isinstance(value, type):
            assert issubclass(value, StackError)


@pytest.mark.parametrize("kind", [LocalProtocolError, InvalidArgument, MessageTooLarge, WouldBlock])
def test_your_mistakes(kind: type[StackError]) -> None:
    assert issubclass(kind, LocalError)
    assert not issubclass(kind, RemoteError)


@pytest.mark.parametrize("kind", [RemoteProtocolError, HandshakeFailed, PeerAborted, PeerClosed])
def test_their_mistakes(kind: type[StackError]) -> None:
    assert issubclass(kind, RemoteError)
    assert not issubclass(kind, LocalError)


@pytest.mark.parametrize("kind", [TransportLost, Closed, DecodeError])
def test_nobodys_mistakes(kind: type[StackError]) -> None:
    assert not issubclass(kind, (LocalError, RemoteError))


def test_a_deadline_is_the_builtin_and_no_error_of_ours() -> None:
    assert not issubclass(TimeoutError, StackError)
    assert not any(
        issubclass(getattr(errors, name), TimeoutError) for name in ("Closed", "WouldBlock", "TransportLost")
    )


def test_wrong_values_are_value_errors_too() -> None:
    assert issubclass(InvalidArgument, ValueError)
    assert issubclass(MessageTooLarge, ValueError)


def test_the_chain_is_told_from_the_top() -> None:
    alert = HandshakeFailed("DTLS alert: bad_certificate")
    lost = TransportLost("association lost", cause=alert)
    closed = Closed.because('data channel "chat"', lost)
    assert str(closed) == 'data channel "chat" closed ← association lost ← DTLS alert: bad_certificate'
    assert closed.reason is lost
    assert closed.cause is lost
    assert closed.what == 'data channel "chat"'


def test_an_error_without_a_message_is_told_by_its_name() -> None:
    assert str(PeerAborted()) == "PeerAborted"
    assert str(TransportLost(cause=PeerClosed("bye"))) == "TransportLost ← bye"


def test_a_local_end_has_no_cause() -> None:
    closed = Closed("channel", LOCAL)
    assert str(closed) == "channel closed locally"
    assert closed.reason == "local"
    assert closed.cause is None


def test_an_illegal_operation_names_state_and_operation() -> None:
    error = LocalProtocolError("send", "CLOSED")
    assert (error.operation, error.state) == ("send", "CLOSED")
    assert str(error) == "send is not legal in state CLOSED"
    assert str(LocalProtocolError("send", "CLOSED", "too late")) == "too late"


def test_a_message_too_large_names_both_sizes() -> None:
    error = MessageTooLarge(limit=10, size=11)
    assert (error.limit, error.size) == (10, 11)
    assert str(error) == "message of 11 bytes is above the limit of 10 bytes"


def test_two_waiters_share_the_reason_but_neither_instance_nor_traceback() -> None:
    class Frame:
        """Stands for what a frame keeps alive."""

    reason: Reason = TransportLost("gone")
    kept: list[weakref.ref[Frame]] = []

    def wait() -> None:
        held = Frame()
        kept.append(weakref.ref(held))
        raise Closed.because("channel", reason)

    for _ in range(2):
        with pytest.raises(Closed):
            wait()
    gc.collect()
    assert [ref() for ref in kept] == [None, None]
    assert isinstance(reason, TransportLost)
    assert reason.__traceback__ is None
