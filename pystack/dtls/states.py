"""Where a handshake, and the engine around it, can stand: transition tables (RFC 5246 section 7.3, RFC 6347 4.2.4).

The client waits for the server's messages in their order. A server that does not ask for a certificate goes from its
key straight to its ServerHelloDone. A HelloVerifyRequest may come once or again before the ServerHello::

    client   START → HELLO → CERTIFICATE → KEY_EXCHANGE → REQUEST_OR_DONE → [DONE] → FINISHED → COMPLETE
    server   HELLO → CERTIFICATE → KEY_EXCHANGE → VERIFY → FINISHED → COMPLETE

A state is named for what it waits for. A server that sends a HelloVerifyRequest stays where it is. A message that has
no entry in its state is dropped and counted, and its place in the sequence stays open: epoch 0 is not authenticated, so
whoever sent it may not have been the peer.
"""

from __future__ import annotations

from enum import Enum, auto

from pystack.base import Table
from pystack.dtls.wire.handshake import HandshakeType

__all__ = [
    "CLIENT_TABLE",
    "ENGINE_TABLE",
    "SERVER_TABLE",
    "ClientState",
    "EngineInput",
    "EngineState",
    "ServerState",
]


class ClientState(Enum):
    """What a client waits for."""

    START = auto()
    HELLO = auto()
    CERTIFICATE = auto()
    KEY_EXCHANGE = auto()
    REQUEST_OR_DONE = auto()
    DONE = auto()
    FINISHED = auto()
    COMPLETE = auto()


class ServerState(Enum):
    """What a server waits for."""

    HELLO = auto()
    CERTIFICATE = auto()
    KEY_EXCHANGE = auto()
    VERIFY = auto()
    FINISHED = auto()
    COMPLETE = auto()


CLIENT_TABLE: Table[ClientState, HandshakeType] = {
    ClientState.START: {HandshakeType.CLIENT_HELLO: ClientState.HELLO},
    ClientState.HELLO: {
        HandshakeType.HELLO_VERIFY_REQUEST: ClientState.HELLO,
        HandshakeType.SERVER_HELLO: ClientState.CERTIFICATE,
    },
    ClientState.CERTIFICATE: {HandshakeType.CERTIFICATE: ClientState.KEY_EXCHANGE},
    ClientState.KEY_EXCHANGE: {HandshakeType.SERVER_KEY_EXCHANGE: ClientState.REQUEST_OR_DONE},
    ClientState.REQUEST_OR_DONE: {
        HandshakeType.CERTIFICATE_REQUEST: ClientState.DONE,
        HandshakeType.SERVER_HELLO_DONE: ClientState.FINISHED,
    },
    ClientState.DONE: {HandshakeType.SERVER_HELLO_DONE: ClientState.FINISHED},
    ClientState.FINISHED: {HandshakeType.FINISHED: ClientState.COMPLETE},
}

SERVER_TABLE: Table[ServerState, HandshakeType] = {
    ServerState.HELLO: {HandshakeType.CLIENT_HELLO: ServerState.CERTIFICATE},
    ServerState.CERTIFICATE: {HandshakeType.CERTIFICATE: ServerState.KEY_EXCHANGE},
    ServerState.KEY_EXCHANGE: {HandshakeType.CLIENT_KEY_EXCHANGE: ServerState.VERIFY},
    ServerState.VERIFY: {HandshakeType.CERTIFICATE_VERIFY: ServerState.FINISHED},
    ServerState.FINISHED: {HandshakeType.FINISHED: ServerState.COMPLETE},
}


class EngineState(Enum):
    """The life of an engine. ``UNTRUSTED``: the handshake is complete, the fingerprint is not known yet."""

    NEW = auto()
    HANDSHAKING = auto()
    UNTRUSTED = auto()
    CONNECTED = auto()
    ENDED = auto()


class EngineInput(Enum):
    """What moves an engine."""

    START = auto()
    COMPLETE = auto()
    TRUST = auto()
    END = auto()


ENGINE_TABLE: Table[EngineState, EngineInput] = {
    EngineState.NEW: {EngineInput.START: EngineState.HANDSHAKING, EngineInput.END: EngineState.ENDED},
    EngineState.HANDSHAKING: {EngineInput.COMPLETE: EngineState.UNTRUSTED, EngineInput.END: EngineState.ENDED},
    EngineState.UNTRUSTED: {EngineInput.TRUST: EngineState.CONNECTED, EngineInput.END: EngineState.ENDED},
    EngineState.CONNECTED: {EngineInput.END: EngineState.ENDED},
}
