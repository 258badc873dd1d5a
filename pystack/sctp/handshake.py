"""Setting up: INIT, INIT-ACK, COOKIE-ECHO, COOKIE-ACK (RFC 9260 section 5), from both sides at once if need be.

Our tag and first TSN are drawn once, so every INIT-ACK before the association stands names the same ones, and a cookie
from before our own INIT is still good after it. Collision and restart (section 5.2) are told apart by the tags inside
the cookie alone. Called by the composer, which carries out the :class:`Adoption` that a valid cookie leads to.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import attrs

from pystack.base import Backoff, Randomness, TimerSet
from pystack.errors import DecodeError, HandshakeFailed, TransportLost
from pystack.sctp.cookie import CookieJar, PeerParameters, StateCookie
from pystack.sctp.options import AssociationOptions
from pystack.sctp.outbox import Outbox
from pystack.sctp.states import AssociationState, Lifecycle, Move
from pystack.sctp.wire.causes import CauseCode
from pystack.sctp.wire.control import COOKIE_ACK, SHUTDOWN_ACK, encode_abort, encode_cookie_echo, encode_error
from pystack.sctp.wire.init import InitChunk, sift_parameters
from pystack.sctp.wire.packet import ChunkType, build_packet
from pystack.sctp.wire.params import Parameter, ParameterType, encode_parameters

__all__ = ["Adopt", "Adoption", "Handshake"]

T1_INIT: Final = "t1-init"
T1_COOKIE: Final = "t1-cookie"
_DTLS: Final = (1).to_bytes(4, "big")
"""Error detection method of RFC 9653: checksums may be zero because DTLS protects the packets."""
_REPORT_LIMIT: Final = 200


class Adopt(Enum):
    """What a valid cookie means for the association."""

    NEW = "new"
    RESTART = "restart"
    AGAIN = "again"


@attrs.frozen
class Adoption:
    """What the composer is to do for a valid cookie; for ``AGAIN`` nothing but what was queued already."""

    kind: Adopt
    peer: PeerParameters


class Handshake:
    """The four-way handshake of one association.

    Attributes:
        local_tag, local_tsn: ours; they change only with a restart.
        peer: what the peer said, once known.
    """

    __slots__ = (
        "_backoff",
        "_echo",
        "_init",
        "_jar",
        "_lifecycle",
        "_options",
        "_outbox",
        "_randomness",
        "_timers",
        "local_tag",
        "local_tsn",
        "peer",
    )

    def __init__(
        self,
        options: AssociationOptions,
        randomness: Randomness,
        lifecycle: Lifecycle,
        timers: TimerSet,
        outbox: Outbox,
    ) -> None:
        self._options = options
        self._randomness = randomness
        self._lifecycle = lifecycle
        self._timers = timers
        self._outbox = outbox
        self._jar = CookieJar(randomness.token(32))
        self._backoff = Backoff(options.rto_initial, options.rto_max)
        self._init = b""
        self._echo = b""
        self.local_tag = self._draw_tag()
        self.local_tsn = randomness.integer(32)
        self.peer: PeerParameters | None = None

    def _draw_tag(self) -> int:
        return self._randomness.integer(32) or 1

    # -- our side ----------------------------------------------------------------------------------------------------

    def connect(self, now: float) -> None:
        """Send INIT."""
        self._lifecycle.move(Move.CONNECT, now)
        self._init = self._standalone(0, self._our_init(self.local_tag, self.local_tsn).encode())
        self._send_init(now)

    def _send_init(self, now: float) -> None:
        self._outbox.packet(self._init)
        self._timers.set(T1_INIT, now + self._backoff.next())

    def _send_echo(self, now: float) -> None:
        self._outbox.chunk(self._echo)
        self._timers.set(T1_COOKIE, now + self._backoff.next())

    def expire_init(self, now: float) -> None:
        """T1 while waiting for INIT-ACK."""
        if not self._gave_up("INIT"):
            self._send_init(now)

    def expire_cookie(self, now: float) -> None:
        """T1 while waiting for COOKIE-ACK."""
        if not self._gave_up("COOKIE-ECHO"):
            self._send_echo(now)

    def _gave_up(self, what: str) -> bool:
        limit = self._options.max_init_retransmits
        if limit and self._backoff.tries > limit:
            self._outbox.end(TransportLost(f"no answer to {what}, sent {self._backoff.tries} times"))
            return True
        return False

    def _our_init(self, tag: int, tsn: int, *, extra: tuple[Parameter, ...] = (), ack: bool = False) -> InitChunk:
        options = self._options
        extensions = b""
        if options.stream_reset:
            extensions += bytes([ChunkType.RE_CONFIG])
        if options.partial_reliability:
            extensions += bytes([ChunkType.FORWARD_TSN])
        if options.interleaving:
            extensions += bytes([ChunkType.I_DATA])
            if options.partial_reliability:
                extensions += bytes([ChunkType.I_FORWARD_TSN])
        parameters: list[Parameter] = []
        if options.partial_reliability:
            parameters.append((ParameterType.FORWARD_TSN_SUPPORTED, b""))
        if extensions:
            parameters.append((ParameterType.SUPPORTED_EXTENSIONS, extensions))
        if options.zero_checksum:
            parameters.append((ParameterType.ZERO_CHECKSUM, _DTLS))
        return InitChunk(tag, options.receive_window, options.streams, options.streams, tsn, [*parameters, *extra], ack)

    def _standalone(self, tag: int, chunk: bytes) -> bytes:
        return build_packet(self._options.local_port, self._options.remote_port, tag, [chunk])

    # -- the peer's side ---------------------------------------------------------------------------------------------

    def _read_peer(self, chunk: InitChunk, understood: list[Parameter]) -> PeerParameters:
        options = self._options
        extensions = b""
        forward = zero = False
        for kind, value in understood:
            if kind == ParameterType.SUPPORTED_EXTENSIONS:
                extensions += value
            elif kind == ParameterType.FORWARD_TSN_SUPPORTED:
                forward = True
            elif kind == ParameterType.ZERO_CHECKSUM:
                zero = value == _DTLS
        interleaving = options.interleaving and ChunkType.I_DATA in extensions
        if interleaving:  # then only I-FORWARD-TSN will do (RFC 8260 section 2.2.1)
            forward = ChunkType.I_FORWARD_TSN in extensions
        else:
            forward = forward or ChunkType.FORWARD_TSN in extensions
        return PeerParameters(
            tag=chunk.initiate_tag,
            initial_tsn=chunk.initial_tsn,
            a_rwnd=chunk.a_rwnd,
            outbound_streams=chunk.outbound_streams,
            inbound_streams=chunk.inbound_streams,
            partial_reliability=options.partial_reliability and forward,
            stream_reset=options.stream_reset and ChunkType.RE_CONFIG in extensions,
            zero_checksum=options.zero_checksum and zero,
            interleaving=interleaving,
        )

    def handle_init(self, body: bytes, now: float) -> None:
        """INIT, alone in a packet with tag 0; answered in every state, keeping nothing (sections 5.1 and 5.2).

        Raises:
            DecodeError: it cannot be read.
        """
        chunk = InitChunk.decode(body, ack=False)
        if chunk.initiate_tag == 0:
            raise DecodeError("INIT tag")
        if not chunk.outbound_streams or not chunk.inbound_streams:
            self._outbox.drop("init-streams", now)
            self._outbox.packet(
                self._standalone(chunk.initiate_tag, encode_abort([(CauseCode.INVALID_MANDATORY_PARAMETER, b"")]))
            )
            return
        state = self._lifecycle.state
        if state is AssociationState.SHUTDOWN_ACK_SENT:
            self._outbox.chunk(SHUTDOWN_ACK)
            return
        understood, reported = sift_parameters(chunk.parameters)
        peer = self._read_peer(chunk, understood)
        tag, tsn, local_tie, peer_tie = self.local_tag, self.local_tsn, 0, 0
        if self.peer is not None:
            local_tie, peer_tie = self.local_tag, self.peer.tag
            if state is not AssociationState.COOKIE_ECHOED:
                tag, tsn = self._draw_tag(), self._randomness.integer(32)
        cookie = self._jar.seal(StateCookie(now, tag, tsn, local_tie, peer_tie, peer))
        extra: tuple[Parameter, ...] = ((ParameterType.STATE_COOKIE, cookie),)
        if reported:
            extra += ((ParameterType.UNRECOGNIZED, encode_parameters(reported)[:_REPORT_LIMIT]),)
        answer = self._our_init(tag, tsn, extra=extra, ack=True)
        self._outbox.packet(self._standalone(chunk.initiate_tag, answer.encode()))

    def handle_init_ack(self, body: bytes, now: float) -> PeerParameters | None:
        """INIT-ACK: go on with its cookie; returns the peer if that is new to us. Ignored in every other state.

        Raises:
            DecodeError: it cannot be read.
        """
        if self._lifecycle.state is not AssociationState.COOKIE_WAIT:
            self._outbox.drop("init-ack-state", now)
            return None
        chunk = InitChunk.decode(body, ack=True)
        if not chunk.initiate_tag or not chunk.outbound_streams or not chunk.inbound_streams:
            self._refuse(
                chunk.initiate_tag, CauseCode.INVALID_MANDATORY_PARAMETER, b"", "INIT-ACK without tag or streams"
            )
            return None
        cookie = chunk.parameter(ParameterType.STATE_COOKIE)
        if cookie is None:
            missing = (1).to_bytes(4, "big") + ParameterType.STATE_COOKIE.to_bytes(2, "big")
            self._refuse(
                chunk.initiate_tag, CauseCode.MISSING_MANDATORY_PARAMETER, missing, "INIT-ACK without a cookie"
            )
            return None
        self._echo = encode_cookie_echo(cookie)
        if len(self._echo) > self._options.capacity:
            self._refuse(chunk.initiate_tag, CauseCode.OUT_OF_RESOURCE, b"", "a cookie larger than a packet")
            return None
        understood, reported = sift_parameters(chunk.parameters)
        self.peer = self._read_peer(chunk, understood)
        self._lifecycle.move(Move.INIT_ACK, now)
        self._timers.cancel(T1_INIT)
        self._backoff.reset()
        self._send_echo(now)
        if reported:
            value = encode_parameters(reported)[:_REPORT_LIMIT]
            self._outbox.chunk(encode_error([(CauseCode.UNRECOGNIZED_PARAMETERS, value)]))
        return self.peer

    def _refuse(self, tag: int, code: CauseCode, value: bytes, why: str) -> None:
        self._outbox.end(HandshakeFailed(why))
        if tag:
            self._outbox.packet(self._standalone(tag, encode_abort([(code, value)])))

    def handle_cookie_echo(self, body: bytes, tag: int, now: float) -> Adoption | None:
        """COOKIE-ECHO in a packet with that tag (sections 5.1.5 and 5.2.4).

        Raises:
            DecodeError: the cookie is not ours.
        """
        cookie = self._jar.open(body)
        if tag != cookie.local_tag:
            raise DecodeError("COOKIE-ECHO tag")
        ours = cookie.local_tag == self.local_tag
        theirs = self.peer is not None and cookie.peer.tag == self.peer.tag
        age = now - cookie.made_at
        if age > self._options.cookie_lifetime and not (ours and theirs):
            self._outbox.drop("cookie-stale", now)
            late = min(int((age - self._options.cookie_lifetime) * 1e6), 0xFFFFFFFF).to_bytes(4, "big")
            self._outbox.packet(self._standalone(cookie.peer.tag, encode_error([(CauseCode.STALE_COOKIE, late)])))
            return None
        if not self._lifecycle.allows(Move.COOKIE_ECHO):
            if self._lifecycle.state is AssociationState.SHUTDOWN_ACK_SENT:
                self._outbox.chunk(SHUTDOWN_ACK)
                self._outbox.chunk(encode_error([(CauseCode.COOKIE_WHILE_SHUTTING_DOWN, b"")]))
            else:
                self._outbox.drop("cookie-state", now)
            return None
        connecting = self._lifecycle.state in (
            AssociationState.CLOSED,
            AssociationState.COOKIE_WAIT,
            AssociationState.COOKIE_ECHOED,
        )
        if ours and theirs and not connecting:
            self._outbox.chunk(COOKIE_ACK)  # action D: our COOKIE-ACK was lost
            return Adoption(Adopt.AGAIN, cookie.peer)
        if ours:
            kind = Adopt.NEW if connecting else Adopt.RESTART  # actions B and D
        elif (
            not theirs
            and self.peer is not None
            and (cookie.local_tie, cookie.peer_tie) == (self.local_tag, self.peer.tag)
            and not connecting
        ):
            kind = Adopt.RESTART  # action A
        else:
            self._outbox.drop("cookie-tags", now)  # action C, and what the table does not name
            return None
        self.local_tag, self.local_tsn, self.peer = cookie.local_tag, cookie.local_tsn, cookie.peer
        self._lifecycle.move(Move.COOKIE_ECHO, now)
        self._done()
        self._outbox.chunks.clear()
        self._outbox.chunk(COOKIE_ACK)
        return Adoption(kind, cookie.peer)

    def handle_cookie_ack(self, now: float) -> bool:
        """COOKIE-ACK; returns whether the association is established by it."""
        if self._lifecycle.state is not AssociationState.COOKIE_ECHOED:
            self._outbox.drop("cookie-ack-state", now)
            return False
        self._lifecycle.move(Move.COOKIE_ACK, now)
        self._done()
        return True

    def handle_stale_cookie(self, now: float) -> None:
        """The peer says that our cookie came too late (section 5.2.6): the set-up failed."""
        if self._lifecycle.state is AssociationState.COOKIE_ECHOED:
            self._outbox.end(HandshakeFailed("the peer found its cookie stale"))
        else:
            self._outbox.drop("stale-cookie-state", now)

    def _done(self) -> None:
        self._timers.cancel(T1_INIT)
        self._timers.cancel(T1_COOKIE)
        self._backoff.reset()
        self._init = self._echo = b""
