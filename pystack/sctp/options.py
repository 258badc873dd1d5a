"""What can be set on an association, with the defaults and their reasons.

Defaults interoperate with Chromium, Firefox (both dcSCTP), libwebrtc natives, usrsctp and aiortc. Where they differ
from RFC 9260 section 16 the attribute says so.
"""

from __future__ import annotations

from typing import Literal

import attrs

from pystack.errors import InvalidArgument

__all__ = ["AssociationOptions"]


@attrs.frozen(kw_only=True)
class AssociationOptions:
    """Settings of one association. All times in seconds, all sizes in bytes.

    Attributes:
        local_port, remote_port: SCTP ports; 5000 by custom (RFC 8841).
        mtu: largest SCTP packet, below DTLS. 1191 leaves room for DTLS, UDP and IPv6 in 1280 bytes.
        streams: how many streams we offer in each direction.
        receive_window: bytes that may be held for the application and for reassembly together.
        max_message_size: largest message that we take from the peer; a larger one breaks the association.
        rto_initial, rto_min, rto_max: bounds of the retransmission time-out. RFC 9260 has a minimum of 1 s; 0.4 s is
            what browsers use, and still twice the longest SACK delay that a peer may choose.
        sack_delay: longest wait of an acknowledgement (RFC 9260 section 6.2: at most 0.5).
        sack_every: acknowledge at least every so many packets with data. 2 by RFC 9260; more only between our own
            ends, because dcSCTP grows its window by one packet per SACK.
        initial_window: first congestion window in packets. RFC 9260 allows 4404 bytes; 10 packets is what dcSCTP and
            TCP (RFC 6928) use.
        slow_start_growth: the L of RFC 9260 section 7.2.1, in packets per SACK.
        max_congestion_window: ceiling of the congestion window, so that the flight is bounded whatever a peer does.
        max_burst: packets of new data that one acknowledgement may release (RFC 9260 section 6.1).
        max_association_retransmits: consecutive unanswered retransmissions and heartbeats until the association is
            lost (RFC 9260 section 8.1). 0 means unlimited.
        max_init_retransmits: the same for INIT and COOKIE-ECHO. 0 means unlimited.
        heartbeat_interval: pause between heartbeats on an idle association; ``0`` sends none.
        cookie_lifetime: how long a state cookie is good for.
        shutdown_guard: longest time from ``shutdown()`` to the end (RFC 9260 section 9.2: five times ``rto_max``).
        send_buffer: byte budget of the whole association for messages that have not departed. A message is taken
            whole while there is any room, so the budget can be passed by one message.
        stream_send_buffer: the same for each stream.
        blocking_writes: at most one message of the association between admission and departure.
        max_outgoing_message_size: largest message that the peer takes, 0 for no limit. The attribute of the same name
            on the association may be changed later, when the peer's description is known.
        partial_reliability: offer RFC 3758.
        stream_reset: offer RFC 6525.
        interleaving: offer RFC 8260: fragments of messages of several streams alternate on the wire, so a large message
            does not hold back small ones. Used when the peer offers it too: Firefox does, Chromium and aiortc do not.
        scheduler: whose turn it is among the streams with something to send. ``"round-robin"``: one after the other,
            message by message, or chunk by chunk when interleaving. ``"priority"``: the stream with the lowest
            ``Association.set_priority`` first, those of equal priority in turn.
        rack: take chunks for lost by time as well, and tolerate reordering (RFC 8985); otherwise by three reports only.
        tail_loss_probe: send the last chunk once more after two quiet round trips, instead of waiting for the
            retransmission time-out (RFC 8985).
        zero_checksum: offer RFC 9653 with DTLS as the error detection method. Only safe over DTLS.
    """

    local_port: int = 5000
    remote_port: int = 5000
    mtu: int = 1191
    streams: int = 65535
    receive_window: int = 1 << 20
    max_message_size: int = 262144
    rto_initial: float = 1.0
    rto_min: float = 0.4
    rto_max: float = 60.0
    sack_delay: float = 0.2
    sack_every: int = 2
    initial_window: int = 10
    slow_start_growth: int = 1
    max_congestion_window: int = 16 << 20
    max_burst: int = 4
    max_association_retransmits: int = 10
    max_init_retransmits: int = 8
    heartbeat_interval: float = 30.0
    cookie_lifetime: float = 60.0
    shutdown_guard: float = 300.0
    send_buffer: int = 2 << 20
    stream_send_buffer: int = 1 << 20
    blocking_writes: bool = False
    max_outgoing_message_size: int = 0
    partial_reliability: bool = True
    stream_reset: bool = True
    interleaving: bool = True
    scheduler: Literal["round-robin", "priority"] = "round-robin"
    rack: bool = True
    tail_loss_probe: bool = True
    zero_checksum: bool = False

    def __attrs_post_init__(self) -> None:
        for name in ("local_port", "remote_port", "streams"):
            if not 1 <= getattr(self, name) <= 65535:
                raise InvalidArgument(f"{name} must be in 1..65535")
        for name in ("rto_min", "sack_delay", "cookie_lifetime", "shutdown_guard"):
            if getattr(self, name) <= 0:
                raise InvalidArgument(f"{name} must be above 0")
        for name in ("sack_every", "initial_window", "slow_start_growth", "max_burst"):
            if getattr(self, name) < 1:
                raise InvalidArgument(f"{name} must be at least 1")
        for name in (
            "max_association_retransmits",
            "max_init_retransmits",
            "heartbeat_interval",
            "max_outgoing_message_size",
        ):
            if getattr(self, name) < 0:
                raise InvalidArgument(f"{name} must not be negative")
        if self.scheduler not in ("round-robin", "priority"):
            raise InvalidArgument('scheduler must be "round-robin" or "priority"')
        if not 512 <= self.mtu <= 65535:
            raise InvalidArgument("mtu must be in 512..65535")
        if not self.rto_min <= self.rto_initial <= self.rto_max:
            raise InvalidArgument("rto_min <= rto_initial <= rto_max must hold")
        if self.receive_window < 4 * self.mtu or self.max_message_size < 1:
            raise InvalidArgument("receive_window must be at least four packets, max_message_size at least 1")
        if self.max_message_size > self.receive_window:
            raise InvalidArgument(
                "max_message_size must fit into receive_window, or the largest message never completes"
            )
        if self.send_buffer < 1 or self.stream_send_buffer < 1:
            raise InvalidArgument("send_buffer and stream_send_buffer must be at least 1")

    @property
    def capacity(self) -> int:
        """Bytes of chunks in a full packet: the MTU without the common header, cut to a multiple of four."""
        return (self.mtu - 12) & ~3

    @property
    def max_payload(self) -> int:
        """User data in a full packet of one DATA chunk."""
        return self.capacity - 16
